"""How long `import pathway` takes: the median of fresh processes, and what it brings along.

    python benchmarks/import_time.py [--rounds 20] [--python path/to/python]

The wall time depends on what else the machine does; the processor time hardly does. Any package that answers to
`import pathway` can be measured: choose the interpreter that has it.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

# Imports what is measured inside the process, so that the start of the interpreter does not count.
_PROGRAM = """
import sys, time
wall, processor = time.perf_counter(), time.process_time()
{statement}
print(time.perf_counter() - wall, time.process_time() - processor, len(sys.modules))
"""

HEAVY = ("numpy", "pandas", "rich", "pyarrow", "click", "asyncio", "logging", "http")


def measure(python: str, statement: str) -> tuple[float, float, int]:
    """Wall and processor time in milliseconds, and the number of modules."""
    program = _PROGRAM.format(statement=statement)
    done = subprocess.run([python, "-c", program], capture_output=True, text=True, check=True)
    wall, processor, modules = done.stdout.split()
    return float(wall) * 1000, float(processor) * 1000, int(modules)


def imported(python: str) -> list[str]:
    """Which of the heavy modules `import pathway` brings along."""
    program = f"import sys, pathway\nprint(*[name for name in {HEAVY!r} if name in sys.modules])"
    return subprocess.run([python, "-c", program], capture_output=True, text=True, check=True).stdout.split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--python", default=sys.executable)
    arguments = parser.parse_args()
    measure(arguments.python, "import pathway")  # Fills the caches of files.
    rounds = [measure(arguments.python, "import pathway") for _ in range(arguments.rounds)]
    wall, processor, modules = (statistics.median(column) for column in zip(*rounds, strict=True))
    print(f"import pathway: {wall:.0f} ms, {processor:.0f} ms of processor time (medians of {len(rounds)} processes)")
    print(f"modules: {modules:.0f}; of {', '.join(HEAVY)}: {', '.join(imported(arguments.python)) or 'none'}")


if __name__ == "__main__":
    main()
