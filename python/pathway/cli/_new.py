"""``pathway new``: writes programs to start from.

What is written is in ``templates/``, a folder for each kind, with ``$name`` and ``${Class}`` where the name goes.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
import shlex
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from string import Template

import click

# Longer ones would make lines of the templates too long.
LONGEST_NAME = 30

# The files of a connector: template -> name of the file.
CONNECTOR = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "connector.py": "$name.py",
    "main.py": "main.py",
    "test_connector.py": "test_$name.py",
}


@click.group()
def new() -> None:
    """Write a program to start from.

    \b
    Example:
        pathway new connector harbour
    """


@new.command()
@click.argument("name")
@click.option("--path", type=click.Path(path_type=Path), help="The folder to write; default: NAME, here.")
def connector(name: str, path: Path | None) -> None:
    """Write a connector that works, with a program and a test.

    NAME becomes the name of a module, so it is written like one: harbour_levels. The folder must not be there yet.

    \b
    Example:
        pathway new connector harbour
        cd harbour
        python main.py
        python -m pytest
    """
    wrong = what_is_wrong_with(name)
    if wrong:
        raise click.BadParameter(wrong, param_hint="NAME")
    folder = Path(name) if path is None else path
    names = {
        "name": name,
        "Class": class_name(name),
        "project": name.lower().replace("_", "-"),
        "imports": imports(name),
    }
    try:
        folder.mkdir(parents=True)
        for file, text in files("connector", CONNECTOR):
            (folder / Template(file).substitute(names)).write_text(Template(text).substitute(names), encoding="utf-8")
    except FileExistsError:
        raise click.ClickException(f"{folder} is there already; name another folder with --path") from None
    except OSError as error:
        raise click.ClickException(f"cannot write {folder}: {error.strerror}") from None
    click.echo(f"{folder} has a connector, a program and a test. Try them:\n")
    click.echo(f"    cd {shlex.quote(str(folder))}")
    click.echo("    python main.py           # until Ctrl-C; writes output/highest.csv")
    click.echo("    python -m pytest         # needs pytest")
    click.echo("\nREADME.md says what to change.")


def files(kind: str, names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The templates of a kind: the name of the file, and the text."""
    folder = resources.files("pathway.cli").joinpath("templates", kind)
    for template, name in names.items():
        yield name, folder.joinpath(f"{template}.template").read_text(encoding="utf-8")


def what_is_wrong_with(name: str) -> str | None:
    """Why this cannot be the name of a module of the user's; None if it can."""
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        return f"{name!r} is no name for a module: it begins with a letter, and has letters, digits and _ only."
    if keyword.iskeyword(name):
        return f"{name!r} is a keyword of Python."
    if len(name) > LONGEST_NAME:
        return f"{name!r} is too long: take {LONGEST_NAME} characters or fewer."
    if name in sys.stdlib_module_names or name == "main" or is_installed(name):
        return f"there is a module {name!r} already, which yours would hide."
    return None


def is_installed(name: str) -> bool:
    """Whether a module of this name can be imported. A mere folder, which Python takes for a package, is none."""
    found = importlib.util.find_spec(name)
    return found is not None and found.origin is not None


def class_name(name: str) -> str:
    """``harbour_levels`` as the beginning of names of classes: ``HarbourLevels``."""
    return "".join(word[:1].upper() + word[1:] for word in name.split("_"))


def imports(name: str) -> str:
    """What the test imports from the other modules, in the order of their names, as ruff wants it."""
    names = "".join(f"    {class_name(name)}{suffix},\n" for suffix in ("Client", "Schema", "Subject"))
    lines = {name: f"from {name} import (\n{names})", "main": "from main import make_pipeline"}
    return "\n".join(lines[module] for module in sorted(lines, key=str.casefold))
