"""A subject that sends three rows, whatever it is like."""

from __future__ import annotations

from typing import Any

import pathway as pw

Subject = pw.io.python.ConnectorSubject


class Numbers(pw.Schema):
    n: int


def read(subject: Any, **keywords: Any) -> Any:
    return pw.io.python.read(subject, schema=Numbers, **keywords)


def numbers(updates: list[Any]) -> list[int]:
    return sorted(update.row["n"] for update in updates)


class Sends(Subject):
    """Sends rows however `next` is called now."""

    def run(self) -> Any:
        Subject.next(self, n=1)
        Subject.commit(self)
        yield {"n": 2}
        yield [{"n": 3}]
