"""Values of the user's in words: the same words for the same value in every process.

Nothing depends on an address or on the seed of hashes. Data is said in full, or by a digest; functions and other
objects within it are named, and whoever asks is told of them.
"""

from __future__ import annotations

import array
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import ipaddress
import os
import re
import sys
import types
import uuid
import zoneinfo
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Values inside values deeper than this, and more values than these in one place, are told by their kind and number.
_DEEPEST = 50
_MOST = 100_000
# Longer ones are not turned into decimal digits.
_LONGEST_NUMBER = 10_000

_PLAIN = (bool, int, float, complex, str, bytes, bytearray, type(None), type(...), type(NotImplemented))
_SHOWN = (
    datetime.date,
    datetime.time,
    datetime.timedelta,
    datetime.timezone,
    decimal.Decimal,
    fractions.Fraction,
    uuid.UUID,
    range,
    slice,
    os.PathLike,
    zoneinfo.ZoneInfo,
    ipaddress._IPAddressBase,
    array.array,
)
_CONTAINERS = (Mapping, set, frozenset, tuple, list, collections.deque)
# The environment is data that differs from process to process, and holds secrets.
NO_DATA = (type(os.environ),)
_FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)


class Words:
    """Says values, so many of them."""

    def __init__(self) -> None:
        self._left = _MOST
        # Functions, and objects that are no data, which were met on the way and only named.
        self.met: list[object] = []

    def of(self, value: Any, depth: int = 0) -> str:
        """A value as text, the same in every process."""
        self._left -= 1
        if isinstance(value, enum.Enum):
            return f"{qualified_name(type(value))}.{value.name}"
        if isinstance(value, int) and value.bit_length() > _LONGEST_NUMBER:
            return hex(value)
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, types.ModuleType):
            return value.__name__
        if isinstance(value, types.BuiltinFunctionType | type):
            return qualified_name(value)
        if isinstance(value, _FUNCTIONS):
            self.met.append(value)
            return qualified_name(value)
        if isinstance(value, _SHOWN):
            return f"{type(value).__name__} {value}"
        if isinstance(value, re.Pattern):
            return f"pattern {value.pattern!r} {value.flags}"
        if (own := _value_of_ours(value)) is not None:
            return own
        if depth >= _DEEPEST or self._left < 0:
            return f"{qualified_name(type(value))} of {_length(value)}"
        if isinstance(value, NO_DATA):
            return qualified_name(type(value))
        if isinstance(value, Mapping):
            items = (f"{self.of(key, depth + 1)}: {self.of(item, depth + 1)}" for key, item in value.items())
            return "{" + ", ".join(sorted(items)) + "}"
        if _is_data_class(value):
            fields = {item.name: getattr(value, item.name, None) for item in dataclasses.fields(value)}
            return f"{qualified_name(type(value))} {self.of(fields, depth + 1)}"
        if isinstance(value, set | frozenset):
            return "{" + ", ".join(sorted(self._items(value, depth))) + "}"
        if isinstance(value, tuple):
            return "(" + ", ".join(self._items(value, depth)) + ")"
        if isinstance(value, list | collections.deque):
            return "[" + ", ".join(self._items(value, depth)) + "]"
        if (text := self._array(value, depth) or _frame(value)) is not None:
            return text
        self.met.append(value)
        return qualified_name(type(value))

    def _items(self, values: Iterable[Any], depth: int) -> Iterator[str]:
        return (self.of(item, depth + 1) for item in values)

    def _array(self, value: Any, depth: int) -> str | None:
        """An array or a number of numpy as text; None if it is none."""
        if not _is_array(value):
            return None
        if value.dtype.hasobject:
            return f"array of {value.shape} objects {self.of(value.tolist(), depth + 1)}"
        import numpy  # The value has it imported.

        digest = _digest(numpy.ascontiguousarray(value).tobytes())
        shown = repr(value.item()) if value.ndim == 0 else f"shape {value.shape}"
        return f"{value.dtype} {shown} {digest}"


def is_plain(value: object) -> bool:
    """Whether it is data, and not something that does something."""
    if isinstance(value, NO_DATA):
        return False
    if isinstance(value, (*_PLAIN, *_SHOWN, *_CONTAINERS, enum.Enum, re.Pattern)) or _is_data_class(value):
        return True
    return _is_array(value) or _is_frame(value) or _value_of_ours(value) is not None


def qualified_name(value: Any) -> str:
    """The qualified name of a function or class. That of the program itself depends on how it was started."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
    return str(name) if module in (None, "builtins", "__main__", "__mp_main__") else f"{module}.{name}"


def _value_of_ours(value: object) -> str | None:
    """A key or a document of JSON; None for other values."""
    kind = type(value)
    if kind.__name__ not in ("Json", "Pointer") or kind.__module__.partition(".")[0] != __name__.partition(".")[0]:
        return None
    return repr(value)


def _is_data_class(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _is_array(value: object) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray | numpy.generic)


def _is_frame(value: object) -> bool:
    pandas = sys.modules.get("pandas")
    kinds = [getattr(pandas, name, None) for name in ("DataFrame", "Series", "Index")]
    return any(isinstance(kind, type) and isinstance(value, kind) for kind in kinds)


def _frame(value: Any) -> str | None:
    """What pandas has, as text; None if it is not."""
    if not _is_frame(value):
        return None
    import pandas  # The value has it imported.

    labels = [str(label) for label in getattr(value, "columns", [getattr(value, "name", None)])]
    try:
        hashes = pandas.util.hash_pandas_object(value, index=True).to_numpy().tobytes()
    except TypeError:
        # It has cells without a hash, such as lists.
        hashes = value.to_json(default_handler=str).encode()
    return f"{type(value).__name__} of {value.shape} {labels} {_digest(hashes)}"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _length(value: Any) -> str:
    try:
        return f"{len(value)} items"
    except Exception:
        return "unknown size"
