"""Where a run is kept, and what of it: the arguments of `pw.run(persistence_config=...)`."""

from __future__ import annotations

import enum
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, TypeAlias

from pathway._ground import arguments, environment
from pathway._native import Pointer
from pathway.io.s3 import AwsS3Settings

# A row that a source is to have sent: its time, whether it was added (1) or taken back (-1), its key and its values.
RecordedRow: TypeAlias = tuple[int, int, Pointer, tuple[Any, ...]]


class PersistenceMode(enum.Enum):
    """What is kept of a run, see ``pw.persistence.Config``.

    Example:

    >>> import pathway as pw
    >>> backend = pw.persistence.Backend.filesystem("./state")
    >>> pw.persistence.Config(backend).persistence_mode
    <PersistenceMode.PERSISTING: 'persisting'>
    """

    PERSISTING = "persisting"
    """Everything that the sources have sent. After a restart it flows through the program once more, so the program may
    have changed; outputs go on where they were."""
    OPERATOR_PERSISTING = "operator_persisting"
    """The state of the operators, and what came in since: a restart takes as long as reading that state, however long
    the history is, and what came in before is deleted. The program must not change."""
    SELECTIVE_PERSISTING = "selective_persisting"
    """The operators that have a name, and what the sources have sent, from which all others are computed again. No
    operator has a name yet, so it is the same as ``PERSISTING``."""
    UDF_CACHING = "udf_caching"
    """Nothing but what functions keep themselves, in the folder that ``PATHWAY_PERSISTENT_STORAGE`` names during the
    run: sources and outputs begin anew."""
    BATCH = "batch"
    """Plays what was kept, all of it at one time."""
    SPEEDRUN_REPLAY = "speedrun_replay"
    """Plays what was kept at the times it had, as fast as it goes."""
    REALTIME_REPLAY = "realtime_replay"
    """Plays what was kept at the times it had, with the pauses that were between them."""


class SnapshotAccess(enum.Enum):
    """What is done with what was kept, see ``pw.persistence.Config``.

    Example:

    >>> import pathway as pw
    >>> backend = pw.persistence.Backend.filesystem("./state")
    >>> pw.persistence.Config(backend, snapshot_access=pw.SnapshotAccess.REPLAY).snapshot_access
    <SnapshotAccess.REPLAY: 'replay'>
    """

    FULL = "full"
    """It is read, and added to."""
    RECORD = "record"
    """It is added to, and not read: sources and outputs begin anew."""
    REPLAY = "replay"
    """It is read, and not added to."""
    OFFSETS_ONLY = "offsets_only"
    """Refused: offsets without rows would lose what had not reached the outputs. ``OPERATOR_PERSISTING`` keeps offsets
    and the state of the operators, and no rows that are in it."""


@dataclass(frozen=True)
class SnapshotEvent:
    """Something that a source has sent, for ``Backend.mock``; made by its methods.

    Example:

    >>> import pathway as pw
    >>> pw.persistence.SnapshotEvent.advance_time(2)
    SnapshotEvent(kind='advance_time', time=2, key=None, values=())
    """

    FINISHED: ClassVar[SnapshotEvent]

    kind: str
    time: int = 0
    key: Pointer | None = None
    values: tuple[Any, ...] = ()

    @classmethod
    def insert(cls, key: Pointer, values: Iterable[Any]) -> SnapshotEvent:
        """A row that was added.

        Args:
            key: its key.
            values: the values of its columns, in the order of the schema.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.SnapshotEvent.insert(pw.Pointer(1), ["a", 2]).values
        ('a', 2)
        """
        return cls("insert", key=key, values=tuple(values))

    @classmethod
    def delete(cls, key: Pointer, values: Iterable[Any]) -> SnapshotEvent:
        """A row that was taken back.

        Args:
            key: its key.
            values: the values that it had.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.SnapshotEvent.delete(pw.Pointer(1), ["a", 2]).kind
        'delete'
        """
        return cls("delete", key=key, values=tuple(values))

    @classmethod
    def advance_time(cls, time: int) -> SnapshotEvent:
        """The time of the rows that follow. Times are even; an odd one is the next.

        Args:
            time: the time.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.SnapshotEvent.advance_time(4).time
        4
        """
        return cls("advance_time", time=time)


SnapshotEvent.FINISHED = SnapshotEvent("finished")


