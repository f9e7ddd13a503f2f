"""Names of the API that are missing say so; other names are slips of the pen."""

import operator
import re

import pathway as pw
import pytest
from pathway._ground import not_there_yet

from tests.support import table


def test_missing_names_say_that_they_are_not_there_yet() -> None:
    words = table("word\na")
    for place, names in [
        (pw, not_there_yet._MODULE),
        (pw.io, not_there_yet._IO),
        (pw.io.s3, not_there_yet._S3),
        (words, not_there_yet._TABLE),
    ]:
        for name in names:
            with pytest.raises(AttributeError, match=rf"\.{name} is not there yet"):
                getattr(place, name)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        (pw, "module 'pathway' has no attribute 'wrod'"),
        (pw.io, "module 'pathway.io' has no attribute 'wrod'"),
        (pw.io.s3, "module 'pathway.io.s3' has no attribute 'wrod'"),
    ],
)
def test_other_names_do_not(place: object, message: str) -> None:
    with pytest.raises(AttributeError, match=re.escape(message)):
        operator.attrgetter("wrod")(place)


def test_a_column_may_have_such_a_name() -> None:
    assert pw.testing.capture(table("sort\n1").select(pw.this.sort))[0].row == {"sort": 1}
    diffed = table("diff\n1")
    assert pw.testing.capture(diffed.select(diffed.diff))[0].row == {"diff": 1}
