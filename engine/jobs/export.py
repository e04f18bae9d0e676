"""`voicecoach export`: a voice made into a few files that can be used elsewhere."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint, speaking_network
from engine.checkpoints.folders import CheckpointEntry, DamagedCheckpointError
from engine.errors import InputError
from engine.exported.card import CORPUS_FIGURES, ExportCard, NetworkCard, render
from engine.exported.folder import CARD, weights_file
from engine.exported.weights import pack
from engine.files import fsync, new_folder
from engine.formatting import printable, timestamp
from engine.speech.speaker import text2mel_checkpoint
from engine.voice.folder import Voice, is_exported, read_corpus_report


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    folder: Path
    step: int
    """Of Text2Mel's checkpoint."""
    ssrn_step: int | None
    """Of SSRN's; None where the voice has none."""
    size: int
    """Bytes of all files."""


def export_voice(
    voice_folder: Path, out: Path, *, step: int | None = None, half: bool = False
) -> Exported:
    """Write the weights that speak, as safetensors, and a readable card beside them.

    The folder appears when it is complete and on the disk, or not at all.

    Args:
        voice_folder: the voice.
        out: the folder to make; it may be there, empty.
        step: a checkpoint of Text2Mel; the newest without it. Of SSRN it is always the newest.
        half: write weights of 16 bits, at half the size; they speak nearly the same.

    Raises:
        InputError: no such voice or checkpoint, one that cannot be exported, or a folder that
            holds something already.
        EngineError: the folder cannot be written.
    """
    if is_exported(voice_folder):
        raise InputError(f"{voice_folder} is an exported voice already; copy the folder.")
    voice = Voice.open(voice_folder)
    target = _require_free(out)
    entries = [text2mel_checkpoint(voice, step)]
    if (ssrn := voice.newest("ssrn")) is not None:
        entries.append(ssrn)
    checkpoints = [_load(voice, entry) for entry in entries]
    files = _files(voice, checkpoints, "float16" if half else "float32")
    _write_folder(target, files)
    steps = {checkpoint.network: checkpoint.step for checkpoint in checkpoints}
    size = sum(len(content) for content in files.values())
    return Exported(out, steps["text2mel"], steps.get("ssrn"), size)


def _load(voice: Voice, entry: CheckpointEntry) -> Checkpoint:
    """Read a checkpoint to be exported.

    Raises:
        DamagedCheckpointError: it is damaged, saying which step can be exported instead.
        InputError: it cannot be read.
    """
    try:
        return load_checkpoint(entry.path, to_speak=True)
    except DamagedCheckpointError as error:
        before = [one.step for one in voice.checkpoints("text2mel") if one.step < entry.step]
        if entry not in voice.checkpoints("text2mel") or not before:
            raise
        remedy = f"--step {before[-1]} exports the one before it"
        raise DamagedCheckpointError(error.what, remedy) from error


def _require_free(out: Path) -> Path:
    """Return where the folder really goes.

    Raises:
        InputError: something is there already, or there is no folder to make it in.
    """
    try:
        target = out.resolve()
        if target.is_dir():
            if any(target.iterdir()):
                raise InputError(f"--out {out} holds something already; name a new folder.")
        elif target.exists():
            raise InputError(f"--out {out} is a file; name a new folder.")
        elif not target.parent.is_dir():
            raise InputError(f"--out {out}: there is no folder {target.parent}; make it first.")
    except (OSError, RuntimeError) as error:
        raise InputError(f"--out {out} cannot be used: {error}.") from error
    return target


def _files(voice: Voice, checkpoints: list[Checkpoint], dtype: str) -> dict[str, bytes]:
    """The files of an export by name, complete.

    Raises:
        InputError: the voice cannot be exported; saying why.
    """
    files: dict[str, bytes] = {}
    networks = {}
    for checkpoint in checkpoints:
        # Refuses weights that are not those of the spec.
        speaking_network(checkpoint)
        content = pack(checkpoint.speaking, dtype)
        files[weights_file(checkpoint.network)] = content
        networks[checkpoint.network] = NetworkCard(
            spec=checkpoint.spec,
            step=checkpoint.step,
            base_step=checkpoint.base_step,
            recipe=checkpoint.recipe,
            parameters=sum(tensor.numel() for tensor in checkpoint.speaking.values()),
            dtype=dtype,
            sha256=sha256(content).hexdigest(),
        )
    settings = voice.settings
    card = ExportCard(
        name=_writable(voice.name),
        voicecoach=version("voicecoach"),
        exported=timestamp(),
        symbols=checkpoints[0].symbols,
        cleaner=settings.cleaner,
        sharpening=settings.sharpening,
        audio=settings.audio,
        limits=settings.limits,
        networks=networks,
        corpus=_corpus_figures(voice),
    )
    try:
        return {CARD: render(card), **files}
    except InputError as error:
        raise InputError(f"The voice {voice.folder} cannot be exported: {error}") from error


def _writable(name: str) -> str:
    """A folder's name as a card can hold it."""
    return printable(name[:200]) or "voice"


def _corpus_figures(voice: Voice) -> Mapping[str, float | None]:
    """Figures alone, for texts and paths of the recordings may be private."""
    report = read_corpus_report(voice)
    figures: dict[str, float | None] = {
        "held_out_clips": _length(report.get("held_out")),
        "left_out_clips": _length(report.get("left_out")),
    }
    for name in ("clips", "training_clips", "hours"):
        value = report.get(name)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        figures[name] = value if number else None
    return {name: figures[name] for name in CORPUS_FIGURES}


def _length(found: object) -> int | None:
    return len(found) if isinstance(found, list) else None


def _write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write files into a folder that appears when all of them are safe.

    Raises:
        InputError: there can be no such folder.
        EngineError: it cannot be written; nothing is left of it.
    """
    with new_folder(target) as folder:
        for name, content in files.items():
            with (folder / name).open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        fsync(folder)
