"""The programs that ``scaling.py`` starts in every shape; process 0 prints one line of JSON.

``python benchmarks/scaling_jobs.py join --rows 100000 --output somewhere`` runs one alone. They answer to
``import pathway as pw`` of either side, as far as it has what they use: the original has no outputs in parts and no
subjects with partitions.
"""

import argparse
import json
import os
import sys
import threading
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from make_data import DATA_DIR, data_path

PARTITIONS = 4
VOCABULARY = [f"word{number * 7919 % 10_000:05}" for number in range(10_000)]
ROWS_PER_ARROW_BATCH = 50_000
SECONDS_BETWEEN_COMMITS = 0.002
GROUPS = 100
FEW_GROUPS = 10_000
WARM_UP_ROWS = 200
SETTLING_SECONDS = 1.0
IDLE_SECONDS = 5.0
ITERATIONS_OF_LOOP = 12_000_000

arguments = argparse.Namespace()
"""What the command line said."""


def run_until_done() -> None:
    """Run the graph without a console."""
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


def write(table: Any) -> None:
    """Write one csv file, or one a worker."""
    if arguments.partitioned:
        pw.io.csv.write(table, arguments.output / "parts", partitioned=True)
    else:
        pw.io.csv.write(table, arguments.output / "output.csv")


def words_counted(words: Any) -> None:
    """Count words and write the counts."""
    write(words.groupby(words.word).reduce(words.word, count=pw.reducers.count()))
    run_until_done()


def word_schema() -> Any:
    """Return the columns of a word."""
    return pw.schema_from_types(word=str)


def orders() -> Any:
    """Return the table of orders."""
    schema = pw.schema_from_types(order_id=int, user_id=int, amount=float)
    return pw.io.csv.read(data_path(arguments.data, "orders", arguments.rows), schema=schema, mode="static")


def wordcount() -> None:
    """Count the words of a static file."""
    path = data_path(arguments.data, "words", arguments.rows)
    words_counted(pw.io.jsonlines.read(path, schema=word_schema(), mode="static"))


def totals_written(table: Any, group: Any) -> None:
    """Sum up the orders of each group, find the largest, and write both."""
    table = table.select(table.amount, group=group)
    write(
        table.groupby(table.group).reduce(
            table.group, total=pw.reducers.sum(table.amount), largest=pw.reducers.max(table.amount)
        )
    )
    run_until_done()


def groupby_many() -> None:
    """Group orders by their users: five orders a group."""
    table = orders()
    totals_written(table, table.user_id)


def groupby_few() -> None:
    """Group orders by the last digits of their users."""
    table = orders()
    totals_written(table, table.user_id % FEW_GROUPS)