@dataclass(frozen=True)
class Backend:
    """Where a run is kept; made by its methods.

    Example:

    >>> import pathway as pw
    >>> pw.persistence.Backend.filesystem("./state")
    Backend(kind='filesystem', path='./state')
    """

    kind: str
    path: str
    # Of a bucket. Secrets are not shown.
    settings: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    # Of sources, by their names, in the order of their times.
    events: tuple[tuple[str, tuple[RecordedRow, ...]], ...] = field(default=(), repr=False)

    @classmethod
    def filesystem(cls, path: str | os.PathLike[str]) -> Backend:
        """A folder, which is made if it is not there. One run uses it at a time.

        Args:
            path: its path.

        Raises:
            TypeError: the path is neither a text nor a path.
            ValueError: it is empty.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.Backend.filesystem("./state").path
        './state'
        """
        found = os.fspath(path)
        if not isinstance(found, str):
            raise TypeError(f"the path of a storage has to be a str, found {path!r}")
        if not found:
            raise ValueError("the path of a storage is empty")
        return cls("filesystem", found)

    @classmethod
    def s3(cls, root_path: str, bucket_settings: AwsS3Settings) -> Backend:
        """A bucket of S3, or of another server with the same interface, which has to be there. One run uses a place in
        it at a time.

        The server has to write objects on a condition (``If-None-Match`` and ``If-Match``), as S3 does.

        Args:
            root_path: where in the bucket, ``"state/of/orders"``; all that is written begins with it. It may be
                ``"s3://bucket/state/of/orders"``.
            bucket_settings: which bucket, and how to get there.

        Raises:
            TypeError: an argument has the wrong type.
            ValueError: no bucket is named, or two.

        Example:

        >>> import pathway as pw
        >>> settings = pw.io.s3.AwsS3Settings(bucket_name="orders", region="eu-west-3")
        >>> pw.persistence.Backend.s3("state", settings)
        Backend(kind='s3', path='state')
        """
        _check_texts(root_path=root_path)
        if not isinstance(bucket_settings, AwsS3Settings):
            raise TypeError(f"argument bucket_settings has to be a pw.io.s3.AwsS3Settings, found {bucket_settings!r}")
        name, path = bucket_settings.bucket_name, root_path
        if root_path.startswith("s3://"):
            bucket, _, path = root_path.removeprefix("s3://").partition("/")
            if name not in (None, bucket):
                raise ValueError(f"root_path is in the bucket {bucket!r}, and bucket_settings name {name!r}")
            name = bucket
        if not name:
            raise ValueError("no bucket is named: give bucket_name to AwsS3Settings")
        given = {argument.name: getattr(bucket_settings, argument.name) for argument in fields(bucket_settings)}
        given |= {"bucket_name": name, "with_path_style": "yes" if bucket_settings.with_path_style else None}
        return cls("s3", path, tuple((key, value) for key, value in given.items() if value is not None))

    @classmethod
    def azure(cls, root_path: str, account: str, password: str, container: str) -> Backend:
        """A container of Azure Blob Storage, which has to be there. One run uses a place in it at a time.

        The environment may name another server, such as an emulator: ``AZURE_STORAGE_ENDPOINT``.

        Args:
            root_path: where in the container; all that is written begins with it.
            account: the name of the account.
            password: its key.
            container: the name of the container.

        Raises:
            TypeError: an argument is no text.
            ValueError: the account or the container is empty.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.Backend.azure("state", "account", "c2VjcmV0", "container")
        Backend(kind='azure', path='state')
        """
        given = {"account": account, "password": password, "container": container}
        _check_texts(root_path=root_path, **given)
        for name in ("account", "container"):
            if not given[name]:
                raise ValueError(f"argument {name} is empty")
        return cls("azure", root_path, tuple(given.items()))

    @classmethod
    def mock(cls, events: Mapping[tuple[str, int], Iterable[SnapshotEvent]]) -> Backend:
        """What sources are to have sent, for tests of programs: it is played, and nothing is kept.

        Args:
            events: for the name of each source and a worker, what it has sent. All workers of a source count alike.

        Raises:
            TypeError: an argument has the wrong type.

        Example:

        >>> import pathway as pw
        >>> class Nothing(pw.io.python.ConnectorSubject):
        ...     def run(self):
        ...         pass
        >>> class Order(pw.Schema):
        ...     item: str
        >>> orders = pw.io.python.read(Nothing(), schema=Order, name="orders")
        >>> pw.io.subscribe(orders, lambda key, row, time, is_addition: print(time, row["item"], is_addition))
        >>> event = pw.persistence.SnapshotEvent
        >>> backend = pw.persistence.Backend.mock({
        ...     ("orders", 0): [
        ...         event.advance_time(2),
        ...         event.insert(pw.Pointer(1), ["tea"]),
        ...         event.advance_time(4),
        ...         event.delete(pw.Pointer(1), ["tea"]),
        ...         event.FINISHED,
        ...     ]
        ... })
        >>> config = pw.persistence.Config(
        ...     backend,
        ...     snapshot_access=pw.SnapshotAccess.REPLAY,
        ...     persistence_mode=pw.PersistenceMode.SPEEDRUN_REPLAY,
        ... )
        >>> pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
        2 tea True
        4 tea False
        """
        rows: dict[str, list[RecordedRow]] = {}
        for (name, _), sent in events.items():
            time = 0
            source = rows.setdefault(name, [])
            for event in sent:
                if not isinstance(event, SnapshotEvent):
                    raise TypeError(f"an event has to be a pw.persistence.SnapshotEvent, found {event!r}")
                if event.kind == "advance_time":
                    time = event.time + event.time % 2
                elif event.key is not None:
                    source.append((time, 1 if event.kind == "insert" else -1, event.key, event.values))
        in_order = {name: sorted(source, key=lambda row: row[0]) for name, source in rows.items()}
        return cls("mock", "events", events=tuple((name, tuple(source)) for name, source in in_order.items()))

    @classmethod
    def _at(cls, place: str) -> Backend:
        """The place that a text names: a folder, or a bucket for which the environment has all else."""
        if place.startswith("s3://"):
            return cls.s3(place, AwsS3Settings.new_from_path(place))
        if place.startswith("azure://"):
            account, _, rest = place.removeprefix("azure://").partition("/")
            container, _, path = rest.partition("/")
            if not account or not container:
                raise ValueError(f"{place!r} has to be like 'azure://account/container/path'")
            return cls("azure", path, (("account", account), ("container", container)))
        return cls.filesystem(place)


