"""Functions and objects of the user's in words, so that processes can tell whether they have the same.

A function is its qualified name, its code (what it does, its constants and names, the code inside it), its defaults
and what it closes over. Nothing depends on an address, on the seed of hashes, or on where in a file the function is.

What a function reads of its module is a hint: it may have its reasons to be different in another process, such as the
number of the process. So is what an object holds that is not data itself.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import operator
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pathway._ground.plain_values import NO_DATA, Words, is_plain, qualified_name

# So many functions and objects of one are looked into.
_MOST = 200

# Their arguments are known to pickle only.
_GETTERS = (operator.itemgetter, operator.attrgetter, operator.methodcaller)
# How a function takes arguments, and what a call of it gives.
_KINDS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
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
    fingerprint = Fingerprint(name=qualified_name(type(function)))
    try:
        fingerprint.name = _called(function)
        _Speaker(fingerprint).callable(function, "")
    except Exception:
        # An object of the user's that does not let itself be looked at.
        fingerprint.settings.append(("kind", qualified_name(type(function))))
    return fingerprint


def of_object(value: object) -> Fingerprint:
    """The fingerprint of an object that is a constant of the program. It never fails."""
    fingerprint = Fingerprint(name=qualified_name(type(value)))
    try:
        speaker = _Speaker(fingerprint)
        if is_plain(value):
            speaker.say(fingerprint.settings, "value", value)
        elif callable(value):
            return of_function(value)
        else:
            speaker.held(value, "")
    except Exception:
        # It does not let itself be looked at.
        return Fingerprint(name=qualified_name(type(value)))
    return fingerprint


def of_subject(subject: object, *, is_shared: bool) -> Fingerprint:
    """The fingerprint of a subject: its class, and what it holds if its parts run in several processes."""
    kind = type(subject)
    fingerprint = Fingerprint(name=qualified_name(kind))
    fingerprint.settings.append(("class", qualified_name(kind)))
    speaker = _Speaker(fingerprint)
    try:
        speaker.members(kind, "", of_all_modules=True)
        if is_shared:
            speaker.held(subject, "self.")
    except Exception:
        # It does not let itself be looked at.
        return Fingerprint(name=qualified_name(kind), settings=[("class", qualified_name(kind))])
    return fingerprint


def _inner(member: object) -> object:
    """The function of a method, whatever kind of method it is."""
    return member.fget if isinstance(member, property) else getattr(member, "__func__", member)


class _Speaker:
    def __init__(self, fingerprint: Fingerprint) -> None:
        self._fingerprint = fingerprint
        # Functions and objects that have been described, by their addresses.
        self._seen: dict[int, object] = {}
        # Where the functions are that have been described: classes elsewhere are those of libraries.
        self._modules: set[str | None] = set()
        self._words = Words()

    def callable(self, function: Any, prefix: str) -> None:
        """Says what can be called."""
        if self._is_known(function):
            return
        if isinstance(function, functools.partial):
            self._set(prefix, "arguments", function.args)
            self._set(prefix, "keywords", function.keywords)
            self.callable(function.func, prefix)
        elif isinstance(function, types.MethodType):
            self.callable(function.__func__, prefix)
            owner = function.__self__
            if isinstance(owner, type):
                names = _global_names(getattr(function.__func__, "__code__", None))
                self._class(owner, f"{prefix}class ", names, owner.__module__)
            else:
                self.held(owner, f"{prefix}self.")
        elif isinstance(function, types.FunctionType):
            self._function(function, prefix)
        elif isinstance(function, type):
            self._name(prefix, "name", qualified_name(function))
        elif callable(wrapped := getattr(function, "__wrapped__", None)):
            self._name(prefix, "kind", qualified_name(type(function)))
            self.callable(wrapped, prefix)
        elif isinstance(function, _GETTERS):
            self._name(prefix, "kind", qualified_name(type(function)))
            self._set(prefix, "arguments", function.__reduce__())
        elif callable(function) and isinstance(call := type(function).__call__, types.FunctionType):
            self._name(prefix, "kind", qualified_name(type(function)))
            self._function(call, prefix)
            self._held(function, f"{prefix}self.")
        else:
            # Compiled: a builtin, a ufunc, a method of a value.
            self._name(prefix, "name", getattr(function, "__qualname__", None) or qualified_name(type(function)))
            owner = getattr(function, "__self__", None)
            if not isinstance(owner, types.ModuleType | type | None) and is_plain(owner):
                self._set(prefix, "self", owner)

    def _function(self, function: types.FunctionType, prefix: str) -> None:
        code = function.__code__
        self._modules.add(function.__module__)
        if self._fingerprint.place is None:
            self._fingerprint.place = (code.co_filename, code.co_firstlineno)
        self._name(prefix, "name", qualified_name(function))
        self.code(code, prefix)
        if function.__defaults__:
            self._set(prefix, "defaults", function.__defaults__)
        if function.__kwdefaults__:
            self._set(prefix, "defaults of keywords", function.__kwdefaults__)
        names = _global_names(code)
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                closed = cell.cell_contents
            except ValueError:
                continue
            if isinstance(closed, type):
                self._class(closed, f"{prefix}{name}.", names, function.__module__)
            else:
                self._outer(closed, prefix, name, self._fingerprint.settings)
        for name in sorted(names):
            if name in function.__globals__:
                used = function.__globals__[name]
                if isinstance(used, type):
                    self._class(used, f"{prefix}{name}.", names, function.__module__)
                elif isinstance(used, types.ModuleType):
                    self._module(used, f"{prefix}{name}.", names)
                elif not _is_code(used) or getattr(used, "__module__", None) == function.__module__:
                    self._outer(used, prefix, name, self._fingerprint.hints)

    def _outer(self, value: Any, prefix: str, name: str, place: list[tuple[str, str]]) -> None:
        """Says what a function uses that was made outside of it."""
        if _is_code(value):
            self.callable(value, f"{prefix}{name}, ")
        elif is_plain(value):
            self.say(place, f"{prefix}{name}", value)
        elif not isinstance(value, types.ModuleType):
            self.held(value, f"{prefix}{name}.")

    def _class(self, kind: type, prefix: str, names: set[str], module: str | None) -> None:
        """Says what a class is of which a function uses names, if both are of one module."""
        if kind.__module__ != module:
            return
        for name, member in sorted(vars(kind).items()):
            if name in names and not callable(member) and is_plain(member):
                self.say(self._fingerprint.hints, f"{prefix}{name}", member)
        if not self._is_known(kind):
            self.members(kind, prefix)

    def _module(self, module: types.ModuleType, prefix: str, names: set[str]) -> None:
        """Says which values a function reads of a module."""
        if module.__name__.partition(".")[0] in sys.stdlib_module_names:
            return
        for name, value in sorted(vars(module).items()):
            if name in names and is_plain(value):
                self.say(self._fingerprint.hints, f"{prefix}{name}", value)

    def members(self, kind: type, prefix: str, *, of_all_modules: bool = False) -> None:
        """Says what the methods of a class do, with those that it inherits: all, or those of its own module."""
        for base in kind.__mro__:
            if base is object or (base.__module__ or "").partition(".")[0] == __name__.partition(".")[0]:
                continue
            if of_all_modules or base.__module__ == kind.__module__:
                for name, member in sorted(vars(base).items()):
                    function = _inner(member)
                    if isinstance(function, types.FunctionType):
                        self.code(function.__code__, f"{prefix}{name}, ")

    def held(self, value: object, prefix: str) -> None:
        """Says what an object holds, as far as that is plain, and what its methods do."""
        if not isinstance(value, NO_DATA) and not self._is_known(value):
            self._held(value, prefix)

    def _held(self, value: object, prefix: str) -> None:
        # It may know things of its process, so they are hints.
        for name, attribute in _attributes(value):
            if isinstance(attribute, types.FunctionType):
                self.callable(attribute, f"{prefix}{name}, ")
            elif is_plain(attribute):
                self.say(self._fingerprint.hints, f"{prefix}{name}", attribute)
        kind = type(value)
        if kind.__module__ in self._modules and not self._is_known(kind):
            self.members(kind, prefix)

    def code(self, code: types.CodeType, prefix: str) -> None:
        """Says what code does."""
        constants = [constant for constant in code.co_consts if not isinstance(constant, types.CodeType)]
        self._name(prefix, "constants", ", ".join(self._words.of(constant) for constant in constants))
        self._name(prefix, "names", ", ".join((*code.co_names, *code.co_varnames, *code.co_freevars)))
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _KINDS)
        self._name(prefix, "parameters", " ".join(map(str, counts)))
        for constant in code.co_consts:
            if isinstance(constant, types.CodeType):
                self.code(constant, f"{prefix}{constant.co_name}, ")
        # Last, since it is what says least; and only as good as the version.
        version = ".".join(map(str, sys.version_info[:2]))
        digest = hashlib.sha256(code.co_code + getattr(code, "co_exceptiontable", b"")).hexdigest()[:16]
        self._name(prefix, "code", f"{digest} of Python {version}")

    def say(self, place: list[tuple[str, str]], label: str, value: object) -> None:
        """Says a value, and then what is in it and can be called or holds something."""
        place.append((label, self._words.of(value)))
        met, self._words.met = self._words.met, []
        for one in met:
            if _is_code(one):
                self.callable(one, f"{label}, ")
            elif place is self._fingerprint.settings:
                self.held(one, f"{label}, ")

    def _set(self, prefix: str, label: str, value: object) -> None:
        self.say(self._fingerprint.settings, prefix + label, value)

    def _name(self, prefix: str, label: str, text: str) -> None:
        self._fingerprint.settings.append((prefix + label, text))

    def _is_known(self, value: object) -> bool:
        """Whether it has been described, or there is no room for it; else it counts as described."""
        if id(value) in self._seen or len(self._seen) > _MOST:
            return True
        self._seen[id(value)] = value
        return False


def _is_code(value: object) -> bool:
    return isinstance(value, types.FunctionType | types.MethodType | functools.partial)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """What an object holds, in its dict and in its slots, and what its class has of its own."""
    kind = type(value)
    found: dict[str, object] = {}
    for base in reversed(kind.__mro__):
        if base.__module__ == kind.__module__:
            own = ((name, member) for name, member in vars(base).items() if not name.startswith("__"))
            found.update((name, member) for name, member in own if not callable(member) and is_plain(member))
            slots = base.__dict__.get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if hasattr(value, name):
                    found[name] = getattr(value, name)
    found.update(getattr(value, "__dict__", {}))
    return iter(sorted(found.items()))


def _global_names(code: types.CodeType | None) -> set[str]:
    """All names that code and the code inside it look up: globals and attributes."""
    if code is None:
        return set()
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _global_names(constant)
    return names


def _called(function: Any) -> str:
    """What a function is called, or what it is made of."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return str(name)
