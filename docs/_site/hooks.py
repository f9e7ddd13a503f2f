"""What the site adds to the Markdown of docs/: the reference, and links.

- In the code of a table a bar is written `\\|`, as GitHub wants it; here it is a bar by itself.
- Links to files of the repository that are no pages go to the repository.
- `pw.…` and `expression.…` in a text link to the reference, if it is a name that is there.
"""

import functools
import posixpath
import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from reference import Reference

# Not in code that stands alone, in headings, or in a link.
UNTOUCHED = re.compile(r"(^```.*?^```$|^#.*?$|\[[^\]\n]*\]\([^)\n]*\))", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(?<!`)(`{1,2})((?:pw|expression)\.[\w.]+)(\(\))?\1(?!`)")
ROW = re.compile(r"^\|.*$", re.MULTILINE)
IN_CODE = re.compile(r"(`+).+?\1")
OUTWARDS = re.compile(r"\]\((\.\.?/[^)#\s]*)(#[^)\s]*)?\)")


@functools.cache
def reference() -> Reference:
    return Reference()


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of the reference into the navigation."""
    reference.cache_clear()
    for entry in config.nav or []:
        if isinstance(entry, dict) and "Reference" in entry:
            first, *others = reference().pages
            entry["Reference"] = [first.path, *({page.title: page.path} for page in others)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Makes the pages of the reference."""
    for page in reference().pages:
        files.append(File.generated(config, page.path, content=page.text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    here = posixpath.dirname(page.file.src_uri)

    def to_repository(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join("docs", here, link[1]))
        if target.startswith("docs/"):
            return link[0]
        return f"]({config.extra['repository']}/blob/main/{target}{link[2] or ''})"

    def to_reference(code: re.Match[str]) -> str:
        where = reference().where.get(code[2])
        if where is None:
            return code[0]
        return f"[{code[0]}]({posixpath.relpath(where, here or '.')}#{code[2]})"

    def with_bars(row: re.Match[str]) -> str:
        return IN_CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0])

    pieces = UNTOUCHED.split(ROW.sub(with_bars, OUTWARDS.sub(to_repository, markdown)))
    return "".join(piece if number % 2 else CODE.sub(to_reference, piece) for number, piece in enumerate(pieces))
