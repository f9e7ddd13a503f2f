"""What the native half has, its stub has; `make lint` compares the signatures, too."""

import ast
import inspect
from pathlib import Path

from pathway import _native


def declared() -> dict[str, set[str]]:
    """Return what the stub declares: the names in each class, and those of the module under an empty name."""
    stub = Path(inspect.getfile(_native)).with_name("_native.pyi")
    names: dict[str, set[str]] = {"": set()}
    for node in ast.parse(stub.read_text()).body:
        if isinstance(node, ast.ClassDef):
            names[node.name] = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            names[""].add(node.name)
    return names


def test_every_method_of_the_native_half_is_in_the_stub() -> None:
    stub = declared()
    plan = {name for name in vars(_native.Plan) if not name.startswith("_")}
    assert plan == {name for name in stub["Plan"] if not name.startswith("_")}
    functions = {name for name, value in vars(_native).items() if inspect.isbuiltin(value)}
    assert functions <= stub[""], "a function is not declared"
