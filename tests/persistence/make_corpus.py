"""Makes the states of the corpus, as the present version writes them: `python -m tests.persistence.make_corpus`.

It is called once for a format, in the last version before another one is released. States that are there already stay
as they are.
"""

from __future__ import annotations

import csv
import io
import json
import linecache
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import types
from collections import Counter
from typing import Any

from pathway import _native
from pathway._running.backends import place_at
from pathway.io import _offsets

from tests.persistence import corpus_programs
from tests.persistence.corpus_programs import CASES, Case
from tests.processes import PATHWAY, environment, free_ports

FORMAT = 1
CORPUS = pathlib.Path(__file__).parent / "corpus"
ROOT = pathlib.Path(__file__).parents[2]

# So often a case is tried where what it comes to is up to chance.
_TRIES = 50

_PROGRAM = (
    "import sys; sys.path.insert(0, sys.argv[1]); from tests.persistence.make_corpus import run; run(*sys.argv[2:])"
)


def run(name: str, part: str) -> None:
    """Runs a part of a program in this process. Where it was written is the same on each machine."""
    path = pathlib.Path(corpus_programs.__file__)
    module = types.ModuleType(corpus_programs.__name__)
    sys.modules[module.__name__] = module
    source = path.read_text()
    # What a subject does is read from its source.
    linecache.cache[path.name] = (len(source), None, source.splitlines(keepends=True), path.name)
    exec(compile(source, path.name, "exec"), module.__dict__)
    module.run(name, int(part))


def start(name: str, case: Case, part: int, folder: pathlib.Path, **changes: str) -> int:
    """Runs a part of a program in processes of their own."""
    command = [sys.executable, "-W", "error::UserWarning", "-c", _PROGRAM, str(ROOT), name, str(part)]
    if case.processes > 1:
        spawn = ["spawn", "--first-port", str(free_ports(case.processes)), "-n", str(case.processes)]
        command = [*PATHWAY, *spawn, *command]
    return subprocess.run(command, cwd=folder, env=environment(**changes), timeout=120, check=False).returncode


def make(name: str, case: Case, folder: pathlib.Path) -> None:
    """Runs the first part of a program."""
    status = start(name, case, 0, folder, **({"TOWPATH_FAIL_POINT": case.killed} if case.killed else {}))
    if (status == 0) is not (case.killed is None):
        raise RuntimeError(f"the first part of {name} has ended with status {status}")
    state = folder / "state"
    if case.lost:
        last = max((state / "journal").iterdir())
        last.write_bytes(last.read_bytes()[: -case.lost])
    # Which process it was says something of this machine.
    lock = json.loads((state / "lock").read_text())
    (state / "lock").write_text(json.dumps({**lock, "host": "corpus", "process": 1}, separators=(",", ":")))


def offsets(folder: pathlib.Path) -> dict[str, object]:
    """Where the sources would go on."""
    connectors: list[dict[str, Any]] = _native.inspect_state(place_at(str(folder / "state")), False)["connectors"]
    sources = [entry for entry in connectors if entry["position"] is not None]
    return {json.loads(entry["name"].removeprefix("source ")): _offsets.decoded(entry["position"]) for entry in sources}


def outputs(folder: pathlib.Path) -> dict[str, bytes]:
    """What the program has written."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


def changes(before: dict[str, bytes], after: dict[str, bytes]) -> str:
    """What a run has added to each output, as text: without times, and without what it has taken back itself."""
    lines = []
    for name, content in after.items():
        added = content.decode().removeprefix(before.get(name, b"").decode()).splitlines()
        counts: Counter[str] = Counter()
        for line in added:
            if name.endswith(".jsonl"):
                row = json.loads(line)
            else:
                row = next(csv.DictReader([content.decode().splitlines()[0], line]), None)
            if row is not None:
                del row["time"]
                diff = int(row.pop("diff"))
                counts[json.dumps(row)] += diff
        lines += [f"{name}: {diff:+} {shown}\n" for shown, diff in sorted(counts.items()) if diff]
    return "".join(lines)


def packed(folder: pathlib.Path) -> bytes:
    """The folder as an archive, which says nothing of when and by whom it was made."""

    def anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = entry.mtime = 0
        entry.uname = entry.gname = ""
        return entry

    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for path in sorted(folder.iterdir()):
            archive.add(path, path.name, filter=anonymous)
    return content.getvalue()


def make_case(name: str, case: Case, target: pathlib.Path) -> None:
    for _ in range(_TRIES):
        with tempfile.TemporaryDirectory() as temporary:
            folder = pathlib.Path(temporary, "kept")
            folder.mkdir()
            make(name, case, folder)
            if case.offsets and offsets(folder) != case.offsets:
                continue
            archive, before = packed(folder), outputs(folder)
            going_on = shutil.copytree(folder, pathlib.Path(temporary, "going_on"))
            # It goes on in one process, however many there were.
            status = start(name, Case(case.program), 1, going_on)
            if status:
                raise RuntimeError(f"the second part of {name} has ended with status {status}")
            expected = changes(before, outputs(going_on))
            (target / f"{name}.txt").write_bytes(expected.encode())
            (target / f"{name}.tar.gz").write_bytes(archive)
            return
    raise RuntimeError(f"the first part of {name} has not come to where it should")


def main() -> None:
    target = CORPUS / f"format_{FORMAT}"
    target.mkdir(parents=True, exist_ok=True)
    for name, case in CASES.items():
        if not (target / f"{name}.tar.gz").exists():
            print(f"making {name}")
            make_case(name, case, target)


if __name__ == "__main__":
    main()
