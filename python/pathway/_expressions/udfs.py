"""`pw.udf`: Python functions as functions of columns.

A decorated function, called with columns, gives an expression; the engine calls it with the values of
every row. What it is annotated to return is the type of the column.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import EllipsisType
from typing import Any, overload

from pathway import _native
from pathway._expressions.expression import ColumnExpression
from pathway._expressions.nodes import UserCall
from pathway._ground import arguments, tracebacks
from pathway._ground.origin import warn
from pathway._values import dtypes


@tracebacks.shortened_class
class UDF:
    """A Python function of columns. Subclass it and write `__wrapped__`, or decorate a function with `pw.udf`.

    >>> import pathway as pw
    >>> class Greeting(pw.UDF):
    ...     def __init__(self, word: str):
    ...         super().__init__(deterministic=True)
    ...         self.word = word
    ...     def __wrapped__(self, name: str) -> str:
    ...         return f"{self.word} {name}"
    >>> table = pw.debug.table_from_markdown('''
    ... name
    ... Ada
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=Greeting("Hello")(pw.this.name)), include_id=False)
    x
    Hello Ada
    """

    __wrapped__: Callable[..., Any]

    def __init__(
        self,
        *,
        return_type: Any = ...,
        deterministic: bool = False,
        propagate_none: bool = False,
        max_batch_size: int | None = None,
    ) -> None:
        self.return_type = return_type
        self.deterministic = deterministic
        self.propagate_none = propagate_none
        self.max_batch_size = max_batch_size
        if max_batch_size is not None and max_batch_size <= 0:
            raise ValueError(f"max_batch_size has to be above zero, found {max_batch_size}")
        function = getattr(self, "__wrapped__", None)
        if function is None:
            raise TypeError(f"{type(self).__name__} has no method __wrapped__, which is the function of the columns")
        if not isinstance(self, _Function):
            functools.update_wrapper(self, function, assigned=("__doc__",), updated=())
            self.__wrapped__ = function

    @property
    def _name(self) -> str:
        return type(self).__name__

    def __call__(self, /, *args: Any, **kwargs: Any) -> ColumnExpression:
        """The expression that has the function's result in every row."""
        function = self.__wrapped__
        if inspect.iscoroutinefunction(function):
            raise TypeError(
                f"{self._name} is asynchronous (async def); only synchronous functions can be applied to columns: "
                f"apply one that calls asyncio.run({self._name}(...))"
            )
        _check_arguments(self._name, function, args, kwargs)
        dtype = return_dtype(function, self.return_type, batched=self.max_batch_size is not None)
        return UserCall(
            function,
            args,
            kwargs,
            dtype,
            name=self._name,
            deterministic=self.deterministic,
            propagate_none=self.propagate_none,
            max_batch_size=self.max_batch_size,
        )


class _Function(UDF):
    """A function that `pw.udf` decorates."""

    def __init__(self, function: Callable[..., Any], **options: Any) -> None:
        self.__wrapped__ = function
        super().__init__(**options)
        functools.update_wrapper(self, function)

    @property
    def _name(self) -> str:
        return getattr(self.__wrapped__, "__name__", repr(self.__wrapped__))

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        # A decorated method is called with the object as its first argument, which is no column.
        if instance is None:
            return self
        bound = functools.partial(self.__wrapped__, instance)
        functools.update_wrapper(bound, self.__wrapped__)
        return _Function(
            bound,
            return_type=self.return_type,
            deterministic=self.deterministic,
            propagate_none=self.propagate_none,
            max_batch_size=self.max_batch_size,
        )


@overload
def udf(
    *,
    return_type: Any = ...,
    deterministic: bool = ...,
    propagate_none: bool = ...,
    max_batch_size: int | None = ...,
) -> Callable[[Callable[..., Any]], UDF]: ...
@overload
def udf(
    fun: Callable[..., Any],
    /,
    *,
    return_type: Any = ...,
    deterministic: bool = ...,
    propagate_none: bool = ...,
    max_batch_size: int | None = ...,
) -> UDF: ...
@arguments.explained
def udf(
    fun: Callable[..., Any] | None = None,
    /,
    *,
    return_type: Any = ...,
    deterministic: bool = False,
    propagate_none: bool = False,
    max_batch_size: int | None = None,
) -> Any:
    """Makes a Python function a function of columns; as a decorator, with or without arguments.

    Args:
        fun: the function; none if the options come first, as in ``@pw.udf(deterministic=True)``.
        return_type: the type of the result, if the function is not annotated with it.
        deterministic: whether equal arguments always give equal results. Results of other functions are
            remembered for as long as their rows are there.
        propagate_none: whether a None among the arguments gives None without a call.
        max_batch_size: if given, the function is called with lists of at most so many values, and
            returns a list as long.

    >>> import pathway as pw
    >>> @pw.udf(deterministic=True)
    ... def shout(text: str, times: int = 1) -> str:
    ...     return text.upper() + "!" * times
    >>> table = pw.debug.table_from_markdown('''
    ... a
    ... hi
    ... ''')
    >>> pw.debug.compute_and_print(table.select(x=shout(pw.this.a, times=2)), include_id=False)
    x
    HI!!
    """
    options = {
        "return_type": return_type,
        "deterministic": deterministic,
        "propagate_none": propagate_none,
        "max_batch_size": max_batch_size,
    }
    if fun is None:
        return lambda function: _Function(function, **options)
    return _Function(fun, **options)


def return_dtype(
    function: Callable[..., Any], declared: Any | EllipsisType = ..., *, batched: bool = False
) -> _native.DType:
    """The type of a function's results: as declared, as annotated, for a class itself; otherwise Any."""
    target = function
    while isinstance(target, functools.partial):
        target = target.func
    if not hasattr(target, "__annotations__") and callable(target):
        target = type(target).__call__
    annotation = getattr(target, "__annotations__", {}).get("return", ...)
    if declared is not ...:
        dtype = dtypes.to_dtype(declared, _names(function))
        if annotation is not ... and not batched:
            _compare(target, dtype, annotation)
        return dtype
    if isinstance(function, type):
        try:
            return dtypes.to_dtype(function)
        except TypeError:
            return _native.DType.ANY
    if annotation is ...:
        return _native.DType.ANY
    dtype = dtypes.to_dtype(annotation, _names(target))
    if batched:
        if dtype.kind != "list":
            raise ValueError(
                f"{getattr(target, '__name__', target)} has max_batch_size and is annotated to return "
                f"{dtypes.describe(dtype)}; it is called with lists and has to return a list[...]"
            )
        return dtype.arguments[0]
    return dtype


def _compare(function: Callable[..., Any], declared: _native.DType, annotation: Any) -> None:
    """Warns of results that the function says to have, and its declaration does not."""
    try:
        annotated = dtypes.to_dtype(annotation, _names(function))
    except (NameError, TypeError):
        # Nothing that a column can hold; the declaration is there for that.
        return
    if annotated != _native.DType.ANY and not annotated.is_subtype_of(declared):
        warn(
            f"{getattr(function, '__name__', function)}() is annotated to return {dtypes.describe(annotated)}, which "
            f"is inconsistent with return_type={dtypes.describe(declared)}"
        )


def _names(function: Callable[..., Any]) -> dict[str, Any]:
    """What annotations written as texts may name: the function's globals and what it closes over."""
    target = inspect.unwrap(function)
    target = getattr(target, "__func__", target)
    names = dict(getattr(target, "__globals__", {}))
    code = getattr(target, "__code__", None)
    # What only looks like a function may have one without the other.
    for name, cell in zip(getattr(code, "co_freevars", ()), getattr(target, "__closure__", None) or (), strict=False):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    return names


def _check_arguments(name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):
        return
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        advice = (
            f". A decorated method gets no self: leave the decorator out, and write pw.udf(instance.{name})(...)"
            if next(iter(signature.parameters), None) == "self"
            else ""
        )
        raise TypeError(f"{name}(): {error}{advice}") from None
