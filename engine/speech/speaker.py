"""What can speak: a voice's checkpoint with its newest SSRN."""

from dataclasses import dataclass
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint, inference_network, load_checkpoint
from engine.checkpoints.newest_good import find_newest_good
from engine.choices import SynthesisName
from engine.data.audio import AudioSpec
from engine.data.clips import Limits
from engine.errors import InputError
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.speech.audition import load_ssrn, sample_name
from engine.speech.utterance import Utterance, speak
from engine.speech.vocoder import VocoderSettings
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry


@dataclass(frozen=True)
class Speaker:
    """Two networks, and all that speaking with them takes."""

    text2mel: Text2Mel
    step: int
    """Of Text2Mel's checkpoint."""
    ssrn: SSRN | None
    ssrn_step: int | None
    vocabulary: Vocabulary
    """The symbols that the weights were trained with."""
    audio: AudioSpec
    limits: Limits
    sharpening: float
    """See `engine.speech.vocoder.VocoderSettings`; the BBC's synthesis has its own."""
    samples: Path
    """The folder for samples that nobody gave a place."""
    note: str = ""
    """Which newer checkpoints are damaged, and were passed over; empty where all is well."""

    def sample(self, text: str) -> Path:
        """Where a sample of a text goes that nobody gave a place; there may be a file already."""
        return self.samples / sample_name(self.step, self.ssrn_step, text)

    def speak(self, text: str, synthesis: SynthesisName) -> Utterance:
        """Speak a text of any length; see `engine.speech.utterance.speak`."""
        return speak(
            text,
            self.text2mel,
            self.ssrn,
            self.vocabulary,
            self.audio,
            max_characters=self.limits.max_characters,
            max_frames=self.limits.max_coarse_frames,
            synthesis=synthesis,
            settings=VocoderSettings(self.sharpening) if synthesis == "standard" else None,
        )


def text2mel_checkpoint(voice: Voice, step: int | None) -> CheckpointEntry:
    """Find a voice's checkpoint of Text2Mel: that of a step, or the newest.

    Raises:
        InputError: it has none, or none of that step.
    """
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


def open_speaker(folder: Path, step: int | None = None) -> Speaker:
    """Load what speaks from a voice folder.

    Args:
        folder: of the voice.
        step: a checkpoint of Text2Mel; the newest without it.

    Raises:
        InputError: there is no voice in the folder, no such checkpoint, or something is damaged.
    """
    voice = Voice.open(folder)
    checkpoint, damaged = _text2mel(voice, step)
    text2mel = inference_network(checkpoint)
    assert isinstance(text2mel, Text2Mel)
    ssrn, ssrn_step, damaged_ssrn = load_ssrn(voice)
    speaker = Speaker(
        text2mel=text2mel,
        step=checkpoint.step,
        ssrn=ssrn,
        ssrn_step=ssrn_step,
        vocabulary=Vocabulary(checkpoint.symbols, voice.settings.cleaner),
        audio=voice.settings.audio,
        limits=voice.settings.limits,
        sharpening=voice.settings.sharpening,
        samples=voice.samples,
        note="; ".join(filter(None, (damaged, damaged_ssrn))),
    )
    _require_fit(speaker, voice)
    return speaker


def _text2mel(voice: Voice, step: int | None) -> tuple[Checkpoint, str]:
    """The checkpoint of a step; without one the newest good, and which newer ones are damaged.

    Raises:
        InputError: there is none that can be used.
    """
    entry = text2mel_checkpoint(voice, step)
    if step is None:
        found = find_newest_good(voice, "text2mel", with_optimizer=False)
        if found.checkpoint is not None:
            return found.checkpoint, found.note
    return load_checkpoint(entry.path, with_optimizer=False), ""


def _require_fit(speaker: Speaker, voice: Voice) -> None:
    """Refuse networks that cannot speak together, as an edit of a file may have left them.

    Raises:
        InputError: saying which sizes differ.
    """
    audio, spec = speaker.audio, speaker.text2mel.spec
    sizes = [
        ("Text2Mel's vocabulary_size", spec.vocabulary_size, len(speaker.vocabulary), "symbols"),
        ("Text2Mel's n_mels", spec.n_mels, audio.n_mels, "mel bands in voice.toml"),
    ]
    if speaker.ssrn is not None:
        of_ssrn = speaker.ssrn.spec
        sizes += [
            ("SSRN's n_mels", of_ssrn.n_mels, audio.n_mels, "mel bands in voice.toml"),
            ("SSRN's n_bins", of_ssrn.n_bins, audio.n_bins, "bins of n_fft in voice.toml"),
        ]
    for name, theirs, ours, what in sizes:
        if theirs != ours:
            raise InputError(
                f"The voice {voice.folder} does not fit together: {name} is {theirs}, but there "
                f"are {ours} {what}; undo what was edited."
            )
