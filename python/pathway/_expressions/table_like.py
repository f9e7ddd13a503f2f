"""`pw.TableLike`: whatever columns can be named of, such as a table or `pw.this`.

Here stands what an expression needs to know of it. What it has beside names is the business of `_tables`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from pathway._ground import tracebacks


@tracebacks.shortened_class
class TableLike:
    """Anything with named columns.

    >>> import pathway as pw
    >>> isinstance(pw.this, pw.TableLike)
    True
    """

    def _reference_text(self, names: dict[int, str]) -> str:
        """How the table is called in a text; `names` numbers the tables met so far."""
        return names.setdefault(id(self), f"<table{len(names) + 1}>")

    def _row_owner(self) -> TableLike | None:
        """The table in whose rows pointers are that are made of these columns, as far as that is known."""
        return self

    def __iter__(self) -> Iterator[Any]:
        raise NotImplementedError

    # What cannot be done is hidden from type checkers, so that they see that it cannot.
    if not TYPE_CHECKING:

        def __len__(self) -> NoReturn:
            raise TypeError(
                "the number of rows of a table is not known before it runs; use table.reduce(n=pw.reducers.count())"
            )

    def __bool__(self) -> bool:
        # As any object that is there: `if table:` asks whether there is a table, not whether it has rows.
        return True
