"""How a notebook shows schemas. They are classes, whose methods IPython does not ask for what it shows."""

from __future__ import annotations

from typing import Any

from pathway._ground import notebook_shell


def install() -> None:
    """Tells IPython, if this is a program of its."""
    shell = notebook_shell.shell()
    formatters = getattr(getattr(shell, "display_formatter", None), "formatters", {})
    if "text/html" in formatters:
        formatters["text/html"].for_type_by_name("pathway._schemas.schema", "SchemaMetaclass", _html)


def _html(schema: Any) -> str:
    # Only who looks at a schema needs it.
    from pathway._looking import notebooks

    return notebooks.html_of_schema(schema)
