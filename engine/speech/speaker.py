"""A voice that can speak: its Text2Mel and SSRN with the settings that they need."""

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from engine.checkpoints.checkpoint import find_newest_good, inference_network, load_checkpoint
from engine.choices import SynthesisName
from engine.errors import InputError
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.speech.utterance import Utterance, speak
from engine.speech.vocoder import VocoderSettings
from engine.text.vocabulary import Vocabulary
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
        """Speak a text of any length; see `engine.speech.utterance.speak`."""
        sharpening = self.settings.sharpening
        return speak(
            text,
            self.text2mel,
            self.ssrn,
            self.vocabulary,
            self.settings.audio,
            limits=self.settings.limits,
            synthesis=synthesis,
            vocoder=VocoderSettings(sharpening) if synthesis == "standard" else None,
            cancelled=cancelled,
        )

    def note(self, utterance: Utterance, text: str) -> str:
        """What a listener must know about how a text was spoken; empty when all is well."""
        unknown = [one for one in self.vocabulary.unknown(text) if self._is_missed(one)]
        notes = (
            f"not spoken, no symbol for: {' '.join(unknown)}" if unknown else "",
            "" if utterance.ssrn else NO_SSRN,
            "" if utterance.finished else "cut short: it never reached the end of a sentence",
            self.damaged,
        )
        return "; ".join(filter(None, notes))

    def _is_missed(self, character: str) -> bool:
        """Whether a character without a symbol is lost: not replaced, nor English punctuation."""
        if not self.vocabulary.replacement(character).isspace():
            return False
        punctuation = unicodedata.category(character[0])[0] == "P"
        return self.vocabulary.cleaner == "plain" or not punctuation


def open_speaker(voice: Voice, step: int | None = None) -> Speaker:
    """Load what speaks from a voice.

    Args:
        voice: the voice.
        step: a checkpoint of Text2Mel; the newest good one without it.

    Raises:
        InputError: there is no such checkpoint, or something is damaged.
    """
    entry = text2mel_checkpoint(voice, step)
    damaged = ""
    if step is None:
        found = find_newest_good(voice, "text2mel", with_optimizer=False)
        checkpoint, damaged = found.checkpoint, found.note
        assert checkpoint is not None  # there is an entry
    else:
        checkpoint = load_checkpoint(entry.path, with_optimizer=False)
    text2mel = inference_network(checkpoint)
    assert isinstance(text2mel, Text2Mel)
    return with_newest_ssrn(voice, text2mel, checkpoint.step, checkpoint.symbols, damaged)


def with_newest_ssrn(
    voice: Voice, text2mel: Text2Mel, step: int, symbols: str, damaged: str = ""
) -> Speaker:
    """Join a Text2Mel with the voice's newest good SSRN, if there is one.

    Args:
        voice: the voice.
        text2mel: the network.
        step: at which its weights stand.
        symbols: that it was trained with.
        damaged: which newer checkpoints of it are damaged.

    Raises:
        InputError: there are only damaged ones, or the networks do not fit each other.
    """
    found = find_newest_good(voice, "ssrn", with_optimizer=False)
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


def _require_fit(speaker: Speaker, voice: Voice) -> None:
    """Refuse networks that do not fit each other, as an edit of voice.toml may have made them.

    Raises:
        InputError: saying which sizes differ.
    """
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
