"""What of a run is kept, and how: the arguments of `pw.run(persistence_config=...)`."""

from __future__ import annotations

import enum
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import KW_ONLY, dataclass
from typing import NamedTuple

from pathway._ground import arguments, environment
from pathway._running.backends import Backend, Place, RecordedRow, place


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


def config_of(storage: environment.ReplayStorage) -> Config:
    """What the environment says, as `pathway spawn --record` and `pathway replay` do."""
    return Config(
        Backend._at(storage.path),
        snapshot_access=SnapshotAccess(storage.access),
        persistence_mode=PersistenceMode(storage.mode),
        continue_after_replay=storage.continues,
    )


@contextmanager
def told(config: Config) -> Iterator[None]:
    """During a run, the environment says where it is kept, for functions that keep something of their own."""
    if config.backend.kind != "filesystem":
        yield
        return
    if config.persistence_mode is PersistenceMode.UDF_CACHING:
        os.makedirs(config.backend.path, exist_ok=True)
    with environment.persistent_storage(config.backend.path):
        yield


def kept(config: Config) -> Kept | None:
    """What the native half has to know of a configuration; nothing if nothing of the run itself is kept."""
    if config.persistence_mode is PersistenceMode.UDF_CACHING:
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
