"""The crash test: rounds of kills and restarts, each compared with a run that was left to end."""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from pathway._crashing import comparing
from pathway._crashing.kills import Kills
from pathway._crashing.nursery import Nursery, Order, Outcome, is_one
from pathway._crashing.program import portable
from pathway._crashing.report import Counting, CrashReport, Kill
from pathway._ground.words import counted
from pathway._running import logs
from pathway._running.backends import Backend
from pathway._running.persisting import Config

logger = logging.getLogger("pathway")

FAIL_POINT = "TOWPATH_FAIL_POINT"

# How often long work says how far it is.
_LOG_SECONDS = 5.0

# How much of what a run has printed is shown when it fails.
_SHOWN = 4000

# Of so many rounds one after the other, at least one run has to be killed.
_MOST_IDLE_ROUNDS = 50


@dataclass(frozen=True)
class Settings:
    """How a crash test is done; ``pw.testing.crash_test`` says what each means."""

    kills: int
    until: Callable[[Path], bool] | None = None
    compare: Callable[[Path, Path], Any] | None = None
    ignore: Collection[str] = ()
    same_commits: bool = False
    timeout: float = 60.0
    processes: int = 1
    config: Mapping[str, Any] = field(default_factory=dict)
    seed: int = field(default_factory=lambda: random.SystemRandom().randrange(2**32))

    def __post_init__(self) -> None:
        for name, kind in (("kills", int), ("seed", int), ("processes", int), ("timeout", (int, float))):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise TypeError(f"argument {name} has to be a number, found {value!r}")
        for name in ("kills", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"argument {name} has to be at least 1, found {getattr(self, name)}")
        # It says what is wrong.
        Config(Backend.filesystem("state"), **self.config)
        if not self.timeout > 0:
            raise ValueError(f"argument timeout has to be above zero, found {self.timeout}")
        if isinstance(self.ignore, str) or not all(isinstance(pattern, str) for pattern in self.ignore):
            raise TypeError(f"argument ignore has to be a list of patterns of file names, found {self.ignore!r}")


def crash(make_pipeline: Callable[[Path], Any], settings: Settings) -> CrashReport:
    """Kills a pipeline again and again, and compares what it has written with what it writes in peace."""
    if is_one():
        raise RuntimeError(
            "crash_test() is called while its own process imports the program: call it in a function, or under "
            '`if __name__ == "__main__":`'
        )
    program = portable("crash_test()", (make_pipeline, settings.until))
    folder = Path(tempfile.mkdtemp(prefix="pathway-crash-test-"))
    with ExitStack() as stack:
        # As a run does.
        stack.enter_context(logs.set_up())
        removal = stack.enter_context(ExitStack())
        removal.callback(shutil.rmtree, folder, ignore_errors=True)
        nursery = stack.enter_context(Nursery(program))
        try:
            return _Test(nursery, folder, settings).run()
        except AssertionError as error:
            # For people to look at.
            removal.pop_all()
            error.add_note(f"What the runs have written is in {folder}")
            raise


class Differs(AssertionError):
    """Why a crash test has failed."""

    def __init__(self, message: str, kills: int, lost: int, doubled: int) -> None:
        super().__init__(message)
        self.kills = kills
        self.lost = lost
        self.doubled = doubled


