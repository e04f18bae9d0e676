"""The check of the recordings: opens by itself where there are errors, else on k."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.widgets import DataTable, Static

from engine.check.report import CheckReport, Estimate, Finding
from engine.data.clips import RECORDINGS, find_recording
from engine.data.metadata import LEFT_OUT
from engine.formatting import duration, plural, printable
from engine.run.commands import CleanFirst, Continue, Hold, KeyPressed, LeaveOut
from engine.run.snapshot import Phase, Snapshot
from tui.keys import CHECK_KEYS, Key, Moment, find
from tui.reports import check_words as words
from tui.screens.hearing import HearingScreen
from tui.screens.keyed_screen import KeysFooter
from tui.widgets.check_figures import CheckFigures
from tui.widgets.findings import Findings, detail
from tui.widgets.notice import Notice
from tui.widgets.status_line import Part, StatusLine, line

if TYPE_CHECKING:
    from tui.screens.run_screen import RunScreen


_WIDTH_WITH_FIGURES, _HEIGHT_WITH_FIGURES = 150, 30
"""The size from which on the figures stand beside the findings."""


class CheckScreen(HearingScreen):
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
        self.session, self.listening, self.host = run.session, run.listening, run.host
        self.snapshot = snapshot
        self._sound_error = run.listening.status.last_error
        self._asks = False
        self._gone_back = False
        self._shown: tuple[CheckReport, bool, int] | None = None
        self._heading = StatusLine("check-title")
        self._verdict = Static("", id="check-verdict", markup=False)
        self._facts = Static("", id="check-facts", markup=False)
        self._notice = Notice(reading=run.session.reading, warning=False)
        self._findings = Findings()
        self._detail = Static("", id="check-detail", markup=False)
        self._figures = CheckFigures()

    def compose(self) -> ComposeResult:
        """Lay out the answer, the findings, and what to do about them."""
        yield self._heading
        yield self._verdict
        yield self._notice
        yield self._facts
        with Horizontal(id="check-body"):
            with Vertical(id="check-list"):
                yield self._findings
                yield self._detail
            yield self._figures
        yield KeysFooter()

    def on_mount(self) -> None:
        """Show the first snapshot."""
        self.show(self.snapshot)

    def on_resize(self) -> None:
        """Fit everything to the size; figures that have room need no key."""
        width, height = self.size
        beside = width >= _WIDTH_WITH_FIGURES and height >= _HEIGHT_WITH_FIGURES
        self.set_class(beside, "-beside")
        if beside:
            self.remove_class("-figures")
        # The panels know their sizes a turn later.
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        self.show(self.snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot, or close once the question is answered."""
        self.snapshot = snapshot
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
        self._findings.show(report, snapshot.left_out)
        measuring = asks and snapshot.progress is not None
        shown = (report, measuring, self._facts.content_size.width)
        if shown != self._shown:
            self._shown = shown
            self._show_report(report, measuring=measuring)
        self._show_sound_error()
        self.refresh_keys()

    def _show_sound_error(self) -> None:
        error = self.listening.status.last_error
        if error and error != self._sound_error:
            self.say(f"no sound: {error}", "warning")
        self._sound_error = error

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
        self.refresh_keys()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Enter reaches the list only while it starts nothing: say why."""
        key = find("begin", self.KEYS)
        if key is not None:
            self.refuse(key)

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        finding = self._findings.chosen
        about_clip = finding is not None and finding.line is not None
        return Moment(
            self.snapshot,
            clip=finding.clip_id if finding and about_clip else "",
            file=finding.file if finding and is_recording(finding.file) else "",
            clip_left_out=self._why_left_out(finding),
            figures_in_sight=self.has_class("-beside"),
            reading=self.session.reading,
            attached=self.session.attached,
        )

    def _why_left_out(self, finding: Finding | None) -> Literal["", "by hand", "by the check"]:
        report = self.snapshot.check
        if finding is None or finding.line is None or report is None:
            return ""
        if self._findings.is_left_out(finding):
            return "by hand"
        by_check = (row.line for row in report.left_out if row.kind != LEFT_OUT)
        return "by the check" if finding.line in by_check else ""

    def action_begin(self) -> None:
        """Train on the usable clips now."""
        self.session.send(Continue())

    def action_clean(self) -> None:
        """Make the clean copy of the corpus, and train on that."""
        self.session.send(CleanFirst())

    def action_hold(self) -> None:
        """Stop the countdown."""
        self.session.send(Hold())

    def action_play(self) -> None:
        """Play the recording of the highlighted finding; where there is no sound, copy how to."""
        self._with_recording(lambda path: self.hear(path, path.stem))
        if self.snapshot.phase is Phase.CHECKED and not self.session.reading:
            # Whoever listens has not gone away.
            self.session.send(KeyPressed())

    def action_copy_player(self) -> None:
        """Copy the command that plays it on the person's own machine."""
        self._with_recording(self.copy_player)

    def _with_recording(self, use: Callable[[Path], object]) -> None:
        """Use the recording of the highlighted finding, once the disk has found it."""
        finding, report = self._findings.chosen, self.snapshot.check
        if finding is None or report is None:
            return

        def found(path: Path | None) -> None:
            if path is None:
                self.say("this clip has no recording", "warning")
            else:
                use(path)

        self.off_screen(lambda: recording_of(finding, Path(report.dataset)), found)

    def unheard(self, path: Path, why: str) -> None:
        """Copy the command that plays it where the person is."""
        if not self.listening.explained:
            self.listening.explained = True
            self._run.note(f"no sound on this host ({why})")
        self.copy_player(path)

    def action_leave_out(self) -> None:
        """Leave the clip of the highlighted finding out of training."""
        self._change_clip(leave_out=True)

    def action_take_in(self) -> None:
        """Use that clip again."""
        self._change_clip(leave_out=False)

    def _change_clip(self, *, leave_out: bool) -> None:
        finding = self._findings.chosen
        if finding is None:
            return
        self.session.send(LeaveOut(finding.clip_id, leave_out))
        if self.snapshot.phase is not Phase.CHECKED:
            what = "left out" if leave_out else "used"
            when = "in this run" if self.snapshot.phase.before_steps else "from the next run on"
            self.say(f"{printable(finding.clip_id)} is {what} {when}")

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


