"""What ``scaling.py`` measures, and its tables: seconds, ratios, commits, idle workers, the exchange."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from child import Cost
from report import figures, middle, number, ratio, table

THREADS_TARGET, PROCESSES_TARGET = 1.6, 1.4


@dataclass(frozen=True)
class Shape:
    """How many processes and threads a run has, and whether it has one core only."""

    name: str
    threads: int = 1
    processes: int = 1
    core: int | None = None

    @property
    def workers(self) -> int:
        """Return how many workers there are in all."""
        return self.threads * self.processes


ONE_CORE = Shape("1 worker on one core", core=0)
BOTH_CORES = Shape("1 worker on both cores")
TWO_THREADS = Shape("2 threads", threads=2)
TWO_PROCESSES = Shape("2 processes", processes=2)
SHAPES = (ONE_CORE, BOTH_CORES, TWO_THREADS, TWO_PROCESSES)
ORIGINAL_SHAPES = (BOTH_CORES, TWO_THREADS, TWO_PROCESSES)
COMMIT_SHAPES = (
    Shape("1 thread"),
    *(Shape(f"{threads} threads", threads=threads) for threads in (2, 4, 8, 16)),
    TWO_PROCESSES,
    Shape("4 processes", processes=4),
)
IDLE_SHAPES = (Shape("1 thread"), Shape("4 threads", threads=4), Shape("16 threads", threads=16), TWO_PROCESSES)
OVERSUBSCRIBED = (Shape("16 threads", threads=16), Shape("4 processes of 4 threads", threads=4, processes=4))


@dataclass
class Workload:
    """A job, its size, and what each shape cost in every round."""

    job: str
    title: str
    rows: int
    data: dict[str, float] = field(default_factory=dict)
    """The data sets read, with their size as a share of the rows."""
    in_parts: bool = True
    """Whether several workers write a file each."""
    runs_on_original: bool = False
    round_numbers: bool = False
    is_compared: bool = True
    original_rows: int = 0
    ours: dict[Shape, list[Cost]] = field(default_factory=dict)
    original: dict[Shape, list[Cost]] = field(default_factory=dict)


START = Workload("wordcount", "start and end: word count of 1 000 words", 1_000, {"words": 1})

WORKLOADS = (
    START,
    Workload("wordcount", "word count, jsonlines", 20_000_000, {"words": 1}, runs_on_original=True),
    # Sums of floats depend on the order of the rows.
    Workload(
        "groupby_few",
        "10 000 groups: sum and max, csv",
        5_000_000,
        {"orders": 1},
        runs_on_original=True,
        round_numbers=True,
    ),
    Workload(
        "groupby_many",
        "1 000 000 groups: sum and max, csv",
        5_000_000,
        {"orders": 1},
        runs_on_original=True,
        round_numbers=True,
    ),
    Workload("join", "join, csv", 5_000_000, {"orders": 1, "users": 0.2}, runs_on_original=True),
    Workload(
        "join",
        "join, csv, one file written",
        5_000_000,
        {"orders": 1, "users": 0.2},
        in_parts=False,
        is_compared=False,
    ),
    Workload("subject_next", "word count, 4 partitions: `next(word=)`", 16_000_000),
    Workload("subject_arrow", "word count, 4 partitions: `next_arrow`", 60_000_000),
)


@dataclass
class Results:
    """Everything measured."""

    workloads: list[Workload]
    ceilings: list[float] = field(default_factory=list)
    paced: dict[Shape, list[Cost]] = field(default_factory=dict)
    pushed: dict[Shape, list[Cost]] = field(default_factory=dict)
    idle: dict[Shape, Cost] = field(default_factory=dict)
    exchange: list[str] = field(default_factory=list)
    """Lines of JSON."""


def seconds(costs: dict[Shape, list[Cost]], shape: Shape) -> list[float]:
    """Return the seconds of every round of a shape."""
    return figures(costs.get(shape, []), "seconds")


def faster(costs: dict[Shape, list[Cost]], base: Shape, shape: Shape, target: float | None = None) -> str:
    """Return how many times faster a shape is than another, and whether that misses the target."""
    over, under = seconds(costs, base), seconds(costs, shape)
    text = ratio(over, under)
    if target and over and under and median(a / b for a, b in zip(over, under, strict=False)) < target:
        text += " ✗"
    return text


def rows_text(rows: int) -> str:
    """Return a number with spaces between its thousands."""
    return f"{rows:,}".replace(",", " ")


def times_table(workloads: Sequence[Workload]) -> str:
    """Return the seconds of each workload in each shape."""
    rows = [
        [
            workload.title,
            rows_text(workload.rows),
            *(middle(workload.ours.get(shape, []), "seconds") for shape in SHAPES),
        ]
        for workload in workloads
    ]
    return table(["seconds", "rows", *(shape.name for shape in SHAPES)], rows)


def processor_table(workloads: Sequence[Workload]) -> str:
    """Return what each shape computes in all: what rises is the cost of dividing the work."""
    rows = []
    for workload in workloads:
        sums = [[cost.processor_seconds for cost in workload.ours.get(shape, [])] for shape in SHAPES]
        rows.append([workload.title, *(number(median(costs)) if costs else "–" for costs in sums)])
    return table(["processor seconds of the whole run", *(shape.name for shape in SHAPES)], rows)


def ratios_table(workloads: Sequence[Workload]) -> str:
    """Return how many times faster two workers are, against both kinds of one worker."""
    rows = [
        [
            workload.title,
            faster(workload.ours, ONE_CORE, TWO_THREADS, THREADS_TARGET),
            faster(workload.ours, BOTH_CORES, TWO_THREADS, THREADS_TARGET),
            faster(workload.ours, ONE_CORE, TWO_PROCESSES, PROCESSES_TARGET),
            faster(workload.ours, BOTH_CORES, TWO_PROCESSES, PROCESSES_TARGET),
        ]
        for workload in workloads
        if workload.rows > START.rows
    ]
    header = [
        "times faster",
        f"2 threads, against one core (goal {THREADS_TARGET})",
        "2 threads, against 1 worker on both cores",
        f"2 processes, against one core (goal {PROCESSES_TARGET})",
        "2 processes, against 1 worker on both cores",
    ]
    return table(header, rows)


def original_table(workloads: Sequence[Workload]) -> str:
    """Return the original's seconds and ratios."""
    rows = [
        [
            workload.title,
            rows_text(workload.original_rows),
            *(middle(workload.original.get(shape, []), "seconds") for shape in ORIGINAL_SHAPES),
            faster(workload.original, BOTH_CORES, TWO_THREADS),
            faster(workload.original, BOTH_CORES, TWO_PROCESSES),
            rate(workload.original_rows, seconds(workload.original, TWO_THREADS)),
            rate(workload.rows, seconds(workload.ours, TWO_THREADS)),
        ]
        for workload in workloads
        if workload.runs_on_original
    ]
    names = [f"{shape.name.split(' on ')[0]}, s" for shape in ORIGINAL_SHAPES]
    header = ["original", "rows", *names, "2 threads, times faster", "2 processes, times faster"]
    return table([*header, "its rows a second, 2 threads", "ours"], rows)


