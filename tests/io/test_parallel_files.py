"""Files that several threads and processes read at the same time: the same rows, ids and messages as from one."""

import csv
import os
import pathlib
import subprocess
import sys
import threading
from collections import Counter
from typing import Any

import pathway as pw
import pytest

from tests.processes import free_ports, pathway

SHAPES = [("-t", 4), ("-n", 3), ("-n", 2, "-t", 2)]

PROGRAM = """
import sys
import pathway as pw

format, path, out, *tolerant = sys.argv[1:]

class Row(pw.Schema):
    a: str
    b: int

schema = Row if format in ("csv", "json") else None
table = pw.io.fs.read(path, format=format, schema=schema, mode="static", name="files")
pw.io.csv.write(table.select(*pw.this, id_text=pw.this.id), out)
errors = pw.global_error_log()
pw.io.csv.write(errors.select(pw.this.message), out + ".errors")
pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=False if tolerant else None)
"""


def run(
    shape: tuple[object, ...], format: str, path: pathlib.Path | str, out: pathlib.Path, *tolerant: str
) -> subprocess.CompletedProcess[str]:
    """Copies what it reads to the csv file `out`, and what it cannot read to another beside it."""
    script = out.with_suffix(".py")
    script.write_text(PROGRAM)
    return pathway("spawn", "--first-port", free_ports(3), *shape, sys.executable, script, format, path, out, *tolerant)


def lines(path: pathlib.Path) -> Counter[tuple[str, ...]]:
    """The rows of a csv file without their times, which is empty if there were none."""
    if not path.exists():
        return Counter()
    csv.field_size_limit(1 << 30)
    with path.open(newline="") as file:
        return Counter(tuple(row[name] for name in row if name != "time") for row in csv.DictReader(file))


Reading = tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]


def read(
    shape: tuple[object, ...], format: str, path: pathlib.Path | str, out: pathlib.Path, *tolerant: str
) -> Reading:
    done = run(shape, format, path, out, *tolerant)
    assert done.returncode == 0, done.stderr
    return lines(out), lines(out.with_suffix(".out.errors"))


def csv_text(rows: int) -> str:
    """Quoted fields with everything that ends a line elsewhere, and some bad rows."""
    special = ['"quoted, ""twice""\nand longer"', '"\r\n"', 'in "the middle', '""', "żółć 😀"]
    text = ["\ufeffb,a\r\n"]
    for row in range(rows):
        number = "none" if row % 10_000 == 17 else str(row)
        text.append(f"{number},{special[row % 7]}\n" if row % 7 < 5 else f"{number},row {row}\r\n")
    return "".join(text)


def json_text(rows: int) -> str:
    """Some blank and some bad lines."""
    text = []
    for row in range(rows):
        text.append(f'{{"a": "row {row}", "b": {row}}}\n' if row % 1000 else "\n{ \n")
    return "".join(text)


@pytest.mark.parametrize("format", ["csv", "json", "plaintext"])
def test_one_big_file(tmp_path: pathlib.Path, format: str) -> None:
    path = tmp_path / "big"
    path.write_text(csv_text(150_000) if format == "csv" else json_text(100_000), newline="")
    assert path.stat().st_size > 2_500_000
    rows, errors = read(("-n", 1), format, path, tmp_path / "1.out")
    assert len(rows) > 99_000
    assert set(rows.values()) == {1}
    assert len(errors) == {"csv": 15, "json": 100, "plaintext": 0}[format]
    assert all(", line " in message for message, *_ in errors)
    for number, shape in enumerate(SHAPES):
        assert read(shape, format, path, tmp_path / f"{number}.shape.out") == (rows, errors), shape


