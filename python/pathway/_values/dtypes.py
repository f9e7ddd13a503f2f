"""Python's type annotations and the engine's types, both ways.

numpy and pandas are not imported here: classes of theirs can only turn up if somebody has imported
them, and are recognised by the name of their module.
"""

from __future__ import annotations

import collections.abc
import datetime
import sys
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pathway._ground import tracebacks
from pathway._ground.origin import user_names
from pathway._native import DType, Pointer
from pathway._values import objects
from pathway._values.annotations import look_up
from pathway._values.json import Json

Annotation: TypeAlias = Any
"""A Python type, a generic alias of one, None, or a `DType`."""

_PLAIN: dict[Any, DType] = {
    int: DType.INT,
    float: DType.FLOAT,
    bool: DType.BOOL,
    str: DType.STR,
    bytes: DType.BYTES,
    None: DType.NONE,
    type(None): DType.NONE,
    Any: DType.ANY,
    Json: DType.JSON,
    dict: DType.JSON,
    Pointer: DType.POINTER,
    list: DType.list(DType.ANY),
    tuple: DType.list(DType.ANY),
    objects.PyObjectWrapper: DType.OBJECT,
    Callable: DType.CALLABLE,
    collections.abc.Callable: DType.CALLABLE,
    typing.Callable: DType.CALLABLE,
}

_NAMES = {
    "none": "NONE",
    "any": "ANY",
    "bool": "BOOL",
    "int": "INT",
    "float": "FLOAT",
    "str": "STR",
    "bytes": "BYTES",
    "date_time_naive": "DATE_TIME_NAIVE",
    "date_time_utc": "DATE_TIME_UTC",
    "duration": "DURATION",
    "json": "Json",
    "object": "PyObjectWrapper",
    "callable": "Callable",
}

_PYTHON: dict[str, Any] = {
    "none": type(None),
    "any": Any,
    "bool": bool,
    "int": int,
    "float": float,
    "str": str,
    "bytes": bytes,
    "json": Json,
    "object": objects.PyObjectWrapper,
    "callable": collections.abc.Callable,
}

_DATETIMES = {"date_time_naive": "DateTimeNaive", "date_time_utc": "DateTimeUtc", "duration": "Duration"}


@tracebacks.shortened_class
class Type:
    """The engine's types by name, for `return_type=` and the like where an annotation is inconvenient.

    >>> Type.optional(Type.INT) == to_dtype(int | None)
    True
    """

    ANY = DType.ANY
    BOOL = DType.BOOL
    INT = DType.INT
    FLOAT = DType.FLOAT
    STRING = DType.STR
    BYTES = DType.BYTES
    POINTER = DType.POINTER
    DATE_TIME_NAIVE = DType.DATE_TIME_NAIVE
    DATE_TIME_UTC = DType.DATE_TIME_UTC
    DURATION = DType.DURATION
    JSON = DType.JSON
    PY_OBJECT_WRAPPER = DType.OBJECT

    @staticmethod
    def array(dim: int | None, wrapped: DType) -> DType:
        """An array of so many dimensions (None: any number)."""
        return DType.array(dim, wrapped)

    @staticmethod
    def tuple(*items: DType) -> DType:
        """A tuple with these types."""
        return DType.tuple(items)

    @staticmethod
    def list(arg: DType) -> DType:
        """A list or tuple of any length."""
        return DType.list(arg)

    @staticmethod
    def optional(wrapped: DType) -> DType:
        """The type, or None."""
        return DType.optional(wrapped)

    @staticmethod
    def future(wrapped: DType) -> DType:
        """A value that is still being computed."""
        return DType.future(wrapped)


def to_dtype(annotation: Annotation, names: Mapping[str, Any] | None = None) -> DType:
    """The engine's type for an annotation; TypeError if a column cannot hold such values.

    Strings are looked up among `names`; see `annotations`.
    """
    if isinstance(annotation, DType):
        return annotation
    if isinstance(annotation, (str, typing.ForwardRef)):
        return to_dtype(looked_up(annotation, names), names)
    try:
        plain = _PLAIN.get(annotation)
    except TypeError:
        plain = None
    if plain is not None:
        return plain
    if isinstance(annotation, typing.TypeVar):
        return DType.ANY
    origin = typing.get_origin(annotation)
    if origin is not None:
        dtype = _generic(annotation, origin, typing.get_args(annotation), names)
    elif isinstance(annotation, type):
        dtype = _class(annotation)
    else:
        dtype = None
    if dtype is None:
        raise TypeError(f"Unsupported type {annotation!r}.{_advice(annotation)}")
    return dtype


def looked_up(annotation: Annotation, names: Mapping[str, Any] | None) -> Annotation:
    """The annotation itself, if it was written as a text."""
    if isinstance(annotation, typing.ForwardRef):
        annotation = annotation.__forward_arg__
    return look_up(annotation, names) if isinstance(annotation, str) else annotation


