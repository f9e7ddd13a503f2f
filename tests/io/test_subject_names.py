"""A subject is a class of the user's: whatever names it has, its rows arrive."""

from __future__ import annotations

import dataclasses
import functools
import re
import threading
from collections.abc import Callable
from typing import Any

import pathway as pw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pathway.io._subject import State

from tests.io.sending import Sends, numbers, read

Subject = pw.io.python.ConnectorSubject

# Names of ours, `run` aside, and such as people choose.
OURS = sorted({name for name in (*dir(Subject), *State.__slots__) if not name.startswith("__")} - {"run", "_abc_impl"})
LIKELY = re.findall(
    r"\w+",
    """
    name names start started stop stopped end ended queue lock thread client session buffer format offset part parts
    partition partitions state status running run_id id key keys value values schema table topic url path host port
    config options settings logger log error errors count counter rows row batch data loop task tasks event events
    push pop put get send receive read write open join flush reset setup teardown connect disconnect poll fetch
    """,
)
NAMES = sorted({*OURS, *LIKELY, *(f"_{name}" for name in LIKELY)})


def instance_attribute(name: str, value: Any) -> Any:
    subject = Sends()
    setattr(subject, name, value)
    return subject


def attribute_set_before(name: str, value: Any) -> Any:
    class Early(Sends):
        def __init__(self) -> None:
            setattr(self, name, value)
            super().__init__()

    return Early()


def class_attribute(name: str, value: Any) -> Any:
    return type("Named", (Sends,), {name: value})()


def method(name: str, value: Any) -> Any:
    def of_the_user(self: Any, *arguments: Any, **keywords: Any) -> Any:
        return value

    return type("Named", (Sends,), {name: of_the_user})()


def method_that_takes_something(name: str, value: Any) -> Any:
    def of_the_user(self: Any, page: int) -> Any:
        return value

    # It is documented that `on_stop` is called.
    return Sends() if name == "on_stop" else type("Named", (Sends,), {name: of_the_user})()


def read_only_property(name: str, value: Any) -> Any:
    return type("Named", (Sends,), {name: property(lambda self: value)})()


def of_a_mixin(name: str, value: Any) -> Any:
    mixin = type("Mixin", (), {name: lambda self, *arguments: value})
    return type("Named", (mixin, Sends), {})()


def static_method(name: str, value: Any) -> Any:
    return type("Named", (Sends,), {name: staticmethod(lambda *arguments: value)})()


WAYS = [
    instance_attribute,
    attribute_set_before,
    class_attribute,
    method,
    method_that_takes_something,
    read_only_property,
    of_a_mixin,
    static_method,
]
VALUES: list[Any] = ["http", 7, None, 0.5, b"", [], {"a": 1}, object(), print, threading.Lock()]


@pytest.mark.parametrize("way", WAYS)
def test_any_name_may_be_the_users(way: Callable[[str, Any], Any]) -> None:
    tables = [read(way(name, VALUES[place % len(VALUES)])) for place, name in enumerate(NAMES)]
    for name, updates in zip(NAMES, pw.testing.capture(*tables), strict=True):
        assert numbers(updates) == [1, 2, 3], name


@given(chosen=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(VALUES)), way=st.sampled_from(WAYS[:4]))
@settings(max_examples=25, deadline=None)
def test_any_names_together_may_be_the_users(chosen: dict[str, Any], way: Callable[[str, Any], Any]) -> None:
    pw.testing.reset()
    namespace = {}
    instance = {}
    for name, value in chosen.items():
        if way in (instance_attribute, attribute_set_before):
            instance[name] = value
        elif way is class_attribute:
            namespace[name] = value
        else:
            namespace[name] = lambda self, *arguments, value=value: value
    subject = type("Named", (Sends,), namespace)()
    vars(subject).update(instance)
    assert numbers(pw.testing.capture(read(subject))) == [1, 2, 3]


def test_an_instance_has_nothing_of_ours() -> None:
    subject = Sends()
    read(subject)
    assert vars(subject) == {}


def test_partitions_of_a_subject_with_names_of_its_own() -> None:
    @dataclasses.dataclass
    class Parted(Subject):
        name: str = "mine"
        state: str = "mine"
        _parts: str = "mine"

        def __post_init__(self) -> None:
            super().__init__()

        def __setattr__(self, name: str, value: Any) -> None:
            if name == "__dict__":
                raise AttributeError("it has one")
            object.__setattr__(self, name, value)

        def partitions(self) -> list[str]:
            return ["1", "2", "3"]

        def run(self, partition: str) -> None:
            assert self.name == "mine"
            self.next(n=int(partition))

    assert numbers(pw.testing.capture(read(Parted()))) == [1, 2, 3]