def _check_texts(**arguments: Any) -> None:
    for name, value in arguments.items():
        if not isinstance(value, str):
            # It may be a secret.
            raise TypeError(f"argument {name} has to be a str, found a {type(value).__name__}")


@arguments.explained_class
@dataclass(frozen=True)
class Config:
    """How a run is kept, so that the next one goes on where it has ended, whatever has ended it.

    Args:
        backend: where; ``Backend.filesystem("./state")``.
        snapshot_interval_ms: how often at most the state of the operators is kept, in milliseconds; 0 is 10 000. It is
            of no meaning but for ``OPERATOR_PERSISTING``. Every commit is on disk before a file shows it, whatever this
            says.
        snapshot_access: what is done with what was kept.
        persistence_mode: what is kept.
        continue_after_replay: whether sources go on after what was kept; for a replay.
        worker_scaling_enabled: whether a run of ``pathway spawn`` goes on with twice as many processes if it is
            overloaded, and with half as many if it is idle: it is stopped as by Ctrl-C, and started again. Without it,
            too, the number of workers may be another in each run.
        workload_tracking_window_ms: how long it has to be so, without a break.

    Example:

    >>> import pathway as pw
    >>> config = pw.persistence.Config(pw.persistence.Backend.filesystem("./state"))
    >>> config.snapshot_access
    <SnapshotAccess.FULL: 'full'>
    """

    backend: Backend
    _: KW_ONLY
    snapshot_interval_ms: int = 0
    snapshot_access: SnapshotAccess = SnapshotAccess.FULL
    persistence_mode: PersistenceMode = PersistenceMode.PERSISTING
    continue_after_replay: bool = True
    worker_scaling_enabled: bool = False
    workload_tracking_window_ms: int = 120_000

    def __post_init__(self) -> None:
        for name, kind, what in (
            ("backend", Backend, "a pw.persistence.Backend"),
            ("snapshot_access", SnapshotAccess, "a pw.SnapshotAccess"),
            ("persistence_mode", PersistenceMode, "a pw.PersistenceMode"),
            ("continue_after_replay", bool, "True or False"),
            ("worker_scaling_enabled", bool, "True or False"),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(f"argument {name} has to be {what}, found {value!r}")
        for name in ("snapshot_interval_ms", "workload_tracking_window_ms"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"argument {name} has to be a whole number of milliseconds, found {value!r}")
            if value < 0:
                raise ValueError(f"argument {name} has to be at least 0, found {value}")
        if self.backend.kind == "mock" and self.snapshot_access is not SnapshotAccess.REPLAY:
            raise ValueError("Backend.mock is only played: use it with snapshot_access=pw.SnapshotAccess.REPLAY")
        if self.snapshot_access is SnapshotAccess.OFFSETS_ONLY:
            raise NotImplementedError(
                "SnapshotAccess.OFFSETS_ONLY is not supported, what has not reached the outputs would be lost: use "
                "persistence_mode=pw.PersistenceMode.OPERATOR_PERSISTING, which keeps the offsets and the state of the "
                "operators, and no rows that are in it"
            )

    @classmethod
    def simple_config(
        cls,
        backend: Backend,
        snapshot_interval_ms: int = 0,
        snapshot_access: SnapshotAccess = SnapshotAccess.FULL,
        persistence_mode: PersistenceMode = PersistenceMode.PERSISTING,
        continue_after_replay: bool = True,
    ) -> Config:
        """Deprecated: the same as ``Config``, whose arguments these are.

        Args:
            backend: where the run is kept.
            snapshot_interval_ms: see ``Config``.
            snapshot_access: see ``Config``.
            persistence_mode: see ``Config``.
            continue_after_replay: see ``Config``.

        Example:

        >>> import warnings
        >>> import pathway as pw
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore")
        ...     config = pw.persistence.Config.simple_config(pw.persistence.Backend.filesystem("./state"))
        >>> config == pw.persistence.Config(pw.persistence.Backend.filesystem("./state"))
        True
        """
        warnings.warn("Config.simple_config is deprecated, use Config", DeprecationWarning, stacklevel=2)
        return cls(
            backend,
            snapshot_interval_ms=snapshot_interval_ms,
            snapshot_access=snapshot_access,
            persistence_mode=persistence_mode,
            continue_after_replay=continue_after_replay,
        )


class Place(NamedTuple):
    """A folder or a bucket, as the native half wants to know it."""

    kind: str
    path: str
    settings: dict[str, str]
    timeout: float


def place(backend: Backend) -> Place:
    """Where something is kept, for the native half."""
    return Place(backend.kind, backend.path, dict(backend.settings), environment.storage_timeout())


def place_at(text: str) -> Place:
    """The same, for a path of a folder, ``s3://bucket/path`` or ``azure://account/container/path``."""
    return place(Backend._at(text))


class Kept(NamedTuple):
    """Where a run is kept, as the native half wants to know it."""

    place: Place
    events: list[tuple[str, list[RecordedRow]]] | None
    access: str
    play: str
    continues: bool
    snapshot_interval_ms: int | None
    """How often at most the state of operators is kept, if it is."""


DEFAULT_INTERVAL_MS = 10_000

_PLAYED = {PersistenceMode.BATCH: "at once", PersistenceMode.REALTIME_REPLAY: "in real time"}


def from_environment() -> Config | None:
    """What the environment says, as `pathway spawn --record` and `pathway replay` do."""
    storage = environment.replay_storage()
    if storage is None:
        return None
    return Config(
        Backend._at(storage.path),
        snapshot_access=SnapshotAccess(storage.access),
        persistence_mode=PersistenceMode(storage.mode),
        continue_after_replay=storage.continues,
    )


@contextmanager
def told(config: Config | None) -> Iterator[None]:
    """During a run, the environment says where it is kept, for functions that keep something of their own."""
    if config is None or config.backend.kind != "filesystem":
        yield
        return
    if config.persistence_mode is PersistenceMode.UDF_CACHING:
        os.makedirs(config.backend.path, exist_ok=True)
    with environment.persistent_storage(config.backend.path):
        yield


def kept(config: Config | None) -> Kept | None:
    """What the native half has to know of a configuration; nothing if nothing of the run itself is kept."""
    if config is None or config.persistence_mode is PersistenceMode.UDF_CACHING:
        return None
    keeps_state = config.persistence_mode is PersistenceMode.OPERATOR_PERSISTING
    interval = config.snapshot_interval_ms or DEFAULT_INTERVAL_MS
    return Kept(
        place=place(config.backend),
        events=[(name, list(rows)) for name, rows in config.backend.events] if config.backend.kind == "mock" else None,
        access=config.snapshot_access.value,
        play=_PLAYED.get(config.persistence_mode, "as recorded"),
        continues=config.continue_after_replay,
        snapshot_interval_ms=interval if keeps_state else None,
    )
