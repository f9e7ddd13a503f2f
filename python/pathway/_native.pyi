"""The engine, as Python sees it. Implemented in Rust (`crates/python`); users never import it.

A plan is made of *nodes*, streams of keyed rows, and *columns*, each belonging to a node; both are
plain numbers here. A column is visible at its own node and at nodes that filter it (see
ARCHITECTURE.md, "Plans"). Methods that make a node return its number; its columns are
`Plan.columns(node)`.

Every `origin` is `(file, line, text of the line)` in the user's program, or None.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import GenericAlias
from typing import Any, ClassVar, Protocol, TypeAlias, final, type_check_only

from typing_extensions import disjoint_base

Node: TypeAlias = int
Column: TypeAlias = int
Origin: TypeAlias = tuple[str, int, str, str] | None

@type_check_only
class _Cluster(Protocol):
    """This process among the others: `pathway._running.cluster.Member`."""

    @property
    def process(self) -> int: ...
    @property
    def addresses(self) -> list[str]: ...
    @property
    def secret(self) -> str: ...
    @property
    def timeout(self) -> float: ...
    @property
    def run(self) -> int: ...
    @property
    def is_interrupted(self) -> Callable[[], bool]: ...

@type_check_only
class _Place(Protocol):
    """Where runs are kept: `pathway._running.backends.Place`."""

    @property
    def kind(self) -> str: ...
    @property
    def path(self) -> str: ...
    @property
    def settings(self) -> dict[str, str]: ...
    @property
    def timeout(self) -> float: ...

@type_check_only
class _Persistence(Protocol):
    @property
    def place(self) -> _Place: ...
    @property
    def events(self) -> list[tuple[str, list[tuple[int, int, Pointer, tuple[Any, ...]]]]] | None: ...
    @property
    def access(self) -> str: ...
    @property
    def play(self) -> str: ...
    @property
    def continues(self) -> bool: ...

@final
class DType:
    """The type of a column. Immutable and hashable."""

    NONE: ClassVar[DType]
    ANY: ClassVar[DType]
    BOOL: ClassVar[DType]
    INT: ClassVar[DType]
    FLOAT: ClassVar[DType]
    STR: ClassVar[DType]
    BYTES: ClassVar[DType]
    POINTER: ClassVar[DType]
    DATE_TIME_NAIVE: ClassVar[DType]
    DATE_TIME_UTC: ClassVar[DType]
    DURATION: ClassVar[DType]
    JSON: ClassVar[DType]
    OBJECT: ClassVar[DType]
    CALLABLE: ClassVar[DType]

    @staticmethod
    def tuple(items: Sequence[DType]) -> DType: ...
    @staticmethod
    def pointer(values: Sequence[DType]) -> DType: ...
    @staticmethod
    def list(arg: DType) -> DType: ...
    @staticmethod
    def array(dimensions: int | None, element: DType) -> DType: ...
    @staticmethod
    def optional(wrapped: DType) -> DType: ...
    @staticmethod
    def future(wrapped: DType) -> DType: ...
    @property
    def kind(self) -> str:
        """One of none any bool int float str bytes pointer date_time_naive date_time_utc duration json
        tuple list array optional object callable future."""

    @property
    def arguments(self) -> Sequence[DType]:
        """The types inside: of the items, the element, the value."""

    @property
    def dimensions(self) -> int | None:
        """How many dimensions arrays have; None if it is not known, or if the type is another."""

    @property
    def is_optional(self) -> bool: ...
    @property
    def required(self) -> DType:
        """The type without None."""

    def is_subtype_of(self, other: DType) -> bool: ...
    def least_upper_bound(self, other: DType) -> DType: ...
    def common(self, other: DType, what: str) -> DType:
        """The smallest type that holds the values of both; TypeError, with `what`, if they have nothing in common."""

    def check_equal(self, other: DType) -> None:
        """TypeError if a join cannot make columns of the types equal."""

    def check_pointers(self, keys: DType, optional: bool) -> None:
        """TypeError if values of the type cannot point to rows with such keys; None may be among them if `optional`."""

    def read(self, field: str) -> Any:
        """The value that a field of csv is; ValueError with the reason if it is none."""

    def text(self, value: object) -> str:
        """The text that `read` takes for a value. Not for texts themselves, which may have to be quoted."""

    def convert(self, value: object) -> Any:
        """The value as a column of the type would give it back (a list becomes a tuple, a datetime a
        pandas Timestamp). Raises TypeError or ValueError, as a connector would, if it does not fit."""

    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Pointer:
    """The key of a row: 128 bits, written `^` and 26 characters. Hashable, ordered, `int(p)` works."""

    def __new__(cls, value: int | str) -> Pointer: ...
    def __int__(self) -> int: ...
    def __class_getitem__(cls, arguments: object) -> GenericAlias: ...
    def __lt__(self, other: Pointer, /) -> bool: ...
    def __le__(self, other: Pointer, /) -> bool: ...
    def __gt__(self, other: Pointer, /) -> bool: ...
    def __ge__(self, other: Pointer, /) -> bool: ...
    def __hash__(self) -> int: ...

def pointer_from(values: Sequence[object]) -> Pointer:
    """The key that `Table.pointer_from` gives rows with these values."""

def begin_forked() -> None:
    """Called in a process that was just forked."""

def close_door(seconds: float) -> bool:
    """Lets no thread of the engine into Python any more, and waits so long for those inside; whether nobody is."""

def fail_points() -> list[str]:
    """The points of a run that is kept at which TOWPATH_FAIL_POINT can have the process fail, stop or be killed."""

def inspect_state(place: _Place, decode: bool) -> dict[str, Any]:
    """What is kept in a place: `location`, `created`, `is_held`, `holder` as (host, process, since), `bytes`,
    `generations`, `ended_well`, `last_time`, `snapshot` (None, or a dict of `time`, `bytes`, `parts` and `has_journal`)
    and `connectors`, which are dicts of `name`, `commits`, `rows` (None unless they are decoded), `bytes`, `last_time`
    and `position`. Raises OSError if it cannot be used."""

def set_state_position(place: _Place, name: str, position: bytes) -> None:
    """Has a stream of a source go on at another position; ValueError if it has given none."""

def delete_state(place: _Place) -> None:
    """Deletes what is kept in a place; OSError if it is in use, or something else."""

def infer_dtype(value: object) -> DType:
    """The type of one Python value."""

@final
class Error:
    """What an error cell is to Python. There is one."""

ERROR: Error

@final
class Expression:
    """How a column is computed. Immutable. Constructors raise TypeError if the types do not fit."""

    @property
    def dtype(self) -> DType: ...
    @staticmethod
    def literal(value: object, dtype: DType | None = None) -> Expression: ...
    @staticmethod
    def id() -> Expression:
        """The key of the row."""

    @staticmethod
    def call(function: str, arguments: Sequence[Expression], origin: Origin = ...) -> Expression:
        """A function of the engine; the names are listed in `functions()`."""

    @staticmethod
    def if_else(condition: Expression, then: Expression, otherwise: Expression) -> Expression: ...
    @staticmethod
    def coalesce(arguments: Sequence[Expression]) -> Expression: ...
    @staticmethod
    def require(value: Expression, others: Sequence[Expression]) -> Expression: ...
    @staticmethod
    def fill_error(value: Expression, replacement: Expression) -> Expression: ...
    @staticmethod
    def pointer(
        values: Sequence[Expression], instance: Expression | None = None, optional: bool = False
    ) -> Expression: ...
    @staticmethod
    def declare(expression: Expression, dtype: DType) -> Expression: ...
    @staticmethod
    def narrow(expression: Expression, dtype: DType, what: str) -> Expression:
        """The same as `declare`, for a type that includes the old one or is included; `what` is for the message."""

    @staticmethod
    def cast(expression: Expression, dtype: DType, origin: Origin = ...) -> Expression: ...
    @staticmethod
    def user(
        function: Callable[..., object],
        arguments: Sequence[Expression],
        keywords: Sequence[str],
        dtype: DType,
        *,
        name: str,
        deterministic: bool,
        propagate_none: bool,
        max_batch_size: int | None,
        origin: Origin = ...,
    ) -> Expression:
        """A Python function; the last `len(keywords)` arguments are passed by keyword. With a
        `max_batch_size` it is called with lists and returns a list."""

def functions() -> Sequence[str]: ...
def reducers() -> Sequence[str]: ...

@final
class Field:
    """A column of a source. `default` is used if `has_default`."""

    def __new__(
        cls,
        name: str,
        dtype: DType,
        primary_key: bool = False,
        has_default: bool = False,
        default: object = None,
    ) -> Field: ...
    name: str
    dtype: DType
    primary_key: bool

@disjoint_base
class Subject:
    """The native half of `ConnectorSubject`; takes any arguments."""

    def __new__(cls, *args: Any, **kwargs: Any) -> Any: ...
    def next(self, **values: Any) -> None: ...
    def next_json(self, message: str | bytes | Mapping[str, Any]) -> None: ...
    def next_str(self, message: str) -> None: ...
    def next_bytes(self, message: bytes) -> None: ...
    def next_batch(self, rows: Iterable[object], /) -> None: ...
    def next_columns(self, columns: Mapping[str, object], /) -> None: ...
    def next_arrow(self, data: object, /) -> None: ...
    def delete(self, **values: Any) -> None: ...
    def commit(self, offset: object = None) -> None: ...

# What works on a subject. No method, since a class of the user's may have any name for one.

def subject_state(subject: Subject) -> Any:
    """What the package keeps of a subject, if it keeps something already."""

def set_subject_state(subject: Subject, state: object) -> None:
    """Has it keep that. Only the first call counts."""

def push_row(subject: Subject, key: Pointer | None, values: dict[str, Any], diff: int) -> None:
    """Adds or removes one row under a key of the subject's choice."""

