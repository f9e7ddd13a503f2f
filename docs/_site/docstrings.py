"""Markdown out of a docstring: its sections of arguments become lists, its examples become code and what it prints."""

import doctest
import re
import textwrap
from collections.abc import Iterator

SECTIONS = {
    "Args": "Arguments",
    "Attributes": "Attributes",
    "Example": "Example",
    "Raises": "Raises",
    "Returns": "Returns",
    "Yields": "Yields",
}
ITEM = re.compile(r"(?P<name>\*{0,2}[\w.]+): (?P<text>.*)")


def markdown(text: str) -> str:
    """The text of a docstring, whose indentation is gone already, as Markdown."""
    lines = text.splitlines()
    parts: list[str] = []
    position = 0
    while position < len(lines):
        line = lines[position]
        end = position + 1
        if line.startswith(">>>"):
            while end < len(lines) and lines[end].strip():
                end += 1
            parts.append("\n" + "\n".join(example("\n".join(lines[position:end]))))
        elif line.endswith(":") and line[:-1] in SECTIONS:
            while end < len(lines) and (not lines[end].strip() or lines[end].startswith(" ")):
                end += 1
            body = textwrap.dedent("\n".join(lines[position + 1 : end])).strip("\n")
            parts.append(f"\n**{SECTIONS[line[:-1]]}**\n\n{items(body)}\n")
        else:
            parts.append(without_tags(line))
        position = end
    # A doctest has no blank lines, so this is about what is between the parts.
    return re.sub(r"\n{3,}", "\n\n", "\n".join(parts)).strip() + "\n"


def items(body: str) -> str:
    """A section: a list of what it names, or its text."""
    shown: list[str] = []
    for line in body.splitlines():
        item = ITEM.match(line)
        if item:
            name = item["name"].replace("*", "\\*")
            shown.append(f"- `{name}`: {item['text']}" if name == item["name"] else f"- {name}: {item['text']}")
        else:
            shown.append(line)
    return "\n".join(without_tags(line) for line in shown)


def without_tags(line: str) -> str:
    """The line, where `<` means itself outside of code."""
    parts = re.split(r"(`+[^`]*`+)", line)
    return "".join(part if part.startswith("`") else part.replace("<", "&lt;") for part in parts)


def example(text: str) -> Iterator[str]:
    """A doctest as blocks: code, and what it prints after it. So the code can be copied."""
    code: list[str] = []
    for found in doctest.DocTestParser().get_examples(text + "\n"):
        code.append(found.source)
        if found.want:
            yield fenced("python", "".join(code))
            yield fenced("text", found.want.replace("<BLANKLINE>", ""))
            code = []
    if code:
        yield fenced("python", "".join(code))


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```\n"
