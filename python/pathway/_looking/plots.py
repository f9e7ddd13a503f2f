"""`Table.plot`: a figure of the rows of a table."""

from __future__ import annotations

import base64
import inspect
import io
import os
import re
import sys
import traceback
from collections.abc import Callable
from html import escape
from importlib import import_module
from typing import Any

from pathway._debugging import html, printing
from pathway._debugging.captures import capture_rows, quiet
from pathway._debugging.snapshots import Snapshot
from pathway._expressions.expression import ColumnReference
from pathway._ground import environment, frames, notebook_shell, tracebacks
from pathway._ground.shown import of_error, shown
from pathway._looking import content, figures, previews
from pathway._looking.displays import Display
from pathway._looking.refreshing import CannotDraw, Refresher
from pathway._tables import connecting
from pathway._tables.table import Table

SECONDS = 0.5

# What is in the annotation of the function's argument, and what the function takes then.
_ANNOTATIONS = {r"\bColumnDataSource\b": "bokeh", r"\b(polars|pl)\.": "polars", r"\b(pyarrow|pa)\.": "arrow"}
_FRAMES = ("pandas", "polars", "arrow", "bokeh")


class NoFigure(TypeError):
    """The function has made none."""


@tracebacks.shortened_class
class Plot(Display):
    """A figure of the rows of a table, as ``Table.plot`` has made it. In a notebook it is shown, also in other cells.

    >>> import pathway as pw
    >>> rivers = pw.debug.table_from_markdown('''
    ... river | km
    ... Ob    | 3650
    ... Po    | 652
    ... ''')
    >>> plot = rivers.plot(lambda frame: f"{frame['km'].sum()} km")
    >>> isinstance(plot, pw.Plot), plot.figure, plot.error
    (True, '4302 km', None)
    """

    def __init__(
        self,
        table: Table[Any],
        function: Callable[[Any], Any],
        sorting_col: ColumnReference | str | None = None,
        frame: str | None = None,
    ) -> None:
        super().__init__("plot")
        if not callable(function):
            raise TypeError(f"argument plotting_function of plot() has to be a function, found {function!r}")
        if frame is not None and frame not in _FRAMES:
            raise ValueError(f"argument frame of plot() is one of {', '.join(_FRAMES)}, found {frame!r}")
        self._function = function
        self._function_name = shown(getattr(function, "__name__", type(function).__name__))
        self._frame = frame or _wanted(function)
        self._position = _position(table, sorting_col)
        self._content = content.of_table(table)
        self._figure: Any = None
        self._error: Exception | None = None
        self._is_static = previews.is_static(table)
        if self._is_static:
            (rows,) = capture_rows([table], quiet("Table.plot"), "Table.plot")
            self._figure = self._figure_of(Snapshot(rows, self._content.dtypes))
        else:
            content.tell_if_read(table, self._origin)
            what = f"the figure of {self._origin} cannot be made"
            refresher = Refresher(self._draw, SECONDS, what=what)
            content.follow(table, self._content, name="plot", on_time_end=refresher.poke, on_end=refresher.finish)
        if notebook_shell.is_here() and environment.is_first_process():
            self._show()

    @property
    def figure(self) -> Any:
        """The latest figure, as the function has made it; None if there is none yet.

        >>> import pathway as pw
        >>> pw.Table.empty(km=int).plot(len).figure
        0
        """
        return self._figure

    @property
    def error(self) -> Exception | None:
        """What the function has raised, if it has failed the last time.

        >>> import pathway as pw
        >>> pw.Table.empty(km=int).plot(len).error is None
        True
        """
        return self._error

    def __repr__(self) -> str:
        return "<pathway.Plot without a figure yet>" if self._figure is None else f"<pathway.Plot {self._figure!r}>"

    def _draw(self) -> None:
        """Makes the figure anew. What the function raises is shown in its place: the run is not about that."""
        try:
            self._figure, self._error = self._figure_of(self._content.snapshot()), None
        except Exception as error:
            self._error = error
            raise CannotDraw(self._problem(error)) from error
        finally:
            self._update()

    def _problem(self, error: Exception) -> str:
        """What has gone wrong in the function, and on which line of the program."""
        if isinstance(error, NoFigure):
            return str(error)
        line = _line_of(error)
        return f"{self._function_name}() has raised {of_error(error)}" + (f" ({line})" if line else "")

    def _figure_of(self, snapshot: Snapshot) -> Any:
        if self._position is not None:
            position = self._position
            items = sorted(snapshot._rows.items(), key=lambda item: printing.sort_key((item[1][position],)))
            snapshot = Snapshot(dict(items), snapshot._dtypes)
        frame = _frame_of(snapshot, self._frame)
        with figures.made_in_this_thread() as made:
            try:
                figure = self._made_of(frame, made)
            except BaseException:
                figures.close(made)
                raise
        # A script may show what it has made once.
        if not self._is_static or notebook_shell.is_here():
            figures.close([*made, _of_matplotlib(figure)])
        return figure

    def _made_of(self, frame: Any, made: list[Any]) -> Any:
        """The figure that the function gives back, or leaves behind with pyplot; of several, the last."""
        before = figures.numbers()
        figure = self._function(frame)
        if figure is not None:
            return figure
        left = figures.left(made, before)
        if left is None:
            raise NoFigure(f"{self._function_name}() has given nothing back: it has to return the figure")
        return left

    def _bundle(self) -> dict[str, str]:
        if self._error is not None:
            words = f"the figure cannot be made: {self._problem(self._error)}"
            return {"text/plain": words, "text/html": html.note(html.text(words))}
        if self._figure is None:
            words = "the figure comes with pw.run() or pw.start()"
            return {"text/plain": words, "text/html": html.note(words)}
        return bundle_of_figure(self._figure)

    def _print(self) -> None:
        print(repr(self), flush=True)


