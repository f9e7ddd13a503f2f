"""Names of the API that are missing say so, however they are asked for; other names are slips of the pen."""

import importlib.util
import operator
import re
import subprocess
import sys
from typing import Any

import pathway as pw
import pytest
from pathway._ground import missing_names, not_there_yet

from tests.support import table

PLACES: dict[str, Any] = {
    "pathway": pw,
    "pathway.io": pw.io,
    "pathway.io.python": pw.io.python,
    "pathway.io.s3": pw.io.s3,
    "pathway.reducers": pw.reducers,
    "pathway.udfs": pw.udfs,
}
PAGE = re.escape("docs/guide/compatibility.md#not-there-yet")


def test_missing_names_say_that_they_are_not_there_yet() -> None:
    words = table("word\na")
    for path, place in {**PLACES, "Table": words, "LiveTable": words.live()}.items():
        names = not_there_yet.missing(path)
        assert names
        for name in names:
            with pytest.raises(AttributeError, match=rf"\.{name} is not (there yet|here)\. .*{PAGE}") as raised:
                getattr(place, name)
            assert (raised.value.name, raised.value.obj) == (name, None)


@pytest.mark.parametrize("place", [place for place in PLACES if place != "pathway"])
def test_they_can_be_imported_as_little(place: str) -> None:
    for name in ("kafka" if place == "pathway.io" else next(iter(not_there_yet.missing(place))), "wrod"):
        message = f"{name} is not there yet" if name != "wrod" else f"module '{place}' has no attribute 'wrod'"
        with pytest.raises(ImportError, match=message):
            exec(f"from {place} import {name}", {})


IMPORTS = {
    "import pathway.io.kafka": "pw.io.kafka is not there yet. Meanwhile, a class with a method run()",
    "import pathway.io.kafka as kafka": "pw.io.kafka is not there yet",
    "from pathway.io import kafka": "pw.io.kafka is not there yet",
    "from pathway.io import csv, kafka": "pw.io.kafka is not there yet",
    "from pathway.io.kafka import read": "pw.io.kafka is not there yet",
    "import pathway as pw; pw.io.kafka.read()": "pw.io.kafka is not there yet",
    "from pathway.stdlib.temporal import tumbling": "pw.stdlib.temporal is not there yet. Meanwhile, group by",
    "import pathway.stdlib.temporal": "pw.stdlib.temporal is not there yet",
    "import pathway as pw; pw.temporal.tumbling": "pw.temporal is not there yet",
    "import pathway as pw; pw.udfs.DiskCache": "pw.udfs.DiskCache is not there yet. Meanwhile, functools.cache",
    "from pathway.udfs import DiskCache": "pw.udfs.DiskCache is not there yet",
    "from pathway.xpacks.llm import embedders": "pw.xpacks.llm is not there yet",
    "from pathway.xpacks.llm.embedders import OpenAIEmbedder": "pw.xpacks.llm.embedders is not there yet",
    "from pathway import iterate": "pw.iterate is not there yet",
    "from pathway.internals.udfs import udf": "pw.internals.udfs is not here. It is the inside of the original",
    # And slips of the pen.
    "import pathway.io.cvs": "No module named 'pathway.io.cvs'. Did you mean 'pathway.io.csv'?",
    "from pathway.io import cvs": "module 'pathway.io' has no attribute 'cvs'. Did you mean 'csv'?",
    "from pathway import Tabel": "module 'pathway' has no attribute 'Tabel'. Did you mean 'Table'?",
    "from pathway.io.csv import wirte": "Did you mean 'write'?",
    "import pathway.xyzzy": "No module named 'pathway.xyzzy'",
}


@pytest.mark.parametrize("line", IMPORTS)
def test_every_form_of_import(line: str) -> None:
    kind = AttributeError if line.startswith("import pathway as pw") else ImportError
    if line.startswith(("import pathway.", "from pathway.io.kafka", "from pathway.stdlib", "from pathway.xpacks")):
        kind = ModuleNotFoundError
    with pytest.raises(kind, match=re.escape(IMPORTS[line])) as raised:
        exec(line, {})
    assert "\n" not in str(raised.value)
    # A second attempt is answered in the same way.
    with pytest.raises(kind, match=re.escape(str(raised.value))):
        exec(line, {})


def test_the_name_of_the_module_is_in_the_exception() -> None:
    # `except ModuleNotFoundError as error: if error.name != ...` is how programs look for what they can do without.
    with pytest.raises(ModuleNotFoundError) as raised:
        importlib.import_module("pathway.io.kafka")
    assert raised.value.name == "pathway.io.kafka"


def test_who_only_looks_learns_that_there_is_none() -> None:
    assert importlib.util.find_spec("pathway.io.kafka") is None
    assert importlib.util.find_spec("pathway.iterate") is None
    assert not hasattr(pw.io, "kafka")
    assert getattr(pw, "iterate", None) is None
    assert "kafka" not in dir(pw.io)


def test_modules_of_others_are_none_of_our_business() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'pathways_io_kafka'$"):
        importlib.import_module("pathways_io_kafka")
    assert missing_names.Finder.find_spec("kafka", None) is None


@pytest.mark.one_process("no rows are made")
def test_a_program_shows_the_message_once() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from pathway.udfs import DiskCache"], capture_output=True, text=True, timeout=60
    )
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ImportError: pw.udfs.DiskCache is not there yet. Meanwhile, functools.cache ")
    assert "cannot import name" not in done.stderr
    done = subprocess.run(
        [sys.executable, "-c", "import pathway as pw; pw.Tabel"], capture_output=True, text=True, timeout=60
    )
    last = done.stderr.splitlines()[-1]
    assert last == "AttributeError: module 'pathway' has no attribute 'Tabel'. Did you mean 'Table'?"


@pytest.mark.parametrize("place", PLACES)
def test_other_names_do_not(place: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(f"module '{place}' has no attribute 'wrod'")):
        operator.attrgetter("wrod")(PLACES[place])


def test_a_column_may_have_such_a_name() -> None:
    assert pw.testing.capture(table("sort\n1").select(pw.this.sort))[0].row == {"sort": 1}
    diffed = table("diff\n1")
    assert pw.testing.capture(diffed.select(diffed.diff))[0].row == {"diff": 1}
