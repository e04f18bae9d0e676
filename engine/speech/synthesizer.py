"""From one sentence to its coarse mel, frame by frame, until the text has been spoken."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import Cancelled, EngineError, InputError
from engine.networks.text2mel import Text2Mel
from engine.speech.attention_window import AttentionWindow, look
from engine.speech.incremental import IncrementalStack
from engine.text.vocabulary import Vocabulary

# A frame is quiet when its loudest band lies this far below the loudest band so far, on the
# networks' scale (40 dB of 100). The last frames of recordings trimmed at 60 dB lie there, the
# consonants that end a word do not.
_QUIET = 0.4
# Frames on E in which quiet is waited for. In training E is heard with the very last frame or
# two, so there is no more speech in what comes later.
_FRAMES_ON_END = 6
# Frames on the last character after which the text counts as spoken, if attention never moves
# on to E: so many that are quiet in a row, or so many of any kind.
_QUIET_ON_LAST = 4
_FRAMES_ON_LAST = 24


@dataclass(frozen=True)
class Spoken:
    """A sentence as Text2Mel spoke it."""

    text: str
    """The sentence, cleaned by the vocabulary."""
    mel: NDArray[np.float32]
    """Coarse mel in the unit interval, `(T, n_mels)`."""
    attention: NDArray[np.float32]
    """Weights over the N symbols of the text, E included, `(N, T)`. Every frame sums to 1, unless
    the original's window let it look beyond the text."""
    finished: bool
    """Whether the end of the text was reached; False when `max_frames` cut it short."""


class Synthesizer:
    """Speaks sentences with the weights of a Text2Mel, which it puts into evaluation mode."""

    def __init__(
        self,
        text2mel: Text2Mel,
        vocabulary: Vocabulary,
        *,
        max_frames: int = 210,
        max_characters: int = 180,
        window: AttentionWindow = "paper",
    ) -> None:
        """Take the network as it is now.

        Args:
            text2mel: the network, in float32, on the device that is to speak.
            vocabulary: the symbols that it was trained with.
            max_frames: coarse frames at which a sentence that finds no end is cut short.
            max_characters: longest sentence, its E included; what a network trained without
                text masks sees its texts padded to.
            window: how attention is held to the text's order.
        """
        self._text2mel = text2mel.eval()
        self._vocabulary = vocabulary
        self._max_frames = max_frames
        self._max_characters = max_characters
        self._window = window

    @torch.inference_mode()
    def mel(self, sentence: str, *, cancelled: Callable[[], bool] = lambda: False) -> Spoken:
        """Speak one sentence.

        Raises:
            InputError: the sentence has nothing that the voice can read, or is too long.
            EngineError: the network's weights yield numbers that are not finite.
            Cancelled: `cancelled()` became true.
        """
        text = self._vocabulary.clean(sentence)
        padded = not self._text2mel.spec.mask_text
        symbols = numbered(text, self._vocabulary, self._max_characters, padded=padded)
        frames = _FreeRun(self._text2mel, symbols, self._max_frames, self._window)
        ending = _Ending(last=len(text))
        finished = False
        while not finished and frames.count < self._max_frames:
            if cancelled():
                raise Cancelled("The sentence was not spoken to its end.")
            frames.advance()
            finished = ending.reached(frames)
        count = ending.kept(frames.count) if finished else frames.count
        mel = frames.mel[:count].cpu().numpy()
        require_finite(mel)
        attention = frames.attention[:count].T.cpu().numpy()
        return Spoken(text, mel, np.ascontiguousarray(attention), finished)


def numbered(text: str, vocabulary: Vocabulary, most: int, *, padded: bool) -> Tensor:
    """Return the indices of cleaned text and its E, `(1, N)`, or `(1, most)` where padded.

    Raises:
        InputError: there is no text, or more than `most` symbols of it.
    """
    if not text:
        raise InputError(
            "There is nothing to speak; this voice reads the characters "
            f"{vocabulary.symbols[2:]!r}."
        )
    symbols = vocabulary.indices(text)
    if len(symbols) > most:
        raise InputError(
            f"The sentence {text[:30] + '…'!r} has {len(text)} characters, but the voice reads "
            f"at most {most - 1} at once; split it."
        )
    if padded:
        symbols += [0] * (most - len(symbols))
    return torch.tensor([symbols])


