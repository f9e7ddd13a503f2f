"""Functions and objects of the user's in words, so that processes can tell whether they have the same.

A function is its qualified name, its code (what it does, its constants and names, the code inside it), its defaults
and what it closes over. Nothing depends on an address, on the seed of hashes, or on where in a file the function is.

What a function reads of its module is a hint: it may have its reasons to be different in another process, such as the
number of the process. So is what an object holds that is not data itself.
"""

from __future__ import annotations

import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import os
import sys
import types
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

# Values inside values deeper than this, and more values than these in one place, are told by their kind and number.
_DEEPEST = 8
_MOST = 100_000

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
)


@dataclass
class Fingerprint:
    """What a function or an object is."""

    # What it is called; no address is part of it.
    name: str = ""
    # Where it was written: file and line.
    place: tuple[str, int] | None = None
    # What has to be the same everywhere: labels and texts.
    settings: list[tuple[str, str]] = field(default_factory=list)
    # What should be.
    hints: list[tuple[str, str]] = field(default_factory=list)


def of_function(function: object) -> Fingerprint:
    """The fingerprint of a function or of anything else that can be called. It never fails."""
    fingerprint = Fingerprint(name=_name(type(function)))
    try:
        fingerprint.name = _called(function)
        _Speaker(fingerprint).callable(function, "")
    except Exception:
        # An object of the user's that does not let itself be looked at.
        fingerprint.settings.append(("kind", _name(type(function))))
    return fingerprint


def of_object(value: object) -> Fingerprint:
    """The fingerprint of an object that is a constant of the program. It never fails."""
    fingerprint = Fingerprint(name=_name(type(value)))
    try:
        speaker = _Speaker(fingerprint)
        if _is_plain(value):
            fingerprint.settings.append(("value", speaker.value(value)))
        elif callable(value):
            return of_function(value)
        else:
            speaker.held(value, "")
    except Exception:
        # It does not let itself be looked at.
        return Fingerprint(name=_name(type(value)))
    return fingerprint


def of_subject(subject: object, *, is_shared: bool) -> Fingerprint:
    """The fingerprint of a subject: its class, and what it holds if its parts run in several processes."""
    kind = type(subject)
    fingerprint = Fingerprint(name=_name(kind))
    fingerprint.settings.append(("class", _name(kind)))
    speaker = _Speaker(fingerprint)
    try:
        for base in kind.__mro__:
            if base is object or (base.__module__ or "").partition(".")[0] == __name__.partition(".")[0]:
                continue
            for name, member in sorted(vars(base).items()):
                function = _inner(member)
                if isinstance(function, types.FunctionType):
                    speaker.code(function.__code__, f"{name}, ")
        if is_shared:
            speaker.held(subject, "self.")
    except Exception:
        # It does not let itself be looked at.
        return Fingerprint(name=_name(kind), settings=[("class", _name(kind))])
    return fingerprint


def _inner(member: object) -> object:
    """The function of a method, whatever kind of method it is."""
    return member.fget if isinstance(member, property) else getattr(member, "__func__", member)


