"""A process that was forked beside a subject cannot send its rows: it is told so, and what to do."""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

Subject = pw.io.python.ConnectorSubject

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


class Numbers(pw.Schema):
    n: int


def read(subject: Any, **keywords: Any) -> Any:
    return pw.io.python.read(subject, schema=Numbers, **keywords)


def numbers(updates: list[Any]) -> list[int]:
    return sorted(update.row["n"] for update in updates)


def in_a_fork(attempts: list[Callable[[], Any]]) -> list[str]:
    """What comes of each attempt in a forked process: the text of its exception, or nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        said = []
        for attempt in attempts:
            try:
                attempt()
            except BaseException as error:
                said.append(f"{type(error).__name__}: {error}")
            else:
                said.append("")
        os.write(writing, json.dumps(said).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as file:
        text = file.read()
    os.waitpid(child, 0)
    return list(json.loads(text))


def all_ways(subject: Any) -> list[Callable[[], Any]]:
    return [
        lambda: subject.next(n=1),
        lambda: subject.next_json({"n": 1}),
        lambda: subject.next_str('{"n": 1}'),
        lambda: subject.next_bytes(b'{"n": 1}'),
        lambda: subject.next_batch([{"n": 1}]),
        lambda: subject.next_columns({"n": [1]}),
        lambda: subject._add_inner(None, {"n": 1}),
        lambda: subject._add(None, b'{"n": 1}'),
        lambda: subject.commit(),
        lambda: subject.close(),
        lambda: subject._disable_commits(),
        # Not only the first time.
        lambda: subject.next(n=1),
    ]


def assert_all_refused(said: list[str]) -> None:
    for message in said:
        assert message.startswith("RuntimeError: ")
        assert "this process was forked from the one that" in message
        assert "multiprocessing.Queue" in message


def test_no_way_to_send_rows_works_in_a_fork_of_a_running_subject() -> None:
    said: list[str] = []

    class Forks(Subject):
        def run(self) -> None:
            self.next(n=1)
            said.extend(in_a_fork(all_ways(self)))
            self.next(n=2)

    assert numbers(pw.testing.capture(read(Forks(), name="gauges"))) == [1, 2]
    assert_all_refused(said)
    assert 'connector "gauges"' in said[0]


@pytest.mark.parametrize("is_read", [False, True])
def test_nor_before_the_run(is_read: bool) -> None:
    class Sends(Subject):
        def run(self) -> None:
            self.next(n=3)

    subject = Sends()
    table = read(subject) if is_read else None
    subject.next(n=1)
    # Those that find a subject waiting wait for a run as well, which takes its time.
    assert_all_refused(in_a_fork(all_ways(subject)[:2] if is_read else all_ways(subject)))
    subject.next(n=2)
    assert numbers(pw.testing.capture(read(subject) if table is None else table)) == [1, 2, 3]


def test_nor_in_partitions() -> None:
    said: dict[str, list[str]] = {}

    class Parted(Subject):
        def partitions(self) -> list[str]:
            return ["1", "2"]

        def run(self, partition: str) -> None:
            self.next(n=int(partition))
            said[partition] = in_a_fork([lambda: self.next(n=3)])

    assert numbers(pw.testing.capture(read(Parted()))) == [1, 2]
    # With two processes, each reads one of them.
    for messages in said.values():
        assert_all_refused(messages)


def test_a_fork_while_others_send_does_not_hang() -> None:
    """Whatever they hold at that moment."""
    said: list[str] = []

    class Busy(Subject):
        def run(self) -> None:
            over = threading.Event()

            def send() -> None:
                while not over.is_set():
                    self.next(n=1)

            threads = [threading.Thread(target=send) for _ in range(3)]
            for thread in threads:
                thread.start()
            for _ in range(15):
                said.extend(in_a_fork([lambda: self.next(n=2), lambda: self.commit(), lambda: self.close()]))
            over.set()
            for thread in threads:
                thread.join()

    table = read(Busy(), autocommit_duration_ms=1)
    total = table.reduce(least=pw.reducers.min(pw.this.n), most=pw.reducers.max(pw.this.n))
    last = pw.testing.capture(total)[-1]
    assert last.row == {"least": 1, "most": 1}
    assert len(said) == 45
    assert_all_refused(said)


def send_forked(subject: Any, queue: Any) -> None:
    for n in range(10):
        queue.put(n)
    try:
        subject.next(n=100)
    except RuntimeError as error:
        queue.put(str(error))


def test_a_process_of_multiprocessing_sends_through_a_queue_as_the_message_says() -> None:
    messages: list[str] = []

    class Decodes(Subject):
        def run(self) -> None:
            context = multiprocessing.get_context("fork")
            queue = context.Queue()
            process = context.Process(target=send_forked, args=(self, queue))
            process.start()
            while not messages:
                item = queue.get(timeout=30)
                if isinstance(item, str):
                    messages.append(item)
                else:
                    self.next(n=item)
            process.join(10)

    assert numbers(pw.testing.capture(read(Decodes()))) == list(range(10))
    assert "call next() there" in messages[0]


def test_a_fork_may_have_a_run_of_its_own() -> None:
    """As the workers of a web server that have imported the program before they were forked."""

    class Sends(Subject):
        sent = threading.Event()

        def run(self) -> None:
            assert self.sent.wait(30)
            self.next(n=2)

    subject = Sends()
    table = read(subject)
    subject.next(n=1)

    def own_runs() -> None:
        thread = threading.Thread(target=lambda: taken.extend(numbers(pw.testing.capture(table))))
        thread.start()
        # It is early, and the run of this process comes.
        subject.next(n=3)
        subject.sent.set()
        thread.join()
        taken.extend(numbers(pw.testing.capture(table)))
        raise AssertionError(taken)

    taken: list[int] = []
    assert in_a_fork([own_runs]) == ["AssertionError: [1, 2, 3, 2]"]
    subject.sent.set()
    assert numbers(pw.testing.capture(table)) == [1, 2]
