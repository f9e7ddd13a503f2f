"""`pw.Schema`: the columns of a table, their types, and what connectors should know of them.

A schema is a class; its metaclass turns annotations and `column_definition`s into `ColumnSchema`s once,
when the class is made, and answers all questions from these. Functions that make schemas without the
class syntax are in `_schema_builders`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import GenericAlias, MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, cast

from pathway import _dtypes
from pathway._native import DType, Field, Pointer
from pathway._origin import noting, user_frame, user_place

if TYPE_CHECKING:
    from pathway._expressions import ColumnReference


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

    dtype: _Shown
    append_only: bool = False


@dataclass(frozen=True)
class SchemaProperties:
    """What holds for all columns of a schema."""

    append_only: bool | None = None


class _Shown:
    """A type that prints by its name in schemas; `dtype` is the engine's."""

    def __init__(self, dtype: DType, text: str | None = None) -> None:
        self.dtype = dtype
        self._text = text or _dtypes.name(dtype)

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Shown) and self.dtype == other.dtype and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True)
class ColumnSchema:
    """A column of a schema."""

    dtype: _Shown
    name: str
    primary_key: bool = False
    default_value: Any = undefined
    append_only: bool = False
    description: str | None = None
    example: Any = None
    source_component: Literal["payload", "key"] = "payload"

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
        return _dtypes.to_python(self.dtype.dtype)

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
        return super().__new__(meta, name, bases, namespace)

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
            columns, attributes = _columns(cls, name, bases, namespace, append_only)
            cls.__columns__ = columns
            # From the names in the class to the names of the columns.
            cls.__attributes__ = attributes
            keys = cls.primary_key_columns()
            if id_dtype is not None:
                if _dtypes.to_dtype(id_dtype) != DType.POINTER:
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

    # Asking.

    def columns(cls) -> Mapping[str, ColumnSchema]:
        """All that is known of each column, by name."""
        return MappingProxyType(cls.__columns__)

    def column_names(cls) -> list[str]:
        """The names of the columns, in order."""
        return list(cls.__columns__)

    def keys(cls) -> list[str]:
        """The names of the columns, in order."""
        return list(cls.__columns__)

    def typehints(cls) -> Mapping[str, Any]:
        """The types as Python annotations, by name."""
        return MappingProxyType({name: column.typehint for name, column in cls.__columns__.items()})

    def default_values(cls) -> dict[str, Any]:
        """The default values of those columns that have one."""
        return {name: column.default_value for name, column in cls.__columns__.items() if column.has_default}

    def primary_key_columns(cls) -> list[str] | None:
        """The names of the columns that keys are made of; None if there are none."""
        return [name for name, column in cls.__columns__.items() if column.primary_key] or None

    def column_properties(cls, name: str) -> ColumnProperties:
        """The type of a column and whether its values are never changed."""
        column = cls[name]
        return ColumnProperties(column.dtype, column.append_only)

    @property
    def id_type(cls) -> Any:
        """The type of the key: `Pointer`, with the types of the primary key if there is one."""
        return cls.__id_type__

    @property
    def id(cls) -> ColumnProperties:
        """The properties of the key."""
        return cls.universe_properties

    @property
    def universe_properties(cls) -> ColumnProperties:
        """The properties of the key."""
        return ColumnProperties(_Shown(DType.POINTER, _pointer_text(cls.__id_type__)), cls.__id_append_only__)

    def __getitem__(cls, name: str | ColumnReference) -> ColumnSchema:
        key = name if isinstance(name, str) else name.name
        if key not in cls.__columns__:
            from pathway._joinable import missing_column

            raise KeyError(missing_column(key, cls.__columns__).replace("Table", "Schema", 1))
        return cls.__columns__[key]

    def _fields(cls) -> list[Field]:
        """The columns as a source wants them."""
        fields = []
        for column in cls.__columns__.values():
            default = column.default_value if column.has_default else None
            fields.append(Field(column.name, column.dtype.dtype, column.primary_key, column.has_default, default))
        return fields

    # Other schemas.

    def _derive(cls, columns: Mapping[str, ColumnSchema], name: str | None = None, id_type: Any = None) -> type[Schema]:
        from pathway._schema_builders import schema_builder

        definitions = {name: column.to_definition() for name, column in columns.items()}
        return schema_builder(definitions, name=name or cls.__name__, id_type=id_type)

    def with_types(cls, **kwargs: Any) -> type[Schema]:
        """The schema with other types for some columns."""
        columns = dict(cls.__columns__)
        for name, annotation in kwargs.items():
            if name not in columns:
                raise ValueError(
                    f"Schema.with_types() argument name has to be an existing column name, received {name}."
                )
            columns[name] = replace(columns[name], dtype=_Shown(_dtypes.to_dtype(annotation, _user_names())))
        return cls._derive(columns)

    def without(cls, *args: str | ColumnReference) -> type[Schema]:
        """The schema without some columns."""
        columns = dict(cls.__columns__)
        for column in args:
            name = column if isinstance(column, str) else column.name
            if name not in columns:
                raise ValueError(f"Schema.without() argument {name!r} has to refer to an existing column.")
            del columns[name]
        return cls._derive(columns)

    def update_properties(cls, **kwargs: Any) -> type[Schema]:
        """The schema with other properties, such as `append_only=True`, for all columns."""
        allowed = {"append_only", "description", "example", "source_component", "primary_key", "default_value"}
        unknown = set(kwargs) - allowed
        if unknown:
            raise TypeError(
                f"columns have no properties {', '.join(sorted(unknown))}; they have {', '.join(sorted(allowed))}"
            )
        return cls._derive({name: replace(column, **kwargs) for name, column in cls.__columns__.items()})

    def update_types(cls, **kwargs: Any) -> type[Schema]:
        """The schema with other types for some columns; the same as `with_types`."""
        return cls.with_types(**kwargs)

    def with_id_type(cls, type: Any, *, append_only: bool | None = None) -> type[Schema]:
        """The schema with another type of the key, such as `pw.Pointer[int]`."""
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
            raise ValueError(f"both schemas have columns {', '.join(common)}; use without() on one of them")
        return cls._derive({**other.__columns__, **cls.__columns__}, f"{cls.__name__}_{other.__name__}")

    def __eq__(cls, other: object) -> bool:
        if not isinstance(other, SchemaMetaclass):
            return NotImplemented
        return list(cls.__columns__.items()) == list(other.__columns__.items()) and cls.__id_type__ == other.__id_type__

    def __hash__(cls) -> int:
        return hash(tuple((name, column.dtype) for name, column in cls.__columns__.items()))

    # Text.

    def __repr__(cls) -> str:
        types = ", ".join(f"{name!r}: {_type_text(hint)}" for name, hint in cls.typehints().items())
        return f"<pathway.Schema types={{{types}}}, id_type={_type_text(cls.__id_type__)}>"

    def __str__(cls) -> str:
        names = ["id", *cls.__columns__]
        types = [_pointer_text(cls.__id_type__), *(repr(column.dtype) for column in cls.__columns__.values())]
        widths = [max(len(name), len(kind)) for name, kind in zip(names, types, strict=True)]
        return "\n".join(
            " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
            for cells in (names, types)
        )

    def to_json_serializable_dict(cls) -> dict[str, Any]:
        """The schema as plain dicts, for `schema_from_dict`.

        >>> import pathway as pw
        >>> schema = pw.schema_from_types(a=int)
        >>> pw.schema_from_dict(schema.to_json_serializable_dict()["columns"]) == schema
        True
        """
        columns = {}
        for name, column in cls.__columns__.items():
            entry: dict[str, Any] = {
                "dtype": _dtypes.to_json(column.dtype.dtype),
                "name": name,
                "primary_key": column.primary_key,
                "append_only": column.append_only,
                "description": column.description,
                "source_component": column.source_component,
            }
            if column.has_default:
                entry["default_value"] = column.default_value
            if column.example is not None:
                entry["example"] = column.example
            columns[name] = entry
        return {"columns": columns}

    def generate_class(cls, class_name: str | None = None, generate_imports: bool = False) -> str:
        """The text of a class that is this schema, for schemas that were inferred.

        >>> import pathway as pw
        >>> print(pw.schema_from_types(a=int).generate_class("Numbers"))
        class Numbers(pw.Schema):
            a: int
        """
        class_name = class_name or cls.__name__
        if not class_name.isidentifier():
            class_name = "CustomSchema"
        lines = [f"class {class_name}(pw.Schema):"]
        for number, (name, column) in enumerate(cls.__columns__.items()):
            arguments = []
            attribute = name
            if not name.isidentifier():
                attribute = f"column_{number}"
                arguments.append(f"name={name!r}")
            if column.primary_key:
                arguments.append("primary_key=True")
            if column.has_default:
                arguments.append(f"default_value={column.default_value!r}")
            if column.append_only:
                arguments.append("append_only=True")
            if column.description is not None:
                arguments.append(f"description={column.description!r}")
            definition = f" = pw.column_definition({', '.join(arguments)})" if arguments else ""
            lines.append(f"    {attribute}: {_dtypes.display(column.typehint)}{definition}")
        if len(lines) == 1:
            lines.append("    pass")
        text = "\n".join(lines)
        if generate_imports:
            imports = ["import pathway as pw"]
            if "np." in text:
                imports.insert(0, "import numpy as np")
            if " Any" in text or "[Any" in text:
                imports.insert(0, "from typing import Any")
            text = "\n".join(imports) + "\n\n\n" + text
        return text

    def generate_class_to_file(cls, path: str, class_name: str | None = None, generate_imports: bool = False) -> None:
        """Writes the text of `generate_class` to a file."""
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

        >>> import pathway as pw
        >>> pw.schema_from_types(a=int, b=str).assert_matches_schema(pw.schema_from_types(a=float))
        """
        for name, wanted in other.__columns__.items():
            column = cls.__columns__.get(name)
            if column is None:
                raise AssertionError(f"the column {name} of {other.__name__} is missing in {cls.__name__}")
            own, expected = column.dtype.dtype, wanted.dtype.dtype
            if own != expected and not (allow_subtype and own.is_subtype_of(expected)):
                raise AssertionError(
                    f"type of column {name} does not match - its type is {column.dtype!r} in {cls.__name__} and "
                    f"{wanted.dtype!r} in {other.__name__}"
                )
            if not ignore_properties and column.append_only != wanted.append_only:
                raise AssertionError(
                    f"the column {name} is append-only in only one of {cls.__name__}, {other.__name__}"
                )
        extra = [name for name in cls.__columns__ if name not in other.__columns__]
        if extra and not allow_superset:
            raise AssertionError(f"there are extra columns {', '.join(extra)} that {other.__name__} does not have")
        keys = (cls.primary_key_columns(), other.primary_key_columns())
        if not ignore_primary_keys and keys[0] != keys[1]:
            raise AssertionError(
                f"primary keys in the schemas do not match - they are {keys[0]} in {cls.__name__} and {keys[1]} in "
                f"{other.__name__}"
            )


def schema_of(dtypes: Mapping[str, DType], *, append_only: bool, id_type: Any) -> type[Schema]:
    """The schema of a table that is computed."""
    from pathway._schema_builders import schema_builder

    definitions = {name: ColumnDefinition(dtype=dtype, append_only=append_only) for name, dtype in dtypes.items()}
    return schema_builder(definitions, name=f"schema({dict(dtypes)})", id_type=id_type)


def _columns(
    cls: SchemaMetaclass, name: str, bases: tuple[type, ...], namespace: dict[str, Any], append_only: bool | None
) -> tuple[dict[str, ColumnSchema], dict[str, str]]:
    columns: dict[str, ColumnSchema] = {}
    attributes: dict[str, str] = {}
    for base in reversed(bases):
        if isinstance(base, SchemaMetaclass):
            columns.update(base.__columns__)
            attributes.update(base.__attributes__)
    if append_only is not None:
        columns = {column: replace(schema, append_only=append_only) for column, schema in columns.items()}
    annotations = _annotations(namespace)
    names = _class_names(cls)
    bare = [
        attribute
        for attribute in namespace
        if attribute not in annotations
        and not (attribute.startswith("__") and attribute.endswith("__"))
        and not (attribute in attributes and isinstance(namespace[attribute], ColumnDefinition))
        and attribute not in ("_abc_impl",)
    ]
    if bare:
        raise ValueError(f"definitions of columns {', '.join(bare)} lack type annotation")
    for attribute, annotation in annotations.items():
        definition = namespace.get(attribute, ColumnDefinition())
        if not isinstance(definition, ColumnDefinition):
            raise ValueError(
                f"`{attribute}` should be a column definition, found {type(definition)}; for a default value, write "
                f"{attribute}: ... = pw.column_definition(default_value={definition!r})"
            )
        try:
            dtype = _dtypes.to_dtype(annotation, names)
        except TypeError as error:
            error.add_note(f"in the column {attribute} of the schema {name}")
            raise
        if definition.dtype is not None and _dtypes.to_dtype(definition.dtype, names) != dtype:
            raise TypeError(f"type annotation of column `{attribute}` does not match column definition")
        final = definition.name or attribute
        inherited = columns.get(attributes.get(attribute, ""))
        if inherited is not None and inherited.dtype.dtype != dtype:
            raise TypeError(
                f"type annotation of column `{attribute}` does not match column definition: it is inherited as "
                f"{inherited.dtype!r}"
            )
        columns[final] = ColumnSchema(
            _Shown(dtype, _pointer_text(annotation) if dtype == DType.POINTER else None),
            final,
            definition.primary_key,
            definition.default_value,
            bool(append_only if definition.append_only is None else definition.append_only),
            definition.description,
            definition.example,
            definition.source_component,
        )
        attributes[attribute] = final
    return columns, attributes


def _annotations(namespace: dict[str, Any]) -> dict[str, Any]:
    annotations = namespace.get("__annotations__")
    if annotations is None and sys.version_info >= (3, 14):
        import annotationlib

        annotate = annotationlib.get_annotate_from_class_namespace(namespace)
        if annotate is not None:
            annotations = annotationlib.call_annotate_function(annotate, annotationlib.Format.VALUE)
    return dict(cast("dict[str, Any]", annotations or {}))


def _class_names(cls: type) -> dict[str, Any]:
    """What annotations written as texts may name."""
    module = sys.modules.get(cls.__module__)
    return {**(vars(module) if module is not None else {}), **_user_names()}


def _user_names() -> dict[str, Any]:
    frame = user_frame()
    return {} if frame is None else {**frame.f_globals, **frame.f_locals}


def _pointer_text(annotation: Any) -> str:
    arguments = getattr(annotation, "__args__", None)
    if arguments is None:
        return "ANY_POINTER"
    inner = ", ".join(_dtypes.name(_dtypes.to_dtype(argument)) for argument in arguments if argument != ())
    return f"Pointer({inner})"


def _type_text(annotation: Any) -> str:
    if isinstance(annotation, type) and not isinstance(annotation, GenericAlias):
        return repr(annotation)
    return _dtypes.display(annotation)


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
