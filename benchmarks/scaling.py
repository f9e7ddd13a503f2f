"""Measure what more threads and processes bring on this machine, and what they cost; write the tables into a page.

``python benchmarks/scaling.py --ours .venv/bin/python --markdown docs/guide/scaling.md`` runs every job of
``scaling_jobs.py`` in every shape, in turn, and checks that the results agree. The original runs the same jobs over
files with fewer rows, because it is slower. The tables say how much other programs have computed meanwhile.
"""

import argparse
import os
import random
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from child import Cost, RunFailed, environment, run_command
from final_state import CHECKSUM_BITS, FinalState, final_state
from make_data import DATA_DIR, ensure, scaled
from run import OURS, make_original_venv, processor, version, write_markdown
from scaling_report import (
    BOTH_CORES,
    COMMIT_SHAPES,
    IDLE_SHAPES,
    ONE_CORE,
    ORIGINAL_SHAPES,
    OVERSUBSCRIBED,
    SHAPES,
    START,
    WORKLOADS,
    Results,
    Shape,
    Workload,
    report,
)

JOBS = Path(__file__).resolve().parent / "scaling_jobs.py"
REPOSITORY = JOBS.parent.parent
ORIGINAL_SHARE = 0.1
SMALL_ROWS = 200_000
PACED_COMMITS = 1_200
PUSHED_COMMITS = 8_000
ATTEMPTS = 3
LONGEST_WAIT = 5.0
QUIET_CORES = 0.15
"""A run counts as undisturbed when everything else on the machine took less than that."""


def busy_seconds() -> float:
    """Return what the cores of this machine have computed, or had to leave to other machines, since its start."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, *interrupts = (int(ticks) for ticks in fields[:8])
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def loopback_bytes() -> int:
    """Return how much the loopback device has carried."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        if line.strip().startswith("lo:"):
            return int(line.split(":")[1].split()[0])
    return 0


def state_of_lines(path: Path) -> FinalState:
    """Return the same as ``final_state`` for files of one side, whose rows are equal to the byte; it is faster."""
    with path.open("rb") as file:
        header = next(file, b"").decode().strip().split(",")
        rows = checksum = 0
        for line in file:
            row, _time, quoted = line.rsplit(b",", 2)
            diff = int(quoted.strip(b'"\r\n'))
            rows += diff
            checksum += diff * hash(row)
    return FinalState(tuple(header[:-2]), rows, checksum)


def free_ports(count: int) -> int:
    """Return the first of some ports in a row that nobody has."""
    while True:
        first = random.randrange(20_000, 30_000)
        try:
            for port in range(first, first + count):
                with socket.socket() as attempt:
                    attempt.bind(("127.0.0.1", port))
        except OSError:
            continue
        return first


