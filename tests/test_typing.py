"""What type checkers say of programs of users: a typo is an error, and nothing after it goes unchecked.

The programs are in tests/typing. A line that ends with `# error` has to be reported by mypy and by pyright, one that
ends with `# error: pyright` by pyright alone, and no other line by anybody.
"""

import json
import os
import pathlib
import re
import subprocess
import sys

import pytest

FOLDER = pathlib.Path(__file__).parent / "typing"
PACKAGE = FOLDER.parent.parent / "python"
PROGRAMS = sorted(FOLDER.glob("*.py"))
MARK = re.compile(r"  # error(?:: (?P<checker>\w+))?$")


def expected(checker: str) -> set[str]:
    """The lines that the checker has to report, as file and number."""
    return {
        f"{path.name}:{number}"
        for path in PROGRAMS
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (mark := MARK.search(line)) and mark["checker"] in (None, checker)
    }


def agree(reported: dict[str, str], checker: str) -> None:
    wanted = expected(checker)
    assert len(wanted) > 50
    unexpected = [f"{place}: {message}" for place, message in reported.items() if place not in wanted]
    missed = [f"{place}: {checker} sees nothing" for place in sorted(wanted - reported.keys())]
    assert not unexpected + missed, "\n".join(["", *unexpected, *missed])


@pytest.mark.one_process("no rows are made")
def test_mypy(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "mypy", "--config-file=", f"--cache-dir={tmp_path}", "--follow-imports=silent"]
    done = subprocess.run(
        # What stands behind a mistake must not be unreachable.
        [*command, "--strict", "--warn-unreachable", "--no-error-summary", *map(str, PROGRAMS)],
        capture_output=True,
        text=True,
        env={**os.environ, "MYPYPATH": str(PACKAGE)},
        timeout=110,
    )
    assert done.stderr == ""
    lines = (re.fullmatch(r"(.*\.py):(\d+): error: (.*)", line) for line in done.stdout.splitlines())
    agree({f"{pathlib.Path(line[1]).name}:{line[2]}": line[3] for line in lines if line}, "mypy")


@pytest.mark.one_process("no rows are made")
def test_pyright() -> None:
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pyright", "-p", str(FOLDER), "--pythonpath", sys.executable, "--outputjson"],
            capture_output=True,
            text=True,
            timeout=110,
        )
        reported = json.loads(done.stdout)
    except (json.JSONDecodeError, subprocess.TimeoutExpired) as error:
        # It is a program of node, which is fetched when it is missing.
        if "CI" in os.environ:
            raise
        pytest.skip(f"pyright cannot run here: {error}; `python -m pyright --version` shows why")
    assert reported["summary"]["filesAnalyzed"] == len(PROGRAMS)
    agree(
        {
            f"{pathlib.Path(found['file']).name}:{found['range']['start']['line'] + 1}": found["message"]
            for found in reported["generalDiagnostics"]
            if found["severity"] == "error"
        },
        "pyright",
    )
