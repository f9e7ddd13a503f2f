"""`pw.PyObjectWrapper`: any Python object as a value of a column."""

from __future__ import annotations

import importlib
import types
from typing import Any, Generic, Protocol, TypeVar

from pathway._ground import tracebacks

T = TypeVar("T")


class Serializer(Protocol):
    """Turns an object into bytes and back; a module such as `pickle` or `dill` is one."""

    def dumps(self, object: Any, /) -> bytes:
        """The object as bytes."""

    def loads(self, data: bytes, /) -> Any:
        """The object the bytes were made of."""


@tracebacks.shortened_class
class PyObjectWrapper(Generic[T]):
    """Any Python object as a value of a column; the engine carries it without looking inside.

    Written to a file it is a pickle as base64, and so it is read back. Who unpickles a text runs what it says: give a
    column this type only where you trust whoever wrote the file.

    >>> PyObjectWrapper({1: 2}).value
    {1: 2}
    """

    __slots__ = ("_serializer", "value")

    def __init__(self, value: T, *, serializer: Serializer | None = None) -> None:
        self.value = value
        self._serializer = serializer

    def __repr__(self) -> str:
        return f"PyObjectWrapper({self.value})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PyObjectWrapper) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)

    def __reduce__(self) -> tuple[Any, ...]:
        """What another process makes it of again: the serializer's bytes, and where to find the serializer."""
        serializer = self._serializer
        if serializer is None:
            return PyObjectWrapper, (self.value,)
        if isinstance(serializer, types.ModuleType):
            return _load_with_module, (serializer.__name__, serializer.dumps(self.value))
        return _load, (serializer, serializer.dumps(self.value))

    def _dumps(self) -> bytes:
        """The object as bytes, for workers elsewhere and for state that is saved."""
        if self._serializer is not None:
            return self._serializer.dumps(self.value)
        # Few objects are ever written down.
        import pickle

        return pickle.dumps(self.value)


def _load(serializer: Serializer, data: bytes) -> PyObjectWrapper[Any]:
    return PyObjectWrapper(serializer.loads(data), serializer=serializer)


def _load_with_module(name: str, data: bytes) -> PyObjectWrapper[Any]:
    """Modules cannot be pickled, but have a name."""
    return _load(importlib.import_module(name), data)


@tracebacks.shortened
def wrap_py_object(object: T, *, serializer: Serializer | None = None) -> PyObjectWrapper[T]:
    """Wraps an object, to be put into a column; `serializer` replaces pickle where bytes are needed.

    >>> wrap_py_object({1, 2}).value
    {1, 2}
    """
    return PyObjectWrapper(object, serializer=serializer)
