"""What a stream can do that something is printed to.

A program may have put one of its own in the place of `sys.stdout`, and all that it needs for `print` is `write`.
"""

from __future__ import annotations


def is_terminal(stream: object) -> bool:
    """Whether somebody looks at it as it is written. What cannot say so is no terminal, and neither is None, which
    `sys.stdout` is where there is nothing to print to."""
    isatty = getattr(stream, "isatty", None)
    try:
        return isatty is not None and bool(isatty())
    except ValueError:
        # It was closed.
        return False
