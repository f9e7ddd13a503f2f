"""Writes down the public names of an installed `pathway`, and the signatures of what can be called.

Run with the interpreter of an environment with the original, it makes `signatures.json`:

    .venv-original/bin/python tests/compatibility/record_signatures.py > tests/compatibility/signatures.json

It asks `dir` and `inspect.signature`, and nothing else.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
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


def described(thing: Any) -> list[list[str | None]] | None:
    """The parameters: name, kind, and default as text. None if it cannot be called, or nobody knows how."""
    if not callable(thing):
        return None
    try:
        parameters = inspect.signature(thing).parameters.values()
    except (TypeError, ValueError):
        return None
    return [
        [
            parameter.name,
            parameter.kind.name,
            None if parameter.default is inspect.Parameter.empty else text_of(parameter.default),
        ]
        for parameter in parameters
    ]


def text_of(default: Any) -> str:
    """A default as text that does not tell where it lies in memory."""
    if isinstance(default, types.FunctionType):
        return f"<function {default.__name__}>"
    if type(default).__repr__ is object.__repr__:
        return f"<{type(default).__name__}>"
    return repr(default)


def recorded() -> dict[str, Any]:
    """All names with a dot between module, class and method."""
    found: dict[str, Any] = {}
    for module_name in MODULES:
        try:
            module = importlib.import_module(module_name)
        except ImportError:
            continue
        found[module_name] = None
        for name in public_names(module):
            thing = getattr(module, name)
            path = f"{module_name}.{name}"
            if isinstance(thing, types.ModuleType):
                found[path] = None
                continue
            found[path] = described(thing)
            if inspect.isclass(thing):
                for method in dir(thing):
                    # What a class has of pandas or of Python is not the business of this package.
                    if not method.startswith("_") and defined_in(thing, method):
                        found[f"{path}.{method}"] = described(inspect.getattr_static(thing, method))
    return found


def defined_in(kind: type, method: str) -> bool:
    """Whether a class of this package defines it."""
    return any(
        method in vars(base) and str(base.__module__).startswith(("pathway", "builtins._")) for base in kind.__mro__
    )


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    json.dump(recorded(), sys.stdout, indent=0, sort_keys=True)
    print()