class _Test:
    def __init__(self, nursery: Nursery, folder: Path, settings: Settings) -> None:
        self._nursery = nursery
        self._folder = folder
        self._settings = settings
        self._kills = Kills(settings.seed, settings.processes)
        self._next_log = time.monotonic() + _LOG_SECONDS

    def run(self) -> CrashReport:
        self._reference = _Round(self._folder / "not-killed")
        outcome = self._start(self._reference, None, None)
        if outcome.has_hung:
            raise TimeoutError(
                f"the pipeline has not ended within {outcome.seconds:.0f} seconds, without being killed: give "
                "crash_test() a longer timeout, or until= if it has no end"
            )
        if outcome.status != 0:
            raise RuntimeError(
                f"the pipeline fails without being killed, with status {outcome.status}:\n{self._reference.printed()}"
            )
        self._counting = Counting(self._settings.seed, outcome.seconds)
        killed_in = 0
        while self._counting.kills < self._settings.kills:
            if self._counting.rounds - killed_in > _MOST_IDLE_ROUNDS:
                raise RuntimeError("the pipeline ends too soon to be killed: let it send more rows, or wait a little")
            before = self._counting.kills
            self._round()
            if self._counting.kills > before:
                killed_in = self._counting.rounds
        return self._counting.report()

    def _round(self) -> None:
        """Some kills in one folder, and a run that is left to end."""
        counting = self._counting
        number = counting.rounds
        counting.rounds += 1
        wanted = min(self._kills.in_round(number), self._settings.kills - counting.kills)
        round = _Round(self._folder / f"round-{number}")
        for attempt in range(wanted):
            kill = self._kills.draw(number, attempt)
            outcome = self._start(round, kill, attempt)
            if outcome.was_killed:
                counting.killed(kill)
                self._log()
                round.kills.append(kill)
                if outcome.has_hung:
                    what = f"the processes that were not killed had not ended within {outcome.seconds:.0f} seconds"
                    self._fail(number, round, f"{what}:\n{round.printed()}")
            else:
                self._kills.missed(attempt, kill)
                self._check_end(number, round, outcome)
                break
        else:
            self._check_end(number, round, self._start(round, None, wanted))
        self._compare(number, round)
        shutil.rmtree(round.folder)

    def _start(self, round: _Round, kill: Kill | None, attempt: int | None) -> Outcome:
        kill_after, environment = None, {}
        if kill is not None and kill.point is not None:
            environment[FAIL_POINT] = f"{kill.point}=kill:{kill.count}"
        elif kill is not None:
            kill_after = kill.instant * self._counting.seconds
        round.log.unlink(missing_ok=True)
        outcome = self._nursery.run(
            Order(
                folder=round.files,
                storage=round.folder / "state",
                log=round.log,
                environment=environment,
                kill_after=kill_after,
                timeout=self._settings.timeout,
                processes=self._settings.processes,
                victim=None if kill is None else kill.victim,
                config=dict(self._settings.config),
            )
        )
        if attempt:
            self._counting.restarts += 1
            self._counting.recovered(outcome.recovered)
        return outcome

    def _check_end(self, number: int, round: _Round, outcome: Outcome) -> None:
        if outcome.has_hung:
            what = f"the run after that had not ended within {outcome.seconds:.0f} seconds"
            self._fail(number, round, f"{what}:\n{round.printed()}")
        elif outcome.status != 0:
            what = f"the run after that failed with status {outcome.status}:\n{round.printed()}"
            self._fail(number, round, what)

    def _compare(self, number: int, round: _Round) -> None:
        settings = self._settings
        difference = comparing.difference(
            self._reference.files, round.files, settings.ignore, same_commits=settings.same_commits
        )
        if difference is not None:
            lost, doubled = difference.lost, difference.doubled
            self._fail(
                number,
                round,
                f"{difference} ({counted(lost, 'row')} lost, {counted(doubled, 'row')} doubled)",
                lost,
                doubled,
            )
        if settings.compare is not None:
            try:
                settings.compare(self._reference.files, round.files)
            except AssertionError as error:
                self._fail(number, round, f"compare() says: {error}")

    def _fail(self, number: int, round: _Round, what: str, lost: int = 0, doubled: int = 0) -> NoReturn:
        counting = self._counting
        differs = "a run that was killed differs from one that was not"
        if not round.kills:
            differs = "a run that was not killed either differs: the pipeline does not do the same every time"
        killed = ", then ".join(map(str, round.kills)) or "not at all"
        message = (
            f"{differs}\n"
            f"  crash_test(seed={counting.seed}), round {number}, after {counted(counting.kills, 'kill')} in all\n"
            f"  killed {killed}\n"
            f"  {what}"
        )
        raise Differs(message, counting.kills, lost, doubled)

    def _log(self) -> None:
        if time.monotonic() >= self._next_log:
            self._next_log = time.monotonic() + _LOG_SECONDS
            logger.info("crash test: %d of %d kills", self._counting.kills, self._settings.kills)


class _Round:
    """A folder for the runs of a round, and how they were killed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = folder / "files"
        self.log = folder / "printed.txt"
        self.kills: list[Kill] = []
        self.files.mkdir(parents=True)

    def printed(self) -> str:
        """The end of what the last run has printed."""
        return self.log.read_text(errors="replace")[-_SHOWN:]
