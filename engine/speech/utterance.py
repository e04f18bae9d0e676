"""From any text to a waveform: sentence by sentence, then joined."""

import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import block_diag

from engine.choices import SynthesisName
from engine.data.audio import AudioSpec
from engine.data.clips import Limits
from engine.errors import EngineError
from engine.files import PRIVATE, write_whole
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.speech.bbc_synthesis import ORIGINAL_VOCODER, speak_as_bbc
from engine.speech.reading import nothing_to_speak
from engine.speech.synthesizer import Spoken, Synthesizer
from engine.speech.vocoder import VocoderSettings, limit_peak, magnitude_from_mel, vocode
from engine.text.vocabulary import Vocabulary, split_sentences

PAUSE_SECONDS = 0.7
"""Silence between two sentences."""

# Root mean square of voiced sound: −20 dB of full scale, as recordings of speech commonly have.
_LEVEL = 0.1
# Pauses say nothing about loudness: only blocks this close to the loudest are counted, in dB.
_VOICED_DB = 30.0
_BLOCK = 512


@dataclass(frozen=True)
class Utterance:
    """A text as a voice spoke it; T counts frames of the magnitude, N symbols of all parts."""

    waveform: NDArray[np.float32]
    """Samples in [−0.95, 0.95], sentences 0.7 s apart, `(samples,)`."""
    sample_rate: int
    """Samples per second."""
    mel: NDArray[np.float32]
    """Coarse mels of the parts one after the other, without pauses, `(T / 4, n_mels)`."""
    magnitude: NDArray[np.float32]
    """Normalised magnitudes of the parts one after the other, `(T, n_bins)`."""
    attention: NDArray[np.float32]
    """Attention of the parts along the diagonal, zero elsewhere, `(N, T / 4)`."""
    parts: tuple[Spoken, ...]
    """The sentences as they were spoken, one by one."""
    ssrn: bool
    """Whether an SSRN made the magnitude; if not, it was spread from the mel bands."""

    @property
    def seconds(self) -> float:
        """How long it sounds."""
        return len(self.waveform) / self.sample_rate

    @property
    def symbols(self) -> str:
        """The symbols that were read, an E after each part: the rows of `attention`."""
        return "".join(part.text + "E" for part in self.parts)

    @property
    def finished(self) -> bool:
        """Whether every sentence was spoken to its end."""
        return all(part.finished for part in self.parts)


class Sound(NamedTuple):
    """A waveform and the magnitude that it was made of."""

    waveform: NDArray[np.float32]
    """Samples, `(samples,)`."""
    magnitude: NDArray[np.float32]
    """Normalised magnitude, `(T, n_bins)`."""


