"""A writer that does everything to a folder of files that one can do, at its own pace, while they are followed."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from typing import Any

import pathway as pw
import pytest


class Row(pw.Schema):
    a: str
    b: int


class Finished(Exception):
    pass


class Writer(threading.Thread):
    """Writes, cuts, renames, replaces and deletes files, and then says that it has."""

    def __init__(self, folder: pathlib.Path, format: str, seed: int, events: int) -> None:
        super().__init__(daemon=True)
        self.folder, self.format, self.events = folder, format, events
        self.random = random.Random(seed)
        self.expected: Counter[Any] | None = None

    def run(self) -> None:
        for _ in range(self.events):
            with contextlib.suppress(FileNotFoundError):
                self.event()
            time.sleep(self.random.choice([0, 0, 0.001, 0.01, 0.03]))
        # So that the last change is one.
        (self.folder / "last").write_text(self.header + self.line() + "\n")
        self.expected = sum((self.rows(path) for path in self.folder.iterdir()), Counter())

    @property
    def header(self) -> str:
        return "a,b\n" if self.format == "csv" else ""

    def line(self) -> str:
        a, b = self.random.choice(["x", "żółć", "a longer text"]), self.random.randrange(1000)
        match self.format:
            case "csv":
                return f"{a},{b}"
            case "json":
                return json.dumps({"a": a, "b": b}, ensure_ascii=False)
            case _:
                return f"{a} {b}"

    def text(self) -> bytes:
        """Some lines, cut anywhere."""
        lines = "".join(self.line() + self.random.choice(["\n", "\n", "\r\n"]) for _ in range(self.random.randrange(6)))
        encoded = lines.encode()
        return encoded[: len(encoded) - self.random.choice([0, 0, 0, 1, 2, 5])]

    def event(self) -> None:
        path = self.folder / str(self.random.randrange(4))
        aside = self.folder.parent / "aside"
        head = self.header.encode()
        match self.random.choice(["append"] * 6 + ["cut", "write", "replace", "longer", "rename", "delete", "touch"]):
            case "append":
                with path.open("ab") as file:
                    file.write((b"" if file.tell() else head) + self.text())
            case "cut":
                os.truncate(path, max(len(head), path.stat().st_size - self.random.randrange(40)))
            case "write":
                path.write_bytes(head + self.text())
            case "replace":
                aside.write_bytes(head + self.text())
                aside.rename(path)
            case "longer":
                aside.write_bytes(path.read_bytes() + self.text())
                aside.rename(path)
            case "rename":
                path.rename(self.folder / str(self.random.randrange(4)))
            case "delete":
                path.unlink()
            case "touch":
                os.utime(path)

    def rows(self, path: pathlib.Path) -> Counter[Any]:
        found: Counter[Any] = Counter()
        whole = path.read_bytes()
        if self.format == "csv":
            whole = whole.removeprefix(self.header.encode()).replace(b"\r", b"\n")
        # What follows the last end of a line is a line if there is anything.
        lines = whole.split(b"\n")
        for encoded in lines if lines[-1] else lines[:-1]:
            try:
                line = encoded.decode()
            except UnicodeDecodeError:
                continue
            match self.format:
                case "csv":
                    fields = line.split(",")
                    if len(fields) > 1 and fields[1].isdigit():
                        found[fields[0], int(fields[1])] += 1
                case "json":
                    try:
                        record = json.loads(line)
                        found[record["a"], record["b"]] += 1
                    except (ValueError, KeyError):
                        continue
                case _:
                    found[line.strip(),] += 1
        return found


def test_at_last_the_rows_are_those_of_the_files(tmp_path: pathlib.Path, attack_seed: int) -> None:
    writers = []
    for number, format in enumerate(["csv", "json", "plaintext"]):
        folder = tmp_path / format / "folder"
        folder.mkdir(parents=True)
        writers.append(Writer(folder, format, attack_seed + number, events=100))
    found: list[Counter[Any]] = [Counter() for _ in writers]
    deadline = time.monotonic() + 60

    def on_time_end(_: int) -> None:
        assert all(min(rows.values(), default=0) >= 0 for rows in found)
        if all(+rows == writer.expected for rows, writer in zip(found, writers, strict=True)):
            raise Finished
        if time.monotonic() > deadline:
            for rows, writer in zip(found, writers, strict=True):
                assert +rows == writer.expected, writer.format

    def subscribe(writer: Writer, rows: Counter[Any]) -> None:
        def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
            rows[tuple(row.values())] += 1 if is_addition else -1

        schema = None if writer.format == "plaintext" else Row
        format: Any = writer.format
        pw.io.subscribe(pw.io.fs.read(writer.folder, format, schema=schema, autocommit_duration_ms=5), on_change)

    for writer, rows in zip(writers, found, strict=True):
        subscribe(writer, rows)
    # Something that ends the wait if nothing comes any more.
    ticks = pw.demo.range_stream(nb_rows=6_000, input_rate=100)
    pw.io.subscribe(ticks, on_change=lambda *_, **__: None, on_time_end=on_time_end)
    for writer in writers:
        writer.start()
    with pytest.raises(Finished):
        pw.run(monitoring_level=pw.MonitoringLevel.NONE)


PROGRAM = """
import sys
import pathway as pw

class Count(pw.Schema):
    n: int

table = pw.io.fs.read(sys.argv[1], "plaintext", autocommit_duration_ms=50)
pw.io.subscribe(table.reduce(n=pw.reducers.count()), lambda **row: print("rows", flush=True))
errors = pw.global_error_log()
pw.io.subscribe(errors, lambda key, row, time, is_addition: print(row["message"], flush=True))
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""


def start(tmp_path: pathlib.Path, path: pathlib.Path) -> subprocess.Popen[str]:
    script = tmp_path / "follow.py"
    script.write_text(PROGRAM)
    return subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, text=True)


def stop(process: subprocess.Popen[str]) -> float:
    start = time.monotonic()
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(30)
    finally:
        process.kill()
    return time.monotonic() - start


def test_a_big_file_does_not_hold_up_the_end(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "big.txt"
    with path.open("wb") as file:
        block = b"a line like many others in a file that is big\n" * 20_000
        for _ in range(400):
            file.write(block)
    process = start(tmp_path, path)
    assert process.stdout is not None
    assert process.stdout.readline() == "rows\n"
    assert stop(process) < 6
    path.unlink()


def test_a_line_without_end_is_an_error_and_takes_bounded_memory(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hole.txt"
    path.write_text("one\ntwo\n")
    os.truncate(path, 2 << 30)
    process = start(tmp_path, path)
    assert process.stdout is not None
    said = [process.stdout.readline() for _ in range(2)]
    peak = next(
        int(line.split()[1])
        for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    assert stop(process) < 6
    (error,) = [line for line in said if line != "rows\n"]
    assert f"{path}: line 3" in error
    assert "longer than 256 MiB" in error
    assert peak < 1_200_000, f"{peak} kB"
