"""`pathway state`: what it shows of a state, what it refuses, and what it changes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pathway as pw
import pytest
from click.testing import CliRunner
from pathway.cli import command

from tests.persistence.programs import Sends, counted, go

pytestmark = pytest.mark.one_process("runs of several processes are not kept yet")


class Number(pw.Schema):
    number: int


class Numbers(pw.io.python.ConnectorSubject):
    """Goes on behind its offset, to a limit."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.after = 0
        self.limit = limit

    def seek(self, offset: dict[str, int]) -> None:
        self.after = offset["after"]

    def run(self) -> None:
        for number in range(self.after, self.limit):
            self.next(number=number)
            self.commit(offset={"after": number + 1})


class Bytes(pw.io.python.ConnectorSubject):
    after = b"\x00"

    def seek(self, offset: bytes) -> None:
        self.after = offset

    def run(self) -> None:
        self.next(number=self.after[0])
        self.commit(offset=bytes([self.after[0] + 1]))


class Replayed(pw.io.python.ConnectorSubject):
    def run(self) -> None:
        self.next(number=1)


def run(folder: Path, limit: int = 3) -> None:
    with_names: dict[str, pw.io.python.ConnectorSubject] = {"numbers": Numbers(limit), "bytes": Bytes()}
    tables = [pw.io.python.read(subject, schema=Number, name=name) for name, subject in with_names.items()]
    tables.append(pw.io.python.read(Replayed(), schema=Number, name="replayed", resume="replay"))
    for number, table in enumerate(tables):
        pw.io.csv.write(table, folder / f"{number}.csv", name=f"written {number}")
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(folder / "state"))
    pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
    pw.testing.reset()


def rows(folder: Path) -> list[int]:
    with (folder / "0.csv").open() as file:
        return [int(row["number"]) for row in csv.DictReader(file)]


def call(*arguments: object, status: int = 0, confirm: str | None = None) -> str:
    done = CliRunner().invoke(command, ["state", *map(str, arguments)], input=confirm, prog_name="pathway")
    assert done.exit_code == status, done.output
    return done.output


def as_json(*arguments: object, status: int = 0) -> Any:
    return json.loads(call(*arguments, "--json", status=status))


def test_what_is_shown(tmp_path: Path) -> None:
    begun = int(time.time() * 1000)
    run(tmp_path)
    state = tmp_path / "state"
    shown = as_json("show", state)
    assert shown["location"] == str(state)
    assert begun <= shown["created"] <= shown["last_time"] + 10_000
    assert (shown["is_held"], shown["holder"], shown["generations"], shown["ended_well"]) == (False, None, 1, True)
    assert shown["bytes"] == sum(file.stat().st_size for file in (state / "journal").iterdir())
    by_name = {entry["name"]: entry for entry in as_json("ls", state)}
    assert list(by_name) == ["bytes", "numbers", "replayed", "written 0", "written 1", "written 2"]
    numbers = by_name["numbers"]
    assert (numbers["kind"], numbers["commits"], numbers["offset"]) == ("source", 3, {"after": 3})
    assert begun <= numbers["last_time"] <= shown["last_time"]
    assert by_name["written 0"]["kind"] == "output"
    assert as_json("offsets", state) == {"bytes": {"hex": "01"}, "numbers": {"after": 3}, "replayed": None}
    assert as_json("verify", state) == {"whole": True, "rows": 5, "bytes": shown["bytes"], "snapshot": None}


def test_what_people_see(tmp_path: Path) -> None:
    run(tmp_path)
    state = tmp_path / "state"
    shown = call("show", state)
    assert "1, the last has ended well" in shown
    assert "in use:    no\n" in shown
    assert '{"after": 3}' in shown
    assert call("ls", state).splitlines()[2].split()[:3] == ["source", "numbers", "3"]
    assert call("offsets", state) == 'bytes\t{"hex": "01"}\nnumbers\t{"after": 3}\nreplayed\tnone\n'
    assert call("verify", state).startswith("whole: 5 rows of 3 sources")
    for name in ("ls", "show", "verify", "offsets", "set-offset", "reset"):
        assert name in call("--help")
        assert "--json" in call(name, "--help")


def test_what_is_shown_of_a_snapshot(tmp_path: Path) -> None:
    go(
        tmp_path,
        lambda folder: counted(folder, Sends(6)),
        persistence_mode=pw.PersistenceMode.OPERATOR_PERSISTING,
    )
    state = tmp_path / "state"
    shown = as_json("show", state)
    snapshot = shown["snapshot"]
    files = list((state / "snapshots").glob("*.part"))
    assert (snapshot["parts"], snapshot["bytes"]) == (len(files), sum(file.stat().st_size for file in files))
    assert snapshot["has_journal"] is False
    assert snapshot["time"] <= shown["last_time"]
    entry = as_json("ls", state)[-1]
    assert (entry["kind"], entry["name"], entry["bytes"]) == ("snapshot", "operators", snapshot["bytes"])
    assert as_json("verify", state)["snapshot"] == snapshot
    text = f"{snapshot['bytes']:,} bytes in 1 part; what came in before is not kept any more\n"
    assert text in call("show", state)
    assert call("ls", state).splitlines()[-1].startswith("snapshot  operators ")
    assert call("verify", state).endswith(text)
    # Looking at it finds only what is missing, and to verify it reads all.
    part = files[0]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    assert part.name in call("verify", state, status=1)
    part.unlink()
    assert part.name in call("verify", state, status=1)