def _generic(annotation: Any, origin: Any, arguments: tuple[Any, ...], names: Mapping[str, Any] | None) -> DType | None:
    if _is_union(origin):
        others = [argument for argument in arguments if argument is not type(None)]
        # A union of two types has no column layout; None is the exception.
        return DType.optional(to_dtype(others[0], names)) if len(others) == 1 else None
    if origin is typing.Annotated:
        return to_dtype(arguments[0], names)
    if origin is list or origin in (collections.abc.Sequence, collections.abc.Iterable):
        return DType.list(to_dtype(arguments[0], names))
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return DType.list(to_dtype(arguments[0], names))
        return DType.tuple([to_dtype(argument, names) for argument in arguments])
    if origin is dict or origin is collections.abc.Mapping:
        return DType.JSON
    if origin is collections.abc.Callable:
        return DType.CALLABLE
    if origin in (collections.abc.Awaitable, collections.abc.Coroutine):
        return to_dtype(arguments[-1], names)
    if origin is Pointer:
        return _pointer(arguments, names)
    if origin is objects.PyObjectWrapper:
        return DType.OBJECT
    if getattr(origin, "__module__", "") == "numpy" and origin.__name__ == "ndarray":
        return _array(arguments)
    return None


def _pointer(arguments: tuple[Any, ...], names: Mapping[str, Any] | None) -> DType:
    """`pw.Pointer[int, str]`: the key made of such values; `pw.Pointer[Schema]`: that of a row of such a table."""
    if arguments == ((),):
        return DType.pointer([])
    arguments = tuple(looked_up(argument, names) for argument in arguments)
    if len(arguments) == 1 and hasattr(arguments[0], "__id_type__"):
        return to_dtype(arguments[0].__id_type__, names)
    return DType.pointer([to_dtype(argument, names) for argument in arguments])


def _is_union(origin: Any) -> bool:
    return origin is typing.Union or origin is types.UnionType


def _array(arguments: tuple[Any, ...]) -> DType:
    """`np.ndarray[shape, element]`, and what `numpy.typing.NDArray[element]` stands for.

    The shape is a tuple with an item for each dimension, or their number; None stands for one dimension.
    """
    shape = arguments[0] if arguments else Any
    element = arguments[1] if len(arguments) > 1 else Any
    inner = typing.get_args(element)
    if inner:
        element = inner[0]
    dimensions = None
    if shape is None or shape is type(None):
        dimensions = 1
    elif isinstance(shape, int):
        dimensions = shape
    elif typing.get_origin(shape) is tuple and Ellipsis not in typing.get_args(shape):
        dimensions = len(typing.get_args(shape))
    return DType.array(dimensions, to_dtype(element))


def _class(annotation: type) -> DType | None:
    module = annotation.__module__.partition(".")[0]
    if module == "numpy":
        # Nothing imports numpy before it is needed.
        import numpy

        if annotation is numpy.ndarray:
            return DType.array(None, DType.ANY)
        for kind, dtype in (
            (numpy.integer, DType.INT),
            (numpy.floating, DType.FLOAT),
            (numpy.bool_, DType.BOOL),
            (numpy.str_, DType.STR),
            (numpy.bytes_, DType.BYTES),
        ):
            if issubclass(annotation, kind):
                return dtype
        return None
    datetimes = sys.modules.get("pathway._values.datetimes")
    if datetimes is not None and module == "pathway":
        return {
            datetimes.DateTimeNaive: DType.DATE_TIME_NAIVE,
            datetimes.DateTimeUtc: DType.DATE_TIME_UTC,
            datetimes.Duration: DType.DURATION,
        }.get(annotation)
    return None


def _advice(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, datetime.datetime):
        return " Use pw.DateTimeNaive or pw.DateTimeUtc."
    if isinstance(annotation, type) and issubclass(annotation, datetime.timedelta):
        return " Use pw.Duration."
    if _is_union(typing.get_origin(annotation)):
        return " A column has one type; None is the only alternative it can have. Use typing.Any for a mixture."
    return ""


def to_python(dtype: DType) -> Annotation:
    """The annotation that stands for a type."""
    kind = dtype.kind
    plain = _PYTHON.get(kind)
    if plain is not None:
        return plain
    if kind in _DATETIMES:
        # Imports pandas.
        from pathway._values import datetimes

        return getattr(datetimes, _DATETIMES[kind])
    arguments = tuple(to_python(argument) for argument in dtype.arguments)
    if kind == "pointer":
        return Pointer if dtype == DType.POINTER else types.GenericAlias(Pointer, arguments or ((),))
    if kind == "optional":
        return arguments[0] | None
    if kind == "tuple":
        return types.GenericAlias(tuple, arguments or ((),))
    if kind == "list":
        return types.GenericAlias(list, arguments)
    if kind == "array":
        # Nothing imports numpy before it is needed.
        import numpy

        shape = (int, ...) if dtype.dimensions is None else (int,) * dtype.dimensions or ((),)
        return types.GenericAlias(
            numpy.ndarray, (types.GenericAlias(tuple, shape), types.GenericAlias(numpy.dtype, arguments))
        )
    if kind == "future":
        return arguments[0]
    raise AssertionError(f"the engine has a type {kind} that Python does not know")


