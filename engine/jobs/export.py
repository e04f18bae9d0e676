"""`voicecoach export`: a small voice folder to pass on, without the traces of this machine."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from string import Template
from typing import Any

import torch

from engine.advice.kept import resolve, why_best
from engine.checkpoints.both_networks import ssrn_to_train
from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint, write_checkpoint
from engine.checkpoints.state import DamagedCheckpointError
from engine.choices import NetworkName
from engine.errors import InputError
from engine.files import SHARED, fsync, new_folder, replacing
from engine.formatting import duration, printable, timestamp
from engine.run.sample import StepChoice
from engine.voice.folder import Voice, read_corpus_report
from engine.voice.layout import CheckpointEntry
from engine.voice.settings import VoiceSettings

_README = Path(__file__).with_name("export_readme.md")
_NO_SSRN = "\nThis voice has no SSRN: it speaks from the mel alone, which sounds muffled.\n"


@dataclass(frozen=True)
class Exported:
    """What was exported; `ssrn_step` is None where the voice has no SSRN."""

    folder: Path
    step: int
    ssrn_step: int | None
    size: int
    """Bytes of all files."""
    chosen: tuple[str, ...] = ()
    """Of `best` checkpoints, which they are, why, and how sure that is."""
    lacking: tuple[str, str] | None = None
    """What the voice lacks whose SSRN was not trained, and the command that trains it."""


def export_voice(
    voice_folder: Path,
    out: Path,
    *,
    step: StepChoice | None = None,
    ssrn_step: StepChoice | None = None,
    half: bool = False,
) -> Exported:
    """Write a small voice folder: settings, one checkpoint per network, and a README.

    The folder appears when it is complete and on the disk, or not at all. Its weights are the EMA
    weights where the voice has them; optimizer state, dataset, price, budget, mirror, spend and
    history are left out.

    Args:
        voice_folder: the voice.
        out: the folder to make; it may exist, empty.
        step: the Text2Mel checkpoint to export, the newest by default.
        ssrn_step: the SSRN checkpoint, likewise; without a choice there may be none.
        half: write weights of 16 bits, at half the size; they speak nearly the same.

    Raises:
        InputError: there is no such voice or checkpoint, one cannot be exported, or the folder is
            not empty.
        EngineError: the folder cannot be written.
    """
    voice = Voice.open(voice_folder)
    target = _require_free(out)
    entries: dict[NetworkName, CheckpointEntry] = {"text2mel": resolve(voice, "text2mel", step)}
    if ssrn_step is not None or voice.newest("ssrn") is not None:
        entries["ssrn"] = resolve(voice, "ssrn", ssrn_step)
    loaded = (_load(voice, network, entry) for network, entry in entries.items())
    checkpoints = [_stripped(one, half=half) for one in loaded]
    with new_folder(target) as folder:
        copy = Voice.create(folder, _settings(voice, checkpoints[0].symbols), SHARED)
        for checkpoint in checkpoints:
            place = copy.checkpoint_folder(checkpoint.network, checkpoint.step)
            place.mkdir(parents=True)
            write_checkpoint(checkpoint, place, SHARED)
        with replacing(folder / "README.md", SHARED) as file:
            file.write(_readme(voice, checkpoints, half=half).encode(errors="replace"))
        paths = list(folder.rglob("*"))
        size = sum(path.stat().st_size for path in paths if path.is_file())
        for inner in (*filter(Path.is_dir, paths), folder):
            fsync(inner)
    steps = {checkpoint.network: checkpoint.step for checkpoint in checkpoints}
    chosen = why_best(voice, step, ssrn_step)
    lacking = ssrn_to_train(voice) if ssrn_step is None else None
    return Exported(out, steps["text2mel"], steps.get("ssrn"), size, chosen, lacking)


def _load(voice: Voice, network: NetworkName, entry: CheckpointEntry) -> Checkpoint:
    """Read a checkpoint; of a damaged one it is said which step can be exported instead."""
    try:
        return load_checkpoint(entry.path, with_optimizer=False)
    except DamagedCheckpointError as error:
        before = [one.step for one in voice.checkpoints(network) if one.step < entry.step]
        if not before:
            raise
        option = "--step" if network == "text2mel" else "--ssrn-step"
        remedy = f"{option} {before[-1]} exports the one before it"
        raise DamagedCheckpointError(error.what, remedy) from error


def _stripped(checkpoint: Checkpoint, *, half: bool) -> Checkpoint:
    """The weights that speak, and nothing that only training needs."""
    weights = {}
    for name, tensor in checkpoint.inference_weights.items():
        if not tensor.isfinite().all():
            raise InputError(
                f"The weights {name} hold numbers that are not finite: the training has diverged; "
                f"choose an earlier checkpoint."
            )
        weights[name] = tensor.to(torch.float16) if half else tensor
        if not weights[name].isfinite().all():
            raise InputError(
                f"The weights {name} hold numbers too large for 16 bits; export without --half."
            )
    return Checkpoint(
        network=checkpoint.network,
        spec=checkpoint.spec,
        symbols=checkpoint.symbols,
        step=checkpoint.step,
        base_step=checkpoint.base_step,
        recipe=checkpoint.recipe,
        seed=checkpoint.seed,
        weights=weights,
    )


def _settings(voice: Voice, symbols: str) -> VoiceSettings:
    """The voice's settings without those of the machine that trained it."""
    settings = replace(voice.settings, symbols=symbols, dataset=None, mirror=None, id=None)
    return replace(settings, price=0.0, price_auto=False, budget=0.0, held_out=(), left_out=())


def _readme(voice: Voice, checkpoints: Sequence[Checkpoint], *, half: bool) -> str:
    rows = ["| network | step | base step | recipe | parameters | weights |", "|---" * 6 + "|"]
    for one in checkpoints:
        parameters = sum(tensor.numel() for tensor in one.weights.values())
        rows.append(
            f"| {one.network} | {one.step:,} | {one.base_step:,} | {one.recipe} | {parameters:,} "
            f"| {16 if half else 32} bits |"
        )
    if len(checkpoints) == 1:
        rows.append(_NO_SSRN)
    return Template(_README.read_text(encoding="utf-8")).substitute(
        name=printable(voice.name),
        version=version("voicecoach"),
        date=timestamp(),
        corpus=_corpus(read_corpus_report(voice)),
        networks="\n".join(rows),
    )


def _corpus(report: dict[str, Any]) -> str:
    """How much the voice was trained on; paths and texts of the recordings may be private."""
    if "clips" not in report or "hours" not in report:
        return "a corpus of unknown size"
    return f"{report['clips']:,} clips, {duration(3600 * report['hours'])}"


def _require_free(out: Path) -> Path:
    """Where the folder really goes; `InputError` where it cannot."""
    try:
        target = out.resolve()
        for folder in target.parents:
            if Voice.exists(folder):
                raise InputError(f"--out {out} is inside the voice {folder}; name another folder.")
        if target.is_dir():
            if any(target.iterdir()):
                raise InputError(f"--out {out} is not empty; name a new folder.")
        elif target.exists():
            raise InputError(f"--out {out} is a file; name a new folder.")
        elif not target.parent.is_dir():
            raise InputError(f"--out {out}: there is no folder {target.parent}; make it first.")
    except (OSError, RuntimeError) as error:
        raise InputError(f"--out {out} cannot be used: {error}.") from error
    return target
