"""Something in a notebook that changes in place, wherever it is shown. Elsewhere it is printed."""

from __future__ import annotations

import os
import uuid
from importlib import import_module

from pathway._ground import notebook_shell
from pathway._ground.origin import user_place
from pathway._ground.shown import shown


class Display:
    """What subclasses show: `_bundle` is all of it by the kind of text."""

    def __init__(self, call: str) -> None:
        place = user_place()
        self._place = f"{shown(os.path.basename(place.file))}:{place.line}" if place else f"{call}()"
        # What people have called, and where.
        self._origin = f"{call}() at {self._place}" if place else f"{call}()"
        self._ids: list[str] = []
        # The cell by which it was shown last.
        self._cell: int | None = None

    def _bundle(self) -> dict[str, str]:
        raise NotImplementedError

    def _text(self) -> str:
        return self._bundle()["text/plain"]

    def _show(self) -> None:
        """Shows it, here and now."""
        self._cell = notebook_shell.cell()
        if notebook_shell.is_here():
            self._ids.append(uuid.uuid4().hex)
            import_module("IPython.display").display(self._bundle(), raw=True, display_id=self._ids[-1])
        else:
            self._print()

    def _print(self) -> None:
        print(self._text(), flush=True)

    def _update(self) -> None:
        """Shows what has become of it, wherever it was shown."""
        if not self._ids:
            return
        bundle = self._bundle()
        for display_id in self._ids:
            import_module("IPython.display").update_display(bundle, raw=True, display_id=display_id)

    def _ipython_display_(self) -> None:
        # The cell that has made it shows it already.
        if self._cell is None or self._cell != notebook_shell.cell():
            self._show()
