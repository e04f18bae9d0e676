"""From one sentence to its coarse mel, frame by frame, until the text has been spoken."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.clips import Limits
from engine.errors import Cancelled, EngineError, InputError
from engine.machine.device import has_bf16
from engine.networks.text2mel import Text2Mel
from engine.speech.incremental import IncrementalStack
from engine.speech.reading import nothing_to_speak
from engine.text.vocabulary import Vocabulary

# Where attention counts as natural, around the character that the frame before attended to.
_BACK, _AHEAD = 1, 3
# A frame is quiet when its loudest band lies this far below the loudest band so far, on the
# networks' scale (40 dB of 100). The last frames of recordings trimmed at 60 dB lie there, the
# consonants that end a word do not.
_QUIET = 0.4
# Frames on E in which quiet is waited for. In training E is heard with the very last frame or
# two, so there is no more speech in what comes later.
_FRAMES_ON_END = 6
# Frames on the last character after which the text counts as spoken, if attention never moves
# on to E: so many that are quiet in a row, or so many of any kind.
_QUIET_ON_LAST, _FRAMES_ON_LAST = 4, 24


class OnFrames(Protocol):
    """Takes frames of coarse mel `(T, n_mels)`, and whether they are a sentence's last."""

    def __call__(self, mel: NDArray[np.float32], *, last: bool) -> None:
        """Take the next frames."""


@dataclass(frozen=True)
class Spoken:
    """A sentence as Text2Mel spoke it, T frames of N symbols."""

    text: str
    """The sentence, cleaned by the vocabulary."""
    mel: NDArray[np.float32]
    """Coarse mel in the unit interval, `(T, n_mels)`."""
    attention: NDArray[np.float32]
    """Weights over the N symbols of the text, E included, `(N, T)`. Every frame sums to 1, unless
    the original's window let it look beyond the text."""
    finished: bool
    """Whether the end of the text was reached; False when `max_coarse_frames` cut it short."""


@torch.inference_mode()
def speak_sentence(
    text2mel: Text2Mel,
    vocabulary: Vocabulary,
    limits: Limits,
    sentence: str,
    *,
    cancelled: Callable[[], bool] = lambda: False,
    on_frames: OnFrames | None = None,
) -> Spoken:
    """Speak one sentence with the weights of a Text2Mel, which is put into evaluation mode.

    Args:
        text2mel: the network, in float32, on the device that is to speak.
        vocabulary: the symbols that it was trained with.
        limits: coarse frames at which a sentence that finds no end is cut short; the longest
            sentence, its E included, to which a network trained without text masks has its texts
            padded.
        sentence: what to say.
        cancelled: asked between frames whether to give up.
        on_frames: takes the frames that are speech for certain, as they come.

    Raises:
        InputError: the sentence has nothing that the voice can read, or is too long.
        EngineError: the network's weights yield numbers that are not finite.
        Cancelled: `cancelled()` became true.
    """
    text2mel.eval()
    text, max_frames = vocabulary.clean(sentence), limits.max_coarse_frames
    padded = not text2mel.spec.mask_text
    symbols = symbol_tensor(text, vocabulary, limits.max_characters, padded=padded)
    frames = _FreeRun(text2mel, symbols, max_frames)
    ending = _Ending(last=len(text))
    handed_on = 0
    finished = False
    while not finished and frames.count < max_frames:
        if cancelled():
            raise Cancelled("The sentence was not spoken to its end.")
        frames.advance()
        finished = ending.reached(frames)
        certain = ending.certain(frames.count)
        if on_frames and not finished and certain > handed_on:
            on_frames(frames.mels(handed_on, certain), last=False)
            handed_on = certain
    count = ending.kept(frames.count) if finished else frames.count
    mel = frames.mels(0, count)
    if on_frames:
        on_frames(mel[handed_on:], last=True)
    attention = frames.attention[:count].T.cpu().numpy()
    return Spoken(text, mel, np.ascontiguousarray(attention), finished)


