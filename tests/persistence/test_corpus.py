"""States of all released formats can be gone on with. `make_corpus.py` has made them, with `corpus_programs.py`."""

from __future__ import annotations

import pathlib
import tarfile

import pathway as pw
import pytest

from tests.persistence import corpus_programs
from tests.persistence.make_corpus import CORPUS, FORMAT, changes, outputs

STATES = sorted(CORPUS.glob("format_*/*.tar.gz"))


def name_of(archive: pathlib.Path) -> str:
    return archive.name.removesuffix(".tar.gz")


def unpack(archive: pathlib.Path, folder: pathlib.Path) -> None:
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")


def go_on(archive: pathlib.Path) -> None:
    pw.testing.reset()
    corpus_programs.run(name_of(archive), 1)


def test_every_program_has_a_state_of_the_present_format() -> None:
    assert {name_of(path) for path in STATES if path.parent.name == f"format_{FORMAT}"} == set(corpus_programs.CASES)


@pytest.mark.parametrize("archive", STATES, ids=lambda path: f"{path.parent.name}-{name_of(path)}")
def test_a_state_of_the_corpus_is_gone_on_with(
    archive: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack(archive, tmp_path)
    monkeypatch.chdir(tmp_path)
    before = outputs(tmp_path)
    go_on(archive)
    after = outputs(tmp_path)
    for name, content in before.items():
        # What was cut back was written again.
        assert after[name].startswith(content), name
    assert changes(before, after) == archive.with_name(f"{name_of(archive)}.txt").read_text()


@pytest.mark.one_process("it is refused before the processes meet")
@pytest.mark.parametrize(("version", "age"), [(FORMAT - 1, "an older"), (FORMAT + 1, "a newer")])
@pytest.mark.parametrize("name", ["format", "journal/*", "snapshots/manifest", "snapshots/*.part"])
def test_a_state_of_another_format_is_refused(
    name: str, version: int, age: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = CORPUS / f"format_{FORMAT}" / "operators.tar.gz"
    unpack(archive, tmp_path)
    monkeypatch.chdir(tmp_path)
    file = min((tmp_path / "state").glob(name))
    content = bytearray(file.read_bytes())
    content[8:12] = version.to_bytes(4, "little")
    file.write_bytes(content)
    with pytest.raises(
        OSError, match=f"{file.name}.*it was written by {age} version of the program .format {version};"
    ):
        go_on(archive)