def join() -> None:
    """Join orders with their users."""
    table = orders()
    schema = pw.schema_from_types(user_id=int, name=str, country=str)
    users_path = data_path(arguments.data, "users", arguments.rows // 5)
    users = pw.io.csv.read(users_path, schema=schema, mode="static")
    joined = table.join(users, table.user_id == users.user_id)
    write(joined.select(table.order_id, table.amount, users.name, users.country))
    run_until_done()


def subject_next() -> None:
    """Count the words that four partitions send one by one."""

    class Words(pw.io.python.ConnectorSubject):
        def partitions(self) -> list[str]:
            return [str(number) for number in range(PARTITIONS)]

        def run(self, partition: str) -> None:
            for word in islice(cycle(VOCABULARY), arguments.rows // PARTITIONS):
                self.next(word=word)

    words_counted(pw.io.python.read(Words(), schema=word_schema()))


def subject_whole() -> None:
    """Count the words that a subject without partitions sends one by one, to compare with ``subject_next``."""

    class Words(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            for word in islice(cycle(VOCABULARY), arguments.rows):
                self.next(word=word)

    words_counted(pw.io.python.read(Words(), schema=word_schema()))


def subject_arrow() -> None:
    """Count the words that four partitions send in batches."""
    words = pyarrow.array(list(islice(cycle(VOCABULARY), ROWS_PER_ARROW_BATCH)))
    batch = pyarrow.record_batch({"word": words})

    class Words(pw.io.python.ConnectorSubject):
        def partitions(self) -> list[str]:
            return [str(number) for number in range(PARTITIONS)]

        def run(self, partition: str) -> None:
            for _ in range(arguments.rows // PARTITIONS // ROWS_PER_ARROW_BATCH):
                self.next_arrow(batch)

    words_counted(pw.io.python.read(Words(), schema=word_schema()))


def group_ticks(subject: Any, on_change: Any, on_time_end: Any = None) -> None:
    """Group numbered rows and call back for every change."""
    schema = pw.schema_from_types(group=int, sequence=int)
    ticks = pw.io.python.read(subject, schema=schema, autocommit_duration_ms=None)
    groups = ticks.groupby(ticks.group).reduce(
        ticks.group, count=pw.reducers.count(), last=pw.reducers.max(ticks.sequence)
    )
    pw.io.subscribe(groups, on_change=on_change, on_time_end=on_time_end)
    run_until_done()


def commits_paced() -> dict[str, float]:
    """Send one row and commit it, each two milliseconds; time each from ``next`` to ``on_change``."""
    rows, clock = arguments.rows, time.perf_counter_ns
    sent_ns, arrived_ns = [0] * rows, [0] * rows

    class Ticker(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            start = time.perf_counter()
            for sequence in range(rows):
                wait = start + sequence * SECONDS_BETWEEN_COMMITS - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                sent_ns[sequence] = clock()
                self.next(group=sequence % GROUPS, sequence=sequence)
                self.commit()

    def on_change(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition:
            arrived_ns[row["last"]] = clock()

    group_ticks(Ticker(), on_change)
    if not is_first():
        return {}
    pairs = list(zip(sent_ns, arrived_ns, strict=True))[WARM_UP_ROWS:]
    latencies = sorted((arrived - sent) / 1000 for sent, arrived in pairs if arrived)
    return {
        "measured": len(latencies) / len(pairs),
        "p50_us": latencies[len(latencies) // 2],
        "p99_us": latencies[len(latencies) * 99 // 100],
    }


def commits_pushed() -> dict[str, float]:
    """Send and commit rows without a pause; count how long all of them take, and how much processor time."""
    rows = arguments.rows
    times = 0
    seconds = cpu = 0.0
    all_came = threading.Event()

    class Pusher(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            nonlocal seconds, cpu
            time.sleep(0.2)
            cpu_before, start = cpu_seconds(), time.perf_counter()
            for sequence in range(rows):
                self.next(group=sequence % GROUPS, sequence=sequence)
                self.commit()
            # This thread waits, because one that has ended is not counted any more.
            all_came.wait()
            seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu_before

    def on_change(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:
        pass

    def on_time_end(at: int) -> None:
        nonlocal times
        times += 1
        if times == rows:
            all_came.set()

    group_ticks(Pusher(), on_change, on_time_end)
    return {
        "commits_per_second": rows / seconds if seconds else 0.0,
        "us_per_commit": seconds / rows * 1e6,
        "cpu_us_per_commit": cpu / rows * 1e6,
    }


def idle() -> dict[str, float]:
    """Send one row, then nothing; count the processor time of all processes of the run."""
    used = 0.0

    class Silent(pw.io.python.ConnectorSubject):
        def run(self) -> None:
            nonlocal used
            self.next(group=0, sequence=0)
            self.commit()
            time.sleep(SETTLING_SECONDS)
            before = cpu_seconds()
            time.sleep(IDLE_SECONDS)
            used = cpu_seconds() - before

    group_ticks(Silent(), lambda key, row, time, is_addition: None)
    return {"idle_cpu": used}


def loop() -> None:
    """Compute something without memory, files or other threads."""
    total = 0
    for number in range(ITERATIONS_OF_LOOP):
        total += number & 3


def is_first() -> bool:
    """Whether this is process 0, where the plain subjects and the callbacks run."""
    return os.environ.get("PATHWAY_PROCESS_ID", "0") == "0"


def cpu_seconds() -> float:
    """Return the processor time of all processes of this run so far, from what the Linux kernel says of each thread."""
    processes = [str(os.getpid())]
    if int(os.environ.get("PATHWAY_PROCESSES", "1")) > 1:
        parent = os.getppid()
        processes = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    nanoseconds = 0
    for process in processes:
        for thread in Path(f"/proc/{process}/task").iterdir():
            nanoseconds += int((thread / "schedstat").read_text().split()[0])
    return nanoseconds / 1e9


JOBS = {
    job.__name__: job
    for job in (
        wordcount,
        groupby_few,
        groupby_many,
        join,
        subject_next,
        subject_whole,
        subject_arrow,
        commits_paced,
        commits_pushed,
        idle,
        loop,
    )
}


def command_line() -> None:
    """Read the arguments, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("job", choices=JOBS)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--data", type=Path, default=DATA_DIR)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--partitioned", action="store_true", help="write a file a worker")
    parser.parse_args(namespace=arguments)

    start = time.perf_counter()
    figures = JOBS[arguments.job]() or {}
    seconds = time.perf_counter() - start
    if is_first():
        print(json.dumps({"job": arguments.job, "rows": arguments.rows, "seconds": seconds} | figures), flush=True)


if __name__ == "__main__":
    if "--core" in sys.argv:
        # Before anything is imported, so that it asks for no more threads than there are cores.
        place = sys.argv.index("--core")
        os.sched_setaffinity(0, {int(sys.argv[place + 1])})
        del sys.argv[place : place + 2]
    if sys.argv[1:2] != ["loop"]:
        import pathway as pw
    if sys.argv[1:2] == ["subject_arrow"]:
        import pyarrow
    command_line()
