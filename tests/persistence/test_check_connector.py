"""The conformance kit: it passes connectors that are right, and says of others what is wrong."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

import pathway as pw
import pytest
from pathway.io.python import ConnectorSubject

pytestmark = [pytest.mark.one_process("its runs are runs of one process"), pytest.mark.timeout(60)]

ROWS = 12


class Number(pw.Schema):
    number: int


class Keyed(pw.Schema):
    number: int = pw.column_definition(primary_key=True)
    text: str


class Sought(ConnectorSubject):
    after = 0

    def seek(self, offset: int) -> None:
        self.after = offset

    def run(self) -> None:
        for number in range(self.after, ROWS):
            self.next(number=number)
            self.commit(offset=number + 1)


class InBytes(ConnectorSubject):
    after = 0

    def seek(self, offset: bytes) -> None:
        self.after = int.from_bytes(offset, "big")

    async def run(self) -> AsyncIterator[list[dict[str, int]]]:
        for number in range(self.after, ROWS, 3):
            yield [{"number": row} for row in range(number, number + 3)]
            await asyncio.sleep(0)
            self.commit(offset=(number + 3).to_bytes(4, "big"))


class Divided(ConnectorSubject):
    def __init__(self) -> None:
        super().__init__()
        self.after = {"even": 0, "odd": 1}

    def partitions(self) -> list[str]:
        return list(self.after)

    def seek(self, offset: int, partition: str) -> None:
        self.after[partition] = offset

    def run(self, partition: str) -> None:
        for number in range(self.after[partition], ROWS, 2):
            self.next(number=number)
            self.commit(offset=number + 2)


class Upserted(ConnectorSubject):
    after = 0

    def __init__(self) -> None:
        super().__init__(session_type="upsert")

    def seek(self, offset: int) -> None:
        self.after = offset

    def run(self) -> None:
        for number in range(self.after, ROWS):
            self.next(number=number % 3, text=str(number))
            self.commit(offset=number + 1)


class Replayed(ConnectorSubject):
    def run(self) -> None:
        for number in range(ROWS):
            self.next(number=number)


class Generated(ConnectorSubject):
    def run(self) -> Iterator[dict[str, int]]:
        for number in range(ROWS):
            yield {"number": number}


class Live(ConnectorSubject):
    def __init__(self) -> None:
        super().__init__()
        self.stopped = threading.Event()

    def run(self) -> None:
        for number in itertools.count():
            self.next(number=number)
            if self.stopped.wait(0.001):
                return

    def on_stop(self) -> None:
        self.stopped.set()


class Threaded(ConnectorSubject):
    def __init__(self) -> None:
        super().__init__()
        self.together = threading.Barrier(3)

    def run(self) -> None:
        with ThreadPoolExecutor(3) as pool:
            list(pool.map(self.send, range(3)))

    def send(self, first: int) -> None:
        self.together.wait()
        for number in range(first, ROWS, 3):
            self.next(number=number)


def verdicts(make_subject: type[ConnectorSubject], **settings: Any) -> dict[str, str]:
    schema = Keyed if make_subject is Upserted else Number
    report = pw.testing.check_connector(make_subject, schema=schema, **settings)
    return {finding.name: finding.verdict for finding in report.findings}


@pytest.mark.parametrize("make_subject", [Sought, InBytes, Divided, Upserted])
def test_connectors_that_go_on_behind_an_offset(make_subject: type[ConnectorSubject]) -> None:
    found = verdicts(make_subject)
    assert found["offsets"] == "passed"
    assert found["replay"] == "skipped"
    assert "failed" not in found.values()


@pytest.mark.parametrize("make_subject", [Replayed, Generated])
def test_connectors_that_start_over(make_subject: type[ConnectorSubject]) -> None:
    found = verdicts(make_subject, resume="replay")
    assert found["replay"] == "passed"
    assert found["offsets"] == "skipped"


def test_a_connector_without_an_end() -> None:
    found = verdicts(Live, rows=30)
    assert (found["stop"], found["threads"]) == ("passed", "passed")


def test_a_connector_with_threads() -> None:
    report = pw.testing.check_connector(Threaded, schema=Number)
    assert "rows come from 3 threads" in str(report)


class OffsetFirst(Sought):
    def run(self) -> None:
        for number in range(self.after, ROWS):
            self.commit(offset=number + 1)
            self.next(number=number)


class OffsetLate(Sought):
    """Its offset is that of the last row, and it begins with that row again."""

    def run(self) -> None:
        for number in range(self.after, ROWS):
            self.next(number=number)
            self.commit(offset=number)


class NeverCommits(Sought):
    def run(self) -> None:
        for number in range(self.after, ROWS):
            self.next(number=number)


class Unspeakable(Sought):
    def run(self) -> None:
        self.next(number=1)
        self.commit(offset={1, 2})  # type: ignore[arg-type]


class Restless(ConnectorSubject):
    def run(self) -> None:
        for _ in range(ROWS):
            self.next(number=random.randrange(10**12))


class GoesOn(ConnectorSubject):
    def run(self) -> None:
        for number in range(ROWS):
            try:
                self.next(number=number)
            except BaseException:
                continue


class Deaf(ConnectorSubject):
    def run(self) -> None:
        self.next(number=1)
        time.sleep(5)


class Swallows(ConnectorSubject):
    def run(self) -> None:
        try:
            for number in range(ROWS):
                self.next(number=number)
        except Exception:
            pass


class LosesExceptions(ConnectorSubject):
    """What ends its thread, nobody hears of."""

    def run(self) -> None:
        thread = threading.Thread(target=self.send)
        thread.start()
        thread.join()

    def send(self) -> None:
        try:
            self.next(number=1)
        except Exception:
            print("my thread has ended")


class LeavesThread(ConnectorSubject):
    def run(self) -> None:
        self.next(number=1)
        threading.Thread(target=time.sleep, args=(2,), name="left behind", daemon=True).start()


class Misfit(ConnectorSubject):
    def run(self) -> None:
        self.next(number="many")


class Silent(ConnectorSubject):
    def run(self) -> None:
        pass


class Fails(ConnectorSubject):
    def run(self) -> None:
        raise LookupError("no such page")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize(
    ("make_subject", "resume", "name", "message"),
    [
        (OffsetFirst, None, "offsets", "right after commit 1, .* 1 row is missing of 12, such as number=0"),
        (OffsetLate, None, "offsets", "1 row is too many of 12"),
        (NeverCommits, None, "offsets", "has called no commit"),
        (Unspeakable, None, "rows", "an offset is a JSON value or bytes"),
        (Restless, "replay", "replay", "has to send the same rows in the same order"),
        (GoesOn, None, "stop", r"has called next\(\) \d+ more times"),
        (Deaf, None, "rows", "not ended within 0.5 seconds after it was told to stop: close in on_stop"),
        (Swallows, None, "exceptions", "was lost, and .* has ended well"),
        (LosesExceptions, None, "exceptions", "raise in run.. what has ended a thread of yours"),
        (LeavesThread, None, "threads", "such as 'left behind'"),
        (Misfit, None, "rows", "1 row did not fit the schema"),
        (Silent, None, "rows", "no row has come"),
        (Fails, None, "rows", "LookupError: no such page"),
    ],
)
def test_it_finds(
    make_subject: type[ConnectorSubject], resume: Literal["replay"] | None, name: str, message: str
) -> None:
    with pytest.raises(AssertionError, match=rf"(?m)^  {name}: +failed: .*{message}"):
        pw.testing.check_connector(make_subject, schema=Number, resume=resume, seconds=1, patience=0.5)


def test_it_leaves_the_tables_of_the_program_alone() -> None:
    table = pw.debug.table_from_markdown("number\n1")
    pw.testing.check_connector(Replayed, schema=Number)
    (update,) = pw.testing.capture(table)
    assert update.row == {"number": 1}


def test_what_makes_no_subjects() -> None:
    one = Replayed()
    with pytest.raises(ValueError, match="the same object twice"):
        pw.testing.check_connector(lambda: one, schema=Number)
    with pytest.raises(TypeError, match="has to return a ConnectorSubject, found 3"):
        pw.testing.check_connector(lambda: 3, schema=Number)  # type: ignore[arg-type, return-value]
    with pytest.raises(ValueError, match="argument seconds has to be a number above zero"):
        pw.testing.check_connector(Replayed, schema=Number, seconds=0)