def test_a_source_goes_on_elsewhere(tmp_path: Path) -> None:
    run(tmp_path)
    state = tmp_path / "state"
    assert call("set-offset", state, "numbers", '{"after": 8}') == 'numbers goes on at {"after": 8}\n'
    assert as_json("offsets", state)["numbers"] == {"after": 8}
    assert as_json("show", state)["generations"] == 2
    run(tmp_path, limit=10)
    assert sorted(rows(tmp_path)) == [0, 1, 2, 8, 9]
    assert as_json("set-offset", state, "bytes", "07", "--hex") == {"source": "bytes", "offset": {"hex": "07"}}
    assert as_json("offsets", state)["bytes"] == {"hex": "07"}


def test_offsets_that_cannot_be(tmp_path: Path) -> None:
    run(tmp_path)
    state = tmp_path / "state"
    assert "there is no source 'other'; there are: bytes, numbers" in call("set-offset", state, "other", "1", status=2)
    assert "is no JSON value" in call("set-offset", state, "numbers", "page", status=2)
    assert "are no hexadecimal digits" in call("set-offset", state, "bytes", "0g", "--hex", status=2)
    assert "has committed no offset" in call("set-offset", state, "replayed", "1", status=1)


def test_a_state_is_deleted(tmp_path: Path) -> None:
    run(tmp_path)
    state = tmp_path / "state"
    assert "Aborted" in call("reset", state, status=1, confirm="n\n")
    assert as_json("show", state)["generations"] == 1
    assert "begins anew" in call("reset", state, confirm="y\n")
    assert [file.name for file in state.rglob("*") if file.is_file()] == ["lock"]
    assert "there is none" in call("show", state, status=1)
    run(tmp_path, limit=2)
    assert rows(tmp_path) == [0, 1]
    assert as_json("reset", state, "--yes") == {"reset": str(state)}


def test_only_a_state_is_deleted(tmp_path: Path) -> None:
    run(tmp_path)
    state = tmp_path / "state"
    (state / "letters.txt").write_text("dear")
    assert "there are other things, such as 'letters.txt'" in call("reset", state, "--yes", status=1)
    assert as_json("show", state)["generations"] == 1
    other = tmp_path / "other"
    other.mkdir()
    (other / "letters.txt").write_text("dear")
    assert "there are other things" in call("reset", other, "--yes", status=1)
    assert "there is none" in call("reset", tmp_path / "nowhere", "--yes", status=1)
    assert not (tmp_path / "nowhere").exists()
    assert (other / "letters.txt").read_text() == "dear"


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def swap(file: Path) -> None:
    file.with_name("00000007-0000-000000.journal").write_bytes(file.read_bytes())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip, "at byte"),
        (Path.unlink, "it is missing"),
        (swap, "under another name"),
        (cut, "at byte"),
    ],
)
def test_a_damaged_state_is_refused_by_name(tmp_path: Path, damage: Callable[[Path], object], message: str) -> None:
    run(tmp_path)
    run(tmp_path, limit=5)
    state = tmp_path / "state"
    file = state / "journal" / "00000000-0000-000000.journal"
    damage(file)
    for name in ("ls", "show", "verify", "offsets"):
        assert message in call(name, state, status=1)
    error = as_json("verify", state, status=1)["error"]
    assert str(state) in error
    assert "journal/0000000" in error
    assert call("reset", state, "--yes")


def test_what_is_no_state(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("dear")
    assert "name a folder instead" in call("show", file, status=1)
    assert "there are other things" in call("show", tmp_path, status=1)
    assert "Usage" in call("show", status=2)


PROGRAM = """
import sys, time
import pathway as pw
class Slow(pw.io.python.ConnectorSubject):
    def run(self):
        self.next(number=1)
        self.commit()
        print("begun", flush=True)
        time.sleep(60)
table = pw.io.python.read(Slow(), schema=pw.schema_from_types(number=int), name="slow", resume="replay")
pw.io.csv.write(table, sys.argv[1] + "/slow.csv", name="written")
config = pw.persistence.Config(pw.persistence.Backend.filesystem(sys.argv[1] + "/state"))
pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
"""


def test_a_state_in_use(tmp_path: Path) -> None:
    command_line = [sys.executable, "-c", PROGRAM, str(tmp_path)]
    state = tmp_path / "state"
    with subprocess.Popen(command_line, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            shown = as_json("show", state)
            assert shown["is_held"]
            assert (shown["holder"]["process"], shown["holder"]["host"]) == (process.pid, os.uname().nodename)
            assert f"by process {process.pid} on" in call("show", state)
            assert not shown["ended_well"]
            for arguments in (["reset", state, "--yes"], ["set-offset", state, "slow", "1"]):
                assert f"process {process.pid} on" in call(*arguments, status=1)
        finally:
            process.kill()
    shown = as_json("show", state)
    assert (shown["is_held"], shown["ended_well"]) == (False, False)
    assert "the last was cut off" in call("show", state)
