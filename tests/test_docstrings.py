"""Every example in the documentation of the package runs, each in an empty graph."""

import doctest
import importlib
import pkgutil
from collections.abc import Iterator

import pathway
import pytest


def examples() -> Iterator[doctest.DocTest]:
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in pkgutil.walk_packages(pathway.__path__, "pathway."):
        if not module.name.endswith("._native"):
            yield from (test for test in finder.find(importlib.import_module(module.name)) if test.examples)


@pytest.mark.parametrize("example", [pytest.param(test, id=test.name) for test in examples()])
def test_example(example: doctest.DocTest) -> None:
    shown: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    result = runner.run(example, out=shown.append)
    assert result.failed == 0, "".join(shown)
