"""The words of a static jsonlines file are counted."""

from pathlib import Path

import pathway as pw
from make_data import data_path


class Words(pw.Schema):
    """One word a row."""

    word: str


def main(data_dir: Path, output_dir: Path, rows: int) -> None:
    """Run the pipeline."""
    words = pw.io.jsonlines.read(data_path(data_dir, "words", rows), schema=Words, mode="static")
    counts = words.groupby(words.word).reduce(words.word, count=pw.reducers.count())
    pw.io.csv.write(counts, output_dir / "output.csv")
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)
