"""What is said to those who ask for a name that is not there.

In this order: that it is a name of the API which is missing here still (`not_there_yet`); what is written here instead
of what other libraries call so (`idioms`); a name that is nearly the same; and which names there are.

What the messages are made of is imported when the first is made: most programs do without.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pathway._ground.shown import shown


def nearest(name: str, names: Iterable[str]) -> str | None:
    """The name that is most like it, if one is like it at all."""
    # Only who has made a mistake needs it.
    import difflib

    by_lower = {each.lower(): each for each in names if each != name}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.65)
    return by_lower[close[0]] if close else None


def public(thing: object) -> list[str]:
    """What users can ask a thing for; a class is asked for what its objects have."""
    kind = thing if isinstance(thing, type) else type(thing)
    return [name for name in dir(kind) if not name.startswith("_")]


def instead(kind: str, name: str) -> str | None:
    """What is written here for a name of other libraries, as a sentence; None if it is no such name."""
    # Only who has made a mistake needs it.
    from pathway._ground import idioms

    idiom = idioms.find(kind, name)
    return None if idiom is None else idiom.sentence


def of_member(what: str, kind: str, name: str, names: Iterable[str]) -> str:
    """The message for a method that some thing has not: an expression, a namespace, a module.

    `what` is the thing with its verb ("a column has no method"), `kind` says which idioms are meant.
    """
    beginning = f"{what} {name!r}"
    idiom = instead(kind, name)
    if idiom is not None:
        return f"{beginning}. {idiom}"
    close = nearest(name, names)
    return f"{beginning}. Did you mean {close!r}?" if close else beginning


def of_column(name: str, columns: Iterable[str], methods: Iterable[str] = ()) -> str:
    """The message for a column that a table has not; it may have been meant as a method."""
    name, columns = shown(name), list(map(shown, columns))
    beginning = f"Table has no column with name {name}."
    methods = list(methods)
    idiom = instead("table", name) if methods else None
    if idiom is not None:
        return f"{beginning} {idiom}"
    close = nearest(name, [*columns, *methods])
    if close is None:
        return f"{beginning} It has {', '.join(columns) or 'no columns'}."
    return f"{beginning} Did you mean {'' if close in columns else 'table.'}{close}?"


def missing(path: str) -> str | None:
    """What to say of a name of the API that is not there yet; None if the API has no such name."""
    # Only who asks for one needs it.
    from pathway._ground import not_there_yet

    return not_there_yet.message(path)


def of_no_table(what: str, name: str, table: type, then: str) -> str | None:
    """The message for a method of tables, or of other libraries, that something has not which is no table yet.

    `then` says what leads to a table.
    """
    known = name in public(table) or instead("table", name) is not None
    return f"{what} has no method {name}; {then}" if known else None


def meaning(given: Iterable[str], names: Iterable[str]) -> str:
    """Which arguments were probably meant by others, as the beginning of a sentence; empty if nobody knows."""
    names = list(names)
    close = [meant for meant in (nearest(name, names) for name in given) if meant is not None]
    return f"did you mean {', '.join(close)}? If not, " if close else ""


def _given_by_name(function: Callable[..., object]) -> list[str]:
    # Only who has made a mistake needs it.
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    return [f"{each.name}=..." for each in parameters if each.kind is each.KEYWORD_ONLY]


def naming_arguments(function: Callable[..., object], error: TypeError) -> None:
    """Adds to an error of a call which argument was probably meant, if it is about one that there is not, and which
    ones are given by name, if it is about too many."""
    text = str(error)
    if "positional argument" in text and " given" in text:
        by_name = ", ".join(_given_by_name(function))
        if by_name:
            error.args = (f"{text}. Given by name are {by_name}",)
        return
    _, found, rest = text.partition("got an unexpected keyword argument '")  # Of functions, and of signatures.
    if not found or "Did you mean" in text:
        return
    # Only who has made a mistake needs it.
    import inspect

    try:
        names = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return
    close = nearest(rest.partition("'")[0], names)
    known = ", ".join(name for name in names if name not in ("self", "cls", "args", "kwargs"))
    error.args = (f"{text}. " + (f"Did you mean {close!r}?" if close else f"The arguments are {known}."),)
