"""The checkpoints on disk, and why each is kept."""

from rich.text import Text

from engine.choices import NETWORK_TITLES
from engine.run.evaluation import BestBy, CheckpointScores
from engine.run.sample import KeptCheckpoint
from tui import formatting
from tui.widgets.table import Table

_BEST_BY: dict[BestBy, str] = {
    "held-out": "held-out",
    "judge": "scores",
    "listening": "by ear",
}


def best_words(checkpoint: KeptCheckpoint) -> str:
    """Say what a checkpoint is the best by, with a star on the one to export; or nothing."""
    by = ", ".join(_BEST_BY[one] for one in checkpoint.best_by)
    words = f"best {by}".rstrip() if by or checkpoint.best else ""
    return f"★ {words}" if checkpoint.best else words


class Checkpoints(Table):
    """A table of checkpoints, the newest on top: what was measured of each, and why it is kept."""

    BORDER_TITLE = "checkpoints"

    def __init__(self) -> None:
        super().__init__(id="checkpoints", classes="panel", cursor_type="none", zebra_stripes=False)
        self._shown: tuple[tuple[KeptCheckpoint, ...], tuple[CheckpointScores, ...]] | None = None

    def show(
        self, checkpoints: tuple[KeptCheckpoint, ...], scores: tuple[CheckpointScores, ...]
    ) -> None:
        """List other checkpoints, with the sentences that each misread."""
        if (checkpoints, scores) == self._shown:
            return
        self._shown = checkpoints, scores
        misread = {(one.network, one.step): f"{one.misread} of {one.sentences}" for one in scores}
        newest = {one.network: one for one in checkpoints}
        newest_first = sorted(checkpoints, key=lambda one: (one.network, one.step), reverse=True)
        rows = [
            _cells(
                one,
                misread.get((one.network, one.step), ""),
                is_newest=newest[one.network] is one,
            )
            for one in newest_first
        ]
        self.fill(rows, ("step", "network", "held-out", "misread", "kept as"))


def _cells(one: KeptCheckpoint, misread: str, *, is_newest: bool) -> list[Text]:
    reasons = {"newest": is_newest, best_words(one): True, "base": one.base}
    held_out = "" if one.held_out is None else formatting.loss(one.held_out)
    return [
        Text(f"{one.step:,}", justify="right"),
        Text(NETWORK_TITLES[one.network]),
        Text(held_out, justify="right"),
        Text(misread, justify="right"),
        Text(", ".join(reason for reason, holds in reasons.items() if reason and holds)),
    ]
