"""A few answers to choose from."""

from textual.widgets import OptionList


def is_laid_out(options: OptionList) -> bool:
    """Whether a list has room and its lines are known, without which no page can be turned."""
    options.scroll_to_highlight()
    return bool(options.scrollable_content_region)


class Answers(OptionList):
    """An option list that bears the page keys where it has no room."""

    def action_page_up(self) -> None:
        """Move the highlight up one page."""
        if is_laid_out(self):
            super().action_page_up()  # type: ignore[no-untyped-call]

    def action_page_down(self) -> None:
        """Move the highlight down one page."""
        if is_laid_out(self):
            super().action_page_down()  # type: ignore[no-untyped-call]
