"""An HTTP API that is polled, with back-off when it fails, and that goes on where it was after a restart.

The service gives events after a number. `run` asks again and again; when the service fails, it waits longer and longer
before the next attempt, with some chance in it, so that a thousand clients do not come back all at once. The number of
the last event is the offset: with a folder for the state as third argument, the next start goes on behind it.

    python examples/04_http_api/main.py                                   # against the server in server.py
    python examples/04_http_api/main.py http://127.0.0.1:8765 counts.csv state

Ctrl-C ends it at once, also in the middle of a wait.
"""

import json
import random
import sys
import threading
import urllib.request
from typing import Any

import pathway as pw
from server import EventsServer

SHORTEST, LONGEST = 0.2, 30.0


class Events(pw.io.python.ConnectorSubject):
    """Asks for the events after the last one, again and again."""

    def __init__(self, address: str) -> None:
        super().__init__("events")
        self.address = address
        self.after = 0
        self.stopped = threading.Event()

    def seek(self, offset: int) -> None:
        self.after = offset

    def run(self) -> None:
        wait = 0.0
        failures = 0
        while not self.stopped.wait(wait):
            try:
                events = self.fetch()
            # What urllib and the network raise, and json, if half of an answer comes.
            except (OSError, ValueError) as error:
                failures += 1
                wait = min(LONGEST, SHORTEST * 2**failures) * random.uniform(0.5, 1.0)
                print(f"attempt {failures} has failed ({error}), the next one is in {wait:.1f} s", flush=True)
                continue
            failures = 0
            wait = 0.0 if events else SHORTEST
            if events:
                self.next_batch(events)
                self.after = events[-1]["number"]
                # The events of an answer become visible together.
                self.commit(offset=self.after)

    def fetch(self) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{self.address}/events?after={self.after}", timeout=10) as answer:
            events: list[dict[str, Any]] = json.load(answer)
            return events

    def on_stop(self) -> None:
        self.stopped.set()


class Event(pw.Schema):
    number: int = pw.column_definition(primary_key=True)
    lock: str
    boats: int


def main(address: str | None = None, output: str = "counts.csv", state: str | None = None) -> None:
    if address is None:
        address = EventsServer().start()
    events = pw.io.python.read(Events(address), schema=Event, name="events")
    counts = events.groupby(events.lock).reduce(
        events.lock, boats=pw.reducers.sum(events.boats), events=pw.reducers.count()
    )
    pw.io.csv.write(counts, output, name="counts")
    pw.io.subscribe(counts, on_change=show)
    kept = pw.persistence.Config(pw.persistence.Backend.filesystem(state)) if state else None
    pw.run(persistence_config=kept)


def show(key: pw.Pointer, row: dict[str, Any], time: int, is_addition: bool) -> None:
    if is_addition:
        print(f"{row['lock']:<8} {row['boats']:>4} boats in {row['events']} events", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