def test_what_the_api_says_of_the_private_names() -> None:
    class Keyed(pw.Schema):
        k: int = pw.column_definition(primary_key=True)
        n: int

    class Upserts(Subject):
        @property
        def _session_type(self) -> Any:
            return pw.io.python.SessionType.UPSERT

        def run(self) -> None:
            self.next(k=1, n=1)
            self.commit()
            self.next(k=1, n=2)

    updates = pw.testing.capture(pw.io.python.read(Upserts(), schema=Keyed))
    assert [(update.row["n"], update.diff) for update in updates] == [(1, 1), (1, -1), (2, 1)]

    class Deletes(Subject):
        _deletions_enabled = True

        def run(self) -> None:
            pass

    assert not read(Deletes()).is_append_only
    assert read(Sends()).is_append_only


@pytest.mark.parametrize("name", ["start", "end", "close", "on_stop"])
def test_hooks_of_a_class_are_called(name: str) -> None:
    calls: list[str] = []
    subject = type("Hooked", (Sends,), {name: lambda self: calls.append(name)})()
    assert numbers(pw.testing.capture(read(subject))) == [1, 2, 3]
    assert calls == [name]


def test_on_stop_may_be_an_attribute() -> None:
    calls: list[str] = []
    subject: Any = Sends()
    subject.on_stop = functools.partial(calls.append, "on_stop")
    assert numbers(pw.testing.capture(read(subject))) == [1, 2, 3]
    assert calls == ["on_stop"]


def test_a_method_of_the_users_called_like_a_deletion_is_no_deletion() -> None:
    class Cleaning(Subject):
        def run(self) -> None:
            self._remove("old")
            self.delete()
            self.next(n=1)

        def _remove(self, path: str) -> None:  # type: ignore[override]
            pass

        def delete(self) -> None:  # type: ignore[override]
            self._remove("all")

    class Recording(Subject):
        def run(self) -> None:
            self.delete(n=1)

        def delete(self, **values: Any) -> None:
            super().delete(**values)

    assert read(Cleaning()).is_append_only
    assert not read(Recording()).is_append_only


class Plain:
    """What observers of a table add to what they have themselves."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def on_change(self, key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        self.seen.append(row["n"])


OBSERVED = sorted({name for name in dir(pw.io.python.ConnectorObserver) if not name.startswith("__")} - {"on_change"})


@pytest.mark.one_process("an observer is called in process 0")
@pytest.mark.parametrize("name", [*OBSERVED, *LIKELY, "_session"])
def test_an_observer_may_have_any_name(name: str) -> None:
    class Observer(Plain, pw.io.python.ConnectorObserver):
        pass

    for value in VALUES:
        pw.testing.reset()
        observer: Any = Observer()
        if name not in ("_abc_impl",):
            setattr(observer, name, value)
        pw.io.python.write(read(Sends()), observer)
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
        assert sorted(observer.seen) == [1, 2, 3]


@pytest.mark.one_process("an observer is called in process 0")
def test_whatever_an_observer_is_like() -> None:
    @dataclasses.dataclass
    class Observer(Plain, pw.io.python.ConnectorObserver):
        def __post_init__(self) -> None:
            self.seen: list[int] = []

        def __len__(self) -> int:
            return 0

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(name)

        def __repr__(self) -> str:
            raise TypeError("not to be shown")

    observer = Observer()
    pw.io.python.write(read(Sends()), observer)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert sorted(observer.seen) == [1, 2, 3]


@pytest.mark.parametrize("name", ["on_stop", "close", "end"])
def test_a_hook_that_fails_after_closing_ends_the_run(name: str) -> None:
    def fail(self: Any) -> None:
        Subject.close(self)
        raise ValueError(f"{name} has failed")

    subject = type("Hooked", (Sends,), {name: fail})()
    with pytest.raises(ValueError, match="has failed"):
        pw.testing.capture(read(subject))


def test_the_error_of_run_is_not_lost_in_a_close_of_the_users() -> None:
    class Failing(Subject):
        def run(self) -> None:
            self.next(n=1)
            raise ValueError("broken")

        def close(self) -> None:
            super().close()

    with pytest.raises(ValueError, match="broken"):
        pw.testing.capture(read(Failing()))