def _line_of(error: BaseException) -> str | None:
    """The innermost line of the user's program that an exception has come through; below it are libraries."""
    lines = [
        f"{shown(os.path.basename(frame.f_code.co_filename))}:{line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frames.is_of_program(frame)
    ]
    return lines[-1] if lines else None


def _wanted(function: Callable[[Any], Any]) -> str:
    """What the annotation of the function's argument says."""
    try:
        first = next(iter(inspect.signature(function).parameters.values()))
    except (TypeError, ValueError, StopIteration):
        return "pandas"
    annotation = first.annotation
    text = annotation if isinstance(annotation, str) else f"{getattr(annotation, '__module__', '')}.{annotation!r}"
    return next((frame for pattern, frame in _ANNOTATIONS.items() if re.search(pattern, text)), "pandas")


def _position(table: Table[Any], column: ColumnReference | str | None) -> int | None:
    if column is None:
        return None
    if isinstance(column, str):
        column = table[column]
    (name,) = connecting.column_names("sorting_col", table, [column])
    return table.column_names().index(name)


def _frame_of(snapshot: Snapshot, frame: str) -> Any:
    if frame == "polars":
        return snapshot.to_polars()
    if frame == "arrow":
        return snapshot.to_arrow()
    if frame == "bokeh":
        return import_module("bokeh.models").ColumnDataSource(snapshot._columns())
    return snapshot.to_pandas(include_id=False)


def bundle_of_figure(figure: Any) -> dict[str, str]:
    """A figure of any library by the kind of text or image that a notebook can show."""
    plain = {"text/plain": repr(figure)}
    if _of_matplotlib(figure) is not None:
        return {**plain, "image/png": _png(_of_matplotlib(figure))}
    if _is_of_bokeh(figure):
        resources = import_module("bokeh.resources").CDN
        page = escape(import_module("bokeh.embed").file_html(figure, resources))
        style = f"border: 0; width: 100%; height: {(getattr(figure, 'height', None) or 600) + 40}px"
        return {**plain, "text/html": f'<iframe srcdoc="{page}" style="{style}"></iframe>'}
    bundle = getattr(figure, "_repr_mimebundle_", None)
    if bundle is not None:
        found = bundle(include=None, exclude=None)
        return {**plain, **(found[0] if isinstance(found, tuple) else found)}
    kinds = {"_repr_html_": "text/html", "_repr_svg_": "image/svg+xml", "_repr_markdown_": "text/markdown"}
    found = {kind: getattr(figure, name)() for name, kind in kinds.items() if hasattr(figure, name)}
    return {**plain, **{kind: text for kind, text in found.items() if text is not None}}


def _of_matplotlib(figure: Any) -> Any:
    """The figure of matplotlib that it is, or that it is a part of; None if it is of another library."""
    whole = figure if hasattr(figure, "savefig") else getattr(figure, "figure", None)
    return whole if hasattr(whole, "savefig") else None


def _png(figure: Any) -> str:
    image = io.BytesIO()
    figure.savefig(image, format="png", bbox_inches="tight")
    return base64.b64encode(image.getvalue()).decode("ascii")


def _is_of_bokeh(figure: Any) -> bool:
    return "bokeh.model" in sys.modules and isinstance(figure, sys.modules["bokeh.model"].Model)
