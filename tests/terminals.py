"""Programs in a pseudo-terminal, and what a person sees on its screen."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path


class Terminal:
    """A program, or a command, in a terminal of so many columns, 100 unless it is said otherwise."""

    def __init__(
        self, program: str | list[str], *, columns: int = 100, folder: Path | None = None, **variables: str
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color"}
        for name in ("COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            environment.pop(name, None)
        environment.update(variables)
        command = [sys.executable, "-c", program] if isinstance(program, str) else program
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd=folder)
        os.close(slave)
        self.written = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def read_until(self, pattern: str) -> None:
        """Reads until something on the way there looked like this."""
        until = time.monotonic() + 60
        while not re.search(pattern, self.written):
            assert self._read(until), f"never saw {pattern!r} in {self.written!r}"

    def read_to_the_end(self) -> int:
        """Reads until the program has ended; its exit status."""
        until = time.monotonic() + 60
        while self._read(until):
            pass
        os.close(self._master)
        return self.process.wait(timeout=60)

    def _read(self, until: float) -> bool:
        ready, _, _ = select.select([self._master], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            self.process.kill()
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:
            # What Linux says when the program has ended.
            return False
        self.written += self._decoder.decode(data)
        return bool(data)

    @property
    def screen(self) -> list[str]:
        """The lines that a person sees in the end."""
        return screen(self.written)


_SEQUENCE = re.compile(r"\x1b\[(?P<arguments>[?0-9;]*)(?P<command>[A-Za-z])|\r|\n|[^\x1b\r\n]+")


def screen(written: str) -> list[str]:
    """The few control sequences that a panel needs, carried out: up, erase the line, colours, the cursor."""
    lines: list[list[str]] = [[]]
    row = column = 0
    for found in _SEQUENCE.finditer(written):
        text, command = found[0], found["command"]
        if text == "\r":
            column = 0
        elif text == "\n":
            row += 1
            lines += [[] for _ in range(row + 1 - len(lines))]
        elif command == "A":
            row -= int(found["arguments"] or 1)
        elif command == "K":
            assert found["arguments"] == "2"
            lines[row] = []
        elif command is None:
            lines[row] += [" "] * (column - len(lines[row]))
            lines[row][column : column + len(text)] = text
            column += len(text)
        else:
            assert command in "mhl", text
    return ["".join(line).rstrip() for line in lines]


def cells(lines: list[str], name: str) -> list[str]:
    """The cells of the line of a source or sink in the panel: role, name, rows, rows/s, waiting, lag."""
    (line,) = [line for line in lines if f" {name} " in line]
    return [cell.strip() for cell in re.split("[│┃]", line)[1:-1]]


class Written:
    """What some programs put in the place of standard output."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass
