"""Every Python block of the README and of docs/ runs, and prints what the page says.

The blocks of a page are one program: they run in order, in one namespace, in a temporary folder. A ```text block
right after a Python block is the output that is expected of it. To write down what the blocks print now, and then
look at the difference:

    python tests/test_guide.py
"""

import contextlib
import io
import linecache
import logging
import os
import pathlib
import re
import sys
import tempfile
import types
from collections.abc import Iterator
from typing import NamedTuple

import pathway as pw
import pytest

from tests.processes import free_ports

ROOT = pathlib.Path(__file__).parent.parent
FENCED = re.compile(r"^```(?P<language>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
OUTPUT = re.compile(r"\s*^```text\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    """A Python block, and where the text of the output that is expected begins and ends, if there is one."""

    code: str
    line: int
    output: tuple[int, int] | None


def pages() -> list[pathlib.Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def examples(text: str) -> list[Example]:
    found = []
    for block in FENCED.finditer(text):
        if block["language"].strip() == "python":
            output = OUTPUT.match(text, block.end())
            line = text.count("\n", 0, block.start("body"))
            found.append(Example(block["body"], line, output.span("body") if output else None))
    return found


def run(page: pathlib.Path) -> Iterator[tuple[Example, str]]:
    """Runs the blocks of a page one after the other; gives each with what it has printed."""
    text = page.read_text()
    # Tools that look for the source of a function find it: in the page, at its line.
    linecache.checkcache(str(page))
    module = types.ModuleType("page")
    sys.modules["page"] = module
    try:
        for example in examples(text):
            program = compile("\n" * example.line + example.code, str(page), "exec")
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(program, vars(module))
            yield example, printed.getvalue()
    finally:
        del sys.modules["page"]


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Pages may set it up."""
    loggers = [logging.root, logging.getLogger("pathway")]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(ROOT))) for page in pages()])
def test_page(page: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    # Others may be at the port that is taken by default.
    monkeypatch.setenv("PATHWAY_MONITORING_HTTP_PORT", str(free_ports(2)))
    text = page.read_text()
    for example, printed in run(page):
        if example.output is not None:
            expected = text[slice(*example.output)]
            assert comparable(printed) == comparable(expected), f"{page}:{example.line}"


def comparable(text: str) -> list[str]:
    """The lines, without the spaces at their ends, in which nobody can see a difference."""
    return [line.rstrip() for line in text.rstrip().splitlines()]


def test_blocks_are_found_with_their_outputs() -> None:
    text = "a\n```python\nprint(1)\n```\n\n```text\n1\n```\n```python\nx = 2\n```\n```console\n$ x\n```\n"
    first, second = examples(text)
    assert (first.code, first.line) == ("print(1)\n", 2)
    assert first.output is not None
    assert text[slice(*first.output)] == "1\n"
    assert (second.code, second.output) == ("x = 2\n", None)


def rewrite(page: pathlib.Path) -> None:
    """Puts what the blocks print now into the page."""
    text = page.read_text()
    results = list(run(page))
    for example, printed in reversed(results):
        if example.output is not None:
            start, end = example.output
            text = text[:start] + "".join(f"{line}\n" for line in comparable(printed)) + text[end:]
    page.write_text(text)


if __name__ == "__main__":
    for page in pages():
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            rewrite(page)
        pw.testing.reset()
        print(os.path.relpath(page))
