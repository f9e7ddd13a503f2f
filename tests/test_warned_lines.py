"""Warnings name the line of the program that caused them, however deep inside the package they are made."""

import pathlib
import subprocess
import sys

import pytest

PROGRAM = """
import pathway as pw

class Numbers(pw.io.python.ConnectorSubject):
    def run(self):
        self.next(n=1)

class Parts(Numbers):
    def partitions(self):
        return ["a"]

schema = pw.schema_from_types(n=int)
pw.io.python.read(Numbers(), schema=schema, format="json")
pw.io.python.read(Parts(), schema=schema)
pw.debug.table_from_markdown("n | __time__\\n1 | 3")
pw.persistence.Config.simple_config(pw.persistence.Backend.filesystem("state"))
"""


@pytest.mark.one_process("the program is a process of its own")
def test_warnings_name_the_line(tmp_path: pathlib.Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(PROGRAM)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    lines = PROGRAM.splitlines()
    # Deprecations, too, are shown where the main program causes them.
    assert [line.partition(": ")[0] for line in done.stderr.splitlines() if "Warning: " in line] == [
        f"{program}:{lines.index(line) + 1}" for line in lines[-4:]
    ]
