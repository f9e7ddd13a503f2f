"""The examples, run as a newcomer runs them."""

import csv
import pathlib
import signal
import subprocess
import sys

import pytest

EXAMPLES = pathlib.Path(__file__).parent.parent / "examples"


def test_file_stream(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "delays.csv"
    result = subprocess.run(
        [sys.executable, EXAMPLES / "01_file_stream" / "main.py", path, "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    # The progress is visible: every change of a line is printed.
    assert "airport    2 buses," in result.stdout
    final: dict[str, tuple[str, str]] = {}
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            if row["diff"] == "1":
                final[row["line"]] = (row["buses"], row["mean_delay"])
            elif final[row["line"]] == (row["buses"], row["mean_delay"]):
                del final[row["line"]]
    assert final == {"harbour": ("2", "45.0"), "airport": ("2", "37.5"), "old town": ("2", "135.0")}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, -signal.SIGINT)])
def test_client_library(tmp_path: pathlib.Path, number: int, status: int) -> None:
    pytest.importorskip("tweepy")
    folder = EXAMPLES / "02_client_library"
    path = tmp_path / "posts.csv"
    server = subprocess.Popen([sys.executable, folder / "server.py", "0"], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = server.stdout.readline().split()[-1]
        client = subprocess.Popen(
            [sys.executable, folder / "main.py", address, path], stderr=subprocess.PIPE, text=True
        )
        try:
            wait_for_rows(client, path)
            client.send_signal(number)
            _, errors = client.communicate(timeout=60)
        finally:
            client.kill()
    finally:
        server.kill()
        server.wait()
    assert client.returncode == status, errors
    text = path.read_text()
    assert text.endswith("\n")
    rows = list(csv.DictReader(text.splitlines()))
    assert rows
    assert all(set(row) == {"id", "text", "time", "diff"} and None not in row.values() for row in rows)
    # Post 2 is about a heron, and then every sixth; none in between is missing.
    assert [int(row["id"]) for row in rows] == [2 + 6 * position for position in range(len(rows))]


def wait_for_rows(client: subprocess.Popen[str], path: pathlib.Path) -> None:
    """Waits until the file has rows, looking again and again; pytest's timeout is the limit."""
    while not path.exists() or path.read_text().count("\n") < 3:
        try:
            client.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(client.stderr.read() if client.stderr is not None else "the client ended")


def test_duckdb_polars_arrow() -> None:
    for library in ("duckdb", "polars", "pyarrow"):
        pytest.importorskip(library)
    result = subprocess.run(
        [sys.executable, EXAMPLES / "08_duckdb_polars_arrow" / "main.py", "1000"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    lines = [line.strip("│").split("│") for line in result.stdout.splitlines() if line.startswith("│")]
    cells = [[cell.strip() for cell in line] for line in lines]
    minutes = sum(5 + trip % 50 for trip in range(0, 1000, 3))
    assert ["Freja", "334", f"{minutes / 60:.1f}"] in cells
    # The frame of polars has the boat with the most hours.
    assert "shape: (1, 3)" in result.stdout
