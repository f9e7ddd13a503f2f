"""Runs notebooks as Jupyter does: with a kernel of their own, cell after cell."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")


def run(*cells: str, folder: pathlib.Path, **settings: Any) -> list[Any]:
    """Runs a notebook of these cells in a folder; gives the outputs of each."""
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source=source) for source in cells])
    return [cell.outputs for cell in executed(book, folder, **settings).cells]


def executed(book: Any, folder: pathlib.Path, **settings: Any) -> Any:
    """A notebook after it was run. A cell that fails is an error, unless `allow_errors` is set."""
    arguments = {"timeout": 60, "kernel_name": "python3", **settings}
    client = nbclient.NotebookClient(book, resources={"metadata": {"path": str(folder)}}, **arguments)
    return client.execute()


def read(path: pathlib.Path) -> Any:
    """A notebook in a file."""
    return nbformat.read(path, as_version=4)


def printed(outputs: list[Any]) -> str:
    """What a cell has printed, without what it has logged."""
    return "".join(output.text for output in outputs if output.output_type == "stream" and output.name == "stdout")


def shown(outputs: list[Any], kind: str) -> list[str]:
    """What a cell shows, of those outputs that can be shown in this way."""
    return [output.data[kind] for output in outputs if "data" in output and kind in output.data]
