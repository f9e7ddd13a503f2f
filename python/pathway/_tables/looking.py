"""What tables show of themselves. All of it is computed by floors above, when somebody looks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pathway._expressions.expression import ColumnReference
from pathway._ground import tracebacks

if TYPE_CHECKING:
    from pathway._looking.entrance import LiveTable, Plot, TableView


def html_of(shown: object) -> str:
    """What a notebook shows of a table, or of what tables are made of."""
    # What is shown has to be computed, by what stands above.
    from pathway._looking import entrance

    return entrance.html_of(shown)


@tracebacks.shortened_class
class Lookable:
    """The methods of `Table` by which people look at it."""

    def show(
        self,
        *,
        snapshot: bool = True,
        include_id: bool = True,
        short_pointers: bool = True,
        sorters: Sequence[dict[str, str]] | None = None,
        page_size: int = 10,
        table_height: int = 400,
    ) -> TableView:
        """Shows the rows of the table, in a notebook or on a terminal.

        Of a table that depends on nothing but data at rest, the rows are computed and shown at once. Any other table is
        shown while ``pw.run`` or ``pw.start`` goes on afterwards: in a notebook the rows are kept up to date in place,
        elsewhere they are printed again when they have changed, once a second at most, and at the end. In a run that
        goes on from what was kept, a view has what has come and gone since.

        Args:
            snapshot: whether to show the rows that there are; otherwise the latest changes, with ``time`` and ``diff``.
            include_id: whether to show the keys.
            short_pointers: whether to show only the first characters of keys.
            sorters: by which columns the rows are ordered, the first one first: a list such as
                ``[{"field": "price", "dir": "desc"}]``. Default: the values of all columns, or, for changes, the time.
            page_size: how many rows to show; a line says how many there are more.
            table_height: how many pixels high the table may be in a notebook; what is longer is scrolled.

        Returns:
            The view, a ``pw.TableView``. In a notebook it may be shown in other cells, too.

        >>> import pathway as pw
        >>> rivers = pw.debug.table_from_markdown('''
        ... river | km
        ... Ob    | 3650
        ... Po    | 652
        ... ''')
        >>> view = rivers.show(include_id=False, sorters=[{"field": "km", "dir": "desc"}])
        river | km
        Ob    | 3650
        Po    | 652
        """
        # What is shown has to be computed, by what stands above.
        from pathway._looking import entrance

        return entrance.show(
            self,
            snapshot=snapshot,
            include_id=include_id,
            short_pointers=short_pointers,
            sorters=sorters,
            page_size=page_size,
            table_height=table_height,
        )

    def plot(
        self,
        plotting_function: Callable[[Any], Any],
        sorting_col: ColumnReference | str | None = None,
        *,
        frame: Literal["pandas", "polars", "arrow", "bokeh"] | None = None,
    ) -> Plot:
        """Shows a figure of the rows of the table, in a notebook.

        Of a table that depends on nothing but data at rest, the figure is made at once. Of any other table it is made
        anew, up to twice a second, while ``pw.run`` or ``pw.start`` goes on and the rows change. The plot keeps the
        latest figure, also where there is no notebook: see its attribute ``figure``.

        Args:
            plotting_function: makes a figure of the rows: one of matplotlib, altair, bokeh, or anything else that a
                notebook can show. It gives it back, or leaves it to pyplot. It is called in another thread.
            sorting_col: the column by which the rows are ordered.
            frame: what the function takes: a pandas or polars DataFrame, a ``pyarrow.Table``, or a
                ``ColumnDataSource`` of bokeh. Default: what the annotation of its argument says, else of pandas.

        Returns:
            The plot, a ``pw.Plot``. In a notebook it may be shown in other cells, too.

        >>> import pathway as pw
        >>> rivers = pw.debug.table_from_markdown('''
        ... river | km
        ... Ob    | 3650
        ... Po    | 652
        ... ''')
        >>> rivers.plot(lambda frame: f"{len(frame)} rivers, {frame['km'].sum()} km").figure
        '2 rivers, 4302 km'
        """
        # What is shown has to be computed, by what stands above.
        from pathway._looking import entrance

        return entrance.plot(self, plotting_function, sorting_col, frame)

    def live(self) -> LiveTable:
        """Starts to compute the table in the background, and gives back what can be asked for its rows meanwhile.

        With it starts what was declared since the last run, as with ``pw.start``. To ask for it again while it goes on
        gives back the same.

        Returns:
            The live table, a ``pw.LiveTable``.

        >>> import pathway as pw
        >>> rivers = pw.debug.table_from_markdown('''
        ... river | km
        ... Ob    | 3650
        ... Po    | 652
        ... ''')
        >>> with rivers.live() as live:
        ...     len(live.wait_for(lambda rows: len(rows) == 2))
        2
        """
        # What is shown has to be computed, by what stands above.
        from pathway._looking import entrance

        return entrance.live(self)

    def _repr_html_(self) -> str:
        return html_of(self)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        # What is shown has to be computed, by what stands above.
        from pathway._looking import entrance

        return entrance.bundle_of(self)
