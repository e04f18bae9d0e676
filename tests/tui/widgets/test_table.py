"""Tables that are drawn before Textual has measured their cells."""

from rich.text import Text
from textual.app import App

from tui.widgets.table import Table


def rows(*lines):
    return [[Text(cell) for cell in line.split("|")] for line in lines]


def drawn(table):
    return [table.render_line(y).text.rstrip() for y in range(table.row_count)]


async def test_a_table_drawn_at_once_has_all_its_words():
    async with App().run_test(size=(40, 6)) as pilot:
        table = Table(show_header=False)
        await pilot.app.mount(table)
        await pilot.pause()
        table.fill(rows("1|held-out", "20|scores"))
        assert drawn(table) == [" 1   held-out", " 20  scores"]
        table.change(rows("1|held-out", "3,000|held-out and scores"))
        at_once = drawn(table)
        assert at_once == [" 1      held-out", " 3,000  held-out and scores"]
        await pilot.pause()
        assert drawn(table) == at_once


async def test_titles_count_for_the_width():
    async with App().run_test(size=(40, 6)) as pilot:
        table = Table()
        await pilot.app.mount(table)
        await pilot.pause()
        table.fill(rows("1|x"), ("step", "network"))
        assert [column.width for column in table.ordered_columns] == [4, 7]
        assert table.render_line(0).text.split() == ["step", "network"]
