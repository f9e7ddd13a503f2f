"""Whether the code of a subject can delete rows or choose their keys, read from its source without running it.

A source that never deletes makes an append-only table, which some operations need and others profit from.
Starting at `run`, this follows every attribute of `self` that is a method of the class. A deletion it cannot
see (in a client library that was handed the subject, say) is refused when it is sent, with the way out named
in the message: `deletions_enabled = True`.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable
from typing import Any

DELETING = frozenset({"delete", "_remove", "_remove_inner"})
CHOOSING_KEYS = frozenset({"_add", "_add_inner", "_remove", "_remove_inner"})


def are_reachable(subject_class: type) -> bool:
    """Whether `run` of the class, or a method it uses, mentions a deletion."""
    return _mentions(subject_class, DELETING)


def chooses_keys(subject_class: type) -> bool:
    """Whether `run` of the class, or a method it uses, mentions a way to send rows under keys of its own."""
    return _mentions(subject_class, CHOOSING_KEYS)


def _mentions(subject_class: type, wanted: frozenset[str]) -> bool:
    seen: set[str] = set()
    waiting = ["run"]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        function = inspect.unwrap(getattr(subject_class, name))
        mentioned = _attributes(function)
        if mentioned is None:
            # Without source nothing can be ruled out.
            return True
        # A method of the user's that is called like one of ours is what its own code says, and it may call ours.
        if any(other == name or not _is_own_method(subject_class, other) for other in mentioned & wanted):
            return True
        waiting.extend(other for other in mentioned if _is_own_method(subject_class, other))
    return False


def _is_own_method(subject_class: type, name: str) -> bool:
    return any(
        name in vars(ancestor) and inspect.isfunction(vars(ancestor)[name])
        for ancestor in subject_class.__mro__
        if not ancestor.__module__.startswith("pathway.")
    )


def _attributes(function: Callable[..., Any]) -> set[str] | None:
    """The names of all attributes in the source of a function, or None without source."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return None
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
