"""`import pathway` is quick, because what it brings along is light."""

import importlib.util
import pathlib
import subprocess
import sys
import types

import pathway as pw

ROOT = pathlib.Path(__file__).parent.parent


def benchmark() -> types.ModuleType:
    spec = importlib.util.spec_from_file_location("import_time", ROOT / "benchmarks" / "import_time.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_import_brings_nothing_heavy_along() -> None:
    heavy = benchmark().HEAVY
    assert {"numpy", "pandas", "rich"} <= set(heavy)
    assert benchmark().imported(sys.executable) == []


def test_import_takes_less_than_150_milliseconds_of_processor_time() -> None:
    # The wall time, and all but the best of the others, say more of what else the machine does.
    times = []
    while len(times) < 20 and min(times, default=1000.0) >= 150:
        times.append(benchmark().measure(sys.executable, "import pathway")[1])
    assert min(times) < 150, times


def test_a_run_without_a_terminal_needs_neither_pandas_nor_rich_nor_asyncio() -> None:
    program = """
import sys
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        self.next(n=1)

table = pw.io.python.read(Numbers(), schema=pw.schema_from_types(n=int))
pw.io.csv.write(table.filter(table.n > 0), sys.argv[1])
pw.run()
print(*[name for name in ("numpy", "pandas", "rich", "http", "asyncio") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, "/dev/null"], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""


def test_every_public_name_is_there() -> None:
    names: dict[str, object] = {}
    exec("from pathway import *", names)
    assert set(pw.__all__) <= set(names)
    assert set(pw.__all__) <= set(dir(pw))
