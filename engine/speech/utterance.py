"""Mels made sound, and sentences joined."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.networks.ssrn import SSRN
from engine.speech.synthesizer import Spoken, require_finite
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


def sound_of(
    mel: NDArray[np.float32], ssrn: SSRN | None, audio: AudioSpec, vocoder: VocoderSettings
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Make a coarse mel `(T / 4, n_mels)` sound, sharpened by SSRN if there is one.

    Returns:
        The samples `(samples,)` and the normalised magnitude `(T, n_bins)` that they come of.

    Raises:
        EngineError: the network's weights yield numbers that are not finite.
    """
    magnitude = magnitude_from_mel(mel, audio) if ssrn is None else _sharpened(mel, ssrn)
    return vocode(magnitude, audio, vocoder), magnitude


@torch.inference_mode()
def _sharpened(mel: NDArray[np.float32], ssrn: SSRN) -> NDArray[np.float32]:
    weight = next(ssrn.parameters())
    batch = torch.from_numpy(mel)[None].to(weight.device, weight.dtype)
    magnitude: NDArray[np.float32] = ssrn.eval()(batch).magnitude[0].cpu().numpy()
    require_finite(magnitude, "SSRN")
    return magnitude


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


def split_lines(text: str, vocabulary: Vocabulary, max_characters: int) -> list[str]:
    """Cut text at line ends, and a line that is too long into sentences."""
    pieces = []
    for line in text.splitlines():
        cleaned = vocabulary.clean(line)
        if len(cleaned) >= max_characters:
            pieces.extend(split_sentences(line, vocabulary, max_characters))
        elif any(map(str.isalnum, cleaned)):
            pieces.append(cleaned)
    return pieces
