"""Turns coarse mels into sound piece by piece, while they are still being spoken.

SSRN sees a few frames to either side, and the vocoder some frames ahead: with these the pieces
are what the whole would be. The first piece is short, so that it is heard soon.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.networks.ssrn import SSRN
from engine.speech.loudness import Loudness
from engine.speech.synthesizer import require_finite
from engine.speech.vocoder import Vocoder, VocoderSettings, magnitude_from_mel, power_of

PAUSE_SECONDS = 0.7
"""Silence between two sentences."""

# Coarse frames that become sound together, of 50 ms each. The first also tell how loud the voice
# is: 0.8 s of speech do within 1 dB.
_FIRST, _SECOND, _MOST = 16, 8, 40
# Without an SSRN, frames between the coarse ones are interpolated towards the next.
_WITHOUT_SSRN = (0, 1)

_Samples = NDArray[np.float32]


class SoundStream:
    """A text's sound: takes frames of coarse mel, hands on samples."""

    def __init__(
        self,
        ssrn: SSRN | None,
        audio: AudioSpec,
        vocoder: VocoderSettings,
        on_sound: Callable[[_Samples], None],
    ) -> None:
        """Begin a text; `on_sound` takes its samples in [−0.95, 0.95], levelled."""
        self._ssrn = ssrn
        self._audio = audio
        self._settings = vocoder
        self._on_sound = on_sound
        self._loudness = Loudness(audio.hop_length)
        self._wanted = _FIRST
        self._pieces: list[_Samples] = []
        self._all_magnitudes: list[NDArray[np.float32]] = []
        self._begin_sentence()

    def _begin_sentence(self) -> None:
        self._waiting: list[NDArray[np.float32]] = []
        self._magnitudes = _Magnitudes(self._ssrn, self._audio)
        self._vocoder = Vocoder(self._audio, self._settings)

    @property
    def waveform(self) -> _Samples:
        """All samples so far, `(samples,)`."""
        return np.concatenate(self._pieces)

    @property
    def magnitude(self) -> NDArray[np.float32]:
        """The normalised magnitudes that they were made from, without pauses, `(T, n_bins)`."""
        return np.concatenate(self._all_magnitudes)

    def add(self, mel: NDArray[np.float32], *, last: bool) -> None:
        """Take the next frames `(T / 4, n_mels)` of a sentence; after its `last` comes another.

        Raises:
            EngineError: SSRN's weights yield numbers that are not finite.
        """
        self._waiting.append(mel)
        if not last and sum(map(len, self._waiting)) < self._wanted:
            return
        self._wanted = _SECOND if self._wanted == _FIRST else min(2 * self._wanted, _MOST)
        magnitude, ahead = self._magnitudes.push(np.concatenate(self._waiting), last=last)
        self._waiting = []
        self._all_magnitudes.append(magnitude)
        samples = self._vocoder.push(magnitude, last=last)
        powers = (power_of(one, self._audio, self._settings) for one in (magnitude, ahead))
        self._hand_on(self._loudness.level(samples, *powers))
        if last:
            self._begin_sentence()

    def pause(self) -> None:
        """Hand on the silence between two sentences."""
        self._hand_on(np.zeros(round(PAUSE_SECONDS * self._audio.sample_rate), np.float32))

    def _hand_on(self, samples: _Samples) -> None:
        self._pieces.append(samples)
        if len(samples):
            self._on_sound(samples)


class _Magnitudes:
    """Magnitudes of a coarse mel that comes piece by piece."""

    def __init__(self, ssrn: SSRN | None, audio: AudioSpec) -> None:
        self._ssrn = ssrn
        self._audio = audio
        self._before, self._after = _WITHOUT_SSRN if ssrn is None else ssrn.reach
        self._mel = np.empty((0, audio.n_mels), np.float32)
        self._done = 0  # of the frames that are remembered

    def push(
        self, mel: NDArray[np.float32], *, last: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take the next frames; return the next magnitudes, and guesses at those after them."""
        self._mel = np.concatenate((self._mel, mel))
        ready = len(self._mel) if last else max(self._done, len(self._mel) - self._after)
        whole = magnitude_of(self._mel, self._ssrn, self._audio)
        start, end = self._done * self._audio.reduction, ready * self._audio.reduction
        forgotten = max(0, ready - self._before)
        self._mel, self._done = self._mel[forgotten:], ready - forgotten
        return whole[start:end], whole[end:]


@torch.inference_mode()
def magnitude_of(
    mel: NDArray[np.float32], ssrn: SSRN | None, audio: AudioSpec
) -> NDArray[np.float32]:
    """Return the normalised magnitude `(T, n_bins)` of a coarse mel `(T / 4, n_mels)`.

    SSRN makes it, or where there is none it is spread from the mel bands.

    Raises:
        EngineError: the network's weights yield numbers that are not finite.
    """
    if ssrn is None:
        return magnitude_from_mel(mel, audio)
    weight = next(ssrn.parameters())
    batch = torch.from_numpy(mel)[None].to(weight.device, weight.dtype)
    magnitude: NDArray[np.float32] = ssrn.eval()(batch).magnitude[0].cpu().numpy()
    require_finite(magnitude, "SSRN")
    return magnitude