def name(dtype: DType) -> str:
    """The name of a type in schemas that are printed, such as `Optional(INT)`."""
    kind = dtype.kind
    plain = _NAMES.get(kind)
    if plain is not None:
        return plain
    if dtype == DType.POINTER:
        return "ANY_POINTER"
    inner = [name(argument) for argument in dtype.arguments]
    if kind == "array":
        inner = inner if dtype.arguments != [DType.ANY] else []
        inner = inner if dtype.dimensions is None else [str(dtype.dimensions), *inner]
        if not inner:
            return "Array"
    return f"{kind.capitalize()}({', '.join(inner)})"


def describe(dtype: DType) -> str:
    """The type as the user would write it, for messages and the like; needs neither pandas nor numpy.

    >>> describe(to_dtype(list[int] | None))
    'list[int] | None'
    """
    kind = dtype.kind
    inner = [describe(argument) for argument in dtype.arguments]
    if kind == "optional":
        return f"{inner[0]} | None"
    if kind in _DATETIMES:
        return f"pw.{_DATETIMES[kind]}"
    if kind == "pointer":
        return f"pw.Pointer[{', '.join(inner)}]" if inner else "pw.Pointer"
    if kind == "array":
        of_anything = dtype.dimensions is None and dtype.arguments == [DType.ANY]
        return "np.ndarray" if of_anything else f"np.ndarray[{dtype.dimensions}, {inner[0]}]"
    if kind in ("list", "tuple"):
        return f"{kind}[{', '.join(inner)}]"
    return display(to_python(dtype))


def display(annotation: Annotation) -> str:
    """An annotation as the user would write it."""
    if annotation is type(None):
        return "None"
    if _is_union(typing.get_origin(annotation)):
        return " | ".join(display(argument) for argument in typing.get_args(annotation))
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return _qualified(annotation)
    if isinstance(annotation, types.GenericAlias):
        inner = ", ".join(
            {None: "None", (): "()", ...: "..."}.get(argument) or display(argument)
            for argument in typing.get_args(annotation)
        )
        return f"{_qualified(typing.get_origin(annotation))}[{inner or '()'}]"
    return str(annotation).replace("typing.", "")


def _qualified(annotation: Any) -> str:
    module = annotation.__module__.partition(".")[0]
    if module in ("builtins", "typing"):
        return str(annotation.__name__)
    return f"{ {'pathway': 'pw', 'numpy': 'np'}.get(module, annotation.__module__) }.{annotation.__name__}"


def to_json(dtype: DType) -> dict[str, Any]:
    """A type as plain dicts."""
    arguments = [to_json(argument) for argument in dtype.arguments]
    entry: dict[str, Any] = {"type": name(dtype).partition("(")[0]}
    if dtype.kind in ("tuple", "pointer") and dtype != DType.POINTER:
        entry["args"] = arguments
    elif arguments:
        entry["wrapped"] = arguments[0]
    if dtype.dimensions is not None:
        entry["n_dim"] = dtype.dimensions
    return entry


def from_json(entry: Mapping[str, Any]) -> DType:
    """The type that `to_json` wrote down."""
    kind = entry["type"]
    if kind == "ANY_POINTER":
        return DType.POINTER
    if kind == "Pointer":
        return DType.pointer([from_json(argument) for argument in entry.get("args", ())])
    if "args" in entry or kind == "Tuple":
        return DType.tuple([from_json(argument) for argument in entry.get("args", ())])
    if "wrapped" in entry:
        inner = from_json(entry["wrapped"])
        if kind == "Array":
            return DType.array(entry.get("n_dim"), inner)
        make: dict[str, Callable[[DType], DType]] = {
            "Optional": DType.optional,
            "List": DType.list,
            "Future": DType.future,
        }
        if kind in make:
            return make[kind](inner)
    for own, shown in _NAMES.items():
        if shown == kind:
            return _of_kind(own)
    raise ValueError(f"there is no type {kind!r}")


def of_user(annotation: Annotation) -> DType:
    """The type that an annotation in the line of the user's program that is running stands for."""
    return to_dtype(annotation, user_names())


def _of_kind(kind: str) -> DType:
    dtype: DType = getattr(DType, kind.upper())
    return dtype
