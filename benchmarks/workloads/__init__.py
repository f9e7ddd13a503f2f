"""The workloads: one file each, with one entry in the list below.

A workload is a module with ``main(data_dir, output_dir, rows)``. It imports whatever answers to
``import pathway as pw`` and writes ``output.csv`` into its output directory. It may return a
dictionary of further figures. Only ``main`` is timed, so imports and small tables of test values
belong to the top of the module.

This list imports no workload: the runner reads it in an interpreter that has no ``pathway``.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Workload:
    """What the runner must know about a workload before it starts one."""

    name: str
    """The module in this folder."""
    title: str
    """One line for the table."""
    rows: int
    """Rows at scale 1."""
    data: dict[str, float] = field(default_factory=dict)
    """The data sets read, with their size as a share of the rows."""
    peers: tuple[str, ...] = ()
    """The modules in ``peers/`` that have a function of this name."""
    floor: float | None = None
    """How many times faster than the original we promise to be."""
    figure: str = "seconds"
    """The figure that the ratio compares, less is better."""
    has_output: bool = True
    """Whether the final states in ``output.csv`` are compared."""
    ours_only: bool = False
    """Whether the original is left out, because it has no bound that could be measured."""


WORKLOADS = (
    Workload(
        "connector_next",
        "connector: `next(key=, genus=, epithet=)` → csv",
        rows=1_000_000,
        peers=("python",),
        floor=20,
    ),
    Workload(
        "connector_json_loads",
        "connector: `next(**json.loads(line))` → csv",
        rows=1_000_000,
        data={"species": 1},
        peers=("python",),
        floor=3.5,
    ),
    Workload(
        "connector_next_json",
        "connector: ours `next_json(line)`, original `next(**json.loads(line))` → csv",
        rows=1_000_000,
        data={"species": 1},
        floor=15,
    ),
    Workload(
        "connector_next_str",
        "connector: `next_str(line)`, JSON → csv",
        rows=1_000_000,
        data={"species": 1},
        peers=("python",),
        floor=15,
    ),
    Workload(
        "wordcount",
        "jsonlines, static → groupby, count → csv",
        rows=5_000_000,
        data={"words": 1},
        peers=("duckdb", "polars"),
        floor=12,
    ),
    Workload(
        "connector_groupby",
        "connector, a commit each 10 k rows → groupby 10 k: sum, max, count → csv",
        rows=1_000_000,
        floor=20,
    ),
    Workload(
        "join",
        "orders join users, csv → csv",
        rows=1_000_000,
        data={"orders": 1, "users": 0.2},
        peers=("duckdb", "polars"),
        floor=10,
    ),
    Workload(
        "csv_expressions",
        "csv → arithmetic, str.upper, if_else, filter → csv",
        rows=2_000_000,
        data={"sales": 1},
        peers=("duckdb", "polars"),
        floor=15,
    ),
    Workload(
        "csv_udf",
        "csv → Python UDF → csv",
        rows=1_000_000,
        data={"sales": 1},
        floor=5,
    ),
    Workload(
        "latency",
        "one row, one commit, each 2 ms → groupby → subscribe",
        rows=5_000,
        floor=2,
        figure="p50_us",
        has_output=False,
    ),
    Workload(
        "slow_sink",
        "a fast source against a sink of 1 ms a row",
        rows=10_000_000,
        has_output=False,
        ours_only=True,
    ),
)


def find(name: str) -> Workload:
    """Return the workload of this name."""
    for workload in WORKLOADS:
        if workload.name == name:
            return workload
    names = ", ".join(workload.name for workload in WORKLOADS)
    raise SystemExit(f"There is no workload {name!r}. There are: {names}.")