def report_offset(subject: Subject, offset: object) -> None:
    """Says where to go on behind the rows so far; it is kept with the next commit."""

def set_autocommit(subject: Subject, enabled: bool) -> None:
    """Whether the autocommit timer may close a commit; enabling it closes one."""

@final
class Misfit:
    """Stands for a value that is none of its field's type, and says why; the row is not accepted."""

    def __new__(cls, reason: str) -> Misfit: ...

def commit_whole(subject: Subject) -> None:
    """All that there is was sent, in a source whose rows are compared with what was kept: commits it as a whole."""

def keeps_bad_rows(subject: Subject) -> bool:
    """Whether a row with a value that does not fit is kept, with an error in its place."""

def close_subject(subject: Subject) -> None:
    """Commits and ends the source."""

def rows_given(subject: Subject) -> int:
    """How many rows it was given in the present run, accepted or not."""

def is_early(subject: Subject) -> bool:
    """Whether `read` has not said yet what its rows are."""

def keep_call(subject: Subject, function: Callable[..., None], /, *arguments: object) -> None:
    """Calls the function with the subject and the arguments when `read` has said it."""

def open_subject(subject: Subject) -> None:
    """Makes the calls that came before `read`; from now on rows are taken directly."""

def begin_forked_process() -> None:
    """Called in a process that was just forked: nobody there reads what the subjects are given."""

