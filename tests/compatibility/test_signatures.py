"""Whatever the original has is here under the same name with the same arguments, or says that it is not there yet.

`signatures.json` has what `record_signatures.py` has seen of the original. Where the environment variable
PATHWAY_ORIGINAL_PYTHON names the interpreter of an environment with the original, it is asked again.
"""

from __future__ import annotations

import ast
import json
import os
import pathlib
import subprocess
from collections.abc import Iterator
from typing import NamedTuple, get_type_hints

import pathway as pw
import pytest
from pathway._ground import not_there_yet
from pathway._tables.join_conditions import AnyJoinOptions

from tests.compatibility import record_signatures

FOLDER = pathlib.Path(__file__).parent
Signatures = dict[str, str | None]

ORIGINAL: Signatures = json.loads((FOLDER / "signatures.json").read_text())
OURS: Signatures = record_signatures.recorded()

# What the inside of the original needs, and what users do not call: how objects are made of what it has inside, and
# methods that connectors and outputs of the original call.
INSIDE = {
    "pathway.ColumnExpression.str.default_false_values",
    "pathway.ColumnExpression.str.default_true_values",
    "pathway.GroupedTable.create",
    "pathway.TableLike.promise_universe_is_equal_to",
    "pathway.TableLike.promise_universe_is_subset_of",
    "pathway.TableLike.promise_universes_are_disjoint",
    *(f"pathway.Joinable.{name}" for name in ("filter", "join", "select")),
    *(f"pathway.Joinable.join_{kind}" for kind in ("inner", "left", "outer", "right")),
    "pathway.debug.StreamGenerator.events",
    "pathway.io.s3.AwsS3Settings.authorize",
    "pathway.io.s3.AwsS3Settings.settings",
    "pathway.persistence.Backend.engine_data_storage",
    "pathway.persistence.Backend.remove_path_from_env_variable",
    "pathway.persistence.Backend.store_path_in_env_variable",
    "pathway.persistence.Config.engine_config",
    "pathway.persistence.Config.on_after_run",
    "pathway.persistence.Config.on_before_run",
    "pathway.persistence.get_persistence_engine_config",
}
# Classes whose objects are not made by users.
MADE_INSIDE = {
    "pathway.ColumnReference",
    "pathway.GroupedJoinResult",
    "pathway.GroupedTable",
    "pathway.JoinMode",
    "pathway.JoinResult",
    "pathway.Joinable",
    "pathway.LiveTable",
    "pathway.MonitoringLevel",
    "pathway.PersistenceMode",
    "pathway.Pointer",
    "pathway.Table",
    "pathway.TableLike",
    "pathway.TableSlice",
    "pathway.persistence.Backend",
}
# What is otherwise here; docs/guide/compatibility.md says so.
DOCUMENTED = {
    # pw.udf and pw.UDF have no executors and caches yet.
    ("pathway.udf", "executor"),
    ("pathway.udf", "cache_strategy"),
    ("pathway.UDF", "executor"),
    ("pathway.UDF", "cache_strategy"),
    ("pathway.udfs.udf", "executor"),
    ("pathway.udfs.udf", "cache_strategy"),
    ("pathway.udfs.UDF", "executor"),
    ("pathway.udfs.UDF", "cache_strategy"),
    # An unknown keyword is a TypeError here.
    ("pathway.groupby", "kwargs"),
    ("pathway.io.csv.read", "kwargs"),
    ("pathway.io.fs.read", "kwargs"),
    ("pathway.io.jsonlines.read", "kwargs"),
    ("pathway.io.plaintext.read", "kwargs"),
    ("pathway.io.python.read", "kwargs"),
    # A subject with partitions is given the partition as well.
    ("pathway.io.python.ConnectorSubject.seek", "state"),
}


class Parameter(NamedTuple):
    name: str
    kind: str
    default: str | None


def parameters(signature: str) -> list[Parameter]:
    """What is between the brackets of a definition, without the object itself."""
    definition = ast.parse(f"def f({signature}): ...").body[0]
    assert isinstance(definition, ast.FunctionDef)
    names = definition.args
    positional = [*names.posonlyargs, *names.args]
    found = []
    defaults = [None] * (len(positional) - len(names.defaults)) + [ast.unparse(value) for value in names.defaults]
    for position, (argument, default) in enumerate(zip(positional, defaults, strict=True)):
        if position or argument.arg not in ("self", "cls"):
            kind = "positional" if position < len(names.posonlyargs) else "either"
            found.append(Parameter(argument.arg, kind, default))
    if names.vararg:
        found.append(Parameter(names.vararg.arg, "*", None))
    for argument, value in zip(names.kwonlyargs, names.kw_defaults, strict=True):
        found.append(Parameter(argument.arg, "keyword", None if value is None else ast.unparse(value)))
    if names.kwarg:
        found.append(Parameter(names.kwarg.arg, "**", None))
    return found


