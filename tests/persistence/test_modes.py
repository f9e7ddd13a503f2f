"""What each mode keeps of a run."""

from __future__ import annotations

import os
import pathlib

import pathway as pw
import pytest

from tests.persistence.programs import Sends, config, counted, go, remaining, written


def test_selective_persisting_keeps_what_the_sources_have_sent(tmp_path: pathlib.Path) -> None:
    for count in (3, 3, 6):
        go(
            tmp_path,
            lambda folder, count=count: counted(folder, Sends(count), resume="replay"),
            persistence_mode=pw.PersistenceMode.SELECTIVE_PERSISTING,
        )
    assert [int(row["number"]) for row in written(tmp_path / "rows.csv")] == list(range(6))


def test_udf_caching_keeps_nothing_but_what_functions_keep(tmp_path: pathlib.Path) -> None:
    called: list[str] = []

    def kept_by_itself(word: str) -> str:
        found = pathlib.Path(os.environ["PATHWAY_PERSISTENT_STORAGE"], word)
        if not found.exists():
            called.append(word)
            found.write_text(word.upper())
        return found.read_text()

    def program(folder: pathlib.Path) -> None:
        table = counted(folder, Sends(4))
        upper = table.select(upper=pw.apply_with_type(kept_by_itself, str, table.word))
        pw.io.csv.write(upper, folder / "upper.csv", name="upper")

    for _ in range(2):
        go(tmp_path, program, persistence_mode=pw.PersistenceMode.UDF_CACHING)
        # Sources and outputs begin anew.
        assert sorted(int(row["number"]) for row in written(tmp_path / "rows.csv")) == list(range(4))
        assert remaining(tmp_path / "groups.csv") == [("a", "2", "2", "2"), ("b", "2", "4", "3")]
    # It is called in each run, and remembers.
    assert set(called) == {"a", "b"}
    assert "PATHWAY_PERSISTENT_STORAGE" not in os.environ
    assert sorted(path.name for path in (tmp_path / "state").iterdir()) == ["a", "b"]


def test_offsets_without_rows_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(NotImplementedError, match=r"OFFSETS_ONLY is not supported, .*OPERATOR_PERSISTING, which keeps"):
        config(tmp_path, snapshot_access=pw.SnapshotAccess.OFFSETS_ONLY)