def speak(
    text: str,
    text2mel: Text2Mel,
    ssrn: SSRN | None,
    vocabulary: Vocabulary,
    audio: AudioSpec,
    *,
    limits: Limits,
    synthesis: SynthesisName = "standard",
    vocoder: VocoderSettings | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Utterance:
    """Speak a text of any length: per sentence from symbols to mel, magnitude and waveform.

    Args:
        text: what to say; the BBC's synthesis speaks it line by line.
        text2mel: in float32, on the device that is to speak.
        ssrn: likewise; without it the mel bands are spread over the bins.
        vocabulary: the symbols that the networks were trained with.
        audio: the audio constants that they were trained with.
        limits: the longest part in symbols, and in coarse frames where its end is not found.
        synthesis: ours, frame by frame until the end of the text, or that of the BBC's code.
        vocoder: settings of the vocoder; the synthesis has its own default.
        cancelled: polled between frames.

    Raises:
        InputError: the text has nothing that the voice can speak.
        EngineError: a network's weights yield numbers that are not finite.
        Cancelled: `cancelled()` became true.
    """
    bbc = synthesis == "bbc"
    split = _lines if bbc else split_sentences
    vocoder = vocoder or (ORIGINAL_VOCODER if bbc else VocoderSettings())
    sentences = split(text, vocabulary, limits.max_characters)
    if not sentences:
        raise nothing_to_speak(vocabulary)
    synthesizer = Synthesizer(text2mel, vocabulary, limits)
    parts: list[Spoken] = []
    sounds: list[Sound] = []
    for sentence in sentences:
        parts.append(
            speak_as_bbc(text2mel, vocabulary, limits, sentence, cancelled)
            if bbc
            else synthesizer.mel(sentence, cancelled=cancelled)
        )
        sounds.append(_sound(parts[-1].mel, ssrn, audio, vocoder))
    return _joined(parts, sounds, audio, ssrn=ssrn is not None)


def _joined(parts: list[Spoken], sounds: list[Sound], audio: AudioSpec, *, ssrn: bool) -> Utterance:
    return Utterance(
        waveform=join([sound.waveform for sound in sounds], audio.sample_rate),
        sample_rate=audio.sample_rate,
        mel=np.concatenate([part.mel for part in parts]),
        magnitude=np.concatenate([sound.magnitude for sound in sounds]),
        attention=block_diag(*(part.attention for part in parts)),
        parts=tuple(parts),
        ssrn=ssrn,
    )


def resynthesise(
    mel: NDArray[np.floating],
    ssrn: SSRN | None,
    audio: AudioSpec,
    vocoder: VocoderSettings,
) -> Sound:
    """Make a recording's true coarse mel `(T / 4, n_mels)` sound again, to judge an SSRN alone.

    The waveform has the level of `level`, so that it can be compared with the recording.

    Raises `EngineError` when the network's weights yield numbers that are not finite.
    """
    sound = _sound(mel.astype(np.float32), ssrn, audio, vocoder)
    return Sound(level(sound.waveform), sound.magnitude)


def write_wav(
    path: Path, waveform: NDArray[np.float32], sample_rate: int, mode: int = PRIVATE
) -> None:
    """Write samples `(n,)` in [−1, 1] as a mono WAV of 16 bits, whole or not at all.

    Its folder has to be there. `mode` is the file's permissions, less the umask. Raises
    `EngineError` when it cannot be written.
    """
    samples = np.round(np.clip(waveform, -1, 1) * 32_767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    write_whole(path, buffer.getvalue(), mode, make_folders=False)


def level(waveform: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring samples `(n,)` to the level at which every sample is heard; peak at most 0.95."""
    return join([waveform], sample_rate=1)


def join(parts: Sequence[NDArray[np.float32]], sample_rate: int) -> NDArray[np.float32]:
    """Join sentences with 0.7 s of silence between them, all equally loud.

    Equal is the root mean square of their voiced blocks. If a peak would pass 0.95, all of
    them are turned down alike.
    """
    pause = np.zeros(round(PAUSE_SECONDS * sample_rate), np.float32)
    pieces: list[NDArray[np.float32]] = []
    for part in parts:
        loudness = _voiced_rms(part)
        gain = _LEVEL / loudness if loudness > 0 else 0.0
        pieces += [part * np.float32(gain), pause]
    joined: NDArray[np.float32] = np.concatenate(pieces[:-1])
    return limit_peak(joined)


def _voiced_rms(waveform: NDArray[np.float32]) -> float:
    """Root mean square of the blocks that are not pauses; 0 for silence."""
    blocks = np.pad(waveform, (0, -len(waveform) % _BLOCK)).reshape(-1, _BLOCK)
    power = np.square(blocks, dtype=np.float64).mean(axis=1)
    loudest = power.max(initial=0.0)
    if loudest == 0:
        return 0.0
    return float(np.sqrt(power[power >= loudest * 10 ** (-_VOICED_DB / 10)].mean()))


def _lines(text: str, vocabulary: Vocabulary, max_characters: int) -> list[str]:
    """Cut text at line ends, and a line that is too long into sentences."""
    pieces = []
    for line in text.splitlines():
        cleaned = vocabulary.clean(line)
        if len(cleaned) >= max_characters:
            pieces.extend(split_sentences(line, vocabulary, max_characters))
        elif any(map(str.isalnum, cleaned)):
            pieces.append(cleaned)
    return pieces


def _sound(
    mel: NDArray[np.float32], ssrn: SSRN | None, audio: AudioSpec, vocoder: VocoderSettings
) -> Sound:
    """Sharpen a coarse mel, by SSRN if there is one, and make it sound."""
    magnitude = magnitude_from_mel(mel, audio) if ssrn is None else _sharpened(mel, ssrn)
    return Sound(vocode(magnitude, audio, vocoder), magnitude)


@torch.inference_mode()
def _sharpened(mel: NDArray[np.float32], ssrn: SSRN) -> NDArray[np.float32]:
    """Return SSRN's magnitude `(T, n_bins)` of a coarse mel `(T / 4, n_mels)`."""
    weight = next(ssrn.parameters())
    batch = torch.from_numpy(mel)[None].to(weight.device, weight.dtype)
    magnitude: NDArray[np.float32] = ssrn.eval()(batch).magnitude[0].cpu().numpy()
    if not np.isfinite(magnitude).all():
        raise EngineError(
            "SSRN yields numbers that are not finite: its weights are damaged or its training "
            "has diverged; go back to an earlier checkpoint."
        )
    return magnitude
