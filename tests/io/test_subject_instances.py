"""A subject is a class of the user's: whatever its instances are like, its rows arrive."""

from __future__ import annotations

import abc
import collections
import copy
import dataclasses
import pickle
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import pathway as pw
import pytest
from pathway import _native
from pathway.io._subject import State, state_of

from tests.io.sending import Sends, numbers, read

Subject = pw.io.python.ConnectorSubject


T = TypeVar("T")


@dataclasses.dataclass
class OfData(Sends):
    """Has `__eq__`, and so no hash."""

    name: str = "gauges"
    start: int = 3

    def __post_init__(self) -> None:
        super().__init__()


@dataclasses.dataclass(frozen=True)
class OfFrozenData(Sends):
    name: str = "gauges"

    def __post_init__(self) -> None:
        super().__init__()


class WithSlots(Sends):
    __slots__ = ("_session", "name", "state")

    def __init__(self) -> None:
        super().__init__()
        self.name = self._session = self.state = "mine"


class WithEveryAttribute(Sends):
    def __getattr__(self, name: str) -> Any:
        return f"no {name}"


class WithoutOtherAttributes(Sends):
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"{name} is not there")


class WithSettersOfItsOwn(Sends):
    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{name} cannot be set")


class FalseAndEmpty(Sends):
    def __bool__(self) -> bool:
        return False

    def __len__(self) -> int:
        return 0


class EqualToNothing(Sends):
    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        raise TypeError("not to be compared")

    def __bool__(self) -> bool:
        raise TypeError("neither true nor false")

    def __repr__(self) -> str:
        raise TypeError("not to be shown")


class Iterable(Sends):
    def __iter__(self) -> Any:
        raise TypeError("not to be iterated")

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError("not to be called")


class WithDestructor(Sends):
    def __del__(self) -> None:
        self.next(n=4)


class Closing(abc.ABC):
    @abc.abstractmethod
    def release(self) -> None: ...

    def close(self) -> None:
        raise AssertionError("it is the mixin's own")


class WithInterface(Closing, Sends):
    def release(self) -> None:
        pass


class OfAnyType(Sends, Generic[T]):
    pass


class Threaded(Sends, threading.Thread):
    def __init__(self) -> None:
        Subject.__init__(self)
        threading.Thread.__init__(self, name="mine")


class ThreadFirst(threading.Thread, Sends):
    """Its `run` and `start` are those of a thread."""

    run = Sends.run

    def __init__(self) -> None:
        Subject.__init__(self)
        threading.Thread.__init__(self, name="mine")


class Observed(collections.UserDict[str, Any], Sends):  # type: ignore[misc]
    def __init__(self) -> None:
        Subject.__init__(self)
        collections.UserDict.__init__(self)


class Chained(Sends):
    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)

    def on_stop(self) -> None:
        super().on_stop()

    def start(self) -> None:
        super().start()

    def end(self) -> None:
        super().end()

    def close(self) -> None:
        super().close()

    @property
    def _deletions_enabled(self) -> bool:
        return super()._deletions_enabled

    @property
    def _session_type(self) -> Any:
        return super()._session_type

    def _is_finite(self) -> bool:
        return super()._is_finite()


@dataclasses.dataclass
class Other(Sends):
    title: str = "gauges"

    def __post_init__(self) -> None:
        super().__init__()


class Diamond(Chained, Other):
    def __init__(self) -> None:
        Chained.__init__(self)
        Other.__init__(self)


class ByMetaclass(type(Subject)):  # type: ignore[misc]
    def __call__(cls, *arguments: Any, **keywords: Any) -> Any:
        made = super().__call__(*arguments, **keywords)
        made._format = made.name = "made by a metaclass"
        return made


class OfMetaclass(Sends, metaclass=ByMetaclass):
    pass


SHAPES: list[Callable[[], Any]] = [
    OfData,
    OfFrozenData,
    WithSlots,
    WithEveryAttribute,
    WithoutOtherAttributes,
    WithSettersOfItsOwn,
    FalseAndEmpty,
    EqualToNothing,
    Iterable,
    WithDestructor,
    WithInterface,
    OfAnyType,
    OfAnyType[int],
    Threaded,
    ThreadFirst,
    Observed,
    Chained,
    Diamond,
    OfMetaclass,
]


@pytest.mark.parametrize("make", SHAPES)
def test_whatever_an_instance_is_like(make: Callable[[], Any]) -> None:
    table = read(make())
    assert numbers(pw.testing.capture(table)) == [1, 2, 3]
    assert numbers(pw.testing.capture(table)) == [1, 2, 3]


@pytest.mark.parametrize("attempt", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_subject_is_not_copied(attempt: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match=r"cannot pickle or copy a Sends: .* queue"):
        attempt(Sends())


def test_a_class_says_itself_how_it_is_pickled() -> None:
    class Pickled(Sends):
        def __reduce__(self) -> Any:
            return (str, ("mine",))

    assert pickle.loads(pickle.dumps(Pickled())) == "mine"


def test_rows_need_the_constructor() -> None:
    class Without(Subject):
        def __init__(self) -> None:
            pass

        def run(self) -> None:
            pass

    subject = Without()
    with pytest.raises(RuntimeError, match=r"Without.*super\(\).__init__\(\)"):
        subject.next(n=1)
    with pytest.raises(RuntimeError, match=r"Without.*super\(\).__init__\(\)"):
        read(subject)
    assert _native.subject_state(subject) is None
    assert isinstance(state_of(Sends()), State)
