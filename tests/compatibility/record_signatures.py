"""Writes down the public names of an installed `pathway`, and the signatures of what can be called.

Run with the interpreter of an environment with the original, it makes `signatures.json`:

    .venv-original/bin/python tests/compatibility/record_signatures.py > tests/compatibility/signatures.json

It asks `dir` and `inspect.signature`, and nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import json
import types
import warnings
from typing import Any

IO = """
airbyte bigquery chroma clickhouse csv debezium deltalake duckdb dynamodb elasticsearch fs gdrive http iceberg jsonlines
kafka kinesis leann logstash milvus minio mongodb mqtt mssql mysql nats null pinecone plaintext postgres pubsub pulsar
pyfilesystem python qdrant questdb rabbitmq redpanda s3 slack sqlite weaviate
"""
LIBRARY = "graphs indexing ml ordered stateful statistical temporal utils utils.bucketing utils.col utils.filtering viz"
MODULES = [
    "pathway",
    *(f"pathway.{name}" for name in ("debug", "demo", "io", "persistence", "reducers", "udfs", "universes", "stdlib")),
    *(f"pathway.io.{name}" for name in IO.split()),
    *(f"pathway.stdlib.{name}" for name in LIBRARY.split()),
    "pathway.xpacks.llm",
]
# The families of methods that expressions have.
FAMILIES = ("str", "num", "dt")


# Tables with other names for what they are: what they have of Table is not said again.
TABLES = {"LiveTable"}


def public_names(module: types.ModuleType) -> list[str]:
    """What a module says it has; without `__all__`, what it has defined itself."""
    names = getattr(module, "__all__", None)
    if names is None:
        own = []
        for name in dir(module):
            defined = getattr(getattr(module, name, None), "__module__", None)
            if not name.startswith("_") and isinstance(defined, str) and defined.startswith(module.__name__):
                own.append(name)
        return own
    return [name for name in names if hasattr(module, name)]


def described(thing: Any) -> str | None:
    """The parameters with their defaults, as one writes them; None if nobody knows them, or it is not called."""
    if not callable(thing) and not isinstance(thing, classmethod | staticmethod):
        return None
    try:
        signature = inspect.signature(getattr(thing, "__func__", thing))
    except (TypeError, ValueError):
        return None
    parameters = [
        parameter.replace(
            annotation=inspect.Parameter.empty,
            default=parameter.default if parameter.default is inspect.Parameter.empty else Text(parameter.default),
        )
        for parameter in signature.parameters.values()
    ]
    return str(inspect.Signature(parameters))[1:-1]


class Text:
    """A default as text that does not tell where it lies in memory, nor in which package."""

    def __init__(self, default: Any) -> None:
        self.default = default

    def __repr__(self) -> str:
        default, kind = self.default, type(self.default)
        if isinstance(default, type):
            return default.__name__
        if isinstance(default, str | bytes | int | float | tuple | None):
            return repr(default)
        # Such as `JoinMode` for one of its members: which of them is shown in different ways.
        return kind.__name__


def recorded() -> dict[str, Any]:
    """All names, with dots between module, class and method."""
    found: dict[str, Any] = {}
    for module_name in MODULES:
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        for name in public_names(module):
            thing = getattr(module, name)
            path = f"{module_name}.{name}"
            found[path] = None if isinstance(thing, types.ModuleType) else described(thing)
            if inspect.isclass(thing):
                of_tables = set(dir(module.Table)) if name in TABLES else set()
                for method in sorted(set(dir(thing)) - of_tables):
                    # What a class has of pandas or of Python is not the business of this package.
                    if not method.startswith("_") and defined_here(thing, method):
                        found[f"{path}.{method}"] = described(inspect.getattr_static(thing, method))
    pw = importlib.import_module("pathway")
    for family in FAMILIES:
        methods = type(getattr(pw.this.column, family))
        for method in dir(methods):
            if not method.startswith("_"):
                found[f"pathway.ColumnExpression.{family}.{method}"] = described(getattr(methods, method))
    return found


def defined_here(kind: type, method: str) -> bool:
    """Whether a class of this package defines it."""
    return any(
        method in vars(base) and str(base.__module__).startswith(("pathway", "builtins._")) for base in kind.__mro__
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    lines = [f"{json.dumps(path)}: {json.dumps(what)}" for path, what in sorted(recorded().items())]
    print("{", ",\n".join(lines), "}", sep="\n")