class _Speaker:
    def __init__(self, fingerprint: Fingerprint) -> None:
        self._fingerprint = fingerprint
        # Functions that have been described.
        self._seen: set[int] = set()
        self._left = _MOST

    def callable(self, function: Any, prefix: str) -> None:
        """Says what can be called."""
        if id(function) in self._seen or len(self._seen) > 200:
            return
        self._seen.add(id(function))
        if isinstance(function, functools.partial):
            self._set(prefix, "arguments", self.value(function.args))
            self._set(prefix, "keywords", self.value(function.keywords))
            for argument in (*function.args, *function.keywords.values()):
                if isinstance(argument, types.FunctionType | functools.partial):
                    self.callable(argument, prefix)
                elif not _is_plain(argument):
                    self.held(argument, prefix)
            self.callable(function.func, prefix)
        elif isinstance(function, types.MethodType):
            self.callable(function.__func__, prefix)
            if not isinstance(function.__self__, type):
                self.held(function.__self__, f"{prefix}self.")
        elif isinstance(function, types.FunctionType):
            self._function(function, prefix)
        elif isinstance(function, type):
            self._set(prefix, "name", _name(function))
        elif callable(wrapped := getattr(function, "__wrapped__", None)):
            self._set(prefix, "kind", _name(type(function)))
            self.callable(wrapped, prefix)
        elif callable(function) and isinstance(call := type(function).__call__, types.FunctionType):
            self._set(prefix, "kind", _name(type(function)))
            self._function(call, prefix)
            self.held(function, f"{prefix}self.")
        else:
            # Compiled: a builtin, a ufunc.
            self._set(prefix, "name", getattr(function, "__qualname__", None) or _name(type(function)))

    def _function(self, function: types.FunctionType, prefix: str) -> None:
        code = function.__code__
        if self._fingerprint.place is None:
            self._fingerprint.place = (code.co_filename, code.co_firstlineno)
        self._set(prefix, "name", _name(function))
        self.code(code, prefix)
        if function.__defaults__:
            self._set(prefix, "defaults", self.value(function.__defaults__))
        if function.__kwdefaults__:
            self._set(prefix, "defaults of keywords", self.value(function.__kwdefaults__))
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                closed = cell.cell_contents
            except ValueError:
                continue
            self._outer(closed, prefix, name, self._fingerprint.settings)
        for name in sorted(_global_names(code)):
            if name in function.__globals__:
                used = function.__globals__[name]
                if _is_code(used) and getattr(used, "__module__", None) != function.__module__:
                    continue
                self._outer(used, prefix, name, self._fingerprint.hints)

    def _outer(self, value: Any, prefix: str, name: str, place: list[tuple[str, str]]) -> None:
        """Says what a function uses that was made outside of it."""
        if isinstance(value, types.FunctionType | functools.partial):
            self.callable(value, f"{prefix}{name}, ")
        elif _is_plain(value):
            place.append((f"{prefix}{name}", self.value(value)))
        elif not isinstance(value, type | types.ModuleType):
            self.held(value, f"{prefix}{name}.")

    def held(self, value: object, prefix: str) -> None:
        """Says what an object holds, as far as that is plain. An object may know things of its process."""
        for name, attribute in sorted(getattr(value, "__dict__", {}).items()):
            if _is_plain(attribute):
                self._fingerprint.hints.append((f"{prefix}{name}", self.value(attribute)))

    def code(self, code: types.CodeType, prefix: str) -> None:
        """Says what code does."""
        constants = [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
        self._set(prefix, "constants", ", ".join(self.value(constant) for constant in constants))
        self._set(prefix, "names", ", ".join((*code.co_names, *code.co_varnames, *code.co_freevars)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.code(constant, f"{prefix}{constant.co_name}, ")
        # Last, since it is what says least; and only as good as the version.
        version = ".".join(map(str, sys.version_info[:2]))
        digest = hashlib.sha256(code.co_code + getattr(code, "co_exceptiontable", b"")).hexdigest()[:16]
        self._set(prefix, "code", f"{digest} of Python {version}")

    def value(self, value: Any, depth: int = 0) -> str:
        """A value as text, the same in every process."""
        self._left -= 1
        if isinstance(value, enum.Enum):
            return f"{_name(type(value))}.{value.name}"
        if isinstance(value, _PLAIN):
            return repr(value)
        if isinstance(value, types.ModuleType):
            return value.__name__
        if isinstance(value, types.FunctionType | types.BuiltinFunctionType | type):
            return _name(value)
        if isinstance(value, _SHOWN):
            return f"{type(value).__name__} {value}"
        if depth >= _DEEPEST or self._left < 0:
            return f"{_name(type(value))} of {_length(value)}"
        if isinstance(value, Mapping):
            items = (f"{self.value(key, depth + 1)}: {self.value(item, depth + 1)}" for key, item in value.items())
            return "{" + ", ".join(sorted(items)) + "}"
        if _is_data_class(value):
            fields = {item.name: getattr(value, item.name, None) for item in dataclasses.fields(value)}
            return f"{_name(type(value))} {self.value(fields, depth + 1)}"
        if isinstance(value, set | frozenset):
            return "{" + ", ".join(sorted(self._items(value, depth))) + "}"
        if isinstance(value, tuple):
            return "(" + ", ".join(self._items(value, depth)) + ")"
        if isinstance(value, list):
            return "[" + ", ".join(self._items(value, depth)) + "]"
        array = _array(value)
        return array if array is not None else _name(type(value))

    def _items(self, values: Iterable[Any], depth: int) -> Iterator[str]:
        return (self.value(item, depth + 1) for item in values)

    def _set(self, prefix: str, label: str, text: str) -> None:
        self._fingerprint.settings.append((prefix + label, text))


def _is_code(value: object) -> bool:
    return isinstance(value, types.FunctionType | functools.partial)


def _is_plain(value: object) -> bool:
    """Whether it is data, and not something that does something."""
    containers = (Mapping, set, frozenset, tuple, list)
    if isinstance(value, (*_PLAIN, *_SHOWN, *containers, enum.Enum)) or _is_data_class(value):
        return True
    return _array(value) is not None


def _is_data_class(value: object) -> bool:
    return dataclasses.is_dataclass(value) and not isinstance(value, type)


def _array(value: Any) -> str | None:
    """An array or a number of numpy as text; None if it is none."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray | numpy.generic):
        return None
    if value.dtype.hasobject:
        return f"array of {value.shape} objects"
    digest = hashlib.sha256(numpy.ascontiguousarray(value).tobytes()).hexdigest()[:16]
    shown = repr(value.item()) if value.ndim == 0 else f"shape {value.shape}"
    return f"{value.dtype} {shown} {digest}"


def _global_names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _name(value: Any) -> str:
    """The qualified name of a function or class. That of the program itself depends on how it was started."""
    module = getattr(value, "__module__", None)
    name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or type(value).__qualname__
    return str(name) if module in (None, "builtins", "__main__", "__mp_main__") else f"{module}.{name}"


def _called(function: Any) -> str:
    """What a function is called, or what it is made of."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name)


def _length(value: Any) -> str:
    try:
        return f"{len(value)} items"
    except Exception:
        return "unknown size"
