"""What arrives of what a subject sends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pathway as pw


class Row(pw.Schema):
    a: int
    b: str = pw.column_definition(default_value="-")


def arrived(push: Callable[[Any], None], schema: type[pw.Schema] = Row, **run: Any) -> list[Any]:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            push(self)

    updates = pw.testing.capture(pw.io.python.read(Subject(), schema=schema), **run)
    return [tuple(update.row.values()) for update in updates]
