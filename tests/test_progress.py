"""What the counters of a run say about it, with a clock of our own."""

import pathlib
import time
from typing import Any

import pathway as pw
import pytest
from pathway._running import monitor, monitoring, progress

from tests.counters import Clock, Entry


def rates(rows_at: list[tuple[float, int]]) -> list[float]:
    """The rates that are shown at some seconds, at which a source has so many rows."""
    clock = Clock()
    watched = progress.Progress(clock)
    shown = []
    for second, rows in rows_at:
        clock.now = second
        entries: Any = [Entry("posts", "source", rows)]
        (line,) = watched.look(entries)
        shown.append(line.rate)
    return shown


def at(second: float, commit_seconds: float, rows_a_second: float) -> tuple[float, int]:
    """What is visible at a second of a source that commits every so many seconds."""
    return second, int(second / commit_seconds) * int(commit_seconds * rows_a_second)


@pytest.mark.parametrize("commit_seconds", [0.1, 0.5, 1.5, 5.0])
@pytest.mark.parametrize("look_seconds", [0.25, 0.5])
def test_a_steady_source_has_its_rate_although_its_rows_come_in_jumps(
    commit_seconds: float, look_seconds: float
) -> None:
    looks = [at(number * look_seconds, commit_seconds, 10) for number in range(int(60 / look_seconds))]
    shown = rates(looks)
    settled = [rate for (second, _), rate in zip(looks, shown, strict=True) if second >= 2 * commit_seconds + 1]
    assert min(settled) > 8
    assert max(settled) < 12


def test_a_burst_before_the_first_commit_is_not_a_rate_of_a_moment() -> None:
    # 15 rows that were collected for a second and a half.
    assert rates([(0.25, 0), (1.25, 0), (1.5, 15)])[-1] == pytest.approx(10)


def test_a_rate_follows_a_source_that_gets_faster() -> None:
    slow = [(second / 4, second) for second in range(80)]
    fast = [(20 + second / 4, 80 + 100 * second) for second in range(50)]
    assert rates([*slow, *fast])[-1] == pytest.approx(400, rel=0.05)


def test_a_rate_ends_when_nothing_comes_any_more() -> None:
    busy = [(second / 2, 10 * second) for second in range(20)]
    silent = [(10 + second / 2, 190) for second in range(40)]
    shown = rates([*busy, *silent])[20:]
    assert shown == sorted(shown, reverse=True)
    assert shown[-1] == 0


def test_a_row_now_and_then_has_a_rate() -> None:
    looks = [(second, second // 30) for second in range(200)]
    assert rates(looks)[-1] == pytest.approx(1 / 30, rel=0.05)


def test_the_age_of_the_last_row() -> None:
    clock = Clock()
    watched = progress.Progress(clock)

    def age(second: float, rows: int, time: int = 0) -> float | None:
        clock.now = second
        entries: Any = [Entry("posts", "source", rows, time=time)]
        (line,) = watched.look(entries)
        return line.age_seconds

    assert age(1, 0) is None
    assert age(2, 5) == 0
    assert age(9, 5) == 7
    assert age(10, 6) == 0
    # There will be no other.
    assert age(12, 6, progress.END_OF_TIME) is None


def test_at_the_end_rates_are_those_of_the_whole_run() -> None:
    clock = Clock()
    watched = progress.Progress(clock)
    clock.now = 50.0
    entries: Any = [Entry("posts", "source", 100, rejected=3), Entry("map", "operator", 9), Entry("a", "sink", 20)]
    watched.look(entries)
    clock.now = 100.0
    lines = watched.end(entries)
    assert [line.rate for line in lines] == [1.0, 0.09, 0.2]
    totals = watched.totals(lines)
    assert totals == (100, 20, 3, 100.0)
    assert totals.text() == "100 rows in, 20 rows out, 3 rejected"


def test_how_much_of_its_files_a_source_has_read() -> None:
    entry: Any = Entry("a", "source", 10)
    watched = progress.Progress(Clock())

    def share() -> str:
        (line,) = watched.look([entry])
        return line.share_text

    assert share() == ""
    entry.bytes = 1000
    assert share() == "0 %"
    entry.bytes_read = 456
    assert share() == "45 %"
    # It may have grown since; and it is not over before it is.
    entry.bytes_read = 1200
    assert share() == "99 %"
    entry.time = progress.END_OF_TIME
    assert share() == ""


@pytest.mark.one_process("the figures of the others come now and then")
def test_static_files_say_how_much_there_is_to_read(tmp_path: pathlib.Path) -> None:
    class Number(pw.Schema):
        number: int

    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text("number\n" + "".join(f"{number}\n" for number in range(200_000)))
    sizes = sum(path.stat().st_size for path in tmp_path.iterdir())
    found: list[Any] = []

    class Watching(monitor.Monitor):
        def finish(self, statistics: Any, ending: Any = None) -> None:
            found.extend(statistics)

    pw.io.null.write(pw.io.csv.read(tmp_path, schema=Number, mode="static"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(monitoring, "choose", lambda level: Watching())
        pw.run()
    (source,) = (entry for entry in found if entry.role == "source")
    assert source.bytes == sizes
    # The headers of big files are read apart.
    assert sizes * 0.99 <= source.bytes_read <= sizes


def test_the_lag_is_the_age_of_what_is_done_while_there_is_more_to_do() -> None:
    now = int(time.time() * 1000)

    def lags(*entries: Any) -> list[Any]:
        return [None if lag is None else round(lag) for lag in progress.lags(entries)]

    ended = progress.END_OF_TIME
    idle = Entry("a", "source", 1, time=now - 10_000)
    behind = Entry("b", "source", 1, backlog=3, time=now - 20_000)
    assert lags(idle, Entry("up to date", "sink", 1, time=now - 10_000)) == [0, 0]
    assert lags(idle, behind, Entry("late", "sink", 1, time=now - 30_000)) == [0, 20, 30]
    # A sink may still be at work when all sources have ended.
    assert lags(Entry("a", "source", 1, time=ended), Entry("s", "sink", 1, time=now - 30_000)) == [None, 30]
    assert lags(Entry("a", "source", 1, time=ended), Entry("s", "sink", 1, time=ended)) == [None, None]
    # Tables in a program have no times of the day.
    assert lags(Entry("a", "source", 1, backlog=1, time=4), Entry("s", "sink", 1, time=2)) == [None, None]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(59.99, "59.9 s"), (60, "1 min 0 s"), (3599.9, "59 min 59 s"), (3600, "1 h 0 min"), (86400, "1 d 0 h")],
)
def test_time_spans(seconds: float, text: str) -> None:
    assert progress.duration(seconds) == text
