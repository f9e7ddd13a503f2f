"""The documentation site: it builds without a warning, its links lead somewhere, and what people look for is near."""

from __future__ import annotations

import inspect
import json
import os
import pathlib
import posixpath
import re
import subprocess
import sys
import urllib.parse
from dataclasses import dataclass, field
from html.parser import HTMLParser

import pytest

from tests.test_docstrings import documented

pytest.importorskip("material", reason="what `make docs` needs is not installed: pip install --group docs")

ROOT = pathlib.Path(__file__).parent.parent


@dataclass
class Html(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    links: set[str] = field(default_factory=set)
    # Those in the text: not in the navigation, which has all pages.
    text_links: set[str] = field(default_factory=set)
    anchors: set[str] = field(default_factory=set)
    # What a browser fetches to show it.
    fetched: set[str] = field(default_factory=set)
    _is_text: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "article":
            self._is_text = True
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
            if self._is_text and found.get("class") != "headerlink":
                self.text_links.add(found["href"])
        if "src" in found or tag == "link":
            self.fetched.add(found.get("src") or found["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self._is_text = False


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert (done.returncode, done.stderr + done.stdout) == (0, "")
    return folder


@pytest.fixture(scope="module")
def pages(site: pathlib.Path) -> dict[str, Html]:
    found = {}
    for path in site.rglob("*.html"):
        page = Html()
        page.feed(path.read_text())
        found[str(path.relative_to(site))] = page
    return found


def target(page: str, link: str) -> tuple[str, str]:
    """Which page a link of a page leads to, and which anchor in it."""
    parts = urllib.parse.urlsplit(link)
    path = posixpath.normpath(posixpath.join(posixpath.dirname(page), parts.path)) if parts.path else page
    return path, urllib.parse.unquote(parts.fragment)


def is_outside(link: str) -> bool:
    return bool(urllib.parse.urlsplit(link).scheme)


def test_links_and_anchors_are_there(site: pathlib.Path, pages: dict[str, Html]) -> None:
    wrong = []
    # Its links begin at the root of a server.
    for name, page in ((name, page) for name, page in pages.items() if name != "404.html"):
        for link in page.links | page.fetched:
            if is_outside(link):
                continue
            path, anchor = target(name, link)
            if not (site / path).exists() or (anchor and anchor not in pages[path].anchors):
                wrong.append(f"{name}: {link}")
    assert not wrong, "\n".join(sorted(wrong))
    assert len(pages) > 30


def test_links_into_the_repository_lead_to_files(pages: dict[str, Html]) -> None:
    outside = {link for page in pages.values() for link in page.text_links if "/blob/main/" in link}
    assert outside
    missing = [link for link in outside if not (ROOT / link.partition("/blob/main/")[2].partition("#")[0]).exists()]
    assert not missing


def test_nothing_is_fetched_from_elsewhere(pages: dict[str, Html]) -> None:
    assert not [link for page in pages.values() for link in page.fetched if is_outside(link)]


def test_tables_have_no_escaped_bars(site: pathlib.Path) -> None:
    """GitHub wants them in the code of a table, the site does not."""
    assert "<code>T | None</code>" in (site / "guide" / "expressions.html").read_text().replace("<code>T</code>", "")
    assert not [path.name for path in site.rglob("*.html") if "\\|" in path.read_text()]


# What new users look for, and where it is.
TASKS = {
    "a folder of csv into a live total": "guide/quickstart.html#a-folder-of-csv-into-a-live-total",
    "polling an API": "guide/live-sources.html#poll-an-api",
    "a websocket": "guide/live-sources.html#a-websocket",
    "pushing from FastAPI": "guide/live-sources.html#push-from-fastapi",
    "joining a stream with a table": "guide/joins-and-groups.html#join-a-stream-with-a-table",
    "a moving average": "guide/joins-and-groups.html#a-moving-average",
    "surviving a restart": "guide/durability.html#the-first-restart",
    "deploying with metrics": "guide/monitoring.html",
    "testing a pipeline": "guide/testing.html",
    "moving a script over from the original": "guide/coming-from.html",
}


@pytest.mark.parametrize("task", TASKS)
def test_a_task_is_two_clicks_away(pages: dict[str, Html], task: str) -> None:
    wanted = target("index.html", TASKS[task])
    path, anchor = wanted
    assert not anchor or anchor in pages[path].anchors
    seen = {("index.html", "")}
    for _ in range(2):
        seen |= {
            target(page, link)
            for page, _ in seen
            if page in pages
            for link in pages[page].text_links
            if not is_outside(link)
        }
    assert wanted in seen


def test_every_public_name_is_in_the_reference(pages: dict[str, Html]) -> None:
    anchors = {anchor for name, page in pages.items() if name.startswith("reference/") for anchor in page.anchors}
    names: dict[int, set[str]] = {}
    for name, value, _ in documented():
        # What has two names may be explained under either.
        names.setdefault(id(value), set()).add(name)
    missing = sorted(min(found) for found in names.values() if not found & anchors)
    assert not missing


def test_the_reference_has_the_commands(pages: dict[str, Html]) -> None:
    assert {"pathway-spawn", "pathway-demo", "pathway-new-connector", "pathway-state-ls"} <= pages[
        "reference/command.html"
    ].anchors


def test_the_search_finds_names_and_texts(site: pathlib.Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text())
    found = {entry["location"]: entry for entry in index["docs"]}
    join = found["reference/pw.Table.html#pw.Table.join"]
    assert "pw.Table.join" in re.sub("<[^>]*>", "", join["title"])
    assert "guide/live-sources.html#push-from-fastapi" in found


def test_docstrings_become_markdown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "docs" / "_site")
    import docstrings  # type: ignore[import-not-found]  # It is found by the path of the line above.

    text = """
    Adds <b> to a.

    Args:
        a: a number, which
            may be long.
        *rest: others.

    Raises:
        ValueError: it is `<none>`.

    Example:

    >>> 1 + 1
    2
    >>> x = 3
    """
    wanted = r"""
    Adds &lt;b> to a.

    **Arguments**

    - `a`: a number, which
        may be long.
    - \*rest: others.

    **Raises**

    - `ValueError`: it is `<none>`.

    **Example**

    ```python
    1 + 1
    ```

    ```text
    2
    ```

    ```python
    x = 3
    ```
    """
    assert docstrings.markdown(inspect.cleandoc(text)) == inspect.cleandoc(wanted) + "\n"
