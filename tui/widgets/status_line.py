"""One line of text that sends only the cells that changed."""

from textual.content import Content
from textual.geometry import Region
from textual.widget import Widget


class StatusLine(Widget):
    """A line of the status; over a slow connection only its changed stretch is drawn anew."""

    DEFAULT_CSS = """
    StatusLine { height: 1; width: 1fr; text-wrap: nowrap; text-overflow: clip; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._content = Content("")

    @property
    def content(self) -> Content:
        """What the line says now."""
        return self._content

    def render(self) -> Content:
        """Return the line."""
        return self._content

    def show(self, content: Content) -> None:
        """Say something else; nothing is drawn where nothing changed."""
        before, self._content = self._content, content
        if content.plain == before.plain:
            if content.spans != before.spans:
                self.refresh()
            return
        if content.cell_length != len(content.plain) or before.cell_length != len(before.plain):
            # Wide characters: cells and characters no longer correspond.
            self.refresh()
            return
        self.refresh(_changed(before, content))


def _changed(before: Content, after: Content) -> Region:
    """Return the stretch of cells from the first difference to the last."""
    length = max(len(before.plain), len(after.plain))
    old, new = before.plain.ljust(length), after.plain.ljust(length)
    same = [a == b for a, b in zip(old, new, strict=True)]
    start = same.index(False)
    stop = length - same[::-1].index(False)
    # A part that moved or changed its colour without changing its letters.
    for one, other in ((before, after), (after, before)):
        for span in one.spans:
            if span not in other.spans:
                start, stop = min(start, span.start), max(stop, span.end)
    return Region(start, 0, stop - start, 1)
