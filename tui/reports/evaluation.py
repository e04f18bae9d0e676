"""What `voicecoach evaluate` prints: measures of checkpoints with intervals, and the best."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.advice.measures import ScoreCurve, score_curves
from engine.formatting import plural, printable
from engine.run.evaluation import CheckpointScores, Evaluation, Recommendation, Score
from tui.formatting import figure, interval

if TYPE_CHECKING:
    from engine.jobs.evaluate import Evaluated

# Columns of the terminal that names of measures take, the recordings and each checkpoint.
_TITLE, _RECORDINGS, _CELL = 19, 11, 24
_MAX_MISREAD = 8


def print_evaluated(done: "Evaluated") -> None:
    """Print the measures as tables of as many checkpoints as fit, then what they say."""
    console = Console(markup=False, highlight=False, emoji=False)
    per_table = max(1, (console.width - _TITLE - _RECORDINGS) // _CELL)
    scores = done.scores
    curves = [
        curve for one in score_curves(scores).values() for curve in (one, one.beside) if curve
    ]
    for first in range(0, len(scores), per_table):
        console.print(_table(scores[first : first + per_table], curves, done))
    for line in _lines(done):
        console.print(Text(printable(line)), soft_wrap=True)


def _table(
    scores: Sequence[CheckpointScores], curves: Sequence[ScoreCurve], done: "Evaluated"
) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0))
    table.add_column("mean and 95 % interval", max_width=_TITLE - 1)
    for one in scores:
        table.add_column(f"{one.step:,}{_marks(done, one.step)}", max_width=_CELL - 1)
    with_ceilings = any(curve.ceiling is not None for curve in curves)
    if with_ceilings:
        table.add_column("recordings")
    for curve in curves:
        unit, known = curve.measure.unit, dict(curve.scores)
        cells = [_interval(known[one.step], unit) if one.step in known else "–" for one in scores]
        if with_ceilings:
            cells.append("" if curve.ceiling is None else figure(curve.ceiling, unit))
        table.add_row(curve.measure.title, *cells)
    if won := done.won:
        places = {step: place for place, step in enumerate(won, 1)}
        table.add_row("judge's rank", *(_place(one.step, places, won) for one in scores))
    misread = [f"{one.misread} of {plural(one.sentences, 'sentence')}" for one in scores]
    if done.network == "text2mel":
        table.add_row("misread", *misread)
    return table


def _place(step: int, places: Mapping[int, int], won: Mapping[int, float]) -> str:
    if step not in places:
        return "–"
    return f"{places[step]} of {len(won)} ({100 * won[step]:.0f} % won)"


def _interval(score: Score, unit: str) -> str:
    return interval(score, unit).replace(" to ", "–")  # two checkpoints fit side by side


def _marks(done: "Evaluated", step: int) -> str:
    """What a checkpoint is, in brackets; nothing for most."""
    kept = next((one for one in done.kept if one.step == step), None)
    if kept is None:
        return ""
    words = [f"best by {by}" for by in kept.best_by]
    words += ["base"] if kept.base else []
    return f" ({', '.join(words)})" if words else ""


def _lines(done: "Evaluated") -> Iterator[str]:
    yield from _misread(done.evaluations)
    if done.absent:
        yield f"not measured: {done.absent}"
    if (best := done.recommended) is not None:
        yield f"recommended: {best.words}"
        yield f"next: {_next_command(done, best)}"


def _next_command(done: "Evaluated", best: Recommendation) -> str:
    """What to do with the recommended checkpoint; one that was not measured comes first."""
    if best.step in done.measured:
        return best.export_command(done.voice.folder, done.voice.name)
    network = f" --network {done.network}" if done.network != "text2mel" else ""
    folder = shlex.quote(str(done.voice.folder))
    return f"voicecoach evaluate {folder}{network} --step {best.step}"


def _misread(evaluations: Sequence[Evaluation]) -> Iterator[str]:
    """Each misread sentence of the newest checkpoints, with what went wrong."""
    found = [
        f"{each.step:,}: {', '.join(misread.words for misread in one.misreadings)}: {one.sentence}"
        for each in reversed(evaluations)
        for one in each.sentences
        if one.misreadings
    ]
    yield from found[:_MAX_MISREAD]
    if len(found) > _MAX_MISREAD:
        yield f"and {len(found) - _MAX_MISREAD:,} more (see --json)"
