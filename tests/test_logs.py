"""Where messages go: our own logger, and nobody else's."""

import logging
import pathlib
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pathway as pw
import pytest
from pathway._running import logs

PROGRAM = """
import logging, sys
import pathway as pw
{before}
def tell(**_):
    logging.getLogger("httpx").info("HTTP Request: GET http://example.com")
    logging.getLogger("pathway").info("one of ours")
{meanwhile}
pw.io.subscribe(pw.debug.table_from_rows(pw.schema_from_types(a=int), [(1,)]), tell, name="s")
pw.run({arguments})
{after}
"""


def written(before: str = "", meanwhile: str = "", after: str = "", arguments: str = "") -> list[str]:
    """The lines that a program writes to standard error."""
    program = PROGRAM.format(before=before, meanwhile=meanwhile, after=after, arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    return done.stderr.splitlines()


def test_messages_of_other_libraries_are_not_printed() -> None:
    ours, last = written()
    assert re.fullmatch(r"\[[-\d]+ [:,\d]+\]:INFO:one of ours", ours)
    assert ":INFO:finished after " in last


def test_nothing_is_left_of_it_after_the_run() -> None:
    after = "print(logging.root.handlers, logging.root.level, logging.getLogger('pathway').handlers, "
    after += "logging.getLogger('pathway').level, file=sys.stderr)"
    assert written(after=after)[-1] == "[] 30 [] 0"


def test_a_program_that_has_set_up_logging_gets_each_message_once_in_its_form() -> None:
    setting = "logging.basicConfig(level=logging.INFO, format='mine %(name)s %(message)s')"
    lines = written(before=setting)
    assert lines[:2] == ["mine httpx HTTP Request: GET http://example.com", "mine pathway one of ours"]
    assert len(lines) == 3
    # Its level holds, too.
    assert written(before=setting.replace("INFO", "WARNING")) == []


def test_a_handler_of_our_logger_is_enough() -> None:
    setting = "handler = logging.StreamHandler()\nhandler.setFormatter(logging.Formatter('own %(message)s'))\n"
    setting += "logging.getLogger('pathway').addHandler(handler)\nlogging.getLogger('pathway').setLevel(logging.INFO)"
    first, last = written(before=setting)
    assert first == "own one of ours"
    assert last.startswith("own finished after ")


def test_a_level_of_our_logger_holds() -> None:
    assert written(before="logging.getLogger('pathway').setLevel(logging.WARNING)") == []
    after = "print(logging.getLogger('pathway').level, file=sys.stderr)"
    lines = written(before="logging.getLogger('pathway').setLevel(logging.DEBUG)", after=after)
    assert lines[-1] == str(logging.DEBUG)


def test_logging_that_is_set_up_meanwhile_prints_nothing_twice() -> None:
    # The module's own functions set up the root logger when they are first called.
    lines = written(meanwhile="    logging.warning('from a function')\n    logging.getLogger('pathway').info('later')")
    assert [line.rpartition(":")[2] for line in lines[:3]] == ["one of ours", "from a function", "later"]
    assert "finished after " in lines[3]
    assert len(lines) == 4


def test_nothing_is_printed_if_none_is_wanted() -> None:
    assert written(arguments="default_logging=False") == []


def test_warnings_are_seen_even_so() -> None:
    # Python itself prints them.
    (line,) = written(
        meanwhile="    logging.getLogger('pathway').warning('careful')", arguments="default_logging=False"
    )
    assert line == "careful"


@contextmanager
def nothing_set_up() -> Iterator[None]:
    """As in a program that has set up no logging: pytest has."""
    handlers = logging.root.handlers[:]
    logging.root.handlers[:] = []
    try:
        yield
    finally:
        logging.root.handlers[:] = handlers


def test_runs_at_the_same_time_share_one_handler(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("pathway")
    entered, leave = threading.Event(), threading.Event()

    def be_another_run() -> None:
        with logs.set_up():
            entered.set()
            leave.wait(30)

    with nothing_set_up(), logs.set_up():
        other = threading.Thread(target=be_another_run)
        other.start()
        assert entered.wait(30)
        logger.info("once")
    # The other one goes on.
    with nothing_set_up():
        logger.info("still")
    leave.set()
    other.join()
    with nothing_set_up():
        logger.info("no more")
    assert [line.rpartition(":")[2] for line in capsys.readouterr().err.splitlines()] == ["once", "still"]
    assert (logger.handlers, logger.level) == ([], logging.NOTSET)


def test_there_may_be_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_set_up(), logs.set_up():
        monkeypatch.setattr(sys, "stderr", None)
        logging.getLogger("pathway").info("to nobody")


CRASHED = """
import logging
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        for number in range(100):
            self.next(number=number)
            self.commit()

def pipeline(folder):
    numbers = pw.io.python.read(Numbers(), schema=pw.schema_from_types(number=int), resume="replay", name="numbers")
    pw.io.csv.write(numbers, folder / "numbers.csv", name="written")

if __name__ == "__main__":
    assert pw.testing.crash_test(pipeline, kills=1, seed=1).kills == 1
    print(logging.root.handlers)
"""


@pytest.mark.one_process("it runs processes of its own")
def test_a_crash_test_leaves_the_root_logger_alone(tmp_path: pathlib.Path) -> None:
    (tmp_path / "crashed.py").write_text(CRASHED)
    done = subprocess.run(
        [sys.executable, tmp_path / "crashed.py"], capture_output=True, text=True, timeout=100, check=True
    )
    assert done.stdout == "[]\n"


# A run without outputs.


def test_a_run_without_outputs_says_so(caplog: pytest.LogCaptureFixture) -> None:
    pw.debug.table_from_markdown("a\n1").select(b=pw.this.a)
    pw.run()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    message = record.getMessage()
    assert message.startswith("nothing to run: the program has declared no output. Add one before pw.run()")
    assert "pw.io.csv.write" in message
    assert "\n" not in message


def test_a_debugged_table_without_debug_names_the_argument(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    pw.debug.table_from_markdown("a\n1").debug("mine")
    pw.run()
    assert caplog.records[0].getMessage().endswith("Table.debug() prints with pw.run(debug=True)")
    caplog.clear()
    pw.run(debug=True)
    assert caplog.records == []
    assert "mine" in capsys.readouterr().out


def test_a_run_of_everything_may_have_no_outputs(caplog: pytest.LogCaptureFixture) -> None:
    class Rows(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(a=1)

    pw.io.python.read(Rows(), schema=pw.schema_from_types(a=int))
    pw.run_all()
    assert caplog.records == []
    pw.testing.reset()
    pw.run_all()
    assert caplog.records[0].getMessage().startswith("nothing to run")


def test_a_run_with_outputs_says_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    table = pw.debug.table_from_markdown("a\n1")
    pw.io.null.write(table)
    pw.run()
    pw.testing.capture(table)
    assert caplog.records == []
