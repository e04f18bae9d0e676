"""A voice that can speak: its Text2Mel and SSRN with the settings that they need."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.linalg import block_diag

from engine.checkpoints.checkpoint import find_newest_good, inference_network, load_checkpoint
from engine.choices import SynthesisName
from engine.errors import InputError
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.speech.bbc_synthesis import ORIGINAL_VOCODER, speak_as_bbc
from engine.speech.reading import nothing_to_speak
from engine.speech.synthesizer import speak_sentence
from engine.speech.utterance import Utterance, join, sound_of, split_lines
from engine.speech.vocoder import VocoderSettings
from engine.text.unknown import reading_note
from engine.text.vocabulary import Vocabulary, split_sentences
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry
from engine.voice.settings import VoiceSettings

NO_SSRN = "no SSRN yet: straight from the mel"
"""The note of a sample that was made without an SSRN."""


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
    settings: VoiceSettings
    """Audio constants, limits and sharpening; the BBC's synthesis has a sharpening of its own."""
    damaged: str = ""
    """Which newer checkpoints are damaged; empty where none is."""

    def speak(
        self,
        text: str,
        synthesis: SynthesisName = "standard",
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Utterance:
        """Speak a text of any length: per sentence from symbols to mel, magnitude and waveform.

        Args:
            text: what to say; the BBC's synthesis speaks it line by line.
            synthesis: ours, until the end of the text, or that of the BBC's code.
            cancelled: polled between frames.

        Raises:
            InputError: the text has nothing that the voice can speak.
            EngineError: a network's weights yield numbers that are not finite.
            Cancelled: `cancelled()` became true.
        """
        limits, audio = self.settings.limits, self.settings.audio
        if synthesis == "bbc":
            split, speak, vocoder = split_lines, speak_as_bbc, ORIGINAL_VOCODER
        else:
            split, speak = split_sentences, speak_sentence
            vocoder = VocoderSettings(self.settings.sharpening)
        sentences = split(text, self.vocabulary, limits.max_characters)
        if not sentences:
            raise nothing_to_speak(self.vocabulary)
        parts, waveforms, magnitudes = [], [], []
        for sentence in sentences:
            part = speak(self.text2mel, self.vocabulary, limits, sentence, cancelled=cancelled)
            waveform, magnitude = sound_of(part.mel, self.ssrn, audio, vocoder)
            parts.append(part)
            waveforms.append(waveform)
            magnitudes.append(magnitude)
        return Utterance(
            waveform=join(waveforms, audio.sample_rate),
            sample_rate=audio.sample_rate,
            mel=np.concatenate([part.mel for part in parts]),
            magnitude=np.concatenate(magnitudes),
            attention=block_diag(*(part.attention for part in parts)),
            parts=tuple(parts),
            ssrn=self.ssrn is not None,
        )

    def note(self, utterance: Utterance, text: str) -> str:
        """What a listener must know about how a text was spoken; empty when all is well."""
        notes = (
            reading_note(text, self.vocabulary),
            "" if utterance.ssrn else NO_SSRN,
            "" if utterance.finished else "cut short: it never reached the end of a sentence",
            self.damaged,
        )
        return "; ".join(filter(None, notes))


def open_speaker(voice: Voice, step: int | None = None) -> Speaker:
    """Load what speaks from a voice: the Text2Mel of a step, or the newest good one.

    Raises:
        InputError: there is no such checkpoint, or something is damaged.
    """
    entry = text2mel_checkpoint(voice, step)
    checkpoint, damaged = None, ""
    if step is None:
        found = find_newest_good(voice, "text2mel")
        checkpoint, damaged = found.checkpoint, found.note
    checkpoint = checkpoint or load_checkpoint(entry.path, with_optimizer=False)
    text2mel = inference_network(checkpoint)
    assert isinstance(text2mel, Text2Mel)
    return with_newest_ssrn(voice, text2mel, checkpoint.step, checkpoint.symbols, damaged)


def with_newest_ssrn(
    voice: Voice, text2mel: Text2Mel, step: int, symbols: str, damaged: str = ""
) -> Speaker:
    """Join a Text2Mel, trained with `symbols` to `step`, with the voice's newest good SSRN, if any.

    `damaged` names newer checkpoints of it that are damaged.

    Raises:
        InputError: there are only damaged ones, or the networks do not fit each other.
    """
    found = find_newest_good(voice, "ssrn")
    ssrn = inference_network(found.checkpoint) if found.checkpoint else None
    assert ssrn is None or isinstance(ssrn, SSRN)
    speaker = Speaker(
        text2mel=text2mel,
        step=step,
        ssrn=ssrn,
        ssrn_step=found.checkpoint.step if found.checkpoint else None,
        vocabulary=Vocabulary(symbols, voice.settings.cleaner),
        settings=voice.settings,
        damaged="; ".join(filter(None, (damaged, found.note))),
    )
    _require_fit(speaker, voice)
    return speaker


def text2mel_checkpoint(voice: Voice, step: int | None) -> CheckpointEntry:
    """Find a voice's checkpoint of Text2Mel: that of a step, or the newest.

    Raises:
        InputError: it has none, or none of that step.
    """
    found = {entry.step: entry for entry in voice.checkpoints("text2mel")}
    if not found:
        raise InputError(
            f"The voice {voice.folder} cannot speak yet: its Text2Mel has no checkpoint; train "
            f"it first."
        )
    wanted = max(found) if step is None else step
    if wanted in found:
        return found[wanted]
    steps = ", ".join(f"{one:,}" for one in list(found)[-8:])
    raise InputError(
        f"The voice {voice.folder} has no Text2Mel checkpoint of step {step:,}; there are {steps}."
    )


def _require_fit(speaker: Speaker, voice: Voice) -> None:
    """Refuse networks that do not fit each other, as an edit of voice.toml may have made them."""
    audio, spec = speaker.settings.audio, speaker.text2mel.spec
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
                f"The networks of {voice.folder} do not match: {name} is {theirs}, but there are "
                f"{ours} {what}; undo the edit."
            )