@pytest.mark.parametrize("format", ["csv", "plaintext_by_file"])
def test_a_folder(tmp_path: pathlib.Path, format: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for number in range(30):
        # One is big.
        (folder / f"{number}.csv").write_text(csv_text(100_000 if number == 7 else 10 * number), newline="")
    expected = read(("-n", 1), format, folder, tmp_path / "1.out")
    assert sum(expected[0].values()) > (100_000 if format == "csv" else 29)
    for number, shape in enumerate(SHAPES):
        assert read(shape, format, folder, tmp_path / f"{number}.shape.out") == expected, shape


@pytest.mark.parametrize("shape", SHAPES)
def test_a_header_without_a_column_is_reported_once(tmp_path: pathlib.Path, shape: tuple[object, ...]) -> None:
    path = tmp_path / "big.csv"
    path.write_text("a,c\n" + "x,1\n" * 800_000)
    done = run(shape, "csv", path, tmp_path / "x.out")
    assert done.returncode != 0
    assert 'the header lacks ["b"]' in done.stderr
    rows, errors = read(shape, "csv", path, tmp_path / "x.out", "tolerant")
    assert not rows
    ((message, *_),) = errors
    told = "no row of the file is read, unless a later record has these names"
    assert message.endswith(f'the header lacks ["b"], without a default, and has ["a", "c"]; {told}')


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_that_cannot_be_read_is_named_once(tmp_path: pathlib.Path, shape: tuple[object, ...]) -> None:
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("line\n")
    (tmp_path / "x.txt").symlink_to("/proc/self/mem")
    done = run(shape, "plaintext", tmp_path / "*.txt", tmp_path / "x.out")
    assert done.returncode != 0
    assert f"files: cannot read {tmp_path / 'x.txt'}" in done.stderr
    done = run(shape, "plaintext", tmp_path / "nowhere", tmp_path / "x.out")
    assert done.returncode != 0
    assert f"files: there is no file or folder {tmp_path / 'nowhere'}" in done.stderr


@pytest.mark.parametrize("shape", SHAPES)
def test_pipes_are_read_once(tmp_path: pathlib.Path, shape: tuple[object, ...]) -> None:
    pipes = [tmp_path / "a.pipe", tmp_path / "b.pipe"]
    for pipe in pipes:
        os.mkfifo(pipe)

    def write(pipe: pathlib.Path) -> None:
        pipe.write_text("".join(f"{pipe.name} {row}\n" for row in range(1000)))

    writers = [threading.Thread(target=write, args=(pipe,), daemon=True) for pipe in pipes]
    for writer in writers:
        writer.start()
    rows, _ = read(shape, "plaintext", tmp_path / "*.pipe", tmp_path / "x.out")
    assert Counter(text for text, *_ in rows) == Counter(f"{pipe.name} {row}" for pipe in pipes for row in range(1000))
    for writer in writers:
        writer.join(timeout=10)


# What is in a folder, a word a line, at each stage of the next test.
STAGES: list[dict[str, list[str]]] = [
    {f"{number}.txt": ["a", f"word {number}"] * number for number in range(40)},
    # More lines in some files, less in others, other ones, new files.
    {
        **{f"{number}.txt": ["a", f"word {number}"] * (number + number % 3) for number in range(20)},
        **{f"{number}.txt": ["a", f"word {number}"] * (number // 2) for number in range(20, 30)},
        **{f"{number}.txt": ["b"] for number in range(50, 70)},
    },
    {"0.txt": ["c"]},
]


@pytest.mark.parametrize("threads", ["1", "2", "5"])
def test_a_folder_is_followed_by_all_workers(
    tmp_path: pathlib.Path, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATHWAY_THREADS", threads)
    folder = tmp_path / "folder"
    folder.mkdir()
    stages = iter(STAGES)
    expected: Counter[str] = Counter()

    def next_stage() -> None:
        try:
            stage = next(stages)
        except StopIteration:
            raise Finished from None
        expected.clear()
        for name, words in stage.items():
            temporary = tmp_path / "temporary"
            temporary.write_text("".join(f"{word}\n" for word in words))
            temporary.rename(folder / name)
            expected.update(words)
        for path in folder.iterdir():
            if path.name not in stage:
                path.unlink()

    class Finished(Exception):
        pass

    words = pw.io.plaintext.read(folder, mode="streaming", autocommit_duration_ms=5)
    counts = words.groupby(words.data).reduce(words.data, count=pw.reducers.count())
    found: Counter[str] = Counter()

    def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
        found[row["data"]] += row["count"] if is_addition else -row["count"]
        assert found[row["data"]] >= 0

    def on_time_end(time: int) -> None:
        if +found == expected:
            next_stage()

    next_stage()
    pw.io.subscribe(counts, on_change, on_time_end=on_time_end)
    with pytest.raises(Finished):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)
    assert list(stages) == []
