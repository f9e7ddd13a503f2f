"""A state that is damaged, foreign, in use or full is refused by name, or the one before is used."""

from __future__ import annotations

import csv
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pathway as pw
import pytest

pytestmark = pytest.mark.one_process("its runs are runs of one process")

ROWS = 40


class Number(pw.Schema):
    number: int


class Numbers(pw.io.python.ConnectorSubject):
    """Goes on behind its offset, to a limit."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.after = 0
        self.limit = limit

    def seek(self, offset: int) -> None:
        self.after = offset

    def run(self) -> None:
        for number in range(self.after, self.limit):
            self.next(number=number)
            if number % 4 == 3:
                self.commit(offset=number + 1)


def run(folder: Path, limit: int = ROWS) -> None:
    pw.testing.reset()
    numbers = pw.io.python.read(Numbers(limit), schema=Number, name="numbers")
    parity = numbers.select(odd=numbers.number % 2)
    counts = parity.groupby(parity.odd).reduce(parity.odd, rows=pw.reducers.count())
    pw.io.csv.write(numbers, folder / "numbers.csv", name="written")
    pw.io.csv.write(counts, folder / "counts.csv", name="counted")
    config = pw.persistence.Config(pw.persistence.Backend.filesystem(folder / "state"))
    pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)


def check_answer(folder: Path) -> None:
    with (folder / "numbers.csv").open() as file:
        assert sorted(int(row["number"]) for row in csv.DictReader(file)) == list(range(ROWS))
    counts: dict[str, int] = {}
    with (folder / "counts.csv").open() as file:
        for row in csv.DictReader(file):
            counts[row["odd"]] = counts.get(row["odd"], 0) + int(row["rows"]) * int(row["diff"])
    assert counts == {"0": ROWS // 2, "1": ROWS // 2}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs that have ended well, and one whose end is cut off, with much still to come."""
    folder = tmp_path_factory.mktemp("kept")
    for limit in (8, 16, 24):
        run(folder, limit)
    journals = sorted((folder / "state" / "journal").iterdir())
    assert len(journals) == 3
    content = journals[-1].read_bytes()
    journals[-1].write_bytes(content[:-50])
    return folder


def goes_on(kept: Path, folder: Path) -> str | None:
    """Runs what is there to the end; why it was refused, if it was."""
    try:
        run(folder)
    except OSError as error:
        text = str(error)
        assert text.startswith(f"the state at {folder / 'state'}"), text
        # It is as it was.
        for name in ("numbers.csv", "counts.csv"):
            assert (folder / name).read_bytes() == (kept / name).read_bytes()
        return text
    check_answer(folder)
    return None


def test_what_is_whole_goes_on(kept: Path, tmp_path: Path) -> None:
    shutil.copytree(kept, tmp_path / "copy")
    assert goes_on(kept, tmp_path / "copy") is None


def test_a_flipped_bit(kept: Path, tmp_path: Path) -> None:
    chance = random.Random(1)
    files = [path.relative_to(kept) for path in (kept / "state").rglob("*") if path.name != "lock" and path.is_file()]
    verdicts = []
    for number in range(60):
        folder = tmp_path / str(number)
        shutil.copytree(kept, folder)
        file = folder / chance.choice(files)
        content = bytearray(file.read_bytes())
        at = chance.randrange(len(content))
        content[at] ^= 1 << chance.randrange(8)
        file.write_bytes(content)
        verdicts.append(goes_on(kept, folder))
    refused = [text for text in verdicts if text]
    # What is flipped in the last group may be what a crash has left.
    assert len(refused) > 40
    assert all(re.search(r", in '(format|journal/[\d-]+\.journal)'", text) for text in refused), refused


@pytest.mark.parametrize("name", ["format", "00000000", "00000001", "00000002"])
def test_a_missing_file(kept: Path, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    (file,) = (folder / "state").rglob(f"{name}*")
    file.unlink()
    refused = goes_on(kept, folder)
    # That there was a last one is known to nobody: the state before it is used.
    assert refused is None if name == "00000002" else refused and f"'{file.relative_to(folder / 'state')}'" in refused


@pytest.mark.parametrize("missing", [1, 60, 400])
def test_a_file_that_ends_early(kept: Path, tmp_path: Path, missing: int) -> None:
    for number in range(3):
        folder = tmp_path / str(number)
        shutil.copytree(kept, folder)
        (file,) = (folder / "state").rglob(f"0000000{number}-*")
        file.write_bytes(file.read_bytes()[:-missing])
        refused = goes_on(kept, folder)
        # The last one may end anywhere, as a crash leaves it.
        assert refused is None if number == 2 else refused and file.name in refused


@pytest.mark.parametrize(("version", "age"), [(0, "an older"), (2, "a newer"), (77, "a newer")])
@pytest.mark.parametrize("name", ["format", "00000001"])
def test_another_version(kept: Path, tmp_path: Path, name: str, version: int, age: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(kept, folder)
    (file,) = (folder / "state").rglob(f"{name}*")
    content = bytearray(file.read_bytes())
    content[8:12] = version.to_bytes(4, "little")
    file.write_bytes(content)
    refused = goes_on(kept, folder)
    assert refused
    assert f"it was written by {age} version of the program (format {version}" in refused


def test_files_of_another_state(kept: Path, tmp_path: Path) -> None:
    other, folder = tmp_path / "other", tmp_path / "copy"
    other.mkdir()
    run(other, 8)
    shutil.copytree(kept, folder)
    (ours,) = (other / "state").rglob("00000000*")
    shutil.copy(ours, folder / "state" / "journal")
    assert "it is part of another state" in str(goes_on(kept, folder))


def test_a_folder_of_somebody_else(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "letters.txt").write_text("dear")
    with pytest.raises(OSError, match=r"the state at .*: there are other things, such as 'letters.txt'; name a place"):
        run(tmp_path)
    assert [path.name for path in state.iterdir()] == ["letters.txt"]


def test_a_path_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("dear")
    with pytest.raises(OSError, match="there is a file where a folder must be; name a folder instead"):
        run(tmp_path)
    assert (tmp_path / "state").read_text() == "dear"


PROGRAM = """
import resource, signal, sys
sys.path.insert(0, {here!r})
from pathlib import Path
from test_damaged_states import Numbers, run
if {bytes}:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, ({bytes}, {bytes}))
if {waits}:
    numbers = Numbers.run
    def waiting(subject):
        numbers(subject)
        print("sent", flush=True)
        sys.stdin.read()
    Numbers.run = waiting
run(Path({folder!r}))
"""


def program(folder: Path, bytes: int = 0, waits: bool = False) -> list[str]:
    here = str(Path(__file__).parent)
    return [sys.executable, "-c", PROGRAM.format(here=here, folder=str(folder), bytes=bytes, waits=waits)]


@pytest.mark.parametrize("bytes", [50, 200, 500, 900])
def test_a_disk_without_room(tmp_path: Path, bytes: int) -> None:
    done = subprocess.run(program(tmp_path, bytes), capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "File too large" in last
    if str(tmp_path / "state") in last:
        assert "make room there and start again" in last
    # There is room now.
    run(tmp_path)
    check_answer(tmp_path)


def test_a_second_run_is_refused_by_name(tmp_path: Path) -> None:
    command = program(tmp_path, waits=True)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        holder = (
            rf"process {process.pid} on {os.uname().nodename} has used it since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC"
        )
        with pytest.raises(OSError, match=rf"{holder}; wait until that process"):
            run(tmp_path)
        process.stdin.close()
        assert process.wait(30) == 0
    run(tmp_path)
    check_answer(tmp_path)
