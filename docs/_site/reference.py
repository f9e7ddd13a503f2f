"""The reference: a page for every public module and every large class, made of the docstrings.

What is public is what `__all__` lists, and of classes the attributes without an underscore, as in
`tests/test_docstrings.py`. The names are those that programs write: `pw.io.csv.read`, `pw.Table.join`. They are also
the anchors.
"""

import enum
import inspect
import re
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click
import pathway as pw
from docstrings import markdown
from pathway.cli import command

# A class with more methods than this has a page of its own.
FEW = 4

# Classes whose objects methods and functions give back: how they are made is nobody's business.
GIVEN_BACK = {pw.LiveTable, pw.Plot, pw.RunHandle, pw.TableView, pw.debug.Snapshot}

# Methods of expressions that are reached by way of an attribute, and where they are.
NAMESPACES = {
    "expression.dt": type(pw.this.a.dt),
    "expression.num": type(pw.this.a.num),
    "expression.str": type(pw.this.a.str),
}


@dataclass
class Page:
    """A page of the reference: where it is, what its first line and the navigation call it, and its text."""

    path: str
    title: str
    # Whether the title is a name of a program, which can be linked to.
    is_name: bool = True
    parts: list[str] = field(default_factory=list)
    # The names that it explains, each with its first sentence.
    names: dict[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        first = heading(1, self.title) if self.is_name else f"# {self.title}\n\n"
        return first + "\n".join(self.parts)


class Reference:
    """All pages, and on which of them each name is."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self._shown: dict[int, str] = {}
        self._add_module("pw", pw)
        self.pages.append(command_page())
        self.where = {name: page.path for page in self.pages for name in (page.title, *page.names)}
        self.pages.insert(0, self._overview())

    def _add_module(self, name: str, module: types.ModuleType) -> None:
        page = Page(f"reference/{name}.md", name, parts=[markdown(inspect.getdoc(module) or "")])
        self.pages.append(page)
        public = {attribute: getattr(module, attribute) for attribute in sorted(module.__all__, key=str.lower)}
        for attribute, value in public.items():
            if not inspect.ismodule(value):
                self._add(page, f"{name}.{attribute}", value)
        for attribute, value in public.items():
            if inspect.ismodule(value):
                self._add_module(f"{name}.{attribute}", value)

    def _add(self, page: Page, name: str, value: Any) -> None:
        """A name of a module: on its page, or on one of its own."""
        if isinstance(value, type | types.FunctionType):
            first = self._shown.setdefault(id(value), name)
            if first != name:
                page.parts.append(f"{heading(2, name)}\nThe same as `{first}`.\n")
                page.names[name] = summary(value)
                return
        methods = dict(attributes(value)) if inspect.isclass(value) else {}
        if len(methods) > FEW:
            page = Page(f"reference/{name}.md", name)
            self.pages.append(page)
        page.names[name] = summary(value)
        page.parts.append((heading(2, name) if len(methods) <= FEW else "") + entry(name, value))
        for attribute, method in methods.items():
            self._add_attribute(page, f"{name}.{attribute}", method)
        if value is pw.ColumnExpression:
            for namespace, owner in NAMESPACES.items():
                below = Page(f"reference/{namespace}.md", namespace, parts=[markdown(inspect.getdoc(owner) or "")])
                self.pages.append(below)
                for attribute, method in attributes(owner):
                    self._add_attribute(below, f"{namespace}.{attribute}", method)
        if name == "pw.this":
            for attribute, method in attributes(type(value)):
                self._add_attribute(page, f"{name}.{attribute}", method)

    @staticmethod
    def _add_attribute(page: Page, name: str, value: Any) -> None:
        page.names[name] = summary(value)
        page.parts.append(heading(3, name) + entry(name, value, bound=True))

    def _overview(self) -> Page:
        """The first page: what there is, each with its first sentence."""
        text = (
            "Everything that programs may use, by its name after `import pathway as pw`. The pages are made of the "
            "docstrings, so `help(pw.Table.join)` says the same; every example runs as a test.\n"
        )
        page = Page("reference/index.md", "Reference", False, [text])
        for other in self.pages:
            rows = [
                f"| [`{name}`]({other.path.removeprefix('reference/')}#{name}) | {first} |"
                for name, first in other.names.items()
                if name.rpartition(".")[0] == other.title or name == other.title
            ]
            if rows:
                page.parts.append("\n".join([f"## {other.title}\n", "| | |", "|---|---|", *rows, ""]))
        return page


def heading(level: int, name: str) -> str:
    """The name in full; the last part of it in the table of contents, which is beside it."""
    return f"{'#' * level} `{name}` {{#{name} data-toc-label='{name.rpartition('.')[2]}'}}\n\n"


def entry(name: str, value: Any, bound: bool = False) -> str:
    """How it is called, and what its docstring says."""
    text = markdown(inspect.getdoc(value) or "") if not isinstance(value, type(pw.this)) else placeholder(name)
    if inspect.isclass(value) and issubclass(value, enum.Enum):
        members = "\n".join(f"- `{name}.{member}`" for member in value.__members__)
        return f"{text}\n**Members**\n\n{members}\n"
    shown = signature(name, value, bound)
    return f"```python\n{shown}\n```\n\n{text}" if shown else text


def placeholder(name: str) -> str:
    return markdown(inspect.getdoc(type(pw.this)) or "") if name == "pw.this" else "See `pw.this`.\n"


def attributes(owner: type) -> Iterator[tuple[str, Any]]:
    """What the users of a class see: methods and properties of this package's classes."""
    if issubclass(owner, enum.Enum):
        return
    # The methods of schemas are those of their class.
    owner = type(owner) if owner is pw.Schema else owner
    for name in sorted(dir(owner), key=str.lower):
        homes = [base for base in owner.__mro__ if name in vars(base)]
        if name.startswith("_") or hasattr(type, name) or not homes[0].__module__.startswith("pathway"):
            continue
        value = inspect.getattr_static(owner, name)
        value = value.__func__ if isinstance(value, staticmethod | classmethod) else value
        if (callable(value) or isinstance(value, property)) and not inspect.isclass(value) and inspect.getdoc(value):
            yield name, value


def summary(value: Any) -> str:
    """The first sentence of the docstring, for a cell of a table."""
    value = type(value) if isinstance(value, type(pw.this)) else value
    first = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
    sentence = re.split(r"(?<=[.:])\s", first)[0].rstrip(":")
    return sentence.replace("|", "\\|").replace("<", "&lt;")


def signature(name: str, value: Any, bound: bool) -> str:
    """How it is called, in one line or with a line for each argument; of a property, its type; else nothing."""
    if isinstance(value, property):
        return f"{name}: {annotation(inspect.signature(value.fget).return_annotation)}" if value.fget else ""
    if not callable(value) or isinstance(value, type(pw.this)) or (inspect.isclass(value) and value in GIVEN_BACK):
        return ""
    try:
        found = inspect.signature(value)
    except (TypeError, ValueError):
        return ""
    parameters = [shown for shown in found.parameters.values() if shown.annotation != "Never"]
    if bound and parameters and parameters[0].name in ("self", "cls"):
        parameters = parameters[1:]
    has_return = found.return_annotation is not inspect.Signature.empty and not inspect.isclass(value)
    arrow = f" -> {annotation(found.return_annotation)}" if has_return else ""
    texts = list(arguments(parameters))
    if inspect.isclass(value) and all(text.startswith("*") for text in texts):
        # It says nothing of how one is made.
        return ""
    line = f"{name}({', '.join(texts)}){arrow}"
    if len(line) <= 88:
        return line
    return "\n".join([f"{name}(", *(f"    {text}," for text in texts), f"){arrow}"])


def arguments(parameters: list[inspect.Parameter]) -> Iterator[str]:
    kinds = inspect.Parameter
    before = None
    for parameter in parameters:
        if before is kinds.POSITIONAL_ONLY and parameter.kind is not before:
            yield "/"
        if parameter.kind is kinds.KEYWORD_ONLY and before not in (kinds.KEYWORD_ONLY, kinds.VAR_POSITIONAL):
            yield "*"
        before = parameter.kind
        text = {kinds.VAR_POSITIONAL: "*", kinds.VAR_KEYWORD: "**"}.get(parameter.kind, "") + parameter.name
        has_type = parameter.annotation is not kinds.empty
        text += f": {annotation(parameter.annotation)}" if has_type else ""
        if parameter.default is not kinds.empty:
            text += f" = {default(parameter.default)}" if has_type else f"={default(parameter.default)}"
        yield text
    if before is kinds.POSITIONAL_ONLY:
        yield "/"


def annotation(value: Any) -> str:
    return value if isinstance(value, str) else inspect.formatannotation(value)


def default(value: Any) -> str:
    if value is ...:
        return "..."
    if isinstance(value, enum.Enum):
        return f"pw.{value}"
    text = repr(value)
    return "..." if text.startswith("<") else text


def command_page() -> Page:
    """The command `pathway`, in the words of its help."""
    page = Page("reference/command.md", "The command pathway", False)
    page.parts.append(help_of(command, "pathway"))

    def below(group: click.Group, name: str) -> None:
        for each, found in sorted(group.commands.items()):
            whole = f"{name} {each}"
            anchor = whole.replace(" ", "-")
            page.parts.append(f"## `{whole}` {{#{anchor}}}\n\n{help_of(found, whole)}")
            if isinstance(found, click.Group):
                below(found, whole)

    below(command, "pathway")
    return page


def help_of(found: click.Command, name: str) -> str:
    with click.Context(found, info_name=name, terminal_width=76, max_content_width=76) as context:
        return f"```text\n{found.get_help(context)}\n```\n"
