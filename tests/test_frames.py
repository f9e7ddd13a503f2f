"""Everything public is called wrongly, in many ways: what is raised shows frames of the program, and none of ours."""

import importlib
import inspect
import itertools
import operator
import os
import pkgutil
import traceback
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pathway as pw
import pytest
from pathway._ground import tracebacks

OURS = str(Path(pw.__file__).parent)

# Each is no argument of anything; a list cannot be hashed, a text is found in many places.
WRONG: list[Any] = [object(), None, -1, "no such name", [[]], {"a": object()}]


def public() -> Iterator[tuple[str, Any]]:
    """The functions and classes that people can name, with the name."""
    io = [f"pathway.io.{each.name}" for each in pkgutil.iter_modules(pw.io.__path__) if not each.name.startswith("_")]
    modules = ["debug", "demo", "io", "persistence", "reducers", "testing", "udfs", "universes"]
    for module in ["pathway", *(f"pathway.{each}" for each in modules), *io]:
        for name in importlib.import_module(module).__all__:
            thing = getattr(importlib.import_module(module), name)
            # Expressions are for annotations: nobody makes one by its class.
            if inspect.isfunction(thing) or (inspect.isclass(thing) and not issubclass(thing, pw.ColumnExpression)):
                yield f"{module.replace('pathway', 'pw', 1)}.{name}", thing


def table() -> pw.Table[Any]:
    return pw.Table.empty(a=int, b=str, c=float)


class Doubled(pw.UDF):
    def __wrapped__(self, number: int) -> int:
        return 2 * number


class Numbers(pw.Schema):
    number: int = pw.column_definition(primary_key=True)


