"""`evaluation.jsonl`: what was measured of the checkpoints of a voice."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from engine.choices import NetworkName
from engine.errors import InputError
from engine.files import append_line, read_plain, write_whole
from engine.run.evaluation import Evaluation
from engine.serialization import from_json, read_json_lines, to_json
from engine.voice.folder import Voice

LIST = "evaluation.jsonl"
"""The file's name in the voice folder."""
# An evaluation takes some 10 kB; from the second size on the file is written anew.
_MAX_BYTES, _COMPACT_BYTES = 2**27, 2**25
# Of a network; the newest ones.
_MAX_EVALUATIONS = 1_000
_MAX_STATE_BYTES = 2**20
_WEIGHTS_THAT_SPEAK = ("average.safetensors", "weights.safetensors")


@dataclass(frozen=True)
class _Saved:
    """What `state.json` says of when a checkpoint was saved, and of its weights."""

    saved: str = ""
    sha256: dict[str, str] = field(default_factory=dict)

    @property
    def time(self) -> float:
        """Seconds since the epoch; 0 where that is not known."""
        try:
            return datetime.fromisoformat(self.saved).timestamp()
        except (ValueError, OverflowError):
            return 0.0

    @property
    def weights(self) -> str:
        """The checksum of the weights that speak."""
        return next((self.sha256[name] for name in _WEIGHTS_THAT_SPEAK if name in self.sha256), "")


def append_evaluation(voice: Voice, evaluation: Evaluation) -> None:
    """Add an evaluation to the voice's `evaluation.jsonl`, safe on disk.

    Raises:
        InputError: a file as large as this one is none of ours.
        EngineError: it cannot be written.
    """
    path = voice.folder / LIST
    append_line(path, to_json(evaluation).decode(), sync=True)
    if path.stat().st_size > _COMPACT_BYTES:
        lines = (to_json(one) + b"\n" for one in _read_all(voice))
        write_whole(path, b"".join(lines), make_folders=False)


def read_evaluations(voice: Voice, network: NetworkName) -> tuple[Evaluation, ...]:
    """The newest evaluation of every step of a network, the first step first.

    Those of checkpoints that were pruned are among them; those of weights that training has taken
    back or made again are not. Damaged lines are passed over, with a warning in the log.

    Raises:
        InputError: the file cannot be read.
    """
    found = {one.step: one for one in _read_all(voice) if one.network == network}
    saved = _checkpoints(voice, network) if found else {}
    valid = [found[step] for step in sorted(found) if _is_of(found[step], saved)]
    return tuple(valid[-_MAX_EVALUATIONS:])


def _checkpoints(voice: Voice, network: NetworkName) -> dict[int, _Saved]:
    return {
        entry.step: _read_saved(entry.path / "state.json") for entry in voice.checkpoints(network)
    }


def _read_saved(path: Path) -> _Saved:
    try:
        return from_json(read_plain(path, _MAX_STATE_BYTES), _Saved, path)
    except (OSError, InputError):
        return _Saved()  # whoever loads the checkpoint says that it is damaged


def _is_of(evaluation: Evaluation, saved: Mapping[int, _Saved]) -> bool:
    """Whether the weights that were evaluated are those of the step, or were when it was pruned."""
    own = saved.get(evaluation.step)
    if own is not None and own.weights and evaluation.weights:
        return own.weights == evaluation.weights
    later = any(step >= evaluation.step for step in saved)
    before = [one.time for step, one in saved.items() if step <= evaluation.step]
    return later and max(before, default=0.0) <= evaluation.time


def _read_all(voice: Voice) -> list[Evaluation]:
    """The newest evaluations of every network and step, in the order of the file."""
    remedy = "move the file away to have the checkpoints evaluated anew"
    found = read_json_lines(voice.folder / LIST, Evaluation, _MAX_BYTES, remedy)
    return list({(one.network, one.step): one for one in found}.values())
