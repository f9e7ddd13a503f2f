"""Python functions on columns."""

from __future__ import annotations

import re
from typing import Any

import pathway as pw
import pytest
from support import assert_table, rows, table


def test_apply() -> None:
    def scaled(x: int, *, by: int = 2) -> int:
        return x * by

    t = table("a\n1\n2")
    assert_table(t.select(x=pw.apply(scaled, t.a, by=t.a + 1)), "x\n2\n6")
    assert t.select(x=pw.apply(scaled, t.a)).typehints()["x"] is int


def test_types_come_from_annotations() -> None:
    t = pw.Table.empty(a=int)

    def type_of(function: Any, **options: Any) -> Any:
        return t.select(x=pw.udf(function, **options)(t.a)).typehints()["x"]

    def annotated(x: int) -> list[str]:
        return [str(x)]

    def many(x: list[int]) -> list[float]:
        return [0.5 for _ in x]

    assert type_of(annotated) == list[str]
    assert type_of(lambda x: x) is Any
    assert type_of(lambda x: x, return_type=str | None) == str | None
    assert type_of(many, max_batch_size=2) is float
    with pytest.raises(ValueError, match="has to return a list"):
        type_of(_returns_int, max_batch_size=2)


def _returns_int(x: int) -> int:
    return x


def test_decorator_and_class() -> None:
    @pw.udf
    def plain(x: int) -> int:
        return x + 1

    @pw.udf(deterministic=True)
    def shout(text: str, times: int = 1) -> str:
        "Makes it loud."
        return text + "!" * times

    class Scaled(pw.UDF):
        def __init__(self, by: int) -> None:
            super().__init__(deterministic=True)
            self.by = by

        def __wrapped__(self, x: int) -> int:
            return x * self.by

    t = table("a | s\n2 | x")
    assert_table(t.select(a=plain(t.a), b=shout(t.s, times=t.a), c=Scaled(10)(t.a)), "a | b | c\n3 | x!! | 20")
    assert shout.__doc__ == "Makes it loud."
    assert shout.__wrapped__("x") == "x!"


def test_none_is_passed_or_propagated() -> None:
    t = pw.debug.table_from_rows(pw.schema_from_types(a=int | None), [(1,), (None,)])

    @pw.udf(propagate_none=True)
    def more(x: int) -> int:
        return x + 1

    propagated = t.select(x=more(t.a))
    assert propagated.typehints()["x"] == int | None
    assert_table(propagated, "x\n2\nNone")
    assert_table(t.select(x=pw.apply_with_type(lambda x: x is None, bool, t.a)), "x\nFalse\nTrue")


def test_batches() -> None:
    sizes: list[int] = []

    @pw.udf(max_batch_size=2, deterministic=True)
    def doubled(xs: list[int]) -> list[int]:
        sizes.append(len(xs))
        return [2 * x for x in xs]

    t = table("a\n1\n2\n3")
    assert_table(t.select(x=doubled(t.a)), "x\n2\n4\n6")
    assert max(sizes) <= 2
    assert sum(sizes) == 3


def test_results_of_other_functions_are_remembered() -> None:
    calls: list[int] = []

    @pw.udf
    def numbered(x: int) -> int:
        calls.append(x)
        return len(calls)

    t = pw.debug.table_from_markdown(
        """
          | a | __time__ | __diff__
        1 | 5 | 2        | 1
        1 | 5 | 4        | -1
        """
    )
    updates = pw.testing.capture(t.select(x=numbered(t.a)))
    assert [(update.row["x"], update.diff) for update in updates] == [(1, 1), (1, -1)]
    assert calls == [5]


