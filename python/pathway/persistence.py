"""Runs that go on where the one before has ended: ``pw.run(persistence_config=pw.persistence.Config(...))``.

Example:

>>> import tempfile
>>> import pathway as pw
>>> class Visits(pw.io.python.ConnectorSubject):
...     def seek(self, offset):
...         self.after = offset
...     def run(self):
...         for number in range(getattr(self, "after", 0), 3):
...             self.next(number=number)
...             self.commit(offset=number + 1)
>>> class VisitSchema(pw.Schema):
...     number: int
>>> folder = tempfile.TemporaryDirectory()
>>> config = pw.persistence.Config(pw.persistence.Backend.filesystem(folder.name + "/state"))
>>> table = pw.io.python.read(Visits(), schema=VisitSchema, name="visits")
>>> pw.io.csv.write(table, folder.name + "/visits.csv", name="written")
>>> pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
>>> with open(folder.name + "/visits.csv") as file:
...     len(file.readlines())
4

Running it again adds nothing: the three visits are there.

>>> pw.run(persistence_config=config, monitoring_level=pw.MonitoringLevel.NONE)
>>> with open(folder.name + "/visits.csv") as file:
...     len(file.readlines())
4
>>> folder.cleanup()
"""

from typing import TYPE_CHECKING

from pathway._ground import missing_names
from pathway._running.backends import Backend, SnapshotEvent
from pathway._running.persisting import Config, PersistenceMode, SnapshotAccess

__all__ = ["Backend", "Config", "PersistenceMode", "SnapshotAccess", "SnapshotEvent"]

if not TYPE_CHECKING:
    # Type checkers know the names that are there.
    __getattr__ = missing_names.of(__name__)