@dataclass
class Runner:
    """The two interpreters, where the runs may write, and how long to wait for a quiet machine."""

    ours: Path
    original: Path
    data_dir: Path
    work_dir: Path
    timeout: float
    patience: float
    """So many seconds are left for waiting and for runs that are repeated."""
    problems: list[str] = field(default_factory=list)
    disturbances: list[float] = field(default_factory=list)
    """Cores taken by others, for every run that counts."""

    def command(self, shape: Shape, arguments: list[str], *, original: bool) -> list[str]:
        """Return what starts a job in a shape."""
        python = self.original if original else self.ours
        job = [str(python), str(JOBS), *arguments]
        if shape.core is not None:
            job += ["--core", str(shape.core)]
        if shape.processes == 1:
            return job
        spawn = [str(python.parent / "pathway")]
        if not Path(spawn[0]).exists():
            spawn = [str(python), "-m", "pathway.cli"]
        spawn += ["spawn", "--processes", str(shape.processes), "--threads", str(shape.threads)]
        return [*spawn, "--first-port", str(free_ports(shape.processes)), *job]

    def once(self, job: str, shape: Shape, rows: int, *, original: bool = False, partitioned: bool = False) -> Cost:
        """Run a job, again if others have disturbed it and patience is left; return the least disturbed run."""
        attempts: list[tuple[float, Cost]] = []
        while not attempts or (
            len(attempts) < ATTEMPTS and self.patience > 0 and min(share for share, _ in attempts) > QUIET_CORES
        ):
            started = time.perf_counter()
            if self.patience > 0:
                self.wait_for_quiet()
            shutil.rmtree(self.output, ignore_errors=True)
            self.output.mkdir(parents=True)
            arguments = [job, "--rows", str(rows), "--data", str(self.data_dir), "--output", str(self.output)]
            arguments += ["--partitioned"] if partitioned else []
            settings = environment() | {"PATHWAY_THREADS": str(shape.threads)}
            busy, carried, start = busy_seconds(), loopback_bytes(), time.perf_counter()
            command = self.command(shape, arguments, original=original)
            cost = run_command(command, settings, self.work_dir, self.timeout)
            cost.figures["loopback_bytes"] = loopback_bytes() - carried
            others = busy_seconds() - busy - cost.processor_seconds
            attempts.append((max(others, 0) / (time.perf_counter() - start), cost))
            if len(attempts) > 1:
                self.patience -= time.perf_counter() - started
        disturbance, cost = min(attempts, key=lambda attempt: attempt[0])
        self.disturbances.append(disturbance)
        side = "original" if original else "ours"
        say(f"{job}, {shape.name}, {side}: {cost.figures['seconds']:.3f} s; others: {disturbance:.2f} cores")
        return cost

    def wait_for_quiet(self) -> None:
        """Wait until the machine has hardly anything to do, or patience ends, for this run or for all."""
        deadline = time.perf_counter() + LONGEST_WAIT
        while self.patience > 0 and time.perf_counter() < deadline:
            busy, start = busy_seconds(), time.perf_counter()
            time.sleep(0.2)
            elapsed = time.perf_counter() - start
            if (busy_seconds() - busy) / elapsed <= QUIET_CORES:
                return
            self.patience -= elapsed

    @property
    def output(self) -> Path:
        """Return where a run writes."""
        return self.work_dir / "output"

    def state(self, *, exactly: bool, round_numbers: bool = False) -> FinalState:
        """Return what the last run has written, in one file or in parts."""
        parts = sorted(self.output.glob("parts/part-*.csv")) or [self.output / "output.csv"]
        if exactly:
            states = [state_of_lines(part) for part in parts]
        else:
            states = [final_state(part, round_numbers=round_numbers) for part in parts]
        rows = sum(state.rows for state in states)
        return FinalState(states[0].columns, rows, sum(state.checksum for state in states) % 2**CHECKSUM_BITS)

    def compare(self, label: str, states: dict[str, FinalState]) -> None:
        """Note a problem unless all states are equal and have rows."""
        if len(set(states.values())) > 1 or any(state.rows == 0 for state in states.values()):
            self.problems.append(f"{label}: the results differ: {states}")
            say(self.problems[-1])

    def workload(self, workload: Workload, rows: int, shapes: Iterable[Shape], number: int, *, original: bool) -> None:
        """Run a round of a workload; in the first, compare what the shapes have written."""
        states = {}
        in_turn = list(shapes) if number % 2 == 0 else list(reversed(list(shapes)))
        costs = workload.original if original else workload.ours
        for shape in in_turn:
            in_parts = workload.in_parts and shape.workers > 1 and not original
            try:
                cost = self.once(workload.job, shape, rows, original=original, partitioned=in_parts)
            except RunFailed as failure:
                self.problems.append(str(failure))
                say(self.problems[-1])
                continue
            costs.setdefault(shape, []).append(cost)
            if number == 0 and workload.is_compared:
                exactly = not original and not workload.round_numbers
                states[shape.name] = self.state(exactly=exactly, round_numbers=workload.round_numbers)
        if number == 0 and original:
            self.once(workload.job, BOTH_CORES, rows)
            states["ours"] = self.state(exactly=False, round_numbers=workload.round_numbers)
        if states:
            self.compare(workload.title, states)

    def ceiling(self) -> float:
        """Return how much faster two cores are than one at a loop that shares nothing but the machine."""

        def start(core: int) -> subprocess.Popen[str]:
            command = [sys.executable, str(JOBS), "loop", "--core", str(core)]
            return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

        def seconds(process: subprocess.Popen[str]) -> float:
            output, _ = process.communicate()
            return float(output.split('"seconds": ')[1].split("}")[0].split(",")[0])

        alone = (seconds(start(0)) + seconds(start(1))) / 2
        both = [start(0), start(1)]
        together = sum([seconds(process) for process in both]) / 2
        say(f"a loop: {alone:.3f} s alone, {together:.3f} s while both cores are busy")
        return 2 * alone / together