class Source(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        self.next(number=1)


def joined() -> pw.JoinResult:
    left, right = table(), table()
    return left.join(right, left.a == right.a)


# The objects whose methods are called, by what they are called here.
OBJECTS: dict[str, Callable[[], Any]] = {
    "table": table,
    "table.a": lambda: table().a,
    "(table.a + 1)": lambda: table().a + 1,
    "table.a.num": lambda: table().a.num,
    "table.b.str": lambda: table().b.str,
    "table.a.dt": lambda: table().a.dt,
    "table.slice": lambda: table().slice,
    "table.groupby()": lambda: table().groupby(pw.this.a),
    "table.join()": joined,
    "table.join().groupby()": lambda: joined().groupby(pw.left.a),
    "table.C": lambda: table().C,
    "pw.this": lambda: pw.this,
    "pw.left": lambda: pw.left,
    "pw.this.a": lambda: pw.this.a,
    "pw.this[[]]": lambda: pw.this[["a", "b"]],
    "pw.this.ix": lambda: pw.this.ix(pw.this.a),
    "table.ix": lambda: table().ix,
    "table.ix_ref": lambda: table().ix_ref,
    "udf": Doubled,
    "schema": lambda: Numbers,
    "schema.columns()": lambda: Numbers.columns()["number"],
    "pw.Table": lambda: pw.Table,
    "pw.debug.StreamGenerator()": pw.debug.StreamGenerator,
    "pw.wrap_py_object()": lambda: pw.wrap_py_object(1),
    "handle": lambda: pw.start(monitoring_level=pw.MonitoringLevel.NONE),
}

OPERATORS = [
    *(operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow),
    *(operator.matmul, operator.lshift, operator.rshift, operator.and_, operator.or_, operator.xor),
    *(operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne, operator.getitem),
    *(operator.contains, operator.delitem, getattr),
]


def signature_of(function: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


def calls(function: Any) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Arguments that most functions can do nothing with."""
    yield (), {}
    yield (), {"nonsense": 1}
    yield tuple([object()] * 40), {}
    for wrong in WRONG:
        yield (wrong,), {}
        yield (wrong, wrong), {}
        yield (table(), wrong), {}
        yield (table().a, wrong), {}
        yield (pw.this.b, wrong), {}
        yield (pw.this.a, pw.this.b, wrong), {}
    signature = signature_of(function)
    for parameter in () if signature is None else signature.parameters.values():
        if parameter.kind in (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD):
            for wrong in WRONG:
                yield (), {parameter.name: wrong}
                yield (table(),), {parameter.name: wrong}


def frames_of_ours(error: BaseException) -> list[str]:
    """The frames of the package in what is printed of an exception, of those included that it comes of."""
    shown: traceback.TracebackException | None = traceback.TracebackException.from_exception(error)
    found: list[str] = []
    while shown is not None:
        found += [f"{frame.filename}:{frame.lineno}" for frame in shown.stack if frame.filename.startswith(OURS)]
        shown = shown.__cause__ or (None if shown.__suppress_context__ else shown.__context__)
    return found


def complaints(what: str, function: Callable[[], object]) -> list[str]:
    """What is wrong with what is raised, if anything is."""
    try:
        result = function()
        if isinstance(result, pw.ColumnExpression):
            # What is wrong with an expression is found where it is used.
            table().select(result=result)
    except BaseException as error:
        is_panic = not isinstance(error, (Exception, SystemExit, KeyboardInterrupt))
        inside = ["a panic"] if is_panic else frames_of_ours(error)[-1:]
        return [f"{what}: {type(error).__name__}: {str(error)[:200]}: {at}" for at in inside]
    finally:
        pw.testing.reset()
    return []


def complaints_of_calls(name: str, make: Callable[[], Any]) -> list[str]:
    """The same for many calls of a function, which is made anew for each."""
    found: list[str] = []
    for number in itertools.count():
        function = make()
        call = next(itertools.islice(calls(function), number, None), None)
        if call is None:
            return found
        args, kwargs = call
        given = ", ".join([*(repr(arg) for arg in args[:3]), *(f"{name}={value!r}" for name, value in kwargs.items())])
        found += complaints(f"{name}({given})", partial(function, *args, **kwargs))
    raise AssertionError


def attribute(make: Callable[[], Any], name: str) -> Any:
    return getattr(make(), name)


def operated(operation: Callable[[Any, Any], Any], make: Callable[[], Any], other: Any) -> Any:
    return operation(make(), other)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some of these calls are allowed, and write what they are told to."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "thing"), list(public()), ids=[name for name, _ in public()])
def test_a_function(name: str, thing: Any) -> None:
    assert complaints_of_calls(name, lambda: thing) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OBJECTS)
def test_the_methods_of_an_object(name: str) -> None:
    make = OBJECTS[name]
    kind = type(make())
    pw.testing.reset()
    for method in dir(kind):
        if method.startswith("_") or not inspect.isroutine(inspect.getattr_static(kind, method)):
            continue
        assert complaints_of_calls(f"{name}.{method}", partial(attribute, make, method)) == []


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", OBJECTS)
def test_the_operators_of_an_object(name: str) -> None:
    make = OBJECTS[name]
    for operation in OPERATORS:
        for wrong in WRONG:
            what = f"{operation.__name__}({name}, {wrong!r})"
            assert complaints(what, partial(operated, operation, make, wrong)) == []


@pytest.mark.parametrize(
    "line",
    [
        "pw.Tabel",
        "pw.io.kafka",
        "pw.reducers.summ",
        "pw.udfs.DiskCache",
        "import pathway.io.kafka",
        "from pathway.stdlib.temporal import tumbling",
        "from pathway import tumblin",
        "from pathway.io import csvv",
        "pw.Json({})['a']",
        "class Sale(pw.Schema, nonsense=1): pass",
    ],
)
def test_a_name_that_is_not_there(line: str) -> None:
    assert complaints(line, lambda: exec(line, {"pw": pw})) == []


def test_what_is_no_row_of_a_json_document_is_no_mistake_of_ours() -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(a=pw.Json), [(pw.Json({}),)])
    result = table.select(b=pw.apply_with_type(lambda document: document["b"].as_int(), int, pw.this.a))
    with pytest.raises(KeyError, match="b") as raised:
        pw.debug.compute_and_print(result)
    assert frames_of_ours(raised.value) == []


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: pw.groupby(1),
            "groupby(): argument grouped has to be Groupable, found 1",
        ),
        (
            lambda: pw.debug.table_from_markdown(["a", "1"]),
            "table_from_markdown(): argument table_def has to be str, found ['a', '1']",
        ),
        (
            lambda: pw.schema_from_dict([("a", int)]),
            "schema_from_dict(): argument columns has to be Mapping[str, Any], found [('a', <class 'int'>)]",
        ),
    ],
)
def test_the_argument_that_is_wrong_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(TypeError) as raised:
        call()
    assert message in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_mistake_of_ours_in_a_right_call_keeps_its_frames() -> None:
    names: dict[str, Any] = {}
    path = os.path.join(OURS, "_tables", "x.py")
    exec(compile("def ours(a: int) -> int:\n    return a.missing\n", path, "exec"), names)
    with pytest.raises(AttributeError, match="missing") as raised:
        tracebacks.shortened(names["ours"])(1)
    assert path in frames_of_ours(raised.value)[-1]


def test_a_method_of_ours_that_the_engine_calls_fails_as_itself() -> None:
    table = pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)])
    pw.io.subscribe(table, table.filter)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="filter"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
