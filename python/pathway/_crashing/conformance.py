"""The conformance kit for connectors: what an author has to get right, tried out one thing after the other."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from pathway._crashing.report import ConnectorReport, Finding, Verdict
from pathway._crashing.trials import Injected, Trial
from pathway._ground.shown import of_error
from pathway._ground.words import counted
from pathway._schemas.schema import Schema
from pathway.io import _hooks
from pathway.io._subject import ConnectorSubject

# After so many of its commits, at most, a connector is stopped and started again.
_MOST_CUTS = 4

_SLOW_SECONDS = 0.002


class _Verdict(Exception):
    def __init__(self, verdict: Verdict, text: str) -> None:
        super().__init__(text)
        self.verdict = verdict
        self.text = text


def _fail(text: str) -> _Verdict:
    return _Verdict("failed", text)


def _skip(text: str) -> _Verdict:
    return _Verdict("skipped", text)


class Conformance:
    """The trials of one connector."""

    def __init__(
        self,
        make_subject: Callable[[], ConnectorSubject],
        schema: type[Schema],
        resume: Literal["new", "seek", "replay"] | None,
        rows: int,
        seconds: float,
        patience: float,
    ) -> None:
        first = make_subject()
        if not isinstance(first, ConnectorSubject):
            raise TypeError(f"make_subject() has to return a ConnectorSubject, found {first!r}")
        if make_subject() is first:
            raise ValueError("make_subject() has returned the same object twice: every run needs a new one")
        seeks = _hooks.has_own(first, "seek") or _hooks.has_own(first, "_seek")
        self._resume = resume or ("seek" if seeks else "new")
        self._rows = rows
        self._make_trial: Callable[[], Trial] = lambda: Trial(
            make_subject, schema, resume=resume, seconds=seconds, patience=patience
        )

    def report(self) -> ConnectorReport:
        """Tries everything out."""
        reference = self._trial(stop_after_rows=self._rows)
        self._reference = reference
        findings = [self._find("rows", self._check_rows)]
        others: list[tuple[str, Callable[[], str]]] = [
            ("commits", self._check_commits),
            ("offsets", self._check_offsets),
            ("replay", self._check_replay),
            ("stop", self._check_stop),
            ("exceptions", self._check_exceptions),
            ("back-pressure", self._check_back_pressure),
            ("threads", self._check_threads),
        ]
        for name, check in others:
            if findings[0].verdict == "passed":
                findings.append(self._find(name, check))
            else:
                findings.append(Finding(name, "skipped", "there are no rows to try it with"))
        return ConnectorReport(tuple(findings))

    def _trial(self, **settings: Any) -> Trial:
        return replace(self._make_trial(), **settings).run()

    def _find(self, name: str, check: Callable[[], str]) -> Finding:
        try:
            return Finding(name, "passed", check())
        except _Verdict as verdict:
            return Finding(name, verdict.verdict, verdict.text)

    @property
    def _is_finite(self) -> bool:
        return not self._reference.was_stopped

    def _check_rows(self) -> str:
        trial = self._reference
        _check_run(trial)
        if trial.rejected:
            raise _fail(
                f"{_rows(trial.rejected)} did not fit the schema and were left out, see the log: send what the schema "
                "says, or change it"
            )
        if not trial.rows:
            raise _fail(
                f"no row has come within {trial.seconds:g} seconds: send rows in run(), or give check_connector() more "
                "seconds"
            )
        how = "run() has ended by itself" if self._is_finite else "it was stopped, as run() does not end by itself"
        return f"{_rows(trial.rows.total())} at {_count(len(trial.times), 'time', 'times')}; {how}"

    def _check_commits(self) -> str:
        """What is between two commits comes at one time."""
        if not self._reference.commits:
            raise _skip("run() calls no commit(), so a timer commits")
        if len(self._reference.senders) > 1:
            raise _skip("rows come from several threads or partitions, so a commit has what all of them have sent")
        trial = self._trial(stop_after_rows=self._rows, autocommit_duration_ms=None)
        _check_run(trial)
        if self._is_finite:
            self._count(trial, "without the timer, where only commit() commits,")
        if len(trial.times) > len(trial.commits) + 1:
            raise _fail(f"{counted(len(trial.commits), 'commit')} came at {counted(len(trial.times), 'time')}")
        return f"{_count(len(trial.commits), 'commit', 'commits')}, each at one time"

    def _check_offsets(self) -> str:
        if self._resume != "seek":
            raise _skip(f"resume is {self._resume!r}: define seek(self, offset) and call commit(offset=...)")
        if not any(self._reference.commits):
            raise _fail(
                "seek() is defined, but run() has called no commit(offset=...), so seek() is never called: commit with "
                "the offset behind the rows that were sent"
            )
        self._need_end()
        offsets = [number for number, has_offset in enumerate(self._reference.commits, 1) if has_offset]
        for number in _spread(offsets):
            self._restart(
                f"stopped right after commit {number}, and started again with seek(),",
                "offset: commit(offset=...) comes after the rows it is behind, and seek(offset) has run() go on with "
                "the next one, neither sooner nor later",
                stop_at_commit=number,
            )
        self._restart(
            "started again after its end, with seek(),",
            "offset: call commit(offset=...) once more behind the last row",
        )
        return f"goes on behind its offset after commits {', '.join(map(str, _spread(offsets)))} and after its end"

    def _check_replay(self) -> str:
        if self._resume != "replay":
            raise _skip(f"resume is {self._resume!r}; give check_connector() resume='replay' if run() starts over")
        self._need_end()
        advice = "replay: run() has to send the same rows in the same order every time it starts"
        pushes = self._reference.pushes
        tried = _spread(list(range(2, pushes + 1)))
        for number in tried:
            self._restart(
                f"stopped before it sent rows for time {number}, and started over,", advice, stop_at_push=number
            )
        if not tried:
            self._restart("stopped, and started over,", advice, stop_after_rows=1)
        self._restart("started over after its end,", advice)
        return f"sends the same again, after {_count(max(1, len(tried)), 'stop', 'stops')} and after its end"

    def _check_stop(self) -> str:
        if self._reference.pushes:
            trial = self._trial(stop_at_push=min(2, self._reference.pushes), is_told_by_next=True)
        else:
            trial = self._trial(is_blocked=True, max_backlog_size=1)
        if not trial.was_stopped:
            raise _skip("run() sends too little to be stopped before its end")
        if trial.in_vain:
            raise _fail(
                f"after it was told to stop, run() has called next() {trial.in_vain} more times: next() raises "
                "SystemExit then, which has to end run(); do not catch BaseException, nor send rows in `finally`"
            )
        _check_run(trial)
        return "ends when it is told to"

    def _check_exceptions(self) -> str:
        if not self._reference.pushes:
            raise _skip("run() yields or returns its rows, so what is raised in it reaches pw.run() in any case")
        trial = self._trial(fail_at_push=min(2, self._reference.pushes), stop_after_rows=self._rows)
        if trial.error is None:
            what = "pw.run() has gone on until it was stopped" if trial.was_stopped else "pw.run() has ended well"
            raise _fail(
                f"an exception that next() has raised was lost, and {what}: do not catch all exceptions around next(), "
                "and raise in run() what has ended a thread of yours"
            )
        if any(isinstance(error, Injected) for error in _chain(trial.error)):
            return "an exception in run() ends pw.run() with it"
        return f"an exception in run() ends pw.run() with another one, {of_error(trial.error)}"

    def _check_back_pressure(self) -> str:
        trial = self._trial(max_backlog_size=2, slow_seconds=_SLOW_SECONDS, stop_after_rows=self._rows)
        if trial.has_hung:
            raise _fail(
                "with max_backlog_size=2 it has not ended: next() waits for room, so do not hold a lock meanwhile that "
                "another thread needs"
            )
        _check_run(trial)
        if self._is_finite and not trial.was_stopped:
            self._count(trial, "with max_backlog_size=2, where next() has to wait,")
        if not trial.rows:
            raise _fail("with max_backlog_size=2 no row has come")
        return f"{_rows(trial.rows.total())} came while next() had to wait"

    def _check_threads(self) -> str:
        left = self._reference.threads
        if left:
            threads = counted(len(left), "thread goes on", "threads go on")
            raise _fail(
                f"after the end of the run {threads}, such as {left[0]!r}: end them in on_stop(), and "
                "join them before run() returns"
            )
        senders = len(self._reference.senders)
        return f"no thread is left{f'; rows come from {senders} threads' if senders > 1 else ''}"

    def _need_end(self) -> None:
        if not self._is_finite:
            raise _skip(
                "run() does not end by itself, so what it sends after a restart cannot be compared: let make_subject() "
                "read something that ends, such as a recording"
            )

    def _restart(self, what: str, advice: str, **settings: Any) -> None:
        """Stops a run that is kept and starts another, which has to end with all rows."""
        with tempfile.TemporaryDirectory(prefix="pathway-check-connector-") as folder:
            state = Path(folder, "state")
            stopped = self._trial(state=state, **settings)
            _check_run(stopped)
            restarted = self._trial(state=state)
        if restarted.error is not None:
            raise _fail(f"{what} it has failed: {of_error(restarted.error)} ({advice})")
        _check_run(restarted)
        self._compare(restarted, what, advice)

    def _compare(self, trial: Trial, what: str, advice: str) -> None:
        wanted, there = self._reference.rows, trial.rows
        for rows, how in ((wanted - there, "missing"), (there - wanted, "too many")):
            if rows:
                count = f"{_count(rows.total(), 'row is', 'rows are')} {how} of {wanted.total()}"
                raise _fail(f"{what} {count}, such as {min(rows)} ({advice})")

    def _count(self, trial: Trial, what: str) -> None:
        """The rows themselves may differ from run to run."""
        wanted, there = self._reference.rows.total(), trial.rows.total()
        if wanted != there:
            raise _fail(f"{what} {_count(there, 'row has', 'rows have')} come instead of {wanted}")


def _check_run(trial: Trial) -> None:
    if trial.has_hung:
        raise _fail(
            f"run() has not ended within {trial.patience:g} seconds after it was told to stop: close in on_stop() what "
            "run() waits for, or set there a threading.Event that run() looks at, and wait with time limits"
        )
    if trial.error is not None:
        raise _fail(f"the run has failed: {of_error(trial.error)}")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what has led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _rows(count: int) -> str:
    return _count(count, "row", "rows")


def _count(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"


def _spread(numbers: list[int]) -> list[int]:
    """Some of them, with the first and the last."""
    if len(numbers) <= _MOST_CUTS:
        return numbers
    step = (len(numbers) - 1) / (_MOST_CUTS - 1)
    return [numbers[round(position * step)] for position in range(_MOST_CUTS)]
