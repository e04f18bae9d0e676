"""`voicecoach say`: a text spoken by a voice, written to a file."""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.checkpoint_folders import CheckpointEntry
from engine.corpus.text import Vocabulary
from engine.errors import InputError
from engine.host.device import choose_device, leave_a_core_for_the_screen
from engine.host.files import write_whole
from engine.networks.text2mel import Text2Mel
from engine.speech.audition import listeners_note, load_ssrn, sample_path
from engine.speech.utterance import Utterance, speak, write_wav
from engine.speech.vocoder import VocoderSettings
from engine.training.checkpoint import load_checkpoint, speaking_network
from engine.voice import Voice


@dataclass(frozen=True)
class Said:
    """What was spoken, and where it is."""

    path: Path
    seconds: float
    step: int
    ssrn_step: int | None
    note: str
    """What a listener must know; empty when all is well."""


def say(
    voice_folder: Path,
    text: str,
    *,
    step: int | None = None,
    out: Path | None = None,
    arrays: Path | None = None,
    device: str = "cpu",
) -> Said:
    """Speak a text with a voice's checkpoint and its newest SSRN.

    Args:
        voice_folder: the voice.
        text: what to say.
        step: a checkpoint of Text2Mel; the newest without it.
        out: the WAV file; a new file among the voice's samples without it.
        arrays: an npz file for mel `(T/4, 80)`, magnitude `(T, F)`, alignment `(N, T/4)`.
        device: `auto`, `cpu` or `cuda:N`.

    Raises:
        InputError: no such voice or checkpoint, nothing to speak, or no such folder.
        EngineError: a file cannot be written.
    """
    voice = Voice.open(voice_folder)
    for path, option in ((out, "--out"), (arrays, "--arrays")):
        if path is not None:
            _check_place(path, option)
    if out is not None and out.suffix.lower() not in ("", ".wav"):
        raise InputError(f"--out {out}: only WAV is written; give a name that ends in .wav.")
    target = choose_device(device)
    leave_a_core_for_the_screen()
    entry = _find_checkpoint(voice, step)
    checkpoint = load_checkpoint(entry.path, to_speak=True)
    text2mel = speaking_network(checkpoint)
    if not isinstance(text2mel, Text2Mel):
        raise InputError(f"{entry.path} holds an {checkpoint.network}, not a text2mel.")
    text2mel.to(target)
    ssrn, ssrn_step = load_ssrn(voice)
    if ssrn is not None:
        ssrn.to(target)
    settings = voice.settings
    vocabulary = Vocabulary(checkpoint.symbols)
    utterance = speak(
        text,
        text2mel,
        ssrn,
        vocabulary,
        settings.audio,
        max_characters=settings.limits.max_characters,
        max_frames=settings.limits.max_coarse_frames,
        settings=VocoderSettings(sharpening=settings.sharpening),
    )
    path = out or sample_path(voice, entry.step, ssrn_step, text)
    write_wav(path, utterance.waveform, utterance.sample_rate)
    if arrays is not None:
        _write_arrays(arrays, utterance)
    seconds = len(utterance.waveform) / utterance.sample_rate
    note = listeners_note(utterance, text, vocabulary)
    return Said(path, seconds, entry.step, ssrn_step, note)


def _check_place(path: Path, option: str) -> None:
    """Refuse a file that cannot be written before time goes into what it would hold."""
    if path.is_dir():
        raise InputError(f"{option} {path} is a folder; name a file in it.")
    if not path.parent.is_dir():
        raise InputError(f"{option} {path}: there is no folder {path.parent}; make it first.")


def _find_checkpoint(voice: Voice, step: int | None) -> CheckpointEntry:
    found = voice.checkpoints("text2mel")
    if not found:
        raise InputError(
            f"The voice {voice.folder} cannot speak yet: its Text2Mel has no checkpoint; train "
            f"it first."
        )
    if step is None:
        return found[-1]
    for entry in found:
        if entry.step == step:
            return entry
    steps = ", ".join(f"{entry.step:,}" for entry in found[-8:])
    raise InputError(
        f"The voice {voice.folder} has no Text2Mel checkpoint of step {step:,}; there are {steps}."
    )


def _write_arrays(path: Path, utterance: Utterance) -> None:
    buffer = io.BytesIO()
    np.savez(
        buffer,
        mel=utterance.mel,
        magnitude=utterance.magnitude,
        alignment=utterance.attention,
    )
    write_whole(path, buffer.getvalue())
