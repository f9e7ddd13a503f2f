"""`pathway new connector`: what it writes works, and is clean; what cannot be written is refused."""

from __future__ import annotations

import ast
import os
import pathlib
import signal
import subprocess
import sys

import pytest

from tests.processes import environment, final_rows, pathway

FILES = {"README.md", "pyproject.toml", "main.py"}


def written(folder: pathlib.Path, name: str) -> pathlib.Path:
    path = folder / name
    done = pathway("new", "connector", name, "--path", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert str(path) in done.stdout
    return path


def python(folder: pathlib.Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment(), capture_output=True, text=True, timeout=100
    )


def test_the_written_test_passes(tmp_path: pathlib.Path) -> None:
    folder = written(tmp_path, "harbour_levels")
    assert {path.name for path in folder.iterdir()} == FILES | {"harbour_levels.py", "test_harbour_levels.py"}
    done = python(folder, "-m", "pytest", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


def test_the_written_test_notices_an_offset_that_is_wrong(tmp_path: pathlib.Path) -> None:
    folder = written(tmp_path, "harbour")
    module = folder / "harbour.py"
    right = "self.commit(offset=self.after)"
    text = module.read_text()
    assert right in text
    module.write_text(text.replace(right, "self.commit(offset=self.after - 1)"))
    done = python(folder, "-m", "pytest", "-p", "no:cacheprovider", "-k", "what_can_happen")
    assert done.returncode == 1
    assert "offsets" in done.stdout


def test_the_written_program_goes_on_where_it_was(tmp_path: pathlib.Path) -> None:
    folder = written(tmp_path, "harbour")
    path = folder / "output" / "highest.csv"

    def run_until(rows: int) -> None:
        process = subprocess.Popen(
            [sys.executable, "main.py"],
            cwd=folder,
            env=environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        while not path.exists() or sum(int(count) for _, _, count in whole_rows(path)) < rows:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
            assert process.stderr is not None
            raise AssertionError(process.stderr.read().decode())
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode in (-signal.SIGINT, 130)

    run_until(10)
    before = sum(int(count) for _, _, count in final_rows(path))
    run_until(before + 10)
    # Rows 1 to N are dealt out to three places in turn, each once.
    counts = {place: int(count) for place, _, count in final_rows(path)}
    last = sum(counts.values())
    assert counts == {f"place {place}": sum(row % 3 == place for row in range(1, last + 1)) for place in range(3)}


def whole_rows(path: pathlib.Path) -> list[tuple[str, ...]]:
    """The rows of a file that is being written; none while its last line is cut."""
    text = path.read_text()
    return list(final_rows(path)) if text.endswith("\n") and text.count("\n") > 1 else []


@pytest.mark.parametrize("name", ["a", "harbour", "zebra", "Pier_2_x", "harbour_levels_01234567_abcdef"])
def test_what_is_written_is_clean(tmp_path: pathlib.Path, name: str) -> None:
    folder = written(tmp_path, name)
    rules = "E,F,I,UP,B,SIM,RUF,PT"
    for arguments in (["check", "--no-cache", "--select", rules, "."], ["format", "--no-cache", "--check", "."]):
        done = python(folder, "-m", "ruff", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
    for path in folder.glob("*.py"):
        ast.parse(path.read_text())
    for path in folder.iterdir():
        assert "$" not in path.read_text().replace("$ python", ""), path


def test_what_is_written_has_its_types(tmp_path: pathlib.Path) -> None:
    pytest.importorskip("mypy")
    folder = written(tmp_path, "harbour")
    done = python(folder, "-m", "mypy", "--strict", "--cache-dir", os.devnull, ".")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("class", "is a keyword of Python"),
        ("two words", "is no name for a module"),
        ("my-connector", "is no name for a module"),
        ("3rd", "is no name for a module"),
        ("../up", "is no name for a module"),
        ("", "is no name for a module"),
        ("json", "there is a module 'json' already"),
        ("main", "there is a module 'main' already"),
        ("pathway", "there is a module 'pathway' already"),
        ("h" * 31, "is too long"),
    ],
)
def test_names_that_cannot_be_are_refused(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = pathway("new", "connector", name)
    assert done.returncode == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "harbour"
    folder.mkdir()
    (folder / "main.py").write_text("mine")
    done = pathway("new", "connector", "harbour")
    assert done.returncode == 1
    assert done.stderr == "Error: harbour is there already; name another folder with --path\n"
    assert (folder / "main.py").read_text() == "mine"
    assert pathway("new", "connector", "harbour", "--path", folder / "main.py").returncode == 1
    assert pathway("new", "connector", "harbour", "--path", folder / "main.py" / "x").returncode == 1
    # Another folder will do, with those above it.
    assert pathway("new", "connector", "harbour", "--path", tmp_path / "a" / "b").returncode == 0
    assert (tmp_path / "a" / "b" / "harbour.py").exists()