@final
class SubjectStream:
    """All rows of a subject or of a partition, during one run."""

    @property
    def number(self) -> int:
        """Its number among the streams of the subject."""

    @property
    def is_kept(self) -> bool:
        """Whether the run is kept."""

    @property
    def offset(self) -> bytes | None:
        """The offset that the runs before have kept last."""

    def close(self, error: BaseException | None, is_stopped: bool) -> None:
        """Commits and ends it; with an error the run ends with it. Only the first call counts."""

    def thread_ended(self) -> None:
        """The thread that sends them is over: a run that stops waits for it no longer."""

@final
class Plan:
    """What to compute. Building one starts nothing."""

    def __new__(cls) -> Plan: ...
    def explain(self) -> str: ...
    def sources(self, node: Node) -> list[Node]:
        """The sources that the rows of a node come from."""

    # Columns.
    def columns(self, node: Node) -> list[Column]: ...
    def dtype(self, column: Column) -> DType: ...
    def expression(self, column: Column) -> Expression: ...
    def define(self, node: Node, expression: Expression) -> Column: ...
    def name_columns(self, columns: Sequence[tuple[str, Column]]) -> None:
        """Says what messages call columns; the first name counts."""

    def is_visible(self, column: Column, node: Node) -> bool: ...
    def is_append_only(self, node: Node) -> bool: ...
    # Sources.
    def python_source(
        self,
        subject: Subject,
        fields: Sequence[Field],
        *,
        name: str | None,
        default_name: str,
        format: str,
        upsert: bool,
        deletions: bool,
        own_keys: bool,
        is_partitioned: bool,
        autocommit_milliseconds: int | None,
        backlog_rows: int | None,
        backlog_bytes: int | None,
        resume: str,
        reads: Sequence[str],
        origin: Origin,
    ) -> Node:
        """`format` is json (fields by name) or raw/binary (one column `data`); no output may write to what it
        `reads`."""

    def static_source(
        self,
        fields: Sequence[Field],
        rows: Sequence[Sequence[object]],
        *,
        keys: Sequence[Pointer] | None,
        times: Sequence[int] | None,
        diffs: Sequence[int] | None,
        name: str,
        origin: Origin,
    ) -> Node:
        """Rows known beforehand, tuples in the order of the fields. Without keys they come from the primary
        key, or from the row's number. With `times`, each row appears at its time (in any order in the list)."""

    def file_source(
        self,
        path: str,
        fields: Sequence[Field],
        *,
        format: str,
        mode: str,
        settings: Mapping[str, object],
        object_pattern: str,
        with_metadata: bool,
        append_only: bool,
        autocommit_milliseconds: int | None,
        backlog_rows: int | None,
        name: str | None,
        origin: Origin,
    ) -> Node:
        """`format`: csv, json, plaintext, plaintext_by_file, binary, only_metadata; `mode`: static, streaming.
        `settings`: delimiter, quote, escape, double_quote_escapes, quoting, comment (csv); paths (json: field ->
        RFC 6901 pointer). `_metadata` follows the other columns if asked for."""

    def error_log(self, origin: Origin) -> Node:
        """The errors of the run: operator_id, message, trace."""
    # Operators. Key columns are made with `Expression.pointer` and `define` first.
    def filter(self, node: Node, condition: Column, origin: Origin) -> Node: ...
    def reduce(
        self,
        node: Node,
        key: Column,
        groups: Sequence[Column],
        reducers: Sequence[tuple[str, Sequence[Column], Mapping[str, object]]],
        origin: Origin,
    ) -> Node:
        """Columns: the groups, then a column a reducer."""

    def join(
        self,
        left: Node,
        right: Node,
        left_key: Column,
        right_key: Column,
        left_columns: Sequence[Column],
        right_columns: Sequence[Column],
        how: str,
        id: str | None,
        once: tuple[bool, bool],
        origin: Origin,
    ) -> Node:
        """`how`: inner left right outer; `id`: None (key of both ids), left or right; `once`: whether the rows of the
        left, of the right, are used up by their first partner.
        Columns: those of the left, then those of the right."""

    def concat(self, inputs: Sequence[tuple[Node, Sequence[Column]]], origin: Origin) -> Node: ...
    def reindex(self, node: Node, key: Column, columns: Sequence[Column], origin: Origin) -> Node: ...
    def update_rows(
        self, left: Node, left_columns: Sequence[Column], right: Node, right_columns: Sequence[Column], origin: Origin
    ) -> Node: ...
    def update_cells(
        self,
        left: Node,
        left_columns: Sequence[Column],
        right: Node,
        right_columns: Sequence[Column],
        replaced: Sequence[int],
        origin: Origin,
    ) -> Node:
        """Column `replaced[i]` of the left becomes column `i` of the right where the right has the row."""

    def assert_append_only(self, node: Node, columns: Sequence[Column], origin: Origin) -> Node:
        """The same rows; the run fails if one is removed."""

    def flatten(
        self, node: Node, flattened: Column, columns: Sequence[Column], origin_id: bool, origin: Origin
    ) -> Node:
        """Columns: the element, the others, and the original key if `origin_id`."""

    def lookup(
        self,
        node: Node,
        pointer: Column,
        columns: Sequence[Column],
        target: Node,
        target_columns: Sequence[Column],
        optional: bool,
        allow_misses: bool,
        origin: Origin,
    ) -> Node:
        """Rows of `node`. Columns: those of `node`, then those of the target's row."""

    def key_join(
        self, node: Node, columns: Sequence[Column], others: Sequence[tuple[Node, Sequence[Column]]], origin: Origin
    ) -> Node:
        """Rows of `node`; the others have the same keys. Columns: those of `node`, then those of the others."""

    def semi_join(
        self, node: Node, columns: Sequence[Column], others: Sequence[Node], keep_matched: bool, origin: Origin
    ) -> Node:
        """Rows whose key is in all of the others (`keep_matched`), or in none."""
    # Outputs.
    def csv_write(
        self,
        node: Node,
        columns: Sequence[tuple[str, Column]],
        path: str,
        partitioned: bool,
        sort_by: Sequence[int],
        name: str | None,
        origin: Origin,
    ) -> None: ...
    def jsonlines_write(
        self,
        node: Node,
        columns: Sequence[tuple[str, Column]],
        path: str,
        partitioned: bool,
        sort_by: Sequence[int],
        name: str | None,
        origin: Origin,
    ) -> None: ...
    def null_write(
        self, node: Node, columns: Sequence[tuple[str, Column]], name: str | None, origin: Origin
    ) -> None: ...
    def subscribe(
        self,
        node: Node,
        columns: Sequence[tuple[str, Column]],
        *,
        on_change: Callable[..., object] | None,
        on_time_end: Callable[[int], object] | None,
        on_end: Callable[[], object] | None,
        skip_errors: bool,
        sort_by: Sequence[int],
        name: str | None,
        origin: Origin,
        debug: bool = False,
        default_name: str | None = None,
        on_begin: Callable[[str | None], object] | None = None,
        prepare: Callable[[int], bytes | None] | None = None,
        commit: Callable[[int, bytes | None], object] | None = None,
        recover: Callable[[int | None, bytes | None], int | None] | None = None,
    ) -> None:
        """Calls `on_change(key=, row=, time=, is_addition=)`, `on_time_end(time)`, `on_end()`."""

    def capture(self, node: Node, columns: Sequence[Column], origin: Origin) -> Capture: ...
    # Running.
    def run(
        self,
        *,
        everything: bool,
        debug: bool,
        workers: int,
        terminate_on_error: bool,
        start_time: int | None,
        captures_only: Sequence[Capture] | None,
        cluster: _Cluster | None,
        persistence: _Persistence | None,
    ) -> Run:
        """Starts a run, together with the processes of `cluster` if there is one.

        With `captures_only` just these captures run, and no other output; otherwise all outputs but captures.
        """

