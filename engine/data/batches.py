"""Batches of clips: which clips make step s, and how they become tensors on the device."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from threading import Condition, Thread
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.data.frames import Frames
from engine.data.resident import ResidentFrames, resident_bytes
from engine.machine.background import repeat
from engine.machine.device import is_out_of_memory, spare_memory, use_in_this_thread

_log = logging.getLogger(__name__)

# Clips of similar length share a batch; each epoch sorts lengths with this much noise, so that
# the other clips of a batch change.
_LENGTH_BLUR = 0.1
# Batches made ahead of the step that takes them.
_AHEAD = 4

_Indices = Sequence[NDArray[np.int64]]
"""The frame of a clip that each coarse frame is taken from, `(T,)` for each clip of a batch."""


@dataclass(frozen=True)
class Batch:
    """Clips of similar length, padded to the longest."""

    text: Tensor
    """Symbol numbers, 0 for padding, `(B, N)` int64."""
    text_lengths: Tensor
    """`(B,)` int64."""
    mel: Tensor
    """Coarse mel, 0 for padding, `(B, T, n_mels)` float32; float16 until it is on the device."""
    frame_lengths: Tensor
    """Coarse frames, `(B,)` int64."""
    magnitude: Tensor | None = None
    """For SSRN, 0 for padding, `(B, 4T, n_bins)`, in the precision of `mel`."""
    resident: ResidentFrames | None = None
    """Where the device has the features already: `mel` are then places in them, `(B, T)` int64."""

    def staged(self, device: torch.device) -> "Batch":
        """Return the batch in pinned memory for a GPU, which copies it in the background.

        No memory of the device is taken. Where the host can pin no more, the batch stays as it is,
        and `to` waits for the copy. For a CPU the numbers are widened.
        """
        if device.type == "cpu":
            return self.to(device)
        try:
            return self.each(Tensor.pin_memory)
        except RuntimeError as error:
            _log_unpinned(str(error))
            return self

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device; from pinned memory, without waiting for the copy.

        Features come in 16 bits, as they are on disk, and are widened there.
        """
        moved = self.each(lambda tensor: _widened(tensor.to(device, non_blocking=True)))
        if self.resident is None:
            return moved
        mel, magnitude = self.resident.mel(moved.mel), self.resident.magnitude(moved.mel)
        return replace(moved, mel=mel, magnitude=magnitude, resident=None)

    def each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        """Return a batch of all tensors changed alike."""
        return Batch(
            change(self.text),
            change(self.text_lengths),
            change(self.mel),
            change(self.frame_lengths),
            None if self.magnitude is None else change(self.magnitude),
            self.resident,
        )