def differences(path: str, original: str, ours: str) -> Iterator[str]:
    """Calls that the original takes and we do not, or that mean something else."""
    theirs, mine = parameters(original), parameters(ours)
    if any(parameter.name == "kwargs" and parameter.kind == "**" for parameter in mine) and ".join" in path:
        # Their names are written down as a type.
        options = [name for name in get_type_hints(AnyJoinOptions) if not any(known.name == name for known in mine)]
        mine += [Parameter(name, "keyword", "default") for name in options]
    places = [parameter for parameter in mine if parameter.kind in ("positional", "either")]
    for position, wanted in enumerate(one for one in theirs if one.kind in ("positional", "either")):
        # Names with an underscore are for the inside, or for the object itself.
        if wanted.name.startswith("_") or (path, wanted.name) in DOCUMENTED:
            continue
        here = places[position] if position < len(places) else None
        if here is None or (wanted.kind == "either" and (here.name, here.kind) != (wanted.name, "either")):
            yield f"{wanted.name} is {here}, and not the argument at position {position}"
        elif wanted.default is not None and here.default is None:
            yield f"{wanted.name} has to be given"
    named = {parameter.name: parameter for parameter in mine if parameter.kind in ("either", "keyword")}
    for wanted in theirs:
        if wanted.name.startswith("_") or (path, wanted.name) in DOCUMENTED:
            continue
        if wanted.kind in ("*", "**") and not any(parameter.kind == wanted.kind for parameter in mine):
            yield f"{wanted.kind}{wanted.name} is missing"
        if wanted.kind == "keyword" and wanted.name not in named:
            yield f"{wanted.name} is missing"
        elif wanted.kind in ("keyword", "either") and wanted.default is not None and wanted.name in named:
            default = named[wanted.name].default
            if default not in (None, wanted.default, "default") and (path, wanted.name) not in OTHER_DEFAULTS:
                yield f"{wanted.name} has the default {default}, and not {wanted.default}"
    for extra in mine:
        known = any(parameter.name == extra.name for parameter in theirs)
        excused = any((path, parameter.name) in DOCUMENTED for parameter in theirs)
        if not known and not excused and extra.default is None and extra.kind in ("either", "keyword"):
            yield f"{extra.name} has to be given"


# Defaults that mean the same.
OTHER_DEFAULTS = {
    ("pathway.ColumnExpression.str.parse_bool", "true_values"),
    ("pathway.ColumnExpression.str.parse_bool", "false_values"),
    ("pathway.io.subscribe", "on_end"),
    ("pathway.io.subscribe", "on_time_end"),
    ("pathway.schema_builder", "id_type"),
}


def wrong_signatures(original: Signatures) -> list[str]:
    wrong = []
    for path, signature in original.items():
        ours = OURS.get(path)
        if signature is not None and ours is not None and path not in MADE_INSIDE:
            wrong += [f"{path}: {difference}" for difference in differences(path, signature, ours)]
    return wrong


def unanswered(original: Signatures) -> list[str]:
    """Names that are neither here nor said to be missing."""
    return [
        path
        for path in original
        if path not in OURS
        and path not in INSIDE
        # What is there, but in no list of names to import.
        and path != "pathway.__version__"
        and not_there_yet.message(path) is None
        and not_there_yet.message(path.removeprefix("pathway.")) is None
    ]


def test_what_can_be_called_takes_the_same_arguments() -> None:
    assert not wrong_signatures(ORIGINAL), "\n".join(["", *wrong_signatures(ORIGINAL)])


def test_every_name_is_there_or_says_that_it_is_not() -> None:
    assert not unanswered(ORIGINAL), "\n".join(["", *unanswered(ORIGINAL)])


def test_what_is_there_is_not_said_to_be_missing() -> None:
    said = [
        path for path in OURS if not_there_yet.message(path) or not_there_yet.message(path.removeprefix("pathway."))
    ]
    assert not said, "\n".join(["these have arrived; take them out of _ground/not_there_yet.py:", *said])


def test_the_comparison_finds_what_differs() -> None:
    def found(original: str, ours: str) -> list[str]:
        return list(differences("pathway.f", original, ours))

    assert found("a, b=1, *args, c=2", "a, b=1, *args, c=2, d=3") == []
    assert found("self, message", "self, message, /") == [
        "message is Parameter(name='message', kind='positional', default=None), and not the argument at position 0"
    ]
    assert len(found("a, b", "b, a")) == 2
    assert found("*, a=1", "*, a=2") == ["a has the default 2, and not 1"]
    assert found("*, a=1", "b") == ["a is missing", "b has to be given"]
    assert found("**kwargs", "") == ["**kwargs is missing"]


@pytest.mark.one_process("no rows are made")
def test_the_original_is_as_it_was_written_down() -> None:
    python = os.environ.get("PATHWAY_ORIGINAL_PYTHON")
    if not python:
        pytest.skip("PATHWAY_ORIGINAL_PYTHON names no interpreter with the original")
    script = str(FOLDER / "record_signatures.py")
    # Without our own package in the way.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [python, script], capture_output=True, text=True, check=True, env=environment, cwd=FOLDER, timeout=110
    )
    seen: Signatures = json.loads(done.stdout)
    assert seen.keys() >= ORIGINAL.keys() - {path for path in ORIGINAL if path.startswith("pathway.xpacks")}
    assert not wrong_signatures(seen), "\n".join(["", *wrong_signatures(seen)])
    assert not unanswered(seen), "\n".join(["", *unanswered(seen)])


def test_every_exception_is_needed() -> None:
    assert {path for path, _ in DOCUMENTED | OTHER_DEFAULTS} | INSIDE | MADE_INSIDE <= ORIGINAL.keys()
    assert not INSIDE & OURS.keys()


def test_messages_can_be_given_by_name() -> None:
    class Words(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_json(message={"word": "a"})
            self.next_str(message='{"word": "b"}')
            self.next_bytes(message=b'{"word": "c"}')

    words = pw.io.python.read(Words(), schema=pw.schema_from_types(word=str))
    assert sorted(update.row["word"] for update in pw.testing.capture(words)) == ["a", "b", "c"]
