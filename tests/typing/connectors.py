"""Sources and outputs. Lines with `# error` have a mistake that type checkers must see."""

import pathlib
from typing import Any

import pathway as pw
from pathway.io.python import ConnectorSubject


class Reading(pw.Schema, append_only=True):
    sensor: str
    degrees: float = pw.column_definition(default_value=0.0)


class Sensors(ConnectorSubject):
    def run(self) -> None:
        for number in range(3):
            self.next(sensor=f"s{number}", degrees=float(number))
        self.next_json({"sensor": "s4", "degrees": 4.0})
        self.commit()
        self.close()

    def on_stop(self) -> None:
        print("stopped")


def on_change(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
    print(key, row, time, is_addition)


readings = pw.io.python.read(Sensors(), schema=Reading, autocommit_duration_ms=100, name="sensors")
followed = pw.io.jsonlines.read(pathlib.Path("in"), schema=Reading, with_metadata=True)
lines = pw.io.plaintext.read("words.txt", mode="static")
pw.io.csv.write(readings, "out.csv")
pw.io.jsonlines.write(followed, pathlib.Path("out.jsonl"), name="out")
pw.io.subscribe(readings, on_change)
pw.io.subscribe(lines, lambda key, row, time, is_addition: print(row))
pw.io.null.write(lines)

pw.io.csv.wirte(readings, "out.csv")  # error
pw.io.csv.read("in.csv", schemas=Reading)  # error
pw.io.python.read(Sensors(), schema=Reading, autocommit_duration=100)  # error
pw.io.csv.read("in.csv", schema=Reading, mode="statik")  # error
pw.io.kafka.read({}, "topic")  # error
pw.column_definition(primarykey=True)  # error
Reading.colum_names()  # error
unreached: int = "checked, too"  # error
config = pw.persistence.Config(pw.persistence.Backend.filesystem("state"), snapshot_interval=1)  # error

pw.run(monitoring_level=pw.MonitoringLevel.NONE, terminate_on_error=False)
pw.run(monitoring=pw.MonitoringLevel.NONE)  # error