def _widened(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype == torch.float16 else tensor


@lru_cache(maxsize=8)
def _log_unpinned(why: str) -> None:
    """Log it once for each reason: a host that refuses one batch refuses them all."""
    _log.info("batches are not pinned, so steps wait for their copies: %s", why)


class BatchSource:
    """The batches of a run; batch s is a function of (seed, salt, s) alone.

    A run that was stopped and resumed therefore sees the same batches as one that was not.
    """

    def __init__(
        self,
        store: Frames,
        texts: Mapping[int, list[int]],
        *,
        magnitudes: bool,
        batch_size: int,
        crop_frames: int | None = None,
        tempo: float = 0.0,
        seed: int,
    ) -> None:
        """Take the clips of `store` whose numbers `texts` has, with their symbols.

        Args:
            store: the features.
            texts: the symbols of each clip, by its number in the store.
            magnitudes: whether batches have them, as SSRN learns them.
            batch_size: clips in a batch.
            crop_frames: with magnitudes, take random pieces of so many coarse frames; None takes
                whole clips.
            tempo: without magnitudes, play batches up to this share faster or slower.
            seed: of all that is random.
        """
        self._store = store
        self._texts = texts
        self._magnitudes = magnitudes
        self._clips = np.asarray([*texts], dtype=np.int64)
        self._lengths = np.asarray([store.coarse_frames(i) for i in texts], dtype=np.float64)
        self._batch_size = min(batch_size, len(texts))
        self._crop_frames = crop_frames
        self._tempo = 0.0 if magnitudes else tempo
        self._seed = seed
        self.resident: ResidentFrames | None = None
        """The features on the device, which gathers batches itself; see `keep_on`."""
        self._salt: tuple[int, ...] = ()
        self._epoch_order = lru_cache(maxsize=2)(self._order_of_epoch)

    def reseed(self, salt: int) -> None:
        """Draw other orders and crops from now on, or the original ones with salt 0.

        While a `Prefetcher` works, only it may call this.
        """
        self._salt = (salt,) if salt else ()
        self._epoch_order.cache_clear()

    @property
    def batches_per_epoch(self) -> int:
        """Steps in which every clip is seen about once."""
        return max(1, len(self._clips) // self._batch_size)

    def batch(self, step: int) -> Batch:
        """Return the batch of a global step (from 1)."""
        epoch, place = divmod(step - 1, self.batches_per_epoch)
        rng = np.random.default_rng((self._seed, 1, step, *self._salt))
        pace = rng.uniform(1 - self._tempo, 1 + self._tempo) if self._tempo else 1.0
        return self.gather(self._epoch_order(epoch)[place], rng, pace)

    def longest(self) -> Batch:
        """Return a batch of the longest clips, which takes the most memory of all."""
        order = np.argsort(-self._lengths, kind="stable")[: self._batch_size]
        rng = np.random.default_rng(self._seed) if self._magnitudes else None
        return self.gather(self._clips[order], rng, 1 - self._tempo)

    def keep_on(self, device: torch.device) -> None:
        """Have batches gathered on a GPU from now on, if it has room for the features to spare."""
        if resident_bytes(self._store, magnitudes=self._magnitudes) > spare_memory(device):
            return
        try:
            self.resident = ResidentFrames(self._store, device, magnitudes=self._magnitudes)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            _log.info("no room for the features on %s: %s", device, error)

    def gather(
        self, clips: NDArray[np.int64], rng: np.random.Generator | None = None, pace: float = 1.0
    ) -> Batch:
        """Pad the clips with these numbers together; above a pace of 1 they are faster.

        With `rng`, SSRN's are cropped, and Text2Mel's begin at any of the first frames.
        """
        indices = [self._frame_indices(int(i), rng, pace) for i in clips]
        texts = [self._texts[int(i)] for i in clips]
        text = np.zeros((len(clips), max(map(len, texts))), np.int64)
        for row, symbols in enumerate(texts):
            text[row, : len(symbols)] = symbols
        given = self._places if self.resident else self._features
        mel, magnitude = given(clips, indices)
        return Batch(
            torch.from_numpy(text),
            torch.tensor([len(t) for t in texts]),
            torch.from_numpy(mel),
            torch.tensor([*map(len, indices)]),
            None if magnitude is None else torch.from_numpy(magnitude),
            self.resident,
        )

    def _features(
        self, clips: NDArray[np.int64], indices: _Indices
    ) -> tuple[NDArray[np.float16], NDArray[np.float16] | None]:
        """The mels, and perhaps the magnitudes, of frames of clips."""
        audio, rows, frames = self._store.audio, len(clips), max(map(len, indices))
        mel = np.zeros((rows, frames, audio.n_mels), np.float16)
        magnitude, r = None, audio.reduction
        if self._magnitudes:
            magnitude = np.zeros((rows, frames * r, audio.n_bins), np.float16)
        for row, (i, chosen) in enumerate(zip(clips, indices, strict=True)):
            mel[row, : len(chosen)] = self._store.mel(int(i))[chosen]
            if magnitude is not None:
                fine = self._store.magnitude(int(i))[chosen[0] : chosen[-1] + r]
                magnitude[row, : len(fine)] = fine
        return mel, magnitude

    def _places(
        self, clips: NDArray[np.int64], indices: _Indices
    ) -> tuple[NDArray[np.int64], None]:
        """Where `ResidentFrames` has frames of clips."""
        places = np.zeros((len(clips), max(map(len, indices))), np.int64)
        for row, (i, chosen) in enumerate(zip(clips, indices, strict=True)):
            places[row, : len(chosen)] = 1 + self._store.spans[i, 0] + chosen
        return places, None

    def _frame_indices(
        self, clip: int, rng: np.random.Generator | None, pace: float
    ) -> NDArray[np.int64]:
        """The frames from which the coarse frames of a clip are taken, `(T,)`.

        Every `reduction`-th, from the first on. A crop begins at any frame; at another pace the
        frames lie evenly further apart or closer together, rounded down.
        """
        coarse, r = self._store.coarse_frames(clip), self._store.audio.reduction
        crop = self._crop_frames if self._magnitudes else None
        if rng is not None and crop is not None and crop < coarse:
            return rng.integers((coarse - crop) * r + 1) + np.arange(0, crop * r, r)
        # Frames after the last coarse one may be padding.
        end = (coarse - 1) * r + 1
        first = rng.uniform(0, min(r, end)) if rng is not None and self._tempo else 0.0
        return np.arange(first, end, r * pace).astype(np.int64)

    def _order_of_epoch(self, epoch: int) -> NDArray[np.int64]:
        """Clip numbers of the epoch's batches, `(batches, batch_size)`."""
        rng = np.random.default_rng((self._seed, 0, epoch, *self._salt))
        count = self.batches_per_epoch * self._batch_size
        chosen = rng.permutation(len(self._clips))[:count]
        blurred = self._lengths[chosen] * rng.uniform(1 - _LENGTH_BLUR, 1 + _LENGTH_BLUR, count)
        by_length = chosen[np.argsort(blurred, kind="stable")].reshape(-1, self._batch_size)
        shuffled: NDArray[np.int64] = self._clips[rng.permutation(by_length, axis=0)]
        return shuffled


class Prefetcher:
    """Makes the next batches in a thread while a step is under way; a context manager.

    There is one thread for a whole run: when memory is short, another might never begin.
    """

    def __init__(self, source: BatchSource, device: torch.device) -> None:
        """Start the thread, which waits for the first call of `next`."""
        self._source = source
        self._device = device
        self._turn = Condition()
        self._ready: deque[Batch | Exception] = deque()
        # The step whose batch is made next; None while none is wanted.
        self._step: int | None = None
        # The step, and the salt, whose batch was made ahead.
        self._expected: tuple[int, int] | None = None
        self._making = self._ended = False
        self._thread = Thread(target=lambda: repeat(self._make_next), name="batches", daemon=True)
        self._thread.start()

    def next(self, step: int, salt: int = 0) -> Batch:
        """Return the batch of a step, in the order of a salt, and make those after it ahead.

        It is staged for the device: whoever makes the step moves it there, as it knows what to do
        where the device's memory is too small.

        Raises whatever reading the features raised.
        """
        with self._turn:
            if self._expected != (step, salt):
                self._step = None
                self._turn.wait_for(lambda: not self._making)
                self._ready.clear()
                self._source.reseed(salt)
                self._step = step
                self._turn.notify_all()
            self._expected = step + 1, salt
            self._turn.wait_for(lambda: self._ready)
            item = self._ready.popleft()
            self._turn.notify_all()
        if isinstance(item, Exception):
            raise item
        return item

    def _make_next(self) -> bool:
        """Wait until a batch is wanted, and make it; False at the end."""
        with self._turn:
            self._turn.wait_for(
                lambda: self._ended or (self._step is not None and len(self._ready) < _AHEAD)
            )
            step = self._step
            if self._ended or step is None:
                return False
            self._making = True
        item: Batch | Exception
        try:
            use_in_this_thread(self._device)
            item = self._source.batch(step).staged(self._device)
        except Exception as error:  # handed to the trainer, which owns the run
            item = error
        with self._turn:
            self._making = False
            if self._step == step:
                self._ready.append(item)
                self._step = step + 1
            self._turn.notify_all()
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._turn:
            self._ended = True
            self._turn.notify_all()
        self._thread.join()
