"""Turns coarse mels into sound piece by piece, while they are still being spoken.

SSRN sees a few frames to either side, and the vocoder some frames ahead: with these the pieces
are what the whole would be. The first piece is short, so that it is heard soon.
"""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.machine.device import DEFAULT_THREADS, computing_on, threads_worth, usable_cores
from engine.networks.specs import SSRNSpec
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
        threads: int = 1,
    ) -> None:
        """Begin a text; `on_sound` takes its samples in [−0.95, 0.95], levelled.

        The sound does not depend on the number of threads that make it.
        """
        self._ssrn = ssrn
        self._audio = audio
        self._settings = vocoder
        self._on_sound = on_sound
        self._threads = threads
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
        with computing_on(self._threads):
            magnitude, guess = self._magnitudes.push(np.concatenate(self._waiting), last=last)
            samples = self._vocoder.push(magnitude, last=last)
        self._waiting = []
        self._all_magnitudes.append(magnitude)
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


# Below this many sentences the trial costs more than it saves; an estimate.
_WORTH_A_TRIAL = 8
# How many threads are worth it, by the size of the network.
_threads_tried: dict[SSRNSpec | None, int] = {}


def threads_for_sound(ssrn: SSRN | None, audio: AudioSpec, sentences: int) -> int:
    """Return how many threads a stream is worth on this machine, by a trial once in a process.

    Few sentences are not worth the trial: without one they get a single thread.
    Half of the cores stay free: threads that share work wait for each other wherever another
    process takes a core from one of them, and are then slower than one alone.
    """
    spec = None if ssrn is None else ssrn.spec
    if spec not in _threads_tried:
        if sentences < _WORTH_A_TRIAL:
            return 1
        mel = np.full((_FIRST, audio.n_mels), 0.5, np.float32)

        def try_once() -> None:
            SoundStream(ssrn, audio, VocoderSettings(), lambda samples: None).add(mel, last=True)

        most = min(DEFAULT_THREADS, int(usable_cores() / 2))
        _threads_tried[spec] = threads_worth(try_once, most)
    return _threads_tried[spec]


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