def require_finite(mel: NDArray[np.float32]) -> None:
    """Refuse a mel that no vocoder could make sound.

    Raises:
        EngineError: a number in it is not finite.
    """
    if not np.isfinite(mel).all():
        raise EngineError(
            "Text2Mel yields numbers that are not finite: its weights are damaged or its "
            "training has diverged; go back to an earlier checkpoint."
        )


class _FreeRun:
    """A Text2Mel fed with its own frames."""

    def __init__(
        self, text2mel: Text2Mel, symbols: Tensor, max_frames: int, window: AttentionWindow
    ) -> None:
        weight = text2mel.text_encoder.embedding.weight
        dtype, device = weight.dtype, weight.device
        key, value = text2mel.text_encoder.encode(symbols.to(device))
        length = int(symbols.count_nonzero())
        # Padding colours the encoding of a network without text masks, but is never attended to;
        # only the original's window reaches over the end of the text.
        seen = symbols.shape[1] if window == "bbc" else length
        self._keys = key[0, :seen].T / key.shape[-1] ** 0.5  # (d, N)
        self._values = value[0, :seen]  # (N, d)
        self._encoder = IncrementalStack(text2mel.audio_encoder, 1, dtype, device)
        self._decoder = IncrementalStack(text2mel.audio_decoder, 1, dtype, device)
        self._window = window
        n_mels = text2mel.spec.n_mels
        self._before = torch.zeros(1, n_mels, dtype=dtype, device=device)
        self.mel = torch.empty(max_frames, n_mels, dtype=dtype, device=device)
        self.attention = torch.empty(max_frames, length, dtype=dtype, device=device)
        self.attended = 0
        self.count = 0

    def advance(self) -> None:
        """Speak one more frame."""
        query = self._encoder.step(self._before)  # (1, d)
        scores = (query @ self._keys)[0]
        weights, self.attended = look(scores, self.attended, self._window)
        context = weights @ self._values
        logits = self._decoder.step(torch.cat((context[None], query), dim=-1))
        self._before = torch.sigmoid(logits)
        self.mel[self.count] = self._before[0]
        self.attention[self.count] = weights[: self.attention.shape[1]]
        self.count += 1

    def loudness(self) -> float:
        """Loudest band of the newest frame less the loudest of all frames; 0 or below."""
        return float(self.mel[self.count - 1].max() - self.mel[: self.count].max())


class _Ending:
    """Tells when a sentence has been spoken, by where attention is and how loud the frames are.

    Attention reaches the end of the text while its last sound may still be heard, and what a
    network says long after its text is noise. So it speaks on until it is quiet, but not for
    long, and if it does not fall quiet the sentence ends with the quietest moment.
    """

    def __init__(self, last: int) -> None:
        self._end = last
        self._on_last: list[float] = []
        self._on_end: list[float] = []
        self._quiet = 0

    def reached(self, frames: _FreeRun) -> bool:
        """Take note of the newest frame, and say whether the sentence has been spoken."""
        if frames.attended < self._end - 1:
            return False
        loudness = frames.loudness()
        self._on_last.append(loudness)
        if self._on_end or frames.attended >= self._end:
            self._on_end.append(loudness)
        quiet = loudness < -_QUIET
        self._quiet = self._quiet + 1 if quiet else 0
        return (
            (quiet and len(self._on_end) > 0)
            or len(self._on_end) == _FRAMES_ON_END
            or self._quiet == _QUIET_ON_LAST
            or len(self._on_last) == _FRAMES_ON_LAST
        )

    def kept(self, count: int) -> int:
        """How many of `count` frames, at the last of which the end was reached, are speech."""
        if self._quiet:
            return count - self._quiet + 1
        tail = self._on_end or self._on_last
        return count - len(tail) + 1 + tail.index(min(tail))
