"""A subject that is sent rows at any moment of its life, in any way, beside a list that says what has to arrive."""

from __future__ import annotations

import contextlib
import os
import random
import threading
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest

pytestmark = [
    pytest.mark.attack,
    pytest.mark.one_process("the rows of the test come in process 0"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

Subject = pw.io.python.ConnectorSubject


class Numbers(pw.Schema):
    n: int
    thread: int


class Directed(Subject):
    """Its `run` lasts until it is told to end."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = threading.Event()
        self.ending = threading.Event()

    def run(self) -> None:
        self.begun.set()
        assert self.ending.wait(60)


WAYS: list[Callable[[Any, list[dict[str, Any]]], None]] = [
    lambda subject, rows: [subject.next(**row) for row in rows],
    lambda subject, rows: [subject.next_json(row) for row in rows],
    lambda subject, rows: [subject.next_str(f'{{"n": {row["n"]}, "thread": {row["thread"]}}}') for row in rows],
    lambda subject, rows: subject.next_batch(rows),
    lambda subject, rows: subject.next_columns({name: [row[name] for row in rows] for name in ("n", "thread")}),
    lambda subject, rows: [subject._add_inner(None, row) for row in rows],
]


class Sender:
    """One of those who send, with what it has sent."""

    def __init__(self, number: int, chance: random.Random) -> None:
        self.number = number
        self.chance = random.Random(chance.random())
        self.sent = 0

    def send(self, subject: Any) -> None:
        """Sends some rows, a bad one now and then, and perhaps commits."""
        count = self.chance.choice([0, 1, 1, 2, 7, 200])
        rows = [{"n": self.sent + place, "thread": self.number} for place in range(count)]
        self.sent += count
        self.chance.choice(WAYS)(subject, rows)
        if self.chance.random() < 0.2:
            subject.next(n="bad", thread=self.number)
        if self.chance.random() < 0.3:
            subject.commit()


def forked_attempt(subject: Any) -> None:
    """A forked process may not hang and may not send anything."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(RuntimeError):
            subject.next(n=-1, thread=0)
        os._exit(0)
    os.waitpid(child, 0)


def test_no_row_is_lost_or_comes_twice(attack_seed: int, attack_rounds: int) -> None:
    chance = random.Random(attack_seed)
    for _ in range(4 * attack_rounds):
        pw.testing.reset()
        subject = Directed()
        senders = [Sender(number, chance) for number in range(3)]
        runs = chance.randint(1, 3)
        for _ in range(chance.randint(0, 4)):
            chance.choice(senders).send(subject)
        table = pw.io.python.read(
            subject, schema=Numbers, autocommit_duration_ms=chance.choice([None, 1, 50]), max_backlog_size=100_000
        )
        delivered: list[Any] = []
        for _ in range(runs):
            subject.ending.clear()
            subject.begun.clear()
            for _ in range(chance.randint(0, 4)):
                chance.choice(senders).send(subject)
            one_run(subject, table, senders, delivered, chance)
        for sender in senders:
            own = [row["n"] for row in delivered if row["thread"] == sender.number]
            assert own == list(range(sender.sent))


def one_run(subject: Directed, table: Any, senders: list[Sender], delivered: list[Any], chance: random.Random) -> None:
    keeps = chance.random() < 0.3

    def run() -> None:
        for update in pw.testing.capture(table, terminate_on_error=not keeps):
            assert update.diff == 1
            if not isinstance(update.row["n"], int):
                # A bad row that this run keeps.
                assert keeps
            else:
                delivered.append(update.row)

    def send(sender: Sender, times: int) -> None:
        for _ in range(times):
            sender.send(subject)

    running = threading.Thread(target=run)
    sending = [threading.Thread(target=send, args=(sender, chance.randint(0, 20))) for sender in senders]
    threads = [running, *sending]
    chance.shuffle(threads)
    for thread in threads:
        thread.start()
    if chance.random() < 0.5:
        forked_attempt(subject)
    for thread in sending:
        thread.join(60)
        assert not thread.is_alive()
    assert subject.begun.wait(60)
    subject.ending.set()
    running.join(60)
    assert not running.is_alive()
