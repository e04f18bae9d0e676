"""A table whose columns are as wide as their cells from the first picture on."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.coordinate import Coordinate
from textual.widgets import DataTable


class Table(DataTable[Text]):
    """Rows of text.

    Textual measures columns a turn after their cells; a table that is drawn in between keeps
    that picture, without a word. Here each column has its width at once.
    """

    _drawn: Sequence[Sequence[Text]] = ()

    def fill(self, rows: Sequence[Sequence[Text]], titles: Sequence[str] = ()) -> None:
        """Show other rows, with titles above them if the header is shown."""
        self.clear(columns=True)
        self._drawn = rows
        head = [list(map(Text, titles))] if titles else []
        for place, width in enumerate(_widths([*head, *rows])):
            self.add_column(titles[place] if titles else "", width=width)
        self.add_rows(rows)

    def change(self, rows: Sequence[Sequence[Text]]) -> None:
        """Draw the cells that changed, in their places; there are as many as before."""
        for drawn, width in zip(self.ordered_columns, _widths(rows), strict=True):
            drawn.width = width
        for n, (old, new) in enumerate(zip(self._drawn, rows, strict=True)):
            for column, (was, now) in enumerate(zip(old, new, strict=True)):
                if was != now or was.spans != now.spans:
                    self.update_cell_at(Coordinate(n, column), now)
        self._drawn = rows


def _widths(rows: Iterable[Sequence[Text]]) -> list[int]:
    return [max(cell.cell_len for cell in column) for column in zip(*rows, strict=True)]
