"""What a run that does not answer has written down of where it stood."""

import logging
from dataclasses import dataclass
from pathlib import Path

from engine.choices import NetworkName
from engine.errors import VoicecoachError
from engine.voice.layout import list_checkpoints
from engine.voice.spend import SpendLog

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LastKnown:
    """Where a run stood when it wrote it down last, some seconds before it fell silent."""

    step: int | None
    """None where nothing says it."""
    spent: float | None
    """US dollars, the voice's all; None where the log cannot be read."""


def last_known(folder: Path, network: NetworkName) -> LastKnown:
    """Read from a voice folder where its run stood, and what it had cost."""
    log = SpendLog(folder / "spend.jsonl")
    try:
        open_entries = log.open_entries()
        spent = log.usd + sum(entry.usd for entry in open_entries)
        steps = [entry.last_step for entry in open_entries if entry.network == network]
    except VoicecoachError as error:
        _log.warning("%s", error)
        spent, steps = None, []
    return LastKnown(steps[-1] if steps else _saved(folder, network), spent)


def _saved(folder: Path, network: NetworkName) -> int | None:
    try:
        checkpoints = list_checkpoints(folder / network / "checkpoints")
    except OSError as error:
        _log.warning("the checkpoints of %s cannot be listed: %s", folder, error)
        return None
    return checkpoints[-1].step if checkpoints else None
