"""Where a run is kept, and what of it: the arguments of `pw.run(persistence_config=...)`."""

from __future__ import annotations

import enum
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from pathway._ground import environment


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
    """The state of the operators, and what came in since: a restart takes as long as reading that state, however long the
    history is, and what came in before is deleted. The program must not change."""
    SELECTIVE_PERSISTING = "selective_persisting"
    """Only the operators that have a name. Not there yet."""
    UDF_CACHING = "udf_caching"
    """Only results of functions. Not there yet."""
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
    """Only offsets are kept, no rows. Not there yet."""


@dataclass(frozen=True)
class Backend:
    """Where a run is kept; made by ``Backend.filesystem``.

    Example:

    >>> import pathway as pw
    >>> pw.persistence.Backend.filesystem("./state")
    Backend(kind='filesystem', path='./state')
    """

    kind: str
    path: str

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
    def s3(cls, root_path: str, bucket_settings: Any) -> Backend:
        """A bucket. Not there yet.

        Args:
            root_path: where in the bucket.
            bucket_settings: which bucket, and how to get there.

        Raises:
            NotImplementedError: always.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.Backend.s3("state", None)
        Traceback (most recent call last):
        NotImplementedError: Backend.s3 is not there yet: use Backend.filesystem
        """
        raise NotImplementedError("Backend.s3 is not there yet: use Backend.filesystem")

    @classmethod
    def azure(cls, root_path: str, account: str, password: str, container: str) -> Backend:
        """A container of Azure. Not there yet.

        Args:
            root_path: where in the container.
            account: the name of the account.
            password: its key.
            container: the name of the container.

        Raises:
            NotImplementedError: always.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.Backend.azure("state", "account", "password", "container")
        Traceback (most recent call last):
        NotImplementedError: Backend.azure is not there yet: use Backend.filesystem
        """
        raise NotImplementedError("Backend.azure is not there yet: use Backend.filesystem")

    @classmethod
    def mock(cls, events: Mapping[tuple[str, int], Any]) -> Backend:
        """Events that were kept, for tests. Not there yet.

        Args:
            events: for each source and worker, what it has sent.

        Raises:
            NotImplementedError: always.

        Example:

        >>> import pathway as pw
        >>> pw.persistence.Backend.mock({})
        Traceback (most recent call last):
        NotImplementedError: Backend.mock is not there yet: use Backend.filesystem in a temporary folder
        """
        raise NotImplementedError("Backend.mock is not there yet: use Backend.filesystem in a temporary folder")


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
        if self.persistence_mode.name in ("SELECTIVE_PERSISTING", "UDF_CACHING"):
            raise NotImplementedError(f"PersistenceMode.{self.persistence_mode.name} is not there yet")
        if self.snapshot_access is SnapshotAccess.OFFSETS_ONLY:
            raise NotImplementedError("SnapshotAccess.OFFSETS_ONLY is not there yet")

    @classmethod
    def simple_config(cls, backend: Backend, **settings: Any) -> Config:
        """Deprecated: the same as ``Config``.

        Args:
            backend: where the run is kept.
            settings: the other arguments of ``Config``.

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
        return cls(backend, **settings)


class Kept(NamedTuple):
    """Where a run is kept, as the native half wants to know it."""

    path: Path
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
        Backend.filesystem(storage.path),
        snapshot_access=SnapshotAccess(storage.access),
        persistence_mode=PersistenceMode(storage.mode),
        continue_after_replay=storage.continues,
    )


@contextmanager
def told(config: Config | None) -> Iterator[None]:
    """During a run, the environment says where it is kept, for functions that keep something of their own."""
    if config is None:
        yield
        return
    with environment.persistent_storage(config.backend.path):
        yield


def kept(config: Config | None) -> Kept | None:
    """What the native half has to know of a configuration."""
    if config is None:
        return None
    keeps_state = config.persistence_mode is PersistenceMode.OPERATOR_PERSISTING
    interval = config.snapshot_interval_ms or DEFAULT_INTERVAL_MS
    return Kept(
        path=Path(config.backend.path),
        access=config.snapshot_access.value,
        play=_PLAYED.get(config.persistence_mode, "as recorded"),
        continues=config.continue_after_replay,
        snapshot_interval_ms=interval if keeps_state else None,
    )
