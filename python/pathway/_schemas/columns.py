"""What a schema knows of a column: what the user defines (`ColumnDefinition`) and what comes of it (`ColumnSchema`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from pathway._ground import arguments, tracebacks
from pathway._native import DType
from pathway._values import dtypes


class _Undefined:
    """No default value, which is not the same as the default None."""

    def __repr__(self) -> str:
        return "undefined"


undefined = _Undefined()


@dataclass(frozen=True)
class ColumnDefinition:
    """What `column_definition` says of a column."""

    primary_key: bool = False
    default_value: Any = undefined
    dtype: Any = None
    name: str | None = None
    append_only: bool | None = None
    description: str | None = None
    example: Any = None
    source_component: Literal["payload", "key"] = "payload"


@dataclass(frozen=True)
class ColumnProperties:
    """The type of a column and whether its values are never changed."""

    dtype: ShownType
    append_only: bool = False


@dataclass(frozen=True)
@tracebacks.shortened_class
class SchemaProperties:
    """What holds for all columns of a schema.

    >>> import pathway as pw
    >>> columns = {"a": pw.column_definition(dtype=int)}
    >>> schema = pw.schema_builder(columns, properties=pw.SchemaProperties(append_only=True))
    >>> schema["a"].append_only
    True
    """

    append_only: bool | None = None


class ShownType:
    """A type that prints by its name in schemas; `dtype` is the engine's."""

    def __init__(self, dtype: DType) -> None:
        self.dtype = dtype
        self._text = dtypes.name(dtype)

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ShownType) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class ColumnSchema:
    """A column of a schema."""

    dtype: ShownType
    name: str
    primary_key: bool = False
    default_value: Any = undefined
    append_only: bool = False
    description: str | None = None
    example: Any = None
    source_component: Literal["payload", "key"] = "payload"
    own_append_only: bool | None = field(default=None, compare=False, repr=False)
    """What the definition of the column says, if it says anything."""

    @property
    def has_default(self) -> bool:
        """Whether the column has a default value, which may be None."""
        return self.default_value is not undefined

    def has_default_value(self) -> bool:
        """Whether the column has a default value, which may be None."""
        return self.has_default

    @property
    def typehint(self) -> Any:
        """The type as a Python annotation."""
        return dtypes.to_python(self.dtype.dtype)

    def to_definition(self) -> ColumnDefinition:
        """The definition that makes this column again."""
        return ColumnDefinition(
            primary_key=self.primary_key,
            default_value=self.default_value,
            dtype=self.dtype.dtype,
            name=self.name,
            append_only=self.append_only,
            description=self.description,
            example=self.example,
            source_component=self.source_component,
        )


@arguments.explained
def column_definition(
    *,
    primary_key: bool = False,
    default_value: Any = undefined,
    dtype: Any = None,
    name: str | None = None,
    append_only: bool | None = None,
    description: str | None = None,
    example: Any = None,
    source_component: Literal["payload", "key"] = "payload",
) -> Any:
    """What a connector should know of a column, beside its type.

    Args:
        primary_key: whether the column is part of what tells rows apart; the key of a row is made of these.
        default_value: what is used when a row comes without the column. None is a value too.
        dtype: the type, where there is no annotation (in `schema_builder`).
        name: what the column is called in data and tables, if it is no name for Python.
        append_only: whether values are never changed or removed.
        description: a text for people who read the schema.
        example: a value for people who read the schema.
        source_component: whether the value comes from the payload or the key of a message.

    >>> import pathway as pw
    >>> class Sizes(pw.Schema):
    ...     genus: str = pw.column_definition(primary_key=True)
    ...     size: int = pw.column_definition(default_value=1)
    >>> Sizes.primary_key_columns()
    ['genus']
    >>> Sizes.default_values()
    {'size': 1}
    """
    if source_component not in ("payload", "key"):
        raise ValueError(f"source_component has to be 'payload' or 'key', found {source_component!r}")
    # Typed Any, so that `size: int = pw.column_definition(...)` satisfies type checkers.
    return ColumnDefinition(
        primary_key, default_value, dtype, name, append_only, description, example, source_component
    )
