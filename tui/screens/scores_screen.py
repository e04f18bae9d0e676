"""What was measured of each checkpoint: a small curve for each measure; opens on `v`."""

from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Grid, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from engine.advice.measures import ScoreCurve, in_order, score_curves
from engine.choices import NETWORK_TITLES
from engine.formatting import plural, printable, sentence
from engine.run.snapshot import Snapshot
from tui.keys import SCORES_KEYS, Key, Moment
from tui.screens.advice_dialog import AdviceDialog, recommended_words
from tui.screens.keyed_screen import KeyedScreen, KeysFooter
from tui.widgets.score_plot import ScorePlot, newest_words
from tui.widgets.status_line import Part, StatusLine, line

if TYPE_CHECKING:
    from tui.screens.run_screen import RunScreen

_COLUMNS = ((180, 4), (112, 3), (60, 2), (0, 1))
"""Columns of a screen, and how many panels stand side by side in them."""
_PANEL_ROWS = (9, 20)
"""Rows of the lowest panel and of the highest."""


class ScoresScreen(KeyedScreen):
    """Shows the measures over the checkpoints, or says what it waits for."""

    KEYS: ClassVar[tuple[Key, ...]] = SCORES_KEYS
    BINDINGS: ClassVar[list[BindingType]] = [key.binding for key in SCORES_KEYS]
    DROPS_DISABLED = True
    AUTO_FOCUS = "#scores"

    def __init__(self, run: "RunScreen", snapshot: Snapshot) -> None:
        """Take the main screen, which quits on behalf of this one."""
        super().__init__()
        self._run = run
        self.snapshot = snapshot
        self._heading = StatusLine("scores-title")
        self._verdict = Static("", id="scores-verdict", markup=False)
        self._without = Static("", id="scores-without", markup=False)
        self._grid = Grid(id="scores-grid")
        self._plots: dict[str, ScorePlot] = {}

    def compose(self) -> ComposeResult:
        yield self._heading
        yield self._verdict
        with VerticalScroll(id="scores"):
            yield self._grid
            yield self._without
        yield KeysFooter()

    def on_mount(self) -> None:
        self.show(self.snapshot)

    def on_resize(self) -> None:
        self.call_after_refresh(self._fit)

    def _fit(self) -> None:
        """Fill the screen with whole panels."""
        width, height = self.query_one("#scores").size
        columns = next(count for least, count in _COLUMNS if width >= least - 2)
        low, high = _PANEL_ROWS
        shown = sum(plot.display for plot in self._plots.values())
        rows = -(-max(1, shown) // columns)
        on_screen = max(1, min(rows, height // low))
        self._grid.styles.grid_size_columns = columns
        self._grid.styles.grid_rows = (str(max(low, min(high, height // on_screen))),)
        self.show(self.snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Show what is known by now."""
        self.snapshot = snapshot
        if not self.is_mounted:
            return
        self._heading.show(_heading(snapshot, self._heading.content_size.width))
        curves = score_curves(snapshot.scores)
        steady = [name for name, one in curves.items() if one.is_steady]
        without = _without_plots([curves.pop(name) for name in steady], snapshot)
        for place, words in ((self._verdict, _verdict(snapshot)), (self._without, without)):
            if words != place.content:
                place.update(words)
                place.display = bool(words.plain)
        self._show_plots(curves)
        self.refresh_keys()

    def _show_plots(self, curves: dict[str, ScoreCurve]) -> None:
        new = {name: ScorePlot(name) for name in curves if name not in self._plots}
        there = [name for name, plot in self._plots.items() if plot.display]
        if new or list(curves) != there:
            self._plots |= new
            self._plots = {name: self._plots[name] for name in in_order(self._plots)}
            self._grid.mount(*new.values())
            places = {plot.id: place for place, plot in enumerate(self._plots.values())}
            self._grid.sort_children(key=lambda plot: places[plot.id])
            for name, plot in self._plots.items():
                plot.display = name in curves
            self.call_after_refresh(self._fit)
        best = self.snapshot.recommended
        for name, one in curves.items():
            self._plots[name].show(one, best.step if best else None)

    @property
    def moment(self) -> Moment:
        """What decides which keys do something now."""
        session = self._run.session
        return Moment(self.snapshot, reading=session.reading, attached=session.attached)

    def action_why(self) -> None:
        self.app.push_screen(AdviceDialog(self.snapshot))

    def action_close(self) -> None:
        """Go back to the run."""
        if self.app.screen is self:
            self.dismiss()

    def action_leave(self) -> None:
        """Ask what becomes of the run."""
        self._run.action_leave()


def _without_plots(steady: list[ScoreCurve], snapshot: Snapshot) -> Content:
    """Name the measures that are the same everywhere, and say what was not measured, and why."""
    same = ", ".join(f"{one.measure.title} {newest_words(one)}" for one in steady)
    lines = [f"The same at every checkpoint: {same}."] if same else []
    lines += [sentence(snapshot.judge_waits)] if snapshot.scores and snapshot.judge_waits else []
    lines += [printable(snapshot.judge_absent)] if snapshot.judge_absent else []
    return Content.styled("\n".join(lines), "$quiet")


def _heading(snapshot: Snapshot, width: int) -> Content:
    scores, evaluating = snapshot.scores, snapshot.evaluating
    sentences = scores[-1].sentences if scores else 0
    left = [
        Part(printable(snapshot.voice), "bold $primary"),
        Part(NETWORK_TITLES[snapshot.network], "bold", rank=4),
        Part("scores", "bold"),
    ]
    right = [
        Part("" if evaluating is None else f"evaluating {evaluating:,}", "$training", rank=1),
        Part(plural(len(scores), "checkpoint") if scores else "", "$quiet", rank=2),
        Part(plural(sentences, "sentence") if sentences else "", "$quiet", rank=3),
    ]
    return line(left, right, width)


def _verdict(snapshot: Snapshot) -> Content:
    """Say which checkpoint to export, and what the scores wait for."""
    best = snapshot.recommended
    parts = [] if best is None else [recommended_words(best)]
    if not snapshot.scores:
        parts.append(Content(_waits_for(snapshot)))
    return Content("\n").join(parts)


def _waits_for(snapshot: Snapshot) -> str:
    if not snapshot.checkpoints:
        return "Scores come with the first checkpoint: it is evaluated beside training."
    if snapshot.judge_waits:
        return sentence(snapshot.judge_waits)
    if snapshot.evaluating is None:
        return "No checkpoint has been evaluated yet: that is done beside training."
    return f"Checkpoint {snapshot.evaluating:,} is being evaluated, the first of all."
