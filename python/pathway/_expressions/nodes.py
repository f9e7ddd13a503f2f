"""What stands in expressions beside columns, constants and the engine's functions: keys, reducers, users' functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pathway import _native
from pathway._expressions.expression import ColumnExpression, wrap


class PointerExpression(ColumnExpression):
    """The key that rows with these values get."""

    def __init__(self, values: Sequence[ColumnExpression], instance: ColumnExpression | None, optional: bool) -> None:
        if not isinstance(optional, bool):
            raise TypeError(f"parameter optional of pointer_from() has to be True or False, found {optional!r}")
        super().__init__([*values, *([] if instance is None else [instance])])
        self._has_instance = instance is not None
        self._optional = optional

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        values = list(arguments)
        instance = values.pop() if self._has_instance else None
        return _native.Expression.pointer(values, instance, self._optional)

    def _text(self, texts: Sequence[str]) -> str:
        return f"pointer_from({', '.join(texts)})"


class ReducerExpression(ColumnExpression):
    """A reducer over the rows of a group; `reduce` gives it a value."""

    def __init__(
        self, reducer: str, children: Sequence[ColumnExpression], options: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(children)
        self._reducer = reducer
        self._is_ordered = reducer in ("tuple", "ndarray")
        self._options = dict(options or {})

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        raise ValueError(
            f"{self!r} is a reducer and has a value only for a group of rows: "
            "use it in table.reduce(...) or table.groupby(...).reduce(...)"
        )

    def _text(self, texts: Sequence[str]) -> str:
        options = [f"{name}={value!r}" for name, value in self._options.items() if value]
        return f"pathway.reducers.{self._reducer}({', '.join([*texts, *options])})"


class UserCall(ColumnExpression):
    """A Python function of the user's, called for every row."""

    def __init__(
        self,
        function: Callable[..., object],
        arguments: Sequence[object],
        keywords: Mapping[str, object],
        dtype: _native.DType,
        *,
        name: str,
        deterministic: bool,
        propagate_none: bool,
        max_batch_size: int | None,
    ) -> None:
        super().__init__([wrap(value) for value in (*arguments, *keywords.values())])
        self._function = function
        self._keywords = tuple(keywords)
        self._dtype = dtype
        self._name = name
        self._deterministic = deterministic
        self._propagate_none = propagate_none
        self._max_batch_size = max_batch_size

    def _lower(self, arguments: Sequence[_native.Expression]) -> _native.Expression:
        return _native.Expression.user(
            self._function,
            arguments,
            self._keywords,
            self._dtype,
            name=self._name,
            deterministic=self._deterministic,
            propagate_none=self._propagate_none,
            max_batch_size=self._max_batch_size,
            origin=self._origin(),
        )

    def _text(self, texts: Sequence[str]) -> str:
        first = len(texts) - len(self._keywords)
        named = [f"{name}={text}" for name, text in zip(self._keywords, texts[first:], strict=True)]
        return f"pathway.apply({', '.join([self._name, *texts[:first], *named])})"