def is_recording(file: str) -> bool:
    """Whether a finding's file is one below the corpus's recordings."""
    parts = Path(file).parts
    return len(parts) > 1 and parts[0] == RECORDINGS and ".." not in parts


def recording_of(finding: Finding, dataset: Path) -> Path | None:
    """Find the recording that a finding is about; None where there is none."""
    try:
        if is_recording(finding.file) and (path := dataset / finding.file).is_file():
            return path
        return find_recording(dataset, finding.clip_id) if finding.clip_id else None
    except OSError:
        return None  # a folder that cannot be read has none to play


def short_facts(report: CheckReport, width: int) -> str:
    """Write the figures in a line, and the training estimates in others of at most `width`."""
    facts = [f"{plural(report.usable, 'clip')} used"]
    if report.usable:
        facts.append(duration(report.hours * 3600))
    if report.by_hand:
        facts.append(f"{report.by_hand:,} left out by you")
    for spread, unit in ((report.speaking_rate, "characters/s"), (report.noise, "dB over noise")):
        if spread is not None:
            facts.append(f"{spread.median:.0f} {unit}")
    estimates = [_estimate(one, width) for one in report.estimates if one.measured]
    return "\n".join([" · ".join(facts), *estimates])


def _estimate(one: Estimate, width: int) -> str:
    *cost, speed = (part for line in words.short_estimate(one) for part in line if part)
    whole = " · ".join([*cost, speed])
    return whole if len(whole) <= width else " · ".join(cost)
