"""`pw.Json`: a JSON document as a Python value."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any, ClassVar, SupportsFloat, SupportsIndex, SupportsInt, cast

from pathway._ground import tracebacks

_SUPPORTED = (dict, list, tuple, str, int, float, bool, type(None))


class Json:
    """A JSON document: what cells of type `pw.Json` hold.

    Indexing and iterating give `Json` again; `value` and the `as_…` methods give plain Python values.

    >>> document = Json({"name": "Ada", "scores": [1, 2]})
    >>> document["scores"][1].as_int()
    2
    >>> print(document)
    {"name": "Ada", "scores": [1, 2]}
    """

    __slots__ = ("_value",)

    NULL: ClassVar[Json]

    def __init__(self, value: Any = None) -> None:
        """Wraps a value made of dict, list, str, int, float, bool and None (or another `Json`)."""
        self._value: Any = value._value if isinstance(value, Json) else value

    @property
    def value(self) -> Any:
        """The document as plain Python.

        >>> Json([1, "x"]).value
        [1, 'x']
        """
        return self._value

    @staticmethod
    @tracebacks.shortened
    def parse(value: str | bytes | bytearray) -> Json:
        """The document that a text holds; ValueError if it is no JSON.

        >>> Json.parse('{"a": [1]}')
        pw.Json({'a': [1]})
        """
        return Json(json.loads(value))

    @staticmethod
    @tracebacks.shortened
    def dumps(obj: Any) -> str:
        """The text of a document, which may have `Json` and date values inside.

        >>> Json.dumps({"a": Json(1)})
        '{"a": 1}'
        """
        return json.dumps(obj, ensure_ascii=False, default=_plain)

    def as_int(self) -> int:
        """The number; ValueError if it is anything else.

        >>> Json(3).as_int()
        3
        """
        return cast(int, self._as(int))

    def as_float(self) -> float:
        """The number as a float; ValueError if it is anything else.

        >>> Json(3).as_float()
        3.0
        """
        if isinstance(self._value, int) and not isinstance(self._value, bool):
            return float(self._value)
        return cast(float, self._as(float))

    def as_str(self) -> str:
        """The text; ValueError if it is anything else.

        >>> Json("x").as_str()
        'x'
        """
        return cast(str, self._as(str))

    def as_bool(self) -> bool:
        """The truth value; ValueError if it is anything else.

        >>> Json(True).as_bool()
        True
        """
        return cast(bool, self._as(bool))

    def as_list(self) -> list[Any]:
        """The list, with plain Python values inside; ValueError if it is anything else.

        >>> Json([1, 2]).as_list()
        [1, 2]
        """
        return cast("list[Any]", self._as(list))

    def as_dict(self) -> dict[str, Any]:
        """The dict, with plain Python values inside; ValueError if it is anything else.

        >>> Json({"a": 1}).as_dict()
        {'a': 1}
        """
        return cast("dict[str, Any]", self._as(dict))

    def _as(self, kind: type) -> Any:
        if type(self._value) is not kind:
            raise ValueError(f"cannot convert Json {self} to {kind.__name__}")
        return self._value

    def __getitem__(self, key: int | str) -> Json:
        # Functions of the user call it for every row, where `tracebacks.shortened` would cost more than it does.
        try:
            return Json(self._value[key])
        except Exception as error:
            error.__traceback__ = None
            raise

    def __iter__(self) -> Iterator[Json]:
        return (Json(item) for item in self._value)

    def __reversed__(self) -> Iterator[Json]:
        return (Json(item) for item in reversed(self._value))

    def __contains__(self, item: object) -> bool:
        return (item._value if isinstance(item, Json) else item) in self._value

    def __len__(self) -> int:
        return len(self._value)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __int__(self) -> int:
        return int(cast(SupportsInt, self._value))

    def __float__(self) -> float:
        return float(cast(SupportsFloat, self._value))

    def __index__(self) -> int:
        return cast(SupportsIndex, self._value).__index__()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Json) and bool(self._value == other._value)

    def __hash__(self) -> int:
        return _hash(self._value)

    def __str__(self) -> str:
        return Json.dumps(self._value)

    def __repr__(self) -> str:
        return f"pw.Json({self._value!r})"


def _hash(value: Any) -> int:
    """The same for documents that are equal, in whatever order their members are and whichever zero they have."""
    if isinstance(value, dict):
        return hash(frozenset((name, _hash(member)) for name, member in value.items()))
    if isinstance(value, list | tuple):
        return hash(tuple(_hash(item) for item in value))
    return hash(value)


def _plain(value: object) -> object:
    """What `json` makes of values it does not know itself."""
    if isinstance(value, Json):
        return value.value
    if isinstance(value, datetime.timedelta):
        # In nanoseconds, as connectors write durations.
        return getattr(value, "value", None) or round(value.total_seconds() * 1_000_000_000)
    if isinstance(value, datetime.datetime):
        return _moment(value)
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _moment(value: datetime.datetime) -> str:
    """The moment as the engine writes it into documents: with nanoseconds, and its offset if it has one."""
    if hasattr(value, "nanosecond"):
        return value.isoformat(timespec="nanoseconds")
    text = value.isoformat(timespec="microseconds")
    digits = len("2025-03-14T10:00:00.000000")
    return f"{text[:digits]}000{text[digits:]}"


Json.NULL = Json(None)