def symbol_tensor(
    text: str, vocabulary: Vocabulary, max_characters: int, *, padded: bool
) -> Tensor:
    """Return the indices of cleaned text and its E, `(1, N)`, padded `(1, max_characters)`.

    Raises `InputError` where there is no text, or one of more than `max_characters` symbols.
    """
    if not text:
        raise nothing_to_speak(vocabulary)
    symbols = vocabulary.indices(text)
    if len(symbols) > max_characters:
        raise InputError(
            f"The sentence {text[:30] + '…'!r} has {len(text)} characters, but the voice reads "
            f"at most {max_characters - 1} at once; split it."
        )
    if padded:
        symbols += [0] * (max_characters - len(symbols))
    return torch.tensor([symbols])


def require_finite(numbers: NDArray[np.float32], network: str) -> None:
    """Raise `EngineError` where a network's output has a number that is not finite."""
    if not np.isfinite(numbers).all():
        raise EngineError(
            f"{network} yields numbers that are not finite: its weights are damaged or its "
            f"training has diverged; go back to an earlier checkpoint."
        )


def windowed_attention(scores: Tensor, previous: int) -> tuple[Tensor, int]:
    """Return one frame's attention `(N,)` and the character it attends to most.

    `scores` `(N,)` are those before the softmax. Attention is free, but when its peak leaves
    `[previous − 1, previous + 3]`, around the character that the frame before attended to, it is
    put wholly on the character after that (arXiv 1710.08969, section 4.2).
    """
    weights = torch.softmax(scores, dim=0)
    attended = int(weights.argmax())
    if previous - _BACK <= attended <= previous + _AHEAD:
        return weights, attended
    forced = min(previous + 1, len(scores) - 1)
    weights = torch.zeros_like(scores)
    weights[forced] = 1.0
    return weights, forced


class _FreeRun:
    """A Text2Mel fed with its own frames."""

    def __init__(self, text2mel: Text2Mel, symbols: Tensor, max_frames: int) -> None:
        weight = text2mel.text_encoder.embedding.weight
        key, value = text2mel.text_encoder.encode(symbols.to(weight.device))
        length = int(symbols.count_nonzero())
        # Padding colours the encoding of a network without text masks, but is never attended to.
        self._keys = key[0, :length].T / key.shape[-1] ** 0.5  # (d, N)
        self._values = value[0, :length]  # (N, d)
        # On a GPU the products of a frame are too small for its reading of the weights to matter.
        fast = weight.device.type == "cpu" and has_bf16(weight.device)
        precision = torch.bfloat16 if fast else torch.float32
        self._encoder = IncrementalStack(text2mel.audio_encoder, precision)
        self._decoder = IncrementalStack(text2mel.audio_decoder, precision)
        n_mels = text2mel.spec.n_mels
        self._before = weight.new_zeros(1, n_mels)
        self.mel = weight.new_empty(max_frames, n_mels)
        self.attention = weight.new_empty(max_frames, length)
        self.attended = 0
        self.count = 0

    def advance(self) -> None:
        """Speak one more frame."""
        query = self._encoder.step(self._before).float()  # (1, d)
        scores = (query @ self._keys)[0]
        weights, self.attended = windowed_attention(scores, self.attended)
        context = weights @ self._values
        logits = self._decoder.step(torch.cat((context[None], query), dim=-1)).float()
        self._before = torch.sigmoid(logits)
        self.mel[self.count] = self._before[0]
        self.attention[self.count] = weights
        self.count += 1

    def mels(self, start: int, end: int) -> NDArray[np.float32]:
        """Return some of the frames spoken, `(end - start, n_mels)`."""
        mel: NDArray[np.float32] = self.mel[start:end].cpu().numpy()
        require_finite(mel, "Text2Mel")
        return mel

    def loudness(self) -> float:
        """Loudest band of the newest frame less the loudest of all frames; 0 or below."""
        return float(self.mel[self.count - 1].max() - self.mel[: self.count].max())


class _Ending:
    """Decides when a sentence has been spoken, by where attention is and how loud the frames are.

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

    def certain(self, count: int) -> int:
        """How many of `count` frames are speech wherever the end comes."""
        return count - max(0, len(self._on_last) - 1)

    def kept(self, count: int) -> int:
        """How many of `count` frames, at the last of which the end was reached, are speech."""
        if self._quiet:
            return count - self._quiet + 1
        tail = self._on_end or self._on_last
        return count - len(tail) + 1 + tail.index(min(tail))
