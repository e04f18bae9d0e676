"""Turns coarse mels into sound piece by piece, while they are still being spoken.

SSRN sees a few frames to either side, and the vocoder some frames ahead: with these the pieces
are what the whole would be. The first piece is short, so that it is heard soon.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.machine.device import compute_on_one_thread
from engine.networks.ssrn import SSRN
from engine.speech.chunked_ssrn import ChunkedSSRN
from engine.speech.loudness import Loudness
from engine.speech.synthesizer import require_finite
from engine.speech.vocoder import Vocoder, VocoderSettings, magnitude_from_mel, power_of

PAUSE_SECONDS = 0.7
"""Silence between two sentences."""

# Coarse frames that become sound together, of 50 ms each. The first also tell how loud the voice
# is: 0.8 s of speech do within 1 dB.
_FIRST, _SECOND, _MOST = 16, 16, 40

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
        self._ended = False
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
        """Take the next frames `(T / 4, n_mels)` of a sentence; after its `last` comes a pause.

        Raises:
            EngineError: SSRN's weights yield numbers that are not finite.
        """
        if self._ended:
            self._ended = False
            self._hand_on(np.zeros(round(PAUSE_SECONDS * self._audio.sample_rate), np.float32))
        self._waiting.append(mel)
        if not last and sum(map(len, self._waiting)) < self._wanted:
            return
        self._wanted = _MOST if self._pieces else _SECOND
        magnitude, guess = self._magnitudes.push(np.concatenate(self._waiting), last=last)
        self._waiting = []
        self._all_magnitudes.append(magnitude)
        samples = self._vocoder.push(magnitude, last=last)
        powers, guessed = (power_of(one, self._audio, self._settings) for one in (magnitude, guess))
        ahead = guessed[len(powers) :]
        if len(powers):
            ahead *= powers.sum() / guessed[: len(powers)].sum()
        self._hand_on(self._loudness.level(samples, powers, ahead))
        if last:
            self._ended = True
            self._begin_sentence()

    def _hand_on(self, samples: _Samples) -> None:
        self._pieces.append(samples)
        if len(samples):
            self._on_sound(samples)


@contextmanager
def in_order(work: Callable[..., None], *, beside: bool) -> Iterator[Callable[..., None]]:
    """Yield what does the work where it is called, or soon, in a thread `beside` the caller's.

    All of it is done at the end; an error of it ends the block, at one of the next calls.
    """
    if not beside:
        yield work
        return
    with ThreadPoolExecutor(1, "sound", compute_on_one_thread) as pool:
        begun: deque[Future[None]] = deque()

        def soon(*args: object, **options: object) -> None:
            while begun and begun[0].done():
                begun.popleft().result()
            begun.append(pool.submit(work, *args, **options))

        try:
            yield soon
            for one in begun:
                one.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Magnitudes:
    """Magnitudes of a coarse mel that comes piece by piece."""

    def __init__(self, ssrn: SSRN | None, audio: AudioSpec) -> None:
        self._chunks = None if ssrn is None else ChunkedSSRN(ssrn)
        self._audio = audio
        # Frames whose magnitudes are still to come.
        self._mel = np.empty((0, audio.n_mels), np.float32)

    def push(
        self, mel: NDArray[np.float32], *, last: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Take the next frames; return the magnitudes ready, and guesses at all not ready before.

        The guesses come from the mel alone.
        """
        self._mel = np.concatenate((self._mel, mel))
        guess = magnitude_from_mel(self._mel, self._audio)
        if self._chunks is not None:
            made = self._chunks.push(mel, last=last)
        else:
            # Frames between the coarse ones are interpolated towards the next.
            made = guess if last else guess[: -self._audio.reduction]
        self._mel = self._mel[len(made) // self._audio.reduction :]
        return made, guess


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
