"""`pw.Schema`: the columns of a table, their types, and what connectors should know of them.

A schema is a class; its metaclass turns annotations and `column_definition`s into `ColumnSchema`s once,
when the class is made, and answers all questions from these. Functions that make schemas without the
class syntax are in `builders`.

What is known of a column: `columns`. How the body of a class is read: `class_body`. Text: `text`. Comparing schemas:
`matching`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import GenericAlias, MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pathway._expressions.expression import ColumnReference
from pathway._ground import hints, tracebacks
from pathway._ground.origin import noting, user_names, user_place
from pathway._ground.words import listed
from pathway._native import DType, Field, Pointer
from pathway._schemas import matching, text
from pathway._schemas.class_body import columns_of_class, is_dunder
from pathway._schemas.columns import ColumnDefinition, ColumnProperties, ColumnSchema, ShownType
from pathway._values import dtypes
from pathway._values.json import Json

_WITH_NONE = (DType.ANY, DType.NONE)
"""Types that are not optional, and have None."""


@tracebacks.shortened_class
class SchemaMetaclass(type):
    """The class of schemas."""

    __columns__: dict[str, ColumnSchema]
    __attributes__: dict[str, str]
    __id_type__: Any
    __id_append_only__: bool

    def __new__(
        meta,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        **options: Any,
    ) -> SchemaMetaclass:
        # A column may have the name of a method: the method stays what it is, and the column is found by its name.
        attributes = {
            attribute: value
            for attribute, value in namespace.items()
            if not (isinstance(value, ColumnDefinition) and (hasattr(meta, attribute) or is_dunder(attribute)))
        }
        return super().__new__(meta, name, bases, attributes)

    def __init__(
        cls,
        name: str,
        bases: tuple[type, ...],
        namespace: dict[str, Any],
        *,
        append_only: bool | None = None,
        id_dtype: Any = None,
        id_append_only: bool | None = None,
    ) -> None:
        super().__init__(name, bases, namespace)
        with noting(user_place()):
            columns, attributes = columns_of_class(cls, name, bases, namespace, append_only)
            cls.__columns__ = columns
            # From the names in the class to the names of the columns.
            cls.__attributes__ = attributes
            keys = cls.primary_key_columns()
            if id_dtype is not None:
                if dtypes.to_dtype(id_dtype).kind != "pointer":
                    raise TypeError(f"the key of a row is a pointer: id_dtype={id_dtype!r} is not one")
                cls.__id_type__ = id_dtype
            elif keys:
                cls.__id_type__ = GenericAlias(Pointer, tuple(columns[key].typehint for key in keys))
            else:
                cls.__id_type__ = Pointer
            everything = bool(columns) and all(column.append_only for column in columns.values())
            some = any(column.append_only for column in columns.values())
            cls.__id_append_only__ = (
                (everything or some or bool(append_only)) if id_append_only is None else id_append_only
            )

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Schemas should not be called. Use `table.schema` not `table.schema()`.")

    if not TYPE_CHECKING:
        # Type checkers know the methods that are there.
        def __getattr__(cls, name: str) -> NoReturn:
            if name.startswith("_"):
                raise AttributeError(f"type object {cls.__name__!r} has no attribute {name!r}")
            if name in cls.__attributes__:
                message = f"a schema has its columns in brackets: {cls.__name__}[{cls.__attributes__[name]!r}]"
            else:
                names = hints.public(SchemaMetaclass)
                message = hints.of_member(f"schema {cls.__name__} has no", "schema", name, names)
            raise AttributeError(message, name=name)

    # Asking.

    def columns(cls) -> Mapping[str, ColumnSchema]:
        """All that is known of each column, by name.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.columns()["height"].default_value
        1.0
        """
        return MappingProxyType(cls.__columns__)

    def column_names(cls) -> list[str]:
        """The names of the columns, in order.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.column_names()
        ['name', 'height']
        """
        return list(cls.__columns__)

    def keys(cls) -> list[str]:
        """The names of the columns, in order.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.keys()
        ['name', 'height']
        """
        return list(cls.__columns__)

    def typehints(cls) -> Mapping[str, Any]:
        """The types as Python annotations, by name.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> dict(Tree.typehints())
        {'name': <class 'str'>, 'height': <class 'float'>}
        """
        return MappingProxyType({name: column.typehint for name, column in cls.__columns__.items()})

    def default_values(cls) -> dict[str, Any]:
        """The default values of those columns that have one.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.default_values()
        {'height': 1.0}
        """
        return {name: column.default_value for name, column in cls.__columns__.items() if column.has_default}

    def primary_key_columns(cls) -> list[str] | None:
        """The names of the columns that keys are made of; None if there are none.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.primary_key_columns()
        ['name']
        """
        return [name for name, column in cls.__columns__.items() if column.primary_key] or None

    def column_properties(cls, name: str) -> ColumnProperties:
        """The type of a column and whether its values are never changed.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.column_properties("height")
        ColumnProperties(dtype=FLOAT, append_only=False)
        """
        column = cls[name]
        return ColumnProperties(column.dtype, column.append_only)

    @property
    def id_type(cls) -> Any:
        """The type of the key: `Pointer`, with the types of the primary key if there is one.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.id_type
        pathway.Pointer[str]
        """
        return cls.__id_type__

    @property
    def id(cls) -> ColumnProperties:
        """The properties of the key.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.id
        ColumnProperties(dtype=Pointer(STR), append_only=False)
        """
        return cls.universe_properties

    @property
    def universe_properties(cls) -> ColumnProperties:
        """The properties of the key.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.universe_properties
        ColumnProperties(dtype=Pointer(STR), append_only=False)
        """
        return ColumnProperties(ShownType(dtypes.to_dtype(cls.__id_type__)), cls.__id_append_only__)

    def __getitem__(cls, name: str | ColumnReference) -> ColumnSchema:
        key = name if isinstance(name, str) else name.name
        if key not in cls.__columns__:
            raise KeyError(hints.of_column(key, cls.__columns__).replace("Table", "Schema", 1))
        return cls.__columns__[key]

    def _fields(cls) -> list[Field]:
        """The columns as a source wants them."""
        return [cls._field(column) for column in cls.__columns__.values()]

    def _field(cls, column: ColumnSchema) -> Field:
        dtype, default = column.dtype.dtype, column.default_value if column.has_default else None
        if column.has_default and default is None and dtype == DType.JSON:
            default = Json.NULL
        try:
            if column.has_default and default is None and not dtype.is_optional and dtype not in _WITH_NONE:
                raise TypeError(
                    f"None is no {dtypes.describe(dtype)}; write {column.name}: {dtypes.describe(dtype)} | None"
                )
            return Field(column.name, dtype, column.primary_key, column.has_default, default)
        except (TypeError, ValueError) as error:
            message = f"the default of the column {column.name!r} of {cls.__name__} does not fit: {error}"
            raise type(error)(message) from None

    # Other schemas.

    def _derive(cls, columns: Mapping[str, ColumnSchema], name: str | None = None, id_type: Any = None) -> type[Schema]:
        definitions = {name: column.to_definition() for name, column in columns.items()}
        with noting(user_place()):
            return of_definitions(definitions, name or cls.__name__, id_type=id_type)

    def with_types(cls, /, **kwargs: Any) -> type[Schema]:
        """The schema with other types for some columns.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.with_types(height=int)["height"].dtype
        INT
        """
        columns = dict(cls.__columns__)
        for name, annotation in kwargs.items():
            if name not in columns:
                raise ValueError(
                    f"Schema.with_types() argument name has to be an existing column name, received {name}."
                )
            columns[name] = replace(columns[name], dtype=ShownType(dtypes.to_dtype(annotation, user_names())))
        return cls._derive(columns)

    def without(cls, *args: str | ColumnReference) -> type[Schema]:
        """The schema without some columns.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.without("height").column_names()
        ['name']
        """
        columns = dict(cls.__columns__)
        for column in args:
            name = column if isinstance(column, str) else column.name
            if name not in columns:
                raise ValueError(f"Schema.without() argument {name!r} has to refer to an existing column.")
            del columns[name]
        return cls._derive(columns)

    def update_properties(cls, /, **kwargs: Any) -> type[Schema]:
        """The schema with other properties, such as `append_only=True`, for all columns.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.update_properties(append_only=True)["height"].append_only
        True
        """
        allowed = {"append_only", "description", "example", "source_component", "primary_key", "default_value"}
        unknown = set(kwargs) - allowed
        if unknown:
            raise TypeError(
                f"columns have no properties {', '.join(sorted(unknown))}; they have {', '.join(sorted(allowed))}"
            )
        return cls._derive({name: replace(column, **kwargs) for name, column in cls.__columns__.items()})

    def update_types(cls, /, **kwargs: Any) -> type[Schema]:
        """The schema with other types for some columns; the same as `with_types`.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.update_types(height=int)["height"].dtype
        INT
        """
        return cls.with_types(**kwargs)

    def with_id_type(cls, type: Any, *, append_only: bool | None = None) -> type[Schema]:
        """The schema with another type of the key, such as `pw.Pointer[int]`.

        Args:
            type: the type.
            append_only: whether keys are never removed.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.without("name").with_id_type(pw.Pointer[int]).id_type
        pathway.Pointer[int]
        """
        schema = cls._derive(cls.__columns__, id_type=type)
        if append_only is not None:
            schema.__id_append_only__ = append_only
        return schema

    def __or__(cls, other: Any) -> Any:
        """The columns of both schemas, those of the right operand first."""
        if not isinstance(other, SchemaMetaclass):
            # Schema | None is an annotation.
            return super().__or__(other)
        common = [name for name in cls.__columns__ if name in other.__columns__]
        if common:
            raise ValueError(f"both schemas have the {listed(common, 'column')}; use without() on one of them")
        return cls._derive({**other.__columns__, **cls.__columns__}, f"{cls.__name__}_{other.__name__}")

    def __eq__(cls, other: object) -> bool:
        if not isinstance(other, SchemaMetaclass):
            return NotImplemented
        return list(cls.__columns__.items()) == list(other.__columns__.items()) and cls.__id_type__ == other.__id_type__

    def __hash__(cls) -> int:
        return hash(tuple((name, column.dtype) for name, column in cls.__columns__.items()))

    # Text.

    def __repr__(cls) -> str:
        return text.representation(cls)

    def __str__(cls) -> str:
        return text.lines(cls)

    def to_json_serializable_dict(cls) -> dict[str, Any]:
        """The schema as plain dicts, for `schema_from_dict`.

        >>> import pathway as pw
        >>> schema = pw.schema_from_types(a=int)
        >>> pw.schema_from_dict(schema.to_json_serializable_dict()["columns"]) == schema
        True
        """
        return {"columns": cls.columns_to_json_serializable_dict()}

    def columns_to_json_serializable_dict(cls) -> dict[str, dict[str, Any]]:
        """The columns as plain dicts, for `schema_from_dict`.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> Tree.columns_to_json_serializable_dict()["name"]["primary_key"]
        True
        """
        return text.plain_columns(cls)

    def generate_class(cls, class_name: str | None = None, generate_imports: bool = False) -> str:
        """The text of a class that is this schema, for schemas that were inferred.

        Args:
            class_name: the name of the class; by default that of the schema.
            generate_imports: whether the text begins with the imports that it needs.

        >>> import pathway as pw
        >>> print(pw.schema_from_types(a=int).generate_class("Numbers"))
        class Numbers(pw.Schema):
            a: int
        """
        return text.class_source(cls, class_name, generate_imports)

    def generate_class_to_file(cls, path: str, class_name: str | None = None, generate_imports: bool = False) -> None:
        """Writes the text of `generate_class` to a file.

        Args:
            path: the file.
            class_name: the name of the class; by default that of the schema.
            generate_imports: whether the text begins with the imports that it needs.

        >>> import pathway as pw
        >>> class Tree(pw.Schema):
        ...     name: str = pw.column_definition(primary_key=True)
        ...     height: float = pw.column_definition(default_value=1.0)
        >>> import os, tempfile
        >>> path = os.path.join(tempfile.mkdtemp(), "tree.py")
        >>> Tree.generate_class_to_file(path, generate_imports=True)
        """
        with open(path, "w", encoding="utf-8") as file:
            file.write(cls.generate_class(class_name, generate_imports) + "\n")

    def assert_matches_schema(
        cls,
        other: type[Schema],
        *,
        allow_superset: bool = True,
        ignore_primary_keys: bool = True,
        allow_subtype: bool = True,
        ignore_properties: bool = True,
    ) -> None:
        """Raises AssertionError unless this schema can be used where `other` is asked for.

        Args:
            other: the schema that is asked for.
            allow_superset: whether this schema may have more columns.
            ignore_primary_keys: whether primary keys may differ.
            allow_subtype: whether types of this schema may be narrower, such as int for float.
            ignore_properties: whether one may be append-only without the other.

        >>> import pathway as pw
        >>> pw.schema_from_types(a=int, b=str).assert_matches_schema(pw.schema_from_types(a=float))
        """
        matching.check(
            cls,
            other,
            allow_superset=allow_superset,
            ignore_primary_keys=ignore_primary_keys,
            allow_subtype=allow_subtype,
            ignore_properties=ignore_properties,
        )


class Schema(metaclass=SchemaMetaclass):
    """The columns of a table: subclass it and annotate.

    `append_only=True` after the base class says that rows are never changed or removed. Schemas can be
    inherited from, and put together with `|`.

    >>> import pathway as pw
    >>> class Person(pw.Schema):
    ...     name: str = pw.column_definition(primary_key=True)
    ...     age: int | None
    >>> print(Person)
    id           | name | age
    Pointer(STR) | STR  | Optional(INT)
    """


def of_definitions(
    columns: Mapping[str, ColumnDefinition], name: str, *, append_only: bool | None = None, id_type: Any = None
) -> type[Schema]:
    """The schema with these columns, as if a class with them had been written."""
    annotations = {}
    namespace: dict[str, Any] = {}
    for number, (column, definition) in enumerate(columns.items()):
        # Names such as `__module__` mean something in the body of a class.
        attribute = f"column_{number}_of_{len(columns)}" if is_dunder(column) else column
        annotations[attribute] = Any if definition.dtype is None else definition.dtype
        namespace[attribute] = definition if definition.name else replace(definition, name=column)
    return cast(
        "type[Schema]",
        SchemaMetaclass(
            name,
            (Schema,),
            {**namespace, "__annotations__": annotations, "__module__": __name__},
            append_only=append_only,
            id_dtype=id_type,
        ),
    )
