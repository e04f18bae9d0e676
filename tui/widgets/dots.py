"""Lines in the cells of a terminal, as braille dots."""

_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bit of each dot of a braille character, by row and column."""
_BRAILLE = 0x2800


class Dots:
    """Lines between places from 0 to 1, in eight dots a cell, or in one with `ascii_only`."""

    def __init__(self, columns: int, rows: int, *, ascii_only: bool) -> None:
        self._bits = ((1,),) if ascii_only else _BITS
        self._wide, self._high = columns * len(self._bits[0]), rows * len(self._bits)
        self._cells: dict[tuple[int, int], int] = {}

    def line(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Draw from one place to another, both as (across, up)."""
        (x, y), (to_x, to_y) = self._dot(*start), self._dot(*end)
        count = max(abs(to_x - x), abs(to_y - y), 1)
        for n in range(count + 1):
            dot_x, dot_y = (round(a + (b - a) * n / count) for a, b in ((x, to_x), (y, to_y)))
            cell = dot_x // len(self._bits[0]), dot_y // len(self._bits)
            bit = self._bits[dot_y % len(self._bits)][dot_x % len(self._bits[0])]
            self._cells[cell] = self._cells.get(cell, 0) | bit

    def cell(self, across: float, up: float) -> tuple[int, int]:
        """Return the column and the row that a place is in."""
        x, y = self._dot(across, up)
        return x // len(self._bits[0]), y // len(self._bits)

    def at(self, column: int, row: int) -> int:
        """Return the dots of a cell; 0 where there are none."""
        return self._cells.get((column, row), 0)

    def _dot(self, across: float, up: float) -> tuple[int, int]:
        return round(across * (self._wide - 1)), round((1 - up) * (self._high - 1))


def braille(dots: int) -> str:
    """Return the character of a cell with these dots."""
    return chr(_BRAILLE + dots)
