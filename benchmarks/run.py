"""Measure ours against the original, in turn, and write a table.

``python benchmarks/run.py --ours .venv/bin/python`` runs every workload on both, three rounds,
each run in a process of its own, and checks that the results agree. The original gets a virtual
environment of its own, with DuckDB and polars beside it, which is made when it is missing.

"Times faster" compares the workload's own time, from building the graph to the end of the run;
"whole process" has the interpreter's start and the imports in it. Both are the median of the
ratios of the rounds, with the least and the greatest in brackets.
"""

import argparse
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from child import Cost, RunFailed, run
from final_state import FinalState, final_state
from make_data import DATA_DIR, ensure, scaled
from report import Result, report
from workloads import WORKLOADS, Workload, find

HERE = Path(__file__).resolve().parent
OURS = HERE.parent / ".venv" / "bin" / "python"
ORIGINAL_VENV = HERE / ".original-venv"
ORIGINAL_PACKAGES = ("pathway==0.33.0", "duckdb", "polars")
RESULTS_START, RESULTS_END = "<!-- results -->\n", "<!-- end of results -->\n"


@dataclass
class Runner:
    """The two interpreters and where the runs may write."""

    ours: Path
    original: Path
    data_dir: Path
    work_dir: Path
    rounds: int
    timeout: float
    with_peers: bool

    def measure(self, workload: Workload, scale: float) -> Result:
        """Run every round of a workload, ours and the original in turn."""
        # A workload that ends by the clock keeps its rows at any scale, and runs once.
        rows = workload.rows if workload.ours_only else scaled(workload.rows, scale)
        rounds = 1 if workload.ours_only else self.rounds
        result = Result(workload, rows)
        for name, share in workload.data.items():
            ensure(self.data_dir, name, int(rows * share))
        sides = {"ours": result.ours, "original": result.original}
        if workload.ours_only:
            del sides["original"]
        for number in range(rounds):
            # Each goes first every other round, so that neither always finds the caches warm.
            order = list(sides) if number % 2 == 0 else list(reversed(sides))
            states = {side: self.once(result, side, number, sides[side]) for side in order}
            self.compare(result, states, f"round {number + 1}")
            if self.with_peers:
                self.measure_peers(result, number)
        return result

    def measure_peers(self, result: Result, number: int) -> None:
        """Run a round of each peer; in the first, compare its output with that of a run."""
        for peer in result.workload.peers:
            self.once(result, peer, number, result.peers.setdefault(peer, []))
            if number == 0 and peer != "python":
                side = "ours" if self.output("ours").exists() else "original"
                states = {
                    name: final_state(self.output(name), round_numbers=True)
                    for name in (side, peer)
                    if self.output(name).exists()
                }
                self.compare(result, states, "numbers rounded")

    def once(self, result: Result, side: str, number: int, costs: list[Cost]) -> FinalState | None:
        """Run one side, keep its cost, and return what its output amounts to."""
        output = self.output(side)
        shutil.rmtree(output.parent, ignore_errors=True)
        output.parent.mkdir(parents=True)
        arguments = [result.workload.name, "--rows", str(result.rows)]
        arguments += ["--data", str(self.data_dir), "--output", str(output.parent)]
        if side in result.workload.peers:
            arguments += ["--peer", side]
        label = f"{side}, round {number + 1}"
        try:
            python = self.ours if side == "ours" else self.original
            cost = run(python, arguments, output.parent, self.timeout)
        except RunFailed as failure:
            self.note(result, f"{label}: {failure}")
            return None
        costs.append(cost)
        print(
            f"{result.workload.name}: {label}: {cost.figures['seconds']:.3f} s, "
            f"process {cost.process_seconds:.2f} s, {cost.peak_megabytes:.0f} MB",
            flush=True,
        )
        if result.workload.has_output and output.exists():
            return final_state(output)
        # Without an output file, the runs must at least have delivered the same number of rows.
        return FinalState((), cost.figures.get("measured", 0), 0)

    def compare(self, result: Result, states: Mapping[str, FinalState | None], label: str) -> None:
        """Note a problem unless the states of all runs that ended well are equal."""
        if len({state for state in states.values() if state is not None}) > 1:
            self.note(result, f"{label}: the results differ: {states}")

    def note(self, result: Result, problem: str) -> None:
        """Keep a problem for the report, and say it at once."""
        result.problems.append(problem)
        print(f"{result.workload.name}: {problem}", flush=True)

    def output(self, name: str) -> Path:
        """Return where a run of this name writes."""
        return self.work_dir / name / "output.csv"


