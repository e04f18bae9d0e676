"""A voice that can speak: its Text2Mel and SSRN with the settings that they need."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import block_diag

from engine.advice.kept import resolve
from engine.checkpoints.checkpoint import (
    Checkpoint,
    find_newest_good,
    inference_network,
    load_checkpoint,
)
from engine.checkpoints.state import STATE_FILE
from engine.choices import NetworkName, SynthesisName
from engine.errors import InputError
from engine.files import changed_at
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.sample import StepChoice
from engine.speech.bbc_synthesis import ORIGINAL_VOCODER, speak_as_bbc
from engine.speech.loudness import join
from engine.speech.reading import nothing_to_speak
from engine.speech.sound_stream import PAUSE_SECONDS, SoundStream, magnitude_of, threads_for_sound
from engine.speech.synthesizer import Spoken, speak_sentences, speaking_precision
from engine.speech.utterance import Utterance, split_lines
from engine.speech.vocoder import VocoderSettings, vocode
from engine.text.unknown import reading_note
from engine.text.vocabulary import Vocabulary, split_sentences
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry
from engine.voice.settings import VoiceSettings

_CPU = torch.device("cpu")

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
        on_sound: Callable[[NDArray[np.float32]], None] = lambda samples: None,
        *,
        all_cores: bool = False,
    ) -> Utterance:
        """Speak a text of any length: per sentence from symbols to mel, magnitude and waveform.

        Args:
            text: what to say; the BBC's synthesis speaks it line by line.
            synthesis: ours, until the end of the text, or that of the BBC's code.
            cancelled: polled between frames.
            on_sound: takes the waveform piece by piece, each as soon as it is made.
            all_cores: whether SSRN and vocoder may share their work among the cores; what a frame
                takes of Text2Mel is too little for that.

        Raises:
            InputError: the text has nothing that the voice can speak.
            EngineError: a network's weights yield numbers that are not finite.
            Cancelled: `cancelled()` became true.
        """
        if synthesis == "bbc":
            utterance = self._speak_as_bbc(text, cancelled)
            on_sound(utterance.waveform)
            return utterance
        return next(self.speak_each([text], cancelled, on_sound, all_cores=all_cores))

    def speak_each(
        self,
        texts: Sequence[str],
        cancelled: Callable[[], bool] = lambda: False,
        on_sound: Callable[[NDArray[np.float32]], None] = lambda samples: None,
        *,
        all_cores: bool = False,
    ) -> Iterator[Utterance]:
        """Speak several texts, in less time than one by one; as `speak`."""
        limits = self.settings.limits
        split = [split_sentences(text, self.vocabulary, limits.max_characters) for text in texts]
        if not all(split):
            raise nothing_to_speak(self.vocabulary)
        every = list(chain(*split))
        pieces = speak_sentences(self.text2mel, self.vocabulary, limits, every, cancelled=cancelled)
        vocoder = VocoderSettings(self.settings.sharpening)
        audio = self.settings.audio
        threads = threads_for_sound(self.ssrn, audio, len(every)) if all_cores else 1
        for sentences in split:
            stream = SoundStream(self.ssrn, audio, vocoder, on_sound, threads)
            parts: list[Spoken] = []
            while len(parts) < len(sentences):
                mel, spoken = next(pieces)
                stream.add(mel, last=spoken is not None)
                parts += filter(None, (spoken,))
            yield self._utterance(parts, stream.waveform, stream.magnitude)

    def _speak_as_bbc(self, text: str, cancelled: Callable[[], bool]) -> Utterance:
        """Speak a text line by line as the BBC's code does, and make it sound at once."""
        limits, audio = self.settings.limits, self.settings.audio
        lines = split_lines(text, self.vocabulary, limits.max_characters)
        if not lines:
            raise nothing_to_speak(self.vocabulary)
        parts = [
            speak_as_bbc(self.text2mel, self.vocabulary, limits, line, cancelled=cancelled)
            for line in lines
        ]
        magnitudes = [magnitude_of(part.mel, self.ssrn, audio) for part in parts]
        waveforms = [vocode(magnitude, audio, ORIGINAL_VOCODER) for magnitude in magnitudes]
        pause = np.zeros(round(PAUSE_SECONDS * audio.sample_rate), np.float32)
        return self._utterance(parts, join(waveforms, pause), np.concatenate(magnitudes))

    def _utterance(
        self, parts: list[Spoken], waveform: NDArray[np.float32], magnitude: NDArray[np.float32]
    ) -> Utterance:
        return Utterance(
            waveform=waveform,
            sample_rate=self.settings.audio.sample_rate,
            mel=np.concatenate([part.mel for part in parts]),
            magnitude=magnitude,
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


@dataclass(frozen=True)
class Loaded:
    """A network as a checkpoint has it."""

    network: Text2Mel | SSRN
    step: int
    symbols: str
    damaged: str = ""
    """Which newer checkpoints are damaged; empty where none is."""


class Networks:
    """The networks of a voice as they are on disk; of each, the last one that was read is kept."""

    def __init__(self, voice: Voice, device: torch.device = _CPU, *, exact: bool = False) -> None:
        """Read nothing yet; networks come to a device, `exact` ones in float32 wherever it is."""
        self._voice = voice
        self._device = device
        self._exact = exact
        self._kept: dict[NetworkName, tuple[object, Loaded]] = {}

    def load(self, network: NetworkName, choice: StepChoice | None = None) -> Loaded:
        """Return a network; without a choice that of the newest good checkpoint.

        It is read again only where another checkpoint is meant, or the same step was saved anew.

        Raises:
            InputError: there is no such checkpoint, or it is damaged.
        """
        self._voice.locate()
        entry = resolve(self._voice, network, choice)
        key = choice is None, entry, changed_at(entry.path / STATE_FILE)
        if network not in self._kept or self._kept[network][0] != key:
            # First of all: there may be no room for two.
            self._kept.pop(network, None)
            self._kept[network] = key, self._read(network, None if choice is None else entry)
        return self._kept[network][1]

    def load_if_any(self, network: NetworkName, choice: StepChoice | None = None) -> Loaded | None:
        """Return a network as `load` does; None where no choice was made and there is none."""
        nothing = choice is None and not self._voice.checkpoints(network)
        return None if nothing else self.load(network, choice)

    def _read(self, network: NetworkName, entry: CheckpointEntry | None) -> Loaded:
        """Read the checkpoint of an entry, or the newest good one."""
        if entry is not None:
            checkpoint: Checkpoint | None = load_checkpoint(entry.path, with_optimizer=False)
            damaged = ""
        else:
            found = find_newest_good(self._voice, network)
            checkpoint, damaged = found.checkpoint, found.note
        if checkpoint is None:  # it was removed since it was listed
            raise InputError(f"The newest checkpoint of {network} was removed; try again.")
        as_saved = inference_network(checkpoint).to(self._device)
        speaking = as_saved if self._exact else ready_to_speak(as_saved)
        return Loaded(speaking, checkpoint.step, checkpoint.symbols, damaged)


def ready_to_speak(network: Text2Mel | SSRN) -> Text2Mel | SSRN:
    """Return a network with its weights as they speak fastest on the device where they are.

    Text2Mel keeps its own: it makes what it needs of them when it speaks.
    """
    if isinstance(network, Text2Mel):
        return network
    return network.to(speaking_precision(next(network.parameters()).device))


def open_speaker(
    voice: Voice,
    step: StepChoice | None = None,
    ssrn_step: StepChoice | None = None,
    *,
    device: torch.device = _CPU,
    exact: bool = False,
) -> Speaker:
    """Load what speaks from a voice: of both networks the step chosen, or the newest good one.

    It speaks on the device; `exact` keeps SSRN in float32 where bfloat16 would be faster.

    Raises:
        InputError: there is no such checkpoint, something is damaged, or the networks do not fit
            each other.
    """
    networks = Networks(voice, device, exact=exact)
    return join_networks(
        voice, networks.load("text2mel", step), networks.load_if_any("ssrn", ssrn_step)
    )


def join_networks(voice: Voice, text2mel: Loaded, ssrn: Loaded | None) -> Speaker:
    """Return what speaks with a Text2Mel and an SSRN of a voice.

    Raises:
        InputError: they do not fit each other.
    """
    spoken_by, sharpened_by = text2mel.network, ssrn.network if ssrn else None
    assert isinstance(spoken_by, Text2Mel)
    assert sharpened_by is None or isinstance(sharpened_by, SSRN)
    speaker = Speaker(
        text2mel=spoken_by,
        step=text2mel.step,
        ssrn=sharpened_by,
        ssrn_step=ssrn.step if ssrn else None,
        vocabulary=Vocabulary(text2mel.symbols, voice.settings.cleaner),
        settings=voice.settings,
        damaged="; ".join(filter(None, (one.damaged for one in (text2mel, ssrn) if one))),
    )
    _require_fit(speaker, voice)
    return speaker


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
