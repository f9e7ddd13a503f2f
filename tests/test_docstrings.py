"""Every public name is documented: what it means, its arguments, and an example. Every example runs.

The docstrings are the reference: `help(pw.Table.join)`. What is public is what `__all__` lists, and of classes the
attributes without an underscore.
"""

import doctest
import importlib
import inspect
import pathlib
import pkgutil
import re
import tempfile
from collections.abc import Iterator
from typing import Any

import pathway as pw
import pytest


def examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in pkgutil.walk_packages(pw.__path__, "pathway."):
        if not module.name.endswith("._native"):
            yield from (test for test in finder.find(importlib.import_module(module.name)) if test.examples)


@pytest.mark.parametrize("example", [pytest.param(test, id=test.name) for test in examples()])
def test_example(example: doctest.DocTest, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What an example leaves in a temporary folder goes with those of the tests.
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    shown: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(example, out=shown.append)
    assert result.failed == 0, "".join(shown)


MODULES = {
    "pw": pw,
    **{
        f"pw.{name}": getattr(pw, name)
        for name in ("debug", "demo", "io", "persistence", "reducers", "testing", "udfs", "universes")
    },
    **{
        f"pw.io.{name}": getattr(pw.io, name)
        for name in ("csv", "fs", "jsonlines", "null", "plaintext", "python", "sqlite", "stdout")
    },
}

# Where the attributes of an instance are documented elsewhere than in the class of that name.
INSTANCES = {
    "pw.this": type(pw.this),
    "expression.dt": type(pw.this.a.dt),
    "expression.num": type(pw.this.a.num),
    "expression.str": type(pw.this.a.str),
}

# Enumerations, named tuples, and subclasses of pandas' types: the class says it all.
WITHOUT_METHODS = {
    "ConnectorReport",
    "CrashReport",
    "DateTimeNaive",
    "DateTimeUtc",
    "Duration",
    "JoinMode",
    "MonitoringLevel",
    "Type",
    "Update",
}


def public(owner: type) -> Iterator[tuple[str, Any]]:
    """The attributes of a class that its users see, those of its bases in this package included."""
    for name in sorted(dir(owner)):
        if not name.startswith("_") and not hasattr(type, name):
            value = inspect.getattr_static(owner, name)
            value = value.__func__ if isinstance(value, staticmethod | classmethod) else value
            yield name, value.fget if isinstance(value, property) else value


def documented() -> Iterator[tuple[str, Any, Any]]:
    """Every public name, its value, and the class it belongs to, if it does."""
    classes: dict[str, type] = dict(INSTANCES)
    for prefix, module in MODULES.items():
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value) or name.startswith("__"):
                continue
            yield f"{prefix}.{name}", value, None
            if inspect.isclass(value) and name not in WITHOUT_METHODS and value.__module__.startswith("pathway"):
                classes[f"{prefix}.{name}"] = value
    classes["pw.Schema"] = type(pw.Schema)
    for prefix, owner in classes.items():
        for name, value in public(owner):
            if callable(value) and not inspect.isclass(value):
                yield f"{prefix}.{name}", value, owner


NAMES = [pytest.param(value, owner, id=name) for name, value, owner in documented()]


@pytest.mark.parametrize(("value", "owner"), NAMES)
def test_meaning(value: Any, owner: Any) -> None:
    text = inspect.getdoc(value) or ""
    first = text.split("\n\n")[0]
    assert len(first.split()) >= 3, text
    assert first[0].isupper() or first[0] in '`"(', text


@pytest.mark.parametrize(("value", "owner"), NAMES)
def test_arguments(value: Any, owner: Any) -> None:
    if inspect.isclass(value) or not callable(value):
        return
    text = inspect.getdoc(value) or ""
    if "The arguments are those of" in text:
        return
    parameters = [name for name in inspect.signature(value).parameters if name not in ("self", "cls")]
    prose = text.split(">>>")[0]
    missing = [name for name in parameters if not re.search(rf"\b{name}\b", prose)]
    # What a single argument is, the first sentence says.
    assert not missing or len(parameters) == 1, f"not in the text: {missing}"


# Types of callbacks and the like, and what has the example of how they are used.
SHOWN_BY = {
    "AsyncConnectorObserver": pw.io.python.write,
    "ConnectorObserver": pw.io.python.write,
    "ConnectorReport": pw.testing.check_connector,
    "CrashReport": pw.testing.crash_test,
    "OnChangeCallback": pw.io.subscribe,
    "OnChangeCallbackAsync": pw.io.subscribe,
    "OnFinishCallback": pw.io.subscribe,
    "OnTimeEndCallback": pw.io.subscribe,
    "Pointer": pw.Table.pointer_from,
    "SessionType": pw.io.python.ConnectorSubject,
}

# Classes of which the guide shows the methods.
IN_THE_GUIDE = (pw.io.python.ConnectorSubject, pw.io.python.ConnectorObserver, pw.io.python.AsyncConnectorObserver)

# Hooks of subjects that the engine calls, and that subclasses override only for persistence.
HOOKS = {"end", "start", "seek", "on_persisted_run"}


def pages() -> str:
    """The programs in the guide, which run in `test_guide`, and those in the documentation of the connectors."""
    root = pathlib.Path(__file__).parent.parent / "docs"
    blocks = [
        block
        for page in root.rglob("*.md")
        for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.M | re.S)
    ]
    return "\n".join([*blocks, inspect.getdoc(pw.io.python.write) or "", inspect.getdoc(pw.io.python.read) or ""])


@pytest.mark.parametrize(("value", "owner"), NAMES)
def test_example_of_every_name(value: Any, owner: Any) -> None:
    name = getattr(value, "__name__", "")
    shown = SHOWN_BY.get(name, value)
    if ">>>" in (inspect.getdoc(shown) or ""):
        return
    whole = inspect.getdoc(owner) or ""
    if owner in IN_THE_GUIDE:
        if name in HOOKS:
            return
        whole = pages()
    assert re.search(rf"(\.|def ){name}\(", whole), "no example"
