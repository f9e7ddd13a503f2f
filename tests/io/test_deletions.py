"""Rows that a subject deletes, and how it is known that it may."""

import pathway as pw
import pytest
from pathway.io._deletions import are_reachable


class Keyed(pw.Schema):
    k: int = pw.column_definition(primary_key=True)
    n: int


def test_deletions_are_found_through_methods() -> None:
    class Plain(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(n=1)

    class Indirect(Plain):
        def run(self) -> None:
            self.helper()

        def helper(self) -> None:
            def inner() -> None:
                self.delete(n=1)

            inner()

    assert not are_reachable(Plain)
    assert are_reachable(Indirect)


def test_a_hidden_deletion_is_refused_with_the_way_out() -> None:
    class Hidden(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            remove = getattr(self, "".join(["del", "ete"]))
            remove(k=1, n=1)

    with pytest.raises(ValueError, match="deletions_enabled"):
        pw.testing.capture(pw.io.python.read(Hidden(), schema=Keyed))


def test_deletions_can_be_enabled() -> None:
    class Enabled(pw.io.python.ConnectorSubject):
        deletions_enabled = True

        def run(self) -> None:
            self.next(k=1, n=1)
            self.commit()
            remove = getattr(self, "".join(["del", "ete"]))
            remove(k=1, n=1)

    updates = pw.testing.capture(pw.io.python.read(Enabled(), schema=Keyed))
    assert [update.diff for update in updates] == [1, -1]


def test_an_insertion_and_deletion_in_one_commit_cancel() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(k=1, n=1)
            self.delete(k=1, n=1)

    assert pw.testing.capture(pw.io.python.read(Subject(), schema=Keyed, autocommit_duration_ms=None)) == []


def test_an_upsert_delete_needs_only_the_key() -> None:
    class Subject(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            self.next(k=1, n=1)
            self.commit()
            self.delete(k=1)
            self.delete(k=2)

    updates = pw.testing.capture(pw.io.python.read(Subject(session_type="upsert"), schema=Keyed))
    assert [(update.row, update.diff) for update in updates] == [({"k": 1, "n": 1}, 1), ({"k": 1, "n": 1}, -1)]
