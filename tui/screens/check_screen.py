"""The check of the recordings: opens by itself where there are errors, else on k."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.content import Content
from textual.widgets import DataTable, Static

from engine.check.report import CheckReport, Estimate
from engine.formatting import duration, plural, printable
from engine.run.commands import CleanFirst, Continue, Hold
from engine.run.snapshot import Phase, Snapshot
from tui.keys import CHECK_KEYS, Key, Moment, find
from tui.reports import check_words as words
from tui.screens.keyed_screen import KeyedScreen, KeysFooter
from tui.widgets.check_figures import CheckFigures
from tui.widgets.findings import Findings, detail
from tui.widgets.notice import Notice
from tui.widgets.status_line import Part, StatusLine, line

if TYPE_CHECKING:
    from tui.screens.run_screen import RunScreen


class CheckScreen(KeyedScreen):
    """Shows whether a corpus can be trained on, and asks if there are errors.

    It stays while the engine waits for the answer, and then closes, unless a key opened it.
    """

    KEYS: ClassVar[tuple[Key, ...]] = CHECK_KEYS
    DROPS_DISABLED = True
    BINDINGS: ClassVar[list[BindingType]] = [key.binding for key in CHECK_KEYS]
    AUTO_FOCUS = "#findings"

    def __init__(self, run: "RunScreen", snapshot: Snapshot) -> None:
        """Take the main screen, which quits and sends on behalf of this one."""
        super().__init__()
        self._run = run
        self._snapshot = snapshot
        self._asks = False
        self._gone_back = False
        self._shown: tuple[CheckReport, bool, int] | None = None
        self._heading = StatusLine("check-title")
        self._verdict = Static("", id="check-verdict", markup=False)
        self._facts = Static("", id="check-facts", markup=False)
        self._notice = Notice(reading=run.session.reading, warning=False)
        self._findings = Findings()
        self._detail = Static("", id="check-detail", classes="panel", markup=False)
        self._figures = CheckFigures()

    def compose(self) -> ComposeResult:
        """Lay out the answer, the findings, and what to do about them."""
        yield self._heading
        yield self._verdict
        yield self._notice
        yield self._facts
        yield self._findings
        yield self._detail
        yield self._figures
        yield KeysFooter()

    def on_mount(self) -> None:
        """Show the first snapshot."""
        self._detail.border_title = "what to do"
        self.show(self._snapshot)

    def on_resize(self) -> None:
        """Fit the title to the width; figures that have room need no key."""
        if self.moment.figures_in_sight:
            self.remove_class("-figures")
        self.show(self._snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot, or close once the question is answered."""
        self._snapshot = snapshot
        asks = snapshot.phase is Phase.CHECKED
        if self._asks and not asks and self.app.screen is self:
            self.action_close()
            return
        self._asks = self._asks or asks
        report = snapshot.check
        if report is None or not self.is_mounted:
            return
        self._heading.show(
            line(
                [Part(printable(snapshot.voice), "bold $primary"),
                 Part("check of the recordings", "bold")],
                [Part(printable(report.dataset), "$quiet", rank=1)],
                self._heading.content_size.width,
            )
        )  # fmt: skip
        self._notice.show(snapshot, self._run.now())
        # The notice says it as a question.
        self._verdict.display = not asks
        self._findings.show(report)
        measuring = asks and snapshot.progress is not None
        shown = (report, measuring, self._facts.content_size.width)
        if shown != self._shown:
            self._shown = shown
            self._show_report(report, measuring=measuring)
        self.refresh_keys()

    def _show_report(self, report: CheckReport, *, measuring: bool) -> None:
        colour = "$error" if report.harmful or not report.usable else "$success"
        self._verdict.update(Content.styled(words.verdict(report), f"bold {colour}"))
        facts = short_facts(report, self._facts.content_size.width)
        if measuring:
            facts += "\nmeasuring speed…"
        self._facts.update(Content.styled(facts, "$quiet"))
        self._figures.show(report, measuring=measuring)
        self._detail.update(detail(self._findings.chosen))

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show what to do about the selected finding."""
        self._detail.update(detail(self._findings.chosen))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter reaches the list only while it starts nothing: say why."""
        key = find("begin", self.KEYS)
        if key is not None:
            self.refuse(key)

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        roomy = self.has_class("-wide") and self.has_class("-tall")
        session = self._run.session
        return Moment(
            self._snapshot,
            figures_in_sight=roomy,
            reading=session.reading,
            attached=session.attached,
        )

    def say(self, text: str, severity: str = "information") -> None:
        """Show words for a moment."""
        level = "warning" if severity != "information" else "information"
        self.notify(text, severity=level, markup=False)  # type: ignore[arg-type]

    def action_begin(self) -> None:
        """Train on the usable clips now."""
        self._run.session.send(Continue())

    def action_clean(self) -> None:
        """Make the clean copy of the corpus, and train on that."""
        self._run.session.send(CleanFirst())

    def action_hold(self) -> None:
        """Stop the countdown."""
        self._run.session.send(Hold())

    def action_figures(self) -> None:
        """Show the figures in place of the findings, or the findings again."""
        self.toggle_class("-figures")
        (self._figures if self.has_class("-figures") else self._findings).focus()

    def action_close(self) -> None:
        """Go back to the run."""
        # Until it is gone it may be closed once more.
        if not self._gone_back:
            self._gone_back = True
            self.dismiss()

    def action_leave(self) -> None:
        """Ask what becomes of the run."""
        self._run.action_leave()


def short_facts(report: CheckReport, width: int) -> str:
    """Write the figures in a line, and the training estimates in others of at most `width`."""
    facts = [f"{plural(report.usable, 'clip')} used"]
    if report.usable:
        facts.append(duration(report.hours * 3600))
    for spread, unit in ((report.speaking_rate, "characters/s"), (report.noise, "dB over noise")):
        if spread is not None:
            facts.append(f"{spread.median:.0f} {unit}")
    estimates = [_estimate(one, width) for one in report.estimates if one.measured]
    return "\n".join([" · ".join(facts), *estimates])


def _estimate(one: Estimate, width: int) -> str:
    *cost, speed = (part for line in words.short_estimate(one) for part in line if part)
    whole = " · ".join([*cost, speed])
    return whole if len(whole) <= width else " · ".join(cost)
