"""The tables: medians, the range of the ratios, and whether the results agreed."""

from dataclasses import dataclass, field
from statistics import median

from child import Cost
from workloads import Workload


@dataclass
class Result:
    """Everything measured for one workload: a cost a round, for each side."""

    workload: Workload
    rows: int
    ours: list[Cost] = field(default_factory=list)
    original: list[Cost] = field(default_factory=list)
    peers: dict[str, list[Cost]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a markdown table that is readable as it is."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    texts = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    texts.insert(1, ["-" * width for width in widths])
    return "\n".join("| " + " | ".join(cells) + " |" for cells in texts) + "\n"


def number(value: float) -> str:
    """Return three digits or so of a number."""
    if value >= 100:
        return f"{value:,.0f}".replace(",", " ")
    if value >= 1:
        return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
    return f"{value:.3g}"


def middle(costs: list[Cost], figure: str) -> str:
    """Return the median of a figure."""
    return number(median(cost.figures[figure] for cost in costs)) if costs else "–"


def ratio(over: list[float], under: list[float]) -> str:
    """Return the median of the ratios of each round, with the least and the greatest."""
    ratios = [a / b for a, b in zip(over, under, strict=False)]
    if not ratios:
        return "–"
    return f"{number(median(ratios))} ({number(min(ratios))}–{number(max(ratios))})"


def figures(costs: list[Cost], figure: str) -> list[float]:
    """Return one figure of every round."""
    return [cost.figures[figure] for cost in costs]


def times(costs: list[Cost]) -> list[float]:
    """Return the seconds of the whole process of every round."""
    return [cost.process_seconds for cost in costs]


def memory(costs: list[Cost]) -> list[float]:
    """Return the peak memory of every round."""
    return [cost.peak_megabytes for cost in costs]


def compared(results: list[Result]) -> str:
    """Return the table of ours against the original."""
    rows = []
    for result in results:
        workload = result.workload
        over, under = (figures(side, workload.figure) for side in (result.original, result.ours))
        floor = "–" if workload.floor is None else f"{workload.floor:g}"
        if workload.floor and over and under and median(over) / median(under) < workload.floor:
            floor += " (missed)"
        rows.append(
            [
                workload.title,
                f"{result.rows:,}".replace(",", " "),
                middle(result.original, "seconds"),
                middle(result.ours, "seconds"),
                ratio(over, under),
                floor,
                ratio(times(result.original), times(result.ours)),
                number(median(memory(result.original))) if result.original else "–",
                number(median(memory(result.ours))) if result.ours else "–",
                ratio(memory(result.original), memory(result.ours)),
                "see below" if result.problems else "same",
            ]
        )
    header = [
        "workload, one worker",
        "rows",
        "original, s",
        "ours, s",
        "times faster",
        "at least",
        "whole process",
        "original, MB",
        "ours, MB",
        "times less memory (at least 2)",
        "result",
    ]
    return table(header, rows)


def latency(result: Result) -> str:
    """Return the table of the latencies."""
    rows = [
        [
            name,
            middle(result.original, figure),
            middle(result.ours, figure),
            ratio(figures(result.original, figure), figures(result.ours, figure)),
        ]
        for name, figure in (("p50", "p50_us"), ("p99", "p99_us"), ("greatest", "max_us"))
    ]
    return table(["from next to on_change", "original, µs", "ours, µs", "times faster"], rows)


def peers(results: list[Result]) -> str:
    """Return the table of ours against other tools and against the bare loop."""
    rows = []
    for result in results:
        for peer, costs in result.peers.items():
            seconds = figures(costs, "seconds")
            name = "the loop alone" if peer == "python" else peer
            ours_over_peer = ratio(figures(result.ours, "seconds"), seconds)
            peak = number(median(memory(costs))) if costs else "–"
            rows.append(
                [
                    result.workload.title,
                    name,
                    middle(costs, "seconds"),
                    middle(result.ours, "seconds"),
                    ours_over_peer,
                    peak,
                ]
            )
    header = ["workload, one thread", "peer", "peer, s", "ours, s", "ours / peer", "peer, MB"]
    return table(header, rows)


def alone(result: Result) -> str:
    """Return the figures of a workload that only ours can run, one line a figure."""
    names = [name for name in result.ours[0].figures if name not in ("workload", "rows")]
    rows = [[name, middle(result.ours, name)] for name in names]
    return table([result.workload.title, "ours"], rows)


def report(results: list[Result], circumstances: list[str]) -> str:
    """Return the whole text."""
    parts = [compared([result for result in results if not result.workload.ours_only])]
    parts += [latency(result) for result in results if result.workload.name == "latency"]
    if any(result.peers for result in results):
        parts.append(peers(results))
    parts += [alone(result) for result in results if result.workload.ours_only and result.ours]
    problems = [f"**{result.workload.name}**: {problem}" for result in results for problem in result.problems]
    if problems:
        parts.append("\n".join(f"- {problem}" for problem in problems) + "\n")
    parts.append("\n".join(f"- {line}" for line in circumstances) + "\n")
    return "\n".join(parts)