def make_original_venv() -> Path:
    """Return the interpreter of the original's own virtual environment, made when missing."""
    python = ORIGINAL_VENV / "bin" / "python"
    marker = ORIGINAL_VENV / "complete"
    if not marker.exists():
        print(f"Installing {', '.join(ORIGINAL_PACKAGES)} into {ORIGINAL_VENV}.", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", ORIGINAL_VENV], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *ORIGINAL_PACKAGES], check=True)
        marker.touch()
    return python


def version(python: Path, package: str) -> str:
    """Return the version of a package in an interpreter, and import it once to warm it up."""
    code = f"import platform, {package} as p; print(p.__version__, platform.python_version())"
    finished = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    if finished.returncode != 0:
        raise SystemExit(f"{python} cannot import {package}:\n{finished.stderr}")
    package_version, python_version = finished.stdout.split()[-2:]
    return f"{package} {package_version} on Python {python_version}"


def processor() -> str:
    """Return the name of the processor and how many cores we may use."""
    name = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def write_markdown(path: Path, text: str) -> None:
    """Write the tables to a file, or between the two marks of a page that has them."""
    page = path.read_text(encoding="utf-8") if path.exists() else ""
    if RESULTS_START in page and RESULTS_END in page:
        before, rest = page.split(RESULTS_START, 1)
        _, after = rest.split(RESULTS_END, 1)
        text = f"{before}{RESULTS_START}\n{text}\n{RESULTS_END}{after}"
    path.write_text(text, encoding="utf-8")


def command_line() -> argparse.Namespace:
    """Read the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workloads", nargs="*", help="the default is all of them")
    parser.add_argument("--ours", type=Path, default=OURS, help="the python with our package")
    parser.add_argument("--original", type=Path, help="the python with the original")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds for one run")
    parser.add_argument("--no-peers", action="store_true", help="leave out DuckDB and the others")
    parser.add_argument("--data", type=Path, default=DATA_DIR, help="where the data is kept")
    parser.add_argument("--markdown", type=Path, help="a file or page for the tables")
    return parser.parse_args()


def main() -> None:
    """Measure everything asked for, print the tables, and fail if anything went wrong."""
    arguments = command_line()
    chosen = [find(name) for name in arguments.workloads] or list(WORKLOADS)
    # Not resolved: the link in a virtual environment is what makes it one.
    ours = arguments.ours.absolute()
    original = arguments.original.absolute() if arguments.original else make_original_venv()
    with_peers = not arguments.no_peers
    circumstances = [
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}",
        f"ours: {version(ours, 'pathway')}",
        f"original: {version(original, 'pathway')}",
    ]
    if with_peers:
        peers = " and ".join(version(original, peer) for peer in ("duckdb", "polars"))
        circumstances.append(f"beside: {peers}, one thread each")
    circumstances.append(f"rounds: {arguments.rounds}; command: `{shlex.join(sys.argv)}`")

    with tempfile.TemporaryDirectory(prefix="towpath-benchmarks-") as work_dir:
        runner = Runner(
            ours=ours,
            original=original,
            data_dir=arguments.data.absolute(),
            work_dir=Path(work_dir),
            rounds=arguments.rounds,
            timeout=arguments.timeout,
            with_peers=with_peers,
        )
        results = [runner.measure(workload, arguments.scale) for workload in chosen]

    text = report(results, circumstances)
    print("\n" + text)
    if arguments.markdown:
        write_markdown(arguments.markdown, text)
    if any(result.problems for result in results):
        raise SystemExit("Some runs failed or disagreed, see above.")


if __name__ == "__main__":
    main()