def exchange(repository: Path) -> list[str]:
    """Return what the engine's own measurement of the exchange has printed, if it can be built here."""
    if shutil.which("cargo") is None:
        return []
    command = ["cargo", "run", "--release", "--quiet", "-p", "towpath-types", "--example", "exchange"]
    finished = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    return finished.stdout.splitlines() if finished.returncode == 0 else []


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def command_line() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ours", type=Path, default=OURS, help="the python with our package")
    parser.add_argument("--original", type=Path, help="the python with the original")
    parser.add_argument("--data", type=Path, default=DATA_DIR, help="where the data is kept")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--timeout", type=float, default=120.0, help="seconds for one run")
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        help="seconds, in all, to wait for others to leave the machine alone, and to repeat runs that they disturbed",
    )
    parser.add_argument("--markdown", type=Path, help="a file or page for the tables")
    return parser.parse_args()


def main() -> None:
    """Measure everything, print the tables, and fail if anything went wrong."""
    arguments = command_line()
    ours = arguments.ours.absolute()
    original = arguments.original.absolute() if arguments.original else make_original_venv()
    circumstances = [
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}",
        f"ours: {version(ours, 'pathway')}",
        f"original: {version(original, 'pathway')}",
    ]
    say("building the measurement of the exchange")
    exchange(REPOSITORY)

    with tempfile.TemporaryDirectory(prefix="towpath-scaling-") as work_dir:
        runner = Runner(
            ours, original, arguments.data.absolute(), Path(work_dir), arguments.timeout, arguments.patience
        )
        results = Results(workloads=[replace(workload, ours={}, original={}) for workload in WORKLOADS])
        for workload in results.workloads:
            workload.rows = scaled(workload.rows, arguments.scale)
            workload.original_rows = scaled(workload.rows, ORIGINAL_SHARE)
            for rows in (workload.rows, workload.original_rows, SMALL_ROWS):
                for name, share in workload.data.items():
                    ensure(runner.data_dir, name, int(rows * share))

        for number in range(arguments.rounds):
            results.ceilings.append(runner.ceiling())
            for workload in results.workloads:
                runner.workload(workload, workload.rows, SHAPES, number, original=False)
                if workload.runs_on_original:
                    runner.workload(workload, workload.original_rows, ORIGINAL_SHAPES, number, original=True)
            for shape in COMMIT_SHAPES:
                paced = runner.once("commits_paced", shape, scaled(PACED_COMMITS, max(arguments.scale, 1)))
                pushed = runner.once("commits_pushed", shape, PUSHED_COMMITS)
                results.paced.setdefault(shape, []).append(paced)
                results.pushed.setdefault(shape, []).append(pushed)
        for shape in IDLE_SHAPES:
            results.idle[shape] = runner.once("idle", shape, 1)
        results.exchange = exchange(REPOSITORY)
        for workload in results.workloads:
            if workload.job in ("wordcount", "join") and workload.in_parts and workload.rows > START.rows:
                states = {}
                for shape in (ONE_CORE, *OVERSUBSCRIBED):
                    runner.once(workload.job, shape, SMALL_ROWS, partitioned=shape.workers > 1)
                    states[shape.name] = runner.state(exactly=True)
                runner.compare(f"{workload.title}, more workers than cores", states)

    least, middle, most = (sorted(runner.disturbances)[i] for i in (0, len(runner.disturbances) // 2, -1))
    circumstances += [
        f"other programs took {middle:.2f} cores at the median of all runs ({least:.2f}–{most:.2f})",
        f"rounds: {arguments.rounds}; command: `{shlex.join(sys.argv)}`",
    ]
    text = report(results, circumstances, runner.problems)
    print("\n" + text)
    if arguments.markdown:
        write_markdown(arguments.markdown, text)
    if runner.problems:
        raise SystemExit("Some runs failed or disagreed, see above.")


if __name__ == "__main__":
    main()
