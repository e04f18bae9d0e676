"""From sentences to their coarse mels, frame by frame, until the texts have been spoken."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

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
# Sentences spoken at once; the frames that the first speaks alone, because somebody may wait to
# hear it, and those between the others' beginnings.
_AT_ONCE, _FIRST_ALONE, _APART = 8, 16, 4


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


def speak_sentence(
    text2mel: Text2Mel,
    vocabulary: Vocabulary,
    limits: Limits,
    sentence: str,
) -> Spoken:
    """Speak one sentence; as `speak_sentences`."""
    pieces = speak_sentences(text2mel, vocabulary, limits, [sentence])
    return next(spoken for _, spoken in pieces if spoken is not None)


@torch.inference_mode()
def speak_sentences(
    text2mel: Text2Mel,
    vocabulary: Vocabulary,
    limits: Limits,
    sentences: Sequence[str],
    *,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[tuple[NDArray[np.float32], Spoken | None]]:
    """Speak sentences with the weights of a Text2Mel, which is put into evaluation mode.

    Up to eight are spoken at a time: what takes the time is reading the weights, which they share.

    Args:
        text2mel: the network, in float32, on the device that is to speak.
        vocabulary: the symbols that it was trained with.
        limits: coarse frames at which a sentence that finds no end is cut short; the longest
            sentence, its E included, to which a network trained without text masks has its texts
            padded.
        sentences: what to say.
        cancelled: asked between frames whether to give up.

    Yields:
        One sentence after the other, as they come, the frames `(T, n_mels)` that are speech for
        certain; with the last of a sentence, which may be none, the sentence.

    Raises:
        InputError: a sentence has nothing that the voice can read, or is too long.
        EngineError: the network's weights yield numbers that are not finite.
        Cancelled: `cancelled()` became true.
    """
    text2mel.eval()
    padded = not text2mel.spec.mask_text
    texts = [vocabulary.clean(sentence) for sentence in sentences]
    symbols = [
        symbol_tensor(text, vocabulary, limits.max_characters, padded=padded) for text in texts
    ]
    runs = [_FreeRun(text, limits.max_coarse_frames) for text in texts]
    waiting = deque(zip(runs, symbols, strict=True))
    with _stacks_of(text2mel, min(len(texts), _AT_ONCE)) as stacks:
        batch = _SentenceBatch(text2mel, stacks)
        for run in runs:
            handed_on = 0
            while not run.over:
                if cancelled():
                    raise Cancelled("The sentence was not spoken to its end.")
                batch.advance(waiting)
                if not run.over and run.certain > handed_on:
                    yield run.mels(handed_on, run.certain), None
                    handed_on = run.certain
            spoken = run.spoken()
            yield spoken.mel[handed_on:], spoken


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


def speaking_precision(device: torch.device) -> torch.dtype:
    """The precision in which a device speaks fastest."""
    # On a GPU the products of a frame are too small for its reading of the weights to matter.
    fast = device.type == "cpu" and has_bf16(device)
    return torch.bfloat16 if fast else torch.float32


class _Stacks:
    """The stacks of a Text2Mel as they speak, which takes as long to prepare as some frames."""

    def __init__(self, text2mel: Text2Mel, places: int) -> None:
        self.weights = _versions(text2mel)
        precision = speaking_precision(text2mel.text_encoder.embedding.weight.device)
        encoder = text2mel.text_encoder
        weights = {id(one): nn.Parameter(one.to(precision)) for one in encoder.parameters()}
        self.text_encoder = deepcopy(encoder, weights)
        self.places = places
        self.encoder = IncrementalStack(text2mel.audio_encoder, precision, places)
        self.decoder = IncrementalStack(text2mel.audio_decoder, precision, places)


# Of each network that has spoken, until it speaks again.
_idle_stacks: "WeakKeyDictionary[Text2Mel, _Stacks]" = WeakKeyDictionary()


@contextmanager
def _stacks_of(text2mel: Text2Mel, places: int) -> Iterator[_Stacks]:
    stacks = _idle_stacks.pop(text2mel, None)
    if stacks is None or stacks.places != places or stacks.weights != _versions(text2mel):
        stacks = _Stacks(text2mel, places)
    try:
        yield stacks
    finally:
        _idle_stacks[text2mel] = stacks


def _versions(network: nn.Module) -> list[tuple[int, int]]:
    """What changes with any of the weights."""
    return [(weight.data_ptr(), weight._version) for weight in network.parameters()]


class _SentenceBatch:
    """A Text2Mel that speaks several sentences at once, each fed with its own frames."""

    def __init__(self, text2mel: Text2Mel, stacks: _Stacks) -> None:
        weight, places = text2mel.text_encoder.embedding.weight, stacks.places
        self._text_encoder = stacks.text_encoder
        self._encoder, self._decoder = stacks.encoder, stacks.decoder
        self._before = weight.new_zeros(places, text2mel.spec.n_mels)
        self._context = weight.new_zeros(places, text2mel.spec.hidden)
        self._runs: list[_FreeRun | None] = [None] * places
        self._count = 0

    def advance(self, waiting: "deque[tuple[_FreeRun, Tensor]]") -> None:
        """Speak one more frame of each sentence; where there is a place, one that waits begins."""
        if None in self._runs and waiting and self._may_begin():
            self._begin(self._runs.index(None), *waiting.popleft())
        query = self._encoder.step(self._before).float()  # (B, d)
        for place, run in enumerate(self._runs):
            if run is not None:
                self._context[place] = run.attend(query[place])
        logits = self._decoder.step(torch.cat((self._context, query), dim=-1)).float()
        for place, run in enumerate(self._runs):
            if run is not None:
                # Of each alone: where a batch of them is cut for it may change the last bit.
                self._before[place] = torch.sigmoid(logits[place])
                run.take(self._before[place])
                if run.over:
                    self._runs[place] = None
        self._count += 1

    def _may_begin(self) -> bool:
        """Whether encoding a text now keeps nobody waiting for the first sentence."""
        return self._count == 0 or (self._count >= _FIRST_ALONE and self._count % _APART == 0)

    def _begin(self, place: int, run: "_FreeRun", symbols: Tensor) -> None:
        key, value = map(Tensor.float, self._text_encoder.encode(symbols.to(self._before.device)))
        # Padding colours the encoding of a network without text masks, but is never attended to.
        length = int(symbols.count_nonzero())
        run.begin(key[0, :length], value[0, :length], self._before.shape[1])
        for stack in (self._encoder, self._decoder):
            stack.restart(place)
        self._before[place] = 0
        self._runs[place] = run


class _FreeRun:
    """A sentence that is being spoken."""

    def __init__(self, text: str, max_frames: int) -> None:
        self._text = text
        self._max_frames = max_frames
        self._ending = _Ending(last=len(text))
        self._finished = False
        self.attended = 0
        self.count = 0

    def begin(self, key: Tensor, value: Tensor, n_mels: int) -> None:
        """Take the encoded text, `(N, d)` each."""
        self._keys = key.T / key.shape[-1] ** 0.5  # (d, N)
        self._values = value
        self._mel = key.new_empty(self._max_frames, n_mels)
        self._attention = key.new_empty(self._max_frames, len(key))

    @property
    def over(self) -> bool:
        """Whether it has been spoken, or is cut short."""
        return self._finished or self.count == self._max_frames

    @property
    def certain(self) -> int:
        """How many of its frames are speech wherever the end comes."""
        return self._ending.certain(self.count)

    def attend(self, query: Tensor) -> Tensor:
        """What the text says to the next frame's query `(d,)`, `(d,)`."""
        scores = (query[None] @ self._keys)[0]
        weights, self.attended = windowed_attention(scores, self.attended)
        self._attention[self.count] = weights
        return weights @ self._values

    def take(self, frame: Tensor) -> None:
        """Take the next frame `(n_mels,)`."""
        self._mel[self.count] = frame
        self.count += 1
        self._finished = self._ending.reached(self)

    def spoken(self) -> Spoken:
        """The sentence, now that it is over."""
        count = self._ending.kept(self.count) if self._finished else self.count
        attention = self._attention[:count].T.cpu().numpy()
        mel = self.mels(0, count)
        return Spoken(self._text, mel, np.ascontiguousarray(attention), self._finished)

    def mels(self, start: int, end: int) -> NDArray[np.float32]:
        """Return some of the frames spoken, `(end - start, n_mels)`."""
        mel: NDArray[np.float32] = self._mel[start:end].cpu().numpy()
        require_finite(mel, "Text2Mel")
        return mel

    def loudness(self) -> float:
        """Loudest band of the newest frame less the loudest of all frames; 0 or below."""
        return float(self._mel[self.count - 1].max() - self._mel[: self.count].max())


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
