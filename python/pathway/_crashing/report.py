"""What was found: the reports of crash tests and of connectors that were tried out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from pathway._ground.words import counted

_PARTS = 10

Verdict = Literal["passed", "failed", "skipped"]


@dataclass(frozen=True)
class Kill:
    """When a run is killed."""

    # How far into a run, as a part of the time that one takes.
    instant: float = 0.0
    # The name of a point and at which time that it is reached, if it is that.
    point: str | None = None
    count: int = 1
    # Which of several processes, if not all.
    victim: int | None = None

    def __str__(self) -> str:
        whose = "" if self.victim is None else f"process {self.victim} "
        if self.point is None:
            return f"{whose}after {self.instant:.0%} of the time"
        return f"{whose}at {self.point}, time {self.count} that it was reached"


@dataclass(frozen=True)
class CrashReport:
    """What ``pw.testing.crash_test`` has done; as text it is readable.

    Attributes:
        seed: what the kills were drawn from.
        kills: how many there were in all.
        rounds: how many folders there were, each with a run that was left to end.
        restarts: how many runs began where one was killed.
        seconds: how long a run takes that is not killed.
        at_instants: how far into a run each kill at a random instant was, from 0 to 1.
        at_points: how many kills there were at each named point of the engine's.
        recovery_p50: after how many seconds, at the median, a restarted run had what was kept, from the start of its
            process; None if there was nothing kept.
        recovery_p99: the same of all but one in a hundred.
    """

    seed: int
    kills: int
    rounds: int
    restarts: int
    seconds: float
    at_instants: tuple[float, ...]
    at_points: dict[str, int]
    recovery_p50: float | None
    recovery_p99: float | None

    def __str__(self) -> str:
        lines = [
            f"{counted(self.kills, 'kill')} in {counted(self.rounds, 'round')}, {counted(self.restarts, 'restart')}: "
            f"nothing lost, nothing doubled (seed {self.seed})",
            f"  a run that is not killed takes {self.seconds:.3f} s",
        ]
        if self.at_instants:
            parts = Counter(int(instant * _PARTS) for instant in self.at_instants)
            counts = " ".join(str(parts[part]) for part in range(_PARTS))
            lines.append(f"  {len(self.at_instants)} at random instants, by tenths of a run: {counts}")
        lines.extend(f"  {count} at {point}" for point, count in sorted(self.at_points.items()))
        if self.recovery_p50 is not None and self.recovery_p99 is not None:
            lines.append(f"  recovered after {self.recovery_p50:.3f} s (p50), {self.recovery_p99:.3f} s (p99)")
        return "\n".join(lines)


class Counting:
    """A report that is being made."""

    def __init__(self, seed: int, seconds: float) -> None:
        self.seed = seed
        self.seconds = seconds
        self.rounds = 0
        self.restarts = 0
        self._kills: list[Kill] = []
        self._recoveries: list[float] = []

    @property
    def kills(self) -> int:
        return len(self._kills)

    def killed(self, kill: Kill) -> None:
        self._kills.append(kill)

    def recovered(self, seconds: float | None) -> None:
        if seconds is not None:
            self._recoveries.append(seconds)

    def _recovery(self, part: float) -> float | None:
        """The recovery than which this part of all was not longer."""
        ordered = sorted(self._recoveries)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None

    def report(self) -> CrashReport:
        return CrashReport(
            seed=self.seed,
            kills=self.kills,
            rounds=self.rounds,
            restarts=self.restarts,
            seconds=self.seconds,
            at_instants=tuple(kill.instant for kill in self._kills if kill.point is None),
            at_points=dict(Counter(kill.point for kill in self._kills if kill.point is not None)),
            recovery_p50=self._recovery(0.5),
            recovery_p99=self._recovery(0.99),
        )


@dataclass(frozen=True)
class Finding:
    """What was found in one respect."""

    name: str
    verdict: Verdict
    text: str

    def __str__(self) -> str:
        return f"{self.name + ':':<15}{self.verdict}: {self.text}"


@dataclass(frozen=True)
class ConnectorReport:
    """What ``pw.testing.check_connector`` has found; as text it is readable.

    Attributes:
        findings: in each respect what was found: its name, the verdict and a text.
    """

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.findings))
