"""Names and texts that a terminal would act on, that markup would be made of, or that cannot be written at all."""

from __future__ import annotations

import logging
import pathlib
import re
import sys
from typing import Any

import pathway as pw
import pytest
from pathway._ground import shown

from tests.terminals import Terminal

NAMES = {
    "markup": "a[/x]b[bold]c[link=x]",
    "colour": "a\x1b[31mb\x9b31m",
    "line": "a\rb\nc\x0bd\u2028e\x85f",
    "direction": "a\u202eb\u2066c",
    "bell": "a\x07b\x00c\x7f",
    "title": "a\x1b]0;owned\x07b",
    "percent": "%s %d {} {0}",
    "wide": "船🚢é",
}

PROGRAM = """
import json, os, sys
import pathway as pw

name, where, level = json.loads(sys.argv[1])

class Subject(pw.io.python.ConnectorSubject):
    def run(self):
        self.next(number=1)
        self.next(number="no number " + name)
        self.next(number=2, **{name: 3})

Number = pw.schema_from_types(number=int)
if where == "subject":
    table = pw.io.python.read(Subject(name), schema=Number)
elif where == "read":
    table = pw.io.python.read(Subject(), schema=Number, name=name)
elif where == "file":
    os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
    with open(name.replace(chr(0), ""), "w") as file:
        file.write("number\\n1\\nno number " + name + "\\n")
    table = pw.io.csv.read(name.replace(chr(0), ""), schema=Number, mode="static")
else:
    table = pw.io.python.read(Subject(), schema=Number)
if where == "output":
    pw.io.csv.write(table, name.replace(chr(0), ""))
elif where == "subscribe":
    pw.io.subscribe(table, lambda **change: None, name=name)
elif where == "column":
    pw.io.null.write(table.select(**{name: pw.this.number // (pw.this.number - 1)}))
else:
    pw.io.null.write(table)
try:
    pw.run(monitoring_level=pw.MonitoringLevel[level], terminate_on_error=False)
    print("ENDED")
except Exception as error:
    print("FAILED", ascii(str(error)))
"""

PLACES = ("subject", "read", "file", "output", "subscribe", "column")

# What rich itself sends to draw a panel, and the ends of lines.
DRAWN = re.compile(rb"\x1b\[(\?25[lh]|\d*[AKJG]|2K|[0-9;]*m)")


def on_a_terminal(arguments: list[str], folder: pathlib.Path) -> bytes:
    """What a program writes to its terminal."""
    variables = {"TERM": "xterm", "COLUMNS": "300", "LINES": "50", "PATHWAY_THREADS": "1"}
    terminal = Terminal([sys.executable, "-c", PROGRAM, *arguments], folder=folder, **variables)
    assert terminal.read_to_the_end() == 0, terminal.written[-3000:]
    return terminal.written.encode()


@pytest.mark.one_process("the programs are processes of their own")
@pytest.mark.parametrize("where", PLACES)
def test_no_name_touches_the_terminal(where: str, tmp_path: pathlib.Path, attack_rounds: int) -> None:
    import json

    kinds = list(NAMES) if attack_rounds > 1 else list(NAMES)[PLACES.index(where) :: 4]
    for kind in kinds:
        for level in ("ALL", "NONE"):
            written = on_a_terminal([json.dumps([NAMES[kind], where, level])], tmp_path)
            assert b"ENDED" in written or b"FAILED" in written, (kind, written[-3000:])
            assert b"MarkupError" not in written
            left = DRAWN.sub(b"", written).replace(b"\r\n", b"").decode()
            # Carriage returns of the panel come before what erases the line.
            odd = [char for char in left.replace("\r", "") if not char.isprintable()]
            assert odd == [], (kind, level, odd, written[-3000:])


@pytest.mark.parametrize("kind", NAMES)
def test_log_lines_are_lines(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number="no number")
            raise ValueError(NAMES[kind])

    pw.io.null.write(pw.io.python.read(Subject(NAMES[kind]), schema=pw.schema_from_types(number=int)))
    with pytest.raises(ValueError, match=re.escape(NAMES[kind])), caplog.at_level(logging.INFO, "pathway"):
        pw.run(monitoring_level=pw.MonitoringLevel.IN_OUT)
    assert any("the connector failed: ValueError: " in message for message in caplog.messages)
    assert all(message.isprintable() for message in caplog.messages), caplog.messages


class Mute(Exception):
    def __str__(self) -> str:
        raise ValueError("no words")

    __repr__ = __str__


class MuteValue:
    def __repr__(self) -> str:
        raise ValueError("no words")

    __str__ = __repr__


HALF = "half \udc80 of a pair"

ERRORS: dict[str, BaseException] = {
    "half": ValueError(HALF),
    "mute": Mute(),
    "empty": ValueError(),
    "bytes": ValueError(b"\xff"),
    "mute value": ValueError(MuteValue()),
    "key": KeyError(HALF),
    "unicode": UnicodeDecodeError("utf-8", b"\xff", 0, 1, HALF),
}


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("terminate_on_error", [True, False])
def test_an_exception_is_reported_whatever_it_says(
    kind: str, terminate_on_error: bool, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(number: int) -> int:
        raise ERRORS[kind]

    table = pw.debug.table_from_markdown("number\n1").select(number=pw.apply_with_type(fails, int, pw.this.number))
    if terminate_on_error:
        with pytest.raises(type(ERRORS[kind])):
            pw.testing.capture(table)
        return
    with caplog.at_level(logging.ERROR, "pathway"):
        updates, log = pw.testing.capture(table, pw.global_error_log(), terminate_on_error=False)
    assert (len(updates), len(log)) == (1, 1)
    assert log[0].row["message"].startswith(type(ERRORS[kind]).__name__)
    assert [message for message in caplog.messages if type(ERRORS[kind]).__name__ in message]


VALUES: dict[str, Any] = {"half": HALF, "mute": MuteValue(), "escapes": NAMES["title"], "long": "x" * 100_000}


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("way", ["next", "next_batch", "next_columns", "next_json", "function"])
def test_a_value_that_is_refused_is_reported_whatever_it_is(
    kind: str, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    value = VALUES[kind]

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            if way == "next":
                self.next(number=value)
            elif way == "next_batch":
                self.next_batch([{"number": value}])
            elif way == "next_columns":
                self.next_columns({"number": [value]})
            elif way == "next_json":
                self.next_json({"number": value})
            self.next(number=1)

    table = pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int))
    if way == "function":
        table = table.select(number=pw.apply_with_type(lambda number: value, int, pw.this.number))
    with caplog.at_level(logging.ERROR, "pathway"):
        updates, log = pw.testing.capture(table, pw.global_error_log(), terminate_on_error=False)
    assert len(updates) in (1, 2)
    assert len(log) == 1
    assert all(message.isprintable() and len(message) < 2000 for message in caplog.messages)


def test_a_handler_of_logs_that_raises_ends_no_run() -> None:
    class Raising(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "did not accept" in record.getMessage():
                raise ValueError("the log is full")

    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(number="no number")
            self.next(number=1)

    handler = Raising()
    logging.getLogger("pathway").addHandler(handler)
    try:
        table = pw.io.python.read(Subject(), schema=pw.schema_from_types(number=int))
        assert [update.row for update in pw.testing.capture(table)] == [{"number": 1}]
    finally:
        logging.getLogger("pathway").removeHandler(handler)


@pytest.mark.parametrize("error", ERRORS.values(), ids=ERRORS)
def test_what_is_shown_of_an_error_is_one_line(error: BaseException) -> None:
    text = shown.of_error(error)
    assert text.isprintable()
    assert text.startswith(type(error).__name__)
