"""The rooms of ARCHITECTURE.md keep their direction: what stands below knows nothing of what stands above."""

import ast
import importlib
import pathlib
import re
import tomllib
from collections.abc import Iterator
from typing import NamedTuple

import pytest

ROOT = pathlib.Path(__file__).parent.parent
PACKAGE = ROOT / "python" / "pathway"

# The floors of the package, the lowest first. A floor may use those below it.
FLOORS = [
    "_native",
    "_ground",
    "_values",
    "_expressions",
    "_schemas",
    "_tables",
    "io",
    "_running",
    "_debugging",
    "_looking",
    "_crashing",
    # The modules that users import, and the package itself.
    "faces",
    "cli",
]

# Imports that run upwards, each with its reason.
UPWARDS = {
    ("_values/annotations.py", "pathway"): "a type that is written as a text may name whatever is public",
    ("_tables/looking.py", "pathway._looking.entrance"): "what is shown of a table is computed by a run",
}


class Import(NamedTuple):
    file: str
    line: int
    module: str
    # The function it stands in, if it does.
    function: str | None

    @property
    def place(self) -> str:
        return f"python/pathway/{self.file}:{self.line}"


def floor_of(module: str) -> str:
    """The floor of a module of the package, by its dotted name."""
    _, _, inside = module.partition(".")
    first = inside.partition(".")[0]
    if first == "__main__":
        return "cli"
    return first if first in FLOORS else "faces"


def modules() -> dict[str, pathlib.Path]:
    """Every module of the package by its dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imported(node: ast.stmt) -> list[str]:
    """The modules that a statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        assert node.level == 0, "imports are written out"
        whole = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in MODULES or name == "pathway._native" else str(node.module) for name in whole]
    return []


def imports(path: pathlib.Path) -> Iterator[Import]:
    """All imports of a file, those for the type checker included."""
    file = str(path.relative_to(PACKAGE))

    def below(node: ast.AST, function: str | None) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                yield from (Import(file, child.lineno, module, function) for module in imported(child))
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from below(child, child.name if inside else function)

    yield from below(ast.parse(path.read_text()), None)


def ours() -> Iterator[tuple[str, Import]]:
    """All imports of the package from itself, with the module that has them."""
    for name, path in MODULES.items():
        for found in imports(path):
            if found.module == "pathway" or found.module.startswith("pathway."):
                yield name, found


def test_no_import_runs_upwards() -> None:
    wrong = [
        f"{found.place}: {name} is on the floor {floor_of(name)} and imports {found.module}, which stands above it"
        for name, found in ours()
        if FLOORS.index(floor_of(name)) < FLOORS.index(floor_of(found.module))
        and (found.file, found.module) not in UPWARDS
    ]
    assert not wrong, "\n".join(["", *wrong, f"The floors, the lowest first: {', '.join(FLOORS)}."])


def test_every_exception_is_needed() -> None:
    assert set(UPWARDS) <= {(found.file, found.module) for _, found in ours()}


def test_faces_do_not_import_each_other() -> None:
    # The package itself imports all of them, and `pw.io` is a floor of its own.
    wrong = [
        f"{found.place}: imports {found.module}"
        for name, found in ours()
        if name != "pathway" and floor_of(name) == floor_of(found.module) == "faces"
    ]
    assert not wrong, "\n".join(["", *wrong])


def test_no_floor_has_circles() -> None:
    """What runs when modules are imported; the type checker, and functions, may look the other way."""
    needs: dict[str, set[str]] = {name: set() for name in MODULES}
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text()).body:
            needs[name] |= {module for module in imported(node) if module in MODULES and module != name}
    while True:
        free = {name for name, others in needs.items() if not others & needs.keys()}
        if not free:
            break
        needs = {name: others for name, others in needs.items() if name not in free}
    assert not needs, f"these modules import each other: {', '.join(sorted(needs))}"


def test_an_import_in_a_function_says_why() -> None:
    wrong = []
    for path in MODULES.values():
        lines = path.read_text().splitlines()
        for found in imports(path):
            if found.function is None:
                continue
            first = found.line - 1
            # One comment is enough for imports that stand together.
            while re.match(r"\s*(import|from) ", lines[first - 1]):
                first -= 1
            if not lines[first - 1].lstrip().startswith("#") and "#" not in lines[found.line - 1]:
                wrong.append(f"{found.place}: {found.function}() imports {found.module}; say why in a comment above it")
    assert not wrong, "\n".join(["", *wrong])


def named_in_rust() -> Iterator[tuple[str, str]]:
    """The modules that the native half names, with where it does."""
    for path in sorted((ROOT / "crates" / "python" / "src").rglob("*.rs")):
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            for module in re.findall(r'"(pathway\.[\w.]+)"', line):
                yield f"{path.relative_to(ROOT)}:{number}", module


@pytest.mark.parametrize(("place", "module"), [pytest.param(*found, id=found[1]) for found in named_in_rust()])
def test_modules_that_the_native_half_names_are_there(place: str, module: str) -> None:
    assert importlib.import_module(module), place


# Which of our crates each may use, and what belongs to one alone.
CRATES: dict[str, set[str]] = {
    "types": set(),
    "durability": set(),
    "cluster": set(),
    "engine": {"types", "cluster", "durability"},
    "connectors": {"types", "engine"},
    "python": {"types", "durability", "engine", "connectors"},
}
OWNED = {"pyo3": "python", "timely": "engine", "snow": "cluster"}


def test_crates_use_only_what_stands_below_them() -> None:
    found = {path.parent.name: tomllib.loads(path.read_text()) for path in (ROOT / "crates").glob("*/Cargo.toml")}
    assert found.keys() == CRATES.keys()
    wrong = []
    for crate, manifest in found.items():
        sections = [manifest, *manifest.get("target", {}).values()]
        kinds = ("dependencies", "dev-dependencies", "build-dependencies")
        names = [name for section in sections for kind in kinds for name in section.get(kind, {})]
        for name in names:
            other = name.removeprefix("towpath-")
            if (other != name and other not in CRATES[crate]) or OWNED.get(name, crate) != crate:
                wrong.append(f"crates/{crate}/Cargo.toml: {crate} must not know {name}")
    assert not wrong, "\n".join(["", *wrong])