def rate(rows: int, times: list[float]) -> str:
    """Return rows a second."""
    return f"{rows / median(times) / 1e6:.2f} M" if times else "–"


def commits_table(results: Results) -> str:
    """Return what a commit of one row takes in each shape."""
    rows = [
        [
            shape.name,
            middle(results.paced[shape], "p50_us"),
            middle(results.paced[shape], "p99_us"),
            middle(results.pushed[shape], "commits_per_second"),
            middle(results.pushed[shape], "cpu_us_per_commit"),
        ]
        for shape in results.paced
    ]
    header = [
        "commits of one row",
        "p50, µs",
        "p99, µs",
        "a second, pushed without a pause",
        "processor time of one, µs",
    ]
    return table(header, rows)


def fitted(points: list[tuple[float, float]]) -> tuple[float, float]:
    """Return a and b of the line ``a + b * x`` with the least squares."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return mean_y - slope * mean_x, slope


def fits(results: Results) -> str:
    """Return per-commit costs as lines over the number of workers."""
    lines = []
    threads = [shape for shape in results.pushed if shape.processes == 1]
    processes = [shape for shape in results.pushed if shape.threads == 1]
    for kind, shapes in (("threads", threads), ("processes", processes)):
        for figure, what, costs in (
            ("cpu_us_per_commit", "processor time of a commit", results.pushed),
            ("us_per_commit", "time between commits pushed without a pause", results.pushed),
            ("p50_us", "latency at the median", results.paced),
        ):
            points = [(float(shape.workers), median(figures(costs[shape], figure))) for shape in shapes]
            constant, slope = fitted(points)
            lines.append(f"- {what}, µs: {number(constant)} + {number(slope)} × {kind}\n")
    return "".join(lines)


def idle_table(idle: dict[Shape, Cost]) -> str:
    """Return the processor time of runs in which nothing comes."""
    rows = [[shape.name, f"{cost.figures['idle_cpu'] * 1000:.1f}"] for shape, cost in idle.items()]
    return table(["nothing comes for 5 s", "processor time, ms"], rows)


def exchange_table(lines: list[str]) -> str:
    """Return what giving a row to another worker costs."""
    measured = [json.loads(line) for line in lines]
    rows = [
        [each["what"], f"{each['ns']:.1f}", "–" if each["bytes"] is None else f"{each['bytes']:.1f}"]
        for each in measured
    ]
    return table(["a row of an int and a str of 11 bytes", "ns", "bytes"], rows)


def moved_table(workloads: Sequence[Workload]) -> str:
    """Return how much two processes sent each other."""
    rows = []
    for workload in workloads:
        costs = workload.ours.get(TWO_PROCESSES)
        if costs and workload.rows > START.rows:
            moved = median(figures(costs, "loopback_bytes"))
            rows.append([workload.title, f"{moved / 1e6:.2f}", f"{moved / workload.rows:.2f}"])
    return table(["between 2 processes", "MB moved", "bytes a row"], rows)


def report(results: Results, circumstances: list[str], problems: list[str]) -> str:
    """Return the whole text."""
    ceilings = results.ceilings
    span = f"{median(ceilings):.2f} ({min(ceilings):.2f}–{max(ceilings):.2f})"
    verdict = "The results of all shapes were compared, and are the same."
    if problems:
        verdict = "\n".join(f"- **Problem:** {problem}" for problem in problems)
    parts = [
        times_table(results.workloads),
        f"A loop that shares nothing with another one, on each of the two cores: {span} times what one core does.\n",
        ratios_table(results.workloads),
        "✗: the goal is missed.\n",
        processor_table(results.workloads),
        original_table(results.workloads),
        commits_table(results),
        fits(results),
        idle_table(results.idle),
        exchange_table(results.exchange),
        moved_table(results.workloads),
        verdict + "\n",
        "\n".join(f"- {line}" for line in circumstances) + "\n",
    ]
    return "\n".join(parts)