def test_mistakes() -> None:
    t = pw.Table.empty(a=int)

    @pw.udf
    def single(x: int) -> int:
        return x

    with pytest.raises(TypeError, match=r"single\(\)"):
        single(t.a, t.a)

    @pw.udf
    async def later(x: int) -> int:
        return x

    with pytest.raises(TypeError, match=r"asynchronous .* asyncio\.run\(later\(\.\.\.\)\)"):
        later(t.a)

    class Scaled:
        factor = 3

        @pw.udf
        def decorated(self, x: int) -> int:
            return x * self.factor

        def plain(self, x: int) -> int:
            return x * self.factor

    with pytest.raises(TypeError, match=r"pw\.udf\(instance\.decorated\)"):
        Scaled().decorated(t.a)
    assert rows(t.select(c=pw.udf(Scaled().plain)(t.a)), "c") == [3 * value for value in rows(t, "a")]
    with pytest.raises(ValueError, match="above zero"):
        pw.udf(max_batch_size=0)(lambda x: x)


def test_failures_are_raised_with_their_place() -> None:
    def fails(x: int) -> int:
        raise LookupError(f"no {x}")

    t = table("a\n1")
    with pytest.raises(LookupError, match="no 1"):
        pw.testing.capture(t.select(x=pw.apply(fails, t.a)))


def test_a_failure_that_ends_the_run_is_the_last_call() -> None:
    called = []

    @pw.udf
    def fail(a: int) -> int:
        called.append(a)
        raise ValueError("a call may take long")

    numbers = table("a\n1\n2\n3")
    with pytest.raises(ValueError, match="may take long"):
        pw.testing.capture(numbers.select(failed=fail(numbers.a)))
    assert len(called) == 1
    # Where the failure is provided for, the others are called.
    called.clear()
    assert_table(numbers.select(filled=pw.fill_error(fail(numbers.a), 0)), "filled\n0\n0\n0")
    assert len(called) == 3


def test_an_error_names_the_function_its_arguments_and_the_row() -> None:
    def inverted(a: int, /, *, by: int, what: str = "x") -> int:
        return by // a

    t = table("a\n1\n0")
    made = t.select(x=pw.apply(inverted, t.a, by=7))
    with pytest.raises(ZeroDivisionError) as error:
        pw.testing.capture(made)
    assert [re.sub(r"\^\w+", "^", note.partition("\n")[0]) for note in error.value.__notes__] == [
        'It failed in inverted(a=0, by=7), in column "x", for the row ^',
        "Occurred here:",
    ]
    pw.testing.reset()
    t = table("a\n1\n0")
    cells, errors = pw.testing.capture(
        t.select(x=pw.apply(inverted, t.a, by=7)), pw.global_error_log(), terminate_on_error=False
    )
    (failed,) = (update.key for update in cells if repr(update.row["x"]) == "Error")
    assert [update.row["message"] for update in errors] == [
        "ZeroDivisionError: integer division or modulo by zero, "
        f'in inverted(a=0, by=7), in column "x", for the row {failed}'
    ]


def test_a_call_that_is_shown_is_not_long() -> None:
    def fails(*values: Any) -> int:
        raise LookupError

    t = table("a\n1").select(a="long" * 100, b=1)
    with pytest.raises(LookupError) as error:
        pw.testing.capture(t.select(x=pw.apply_with_type(fails, int, *[t.a, t.b] * 50)))
    (note, _) = error.value.__notes__
    assert re.match(r'It failed in fails\(\'(long)+l?o?n?g?…, 1, \'long.*, …\), in column "x", for the row \^', note)
    assert len(note) < 400


def test_an_error_in_a_batch_names_the_function() -> None:
    def fails(values: list[int]) -> list[int]:
        raise LookupError("gone")

    t = table("a\n1\n2\n3")
    with pytest.raises(LookupError, match="gone") as error:
        pw.testing.capture(t.select(x=pw.udf(fails, max_batch_size=10)(t.a)))
    assert re.match(
        r'It failed in fails\(\.\.\.\), called with (1 row|[23] rows), in column "x", for the row \^',
        error.value.__notes__[0],
    )