@final
class Capture:
    """Takes the updates of a table during the run it is part of."""

    def updates(self) -> list[tuple[Pointer, tuple[Any, ...], int, int]]:
        """(key, row, time, diff) in the order of times, deletions first; consolidated. Error cells are ERROR."""

@final
class Statistics:
    name: str
    role: str
    """source, operator or sink"""
    rows_in: int
    rows_out: int
    rejected: int
    backlog: int
    bytes: int
    """how many bytes a source has to read, 0 if that is not known"""
    bytes_read: int
    time: int
    workers: list[tuple[int, int, int, int]]
    """for each worker of this process its number, rows in, rows out and backlog"""

@final
class KeptFigures:
    """What this process has kept of a run so far."""

    durable_time: int | None
    """up to which time all that came in is on disk, in all processes"""
    lag_ms: int
    """how far that is behind the latest commit of this process"""
    journal_written: int
    """bytes of this process in this run"""
    journal_bytes: int
    """bytes that are kept; those of earlier runs are counted by the first process"""
    snapshot_time: int | None
    snapshot_seconds: float | None
    """how long this process took for it, if it was taken in this run"""
    snapshot_bytes: int | None
    """only the first process knows it, and the number of parts"""
    snapshot_parts: int | None

@final
class Run:
    """A run under way."""

    def wait(self, seconds: float) -> bool:
        """Waits without the GIL; True when the run has ended. Raises what ended it, once."""

    def opened(self, seconds: float) -> bool | None:
        """Waits without the GIL until this process has what the run reads and writes; None if nobody knows yet. If it
        is False, the run has failed."""

    def stop(self) -> None:
        """Asks the sources to end: `on_stop` of subjects is called, in other threads. Then wait."""

    def abort(self) -> None:
        """Ends the run at once."""

    def has_failed(self) -> bool:
        """Whether the run has failed, though functions of the user may not have returned yet."""

    def abandon(self) -> None:
        """Raises what the run has failed with; its threads are left alone until the process ends."""

    def statistics(self) -> list[Statistics]: ...
    def kept(self) -> KeptFigures | None:
        """What this process has kept so far, if it keeps anything."""
