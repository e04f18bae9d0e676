"""`voicecoach say`: a text spoken by a voice, written to a file."""

import io
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.advice.kept import why_best
from engine.checkpoints.both_networks import ssrn_to_train
from engine.checkpoints.state import OPTIMIZER_FILE
from engine.choices import NETWORKS, SynthesisName
from engine.errors import InputError
from engine.files import PRIVATE, SHARED, write_whole
from engine.machine.device import choose_device, compute_on_one_thread
from engine.run.sample import StepChoice
from engine.speech.growing import write_wav
from engine.speech.speaker import open_speaker
from engine.speech.utterance import Utterance
from engine.voice.folder import Voice
from engine.voice.samples import sample_name, unused_path

_TRAINED_WITH_MASKS = (
    "spoken as the BBC's code speaks, but this network was trained without padding, unlike the "
    "BBC's: judge it by --synthesis standard"
)


@dataclass(frozen=True)
class Said:
    """What was spoken, and where it is."""

    path: Path
    seconds: float
    step: int
    ssrn_step: int | None
    note: str
    """What a listener must know; empty when all is well."""
    chosen: tuple[str, ...] = ()
    """Of `best` checkpoints, which they are, why, and how sure that is."""
    lacking: tuple[str, str] | None = None
    """What the voice lacks whose SSRN was not trained, and the command that trains it."""


def say(
    voice_folder: Path,
    text: str,
    *,
    step: StepChoice | None = None,
    ssrn_step: StepChoice | None = None,
    synthesis: SynthesisName = "standard",
    out: Path | None = None,
    arrays: Path | None = None,
    device: str = "cpu",
) -> Said:
    """Speak a text with checkpoints of a voice.

    Args:
        voice_folder: the voice.
        text: what to say.
        step: the checkpoint of Text2Mel; the newest without it.
        ssrn_step: the checkpoint of SSRN; likewise.
        synthesis: our own, or that of the BBC's code, for comparison with what that computed.
        out: the WAV file; without it a new file among the voice's samples, or in the current folder
            where the voice is an export.
        arrays: an npz file for mel `(T/4, 80)`, magnitude `(T, F)`, alignment `(N, T/4)`; the
            BBC's synthesis has N and T/4 at the voice's limits, 180 and 210, for every line.
        device: `auto`, `cpu` or `cuda:N`.

    Raises:
        InputError: no such voice or checkpoint, nothing to speak, or no such folder.
        EngineError: a file cannot be written.
    """
    _require_outputs(out, arrays)
    target = choose_device(device)
    compute_on_one_thread()
    voice = Voice.open(voice_folder)
    folder = _place_of_samples(voice) if out is None else out.parent
    exact = synthesis == "bbc"
    speaker = open_speaker(voice, step, ssrn_step, device=target, exact=exact)
    utterance = speaker.speak(text, synthesis, all_cores=True)
    path = out or unused_path(folder / sample_name(speaker.step, speaker.ssrn_step, text))
    inside = out is None and folder == voice.samples
    if inside:
        voice.make_samples()
    # A sample in the voice stays private; whatever lies elsewhere is made to be handed on.
    write_wav(path, utterance.waveform, utterance.sample_rate, PRIVATE if inside else SHARED)
    if arrays is not None:
        _write_arrays(arrays, utterance)
    note = speaker.note(utterance, text)
    if synthesis == "bbc" and speaker.text2mel.spec.mask_text:
        note = "; ".join(filter(None, (note, _TRAINED_WITH_MASKS)))
    chosen = why_best(voice, step, ssrn_step)
    lacking = ssrn_to_train(voice) if ssrn_step is None else None
    return Said(path, utterance.seconds, speaker.step, speaker.ssrn_step, note, chosen, lacking)


def _place_of_samples(voice: Voice) -> Path:
    """The voice's own samples, or the current folder where the voice is not for writing."""
    here = Path()
    newest = filter(None, map(voice.newest, NETWORKS))
    # Exports and the demo's voice have neither; both may be somebody else's.
    trained_here = voice.spend.path.exists() or any(
        (entry.path / OPTIMIZER_FILE).exists() for entry in newest
    )
    if trained_here and os.access(voice.folder, os.W_OK):
        return voice.samples
    if here.resolve().is_relative_to(voice.folder.resolve()):
        raise InputError(f"{voice.folder} is an export, or not yours to write; give --out.")
    return here


def _require_outputs(out: Path | None, arrays: Path | None) -> None:
    """Refuse files that cannot be written before time goes into what they would hold."""
    for path, option in ((out, "--out"), (arrays, "--arrays")):
        if path is not None and path.is_dir():
            raise InputError(f"{option} {path} is a folder; name a file in it.")
        if path is not None and not path.parent.is_dir():
            raise InputError(f"{option} {path}: there is no folder {path.parent}; make it first.")
    if out is not None and out.suffix.lower() not in ("", ".wav"):
        raise InputError(f"--out {out}: only WAV is written; give a name that ends in .wav.")


def _write_arrays(path: Path, utterance: Utterance) -> None:
    buffer = io.BytesIO()
    mel, magnitude, alignment = utterance.mel, utterance.magnitude, utterance.attention
    np.savez(buffer, mel=mel, magnitude=magnitude, alignment=alignment)
    write_whole(path, buffer.getvalue(), SHARED)
