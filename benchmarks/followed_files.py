"""Measure what it costs to follow a file that grows.

`python benchmarks/followed_files.py --markdown docs/benchmarks.md` writes the table into the page.

Lines are added to a file of a thousand lines and to one of ten millions, step by step; a step is over when the count of
all lines has come out. Each measurement is a process of its own. `--steps 100 --rows 1000000` is a quick look.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parent.parent
FORMATS = ("csv", "json", "plaintext")
MARKS = ("<!-- followed -->", "<!-- end of followed -->")


def line(format: str, number: int) -> str:
    """Return a line of a log."""
    if format == "json":
        return f'{{"number":{number},"text":"request {number} was answered"}}\n'
    if format == "csv":
        return f"{number},request {number} was answered\n"
    return f"{number} request {number} was answered\n"


def write_lines(file: IO[str], format: str, start: int, count: int) -> None:
    """Write numbered lines."""
    for first in range(start, start + count, 10_000):
        last = min(first + 10_000, start + count)
        file.write("".join(line(format, number) for number in range(first, last)))


def memory(name: str) -> float:
    """Return what the kernel says of this process's memory, in MB."""
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith(name):
            return int(text.split()[1]) / 1000
    return 0.0


class Steps:
    """Adds lines whenever those added before have been counted, and measures how long that took."""

    def __init__(self, options: argparse.Namespace, path: Path, rows: int) -> None:
        self.options, self.path, self.wanted = options, path, rows
        self.seconds: list[float] = []
        self.processor: list[float] = []
        self.loaded = 0.0
        self.began = (0.0, 0.0)

    def counted(self, count: int) -> bool:
        """Go on with the next step, and say whether there was one."""
        if count < self.wanted:
            return True
        if self.seconds or self.loaded:
            self.seconds.append(time.perf_counter() - self.began[0])
            self.processor.append(time.process_time() - self.began[1])
        else:
            self.loaded = memory("VmRSS")
        if len(self.seconds) == self.options.steps:
            return False
        added = "".join(line(self.options.format, self.wanted + place) for place in range(self.options.lines))
        self.wanted += self.options.lines
        self.began = (time.perf_counter(), time.process_time())
        with self.path.open("a") as file:
            file.write(added)
        return True


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Follow the files of a folder in this process."""
    import pathway as pw

    path = folder / "log.0000"
    for number in range(options.files):
        with (folder / f"log.{number:04}").open("w") as file:
            if options.format == "csv":
                file.write("number,text\n")
            if number == 0 or options.files > 1:
                write_lines(file, options.format, 0, options.rows if number == 0 else 10)

    class Line(pw.Schema, append_only=options.append_only):
        number: int
        text: str

    settings = {} if options.format == "plaintext" else {"schema": Line}
    table = pw.io.fs.read(
        path if options.files == 1 else folder, options.format, autocommit_duration_ms=None, **settings
    )
    # Every column is read.
    texts = table.data if options.format == "plaintext" else table.text
    counted = table.reduce(count=pw.reducers.count(), length=pw.reducers.max(texts.str.len()))
    steps = Steps(options, path, options.rows + (options.files - 1) * 10)

    class Enough(Exception):
        pass

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        if is_addition and not steps.counted(row["count"]):
            raise Enough

    pw.io.subscribe(counted, on_change)
    with contextlib.suppress(Enough):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    tenth = max(1, options.steps // 10)
    milliseconds = {
        "first": statistics.median(steps.seconds[:tenth]) * 1000,
        "last": statistics.median(steps.seconds[-tenth:]) * 1000,
        "p99": sorted(steps.seconds)[int(len(steps.seconds) * 0.99) - 1] * 1000,
        "processor": statistics.median(steps.processor) * 1000,
        "processor_last": statistics.median(steps.processor[-tenth:]) * 1000,
    }
    return {
        **milliseconds,
        "loaded": steps.loaded,
        "end": memory("VmRSS"),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "bytes": sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
    }


def cases(rows: int) -> Iterator[tuple[str, str, int, int, bool]]:
    """Return what is measured: its name, the format, files, rows, and whether the schema is append-only."""
    for format in FORMATS:
        for append_only in (False, True) if format != "plaintext" else (False,):
            kind = f"{format}, append-only" if append_only else format
            yield kind, format, 1, 1_000, append_only
            yield kind, format, 1, rows, append_only
            yield f"{kind}, 1 000 files", format, 1_000, 1_000, append_only


def measure_all(options: argparse.Namespace) -> str:
    """Return the table of all measurements."""
    lines = [
        "| format | lines, files | first steps, ms | last steps, ms | p99, ms | processor, ms | beside 1 000 lines "
        "| file, MB | memory after reading, MB | after all steps, MB |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    small: dict[str, float] = {}
    for name, format, files, rows, append_only in cases(options.rows):
        command = [sys.executable, __file__, "--one", format, "--files", str(files), "--rows", str(rows)]
        command += ["--steps", str(options.steps), "--lines", str(options.lines)]
        command += ["--append-only"] if append_only else []
        environment = os.environ | {"PYTHONPATH": str(REPOSITORY / "python")}
        rounds = []
        for _ in range(options.rounds):
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=environment)
            rounds.append(json.loads(done.stdout.splitlines()[-1]))
        # The least of the rounds: other programs only make it slower.
        found = {figure: min(result[figure] for result in rounds) for figure in rounds[0]}
        ratio = found["last"] / small.setdefault(name, found["last"]) if files == 1 else None
        lines.append(
            f"| {name} | {rows:,}, {files:,} | {found['first']:.2f} | {found['last']:.2f} | {found['p99']:.2f} "
            f"| {found['processor']:.2f} | {'' if ratio is None else f'{ratio:.2f}'} | {found['bytes']:.0f} "
            f"| {found['loaded']:.0f} | {found['end']:.0f} |".replace(",000", " 000")
        )
        print(lines[-1], file=sys.stderr, flush=True)
    return "\n".join(lines)


def main() -> None:
    """Measure one case, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000, help="lines of the big file")
    parser.add_argument("--steps", type=int, default=1_000)
    parser.add_argument("--lines", type=int, default=100, help="lines that a step adds")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--markdown", type=Path, help="a page whose table is written anew")
    parser.add_argument("--one", dest="format", choices=FORMATS, help="measure one case in this process")
    parser.add_argument("--files", type=int, default=1)
    parser.add_argument("--append-only", action="store_true")
    options = parser.parse_args()
    if options.format:
        folder = Path(tempfile.mkdtemp())
        try:
            print(json.dumps(measure(options, folder)))
        finally:
            shutil.rmtree(folder)
        return
    table = measure_all(options)
    print(table)
    if options.markdown:
        text = options.markdown.read_text()
        before, rest = text.split(MARKS[0])
        options.markdown.write_text(f"{before}{MARKS[0]}\n\n{table}\n\n{MARKS[1]}{rest.split(MARKS[1])[1]}")


if __name__ == "__main__":
    main()
