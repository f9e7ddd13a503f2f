"""Where a run is kept: a folder, a bucket, or what a test says that sources have sent."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, NamedTuple, TypeAlias

from pathway._ground import environment
from pathway._native import Pointer
from pathway.io.s3 import AwsS3Settings

# A row that a source is to have sent: its time, whether it was added (1) or taken back (-1), its key and its values.
RecordedRow: TypeAlias = tuple[int, int, Pointer, tuple[Any, ...]]


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
