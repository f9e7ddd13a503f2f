"""What `pw.io.python.read` refuses, and what is taken although there is a newer way."""

from typing import Any

import pathway as pw
import pytest


class Numbers(pw.Schema):
    n: int


class Keyed(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    n: int


class Sends(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        self.next(n=1)


def read(subject: Any, **keywords: Any) -> Any:
    return pw.io.python.read(subject, schema=Numbers, **keywords)


def test_a_subject_is_read_once() -> None:
    subject = Sends()
    read(subject)
    with pytest.raises(ValueError, match="more than one Python connector"):
        read(subject)


def test_an_unknown_keyword_is_named() -> None:
    with pytest.raises(TypeError, match="batch_size"):
        read(Sends(), batch_size=5)


def test_a_schema_is_needed() -> None:
    with pytest.raises(ValueError, match="Schema must be specified"):
        pw.io.python.read(Sends())
    with pytest.raises(TypeError, match="schema"):
        pw.io.python.read(Sends(), schema=int)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"schema_from_types\(\*\*types\)"):
        pw.io.python.read(Sends(), schema={"n": int})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"write class Row\(pw.Schema\)"):
        pw.io.python.read(Sends(), schema=type("Row", (), {}))


def test_a_class_is_not_a_subject() -> None:
    with pytest.raises(TypeError, match=r"Sends\(\)"):
        read(Sends)


def test_a_function_is_not_a_subject() -> None:
    with pytest.raises(TypeError, match=r"with a method run\(self\)"):
        read(lambda: None)


def test_a_run_without_self_is_explained() -> None:
    class Forgetful(pw.io.python.ConnectorSubject):
        def run() -> None:  # type: ignore[misc]
            pass

    class Unbound(pw.io.python.ConnectorSubject):
        @staticmethod
        def run() -> list[dict[str, int]]:  # type: ignore[override]
            return [{"n": 1}]

    with pytest.raises(TypeError, match=r"Forgetful\.run\(\) takes no self: write def run\(self\)"):
        read(Forgetful())
    assert [update.row for update in pw.testing.capture(read(Unbound()))] == [{"n": 1}]


def test_a_subject_without_super_init_is_explained() -> None:
    class Forgetful(pw.io.python.ConnectorSubject):
        def __init__(self) -> None:
            pass

        def run(self) -> None:
            pass

    with pytest.raises(RuntimeError, match=r"super\(\).__init__\(\)"):
        read(Forgetful())


def test_a_subject_needs_run() -> None:
    class Lazy(pw.io.python.ConnectorSubject):
        pass

    with pytest.raises(TypeError, match="run"):
        Lazy()  # type: ignore[abstract]


def test_upserts_need_a_primary_key() -> None:
    with pytest.raises(ValueError, match="primary_key"):
        read(Sends(session_type="upsert"))
    with pytest.raises(ValueError, match="expected 'native' or 'upsert'"):
        Sends(session_type="both")


def test_the_older_style_of_upserts() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        @property
        def _session_type(self) -> pw.io.python.SessionType:
            return pw.io.python.SessionType.UPSERT

        def run(self) -> None:
            self.next(k=1, n=1)
            self.next(k=1, n=2)

    table = pw.io.python.read(Subject(), schema=Keyed)
    assert pw.testing.capture(table)[-1].row["n"] == 2


@pytest.mark.parametrize("keyword", ["max_backlog_size", "max_backlog_bytes", "autocommit_duration_ms"])
def test_limits_are_above_zero(keyword: str) -> None:
    with pytest.raises(ValueError, match=keyword):
        read(Sends(), **{keyword: 0})


@pytest.mark.parametrize(("format", "value"), [("raw", "text"), ("binary", b"bytes")])
def test_deprecated_formats(format: Any, value: Any) -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next_str(value) if format == "raw" else self.next_bytes(value)

    with pytest.warns(DeprecationWarning, match="format"):
        table = pw.io.python.read(Subject(), format=format)
    assert [update.row for update in pw.testing.capture(table)] == [{"data": value}]


def test_names_are_unique() -> None:
    table = read(Sends(), name="twin")
    pw.io.null.write(table, name="twin")
    with pytest.raises(ValueError, match="twin"):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
