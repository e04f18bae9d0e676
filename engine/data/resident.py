"""Features in the memory of a device, where a GPU has room for them: batches then cross no bus."""

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.data.frames import Frames

# Bytes that are copied at a time.
_PIECE = 2**26


class ResidentFrames:
    """All mels, and perhaps all magnitudes, by the number of a frame.

    These count from 1 through all clips; 0 is a frame of zeros, which pads.
    """

    def __init__(self, frames: Frames, device: torch.device, *, magnitudes: bool) -> None:
        """Copy them to a device; raises whatever torch does where it has no room."""
        self._mel = _copied(frames.mels, device)
        self._magnitude = _copied(frames.magnitudes, device) if magnitudes else None
        self._reduction = frames.audio.reduction

    def mel(self, places: Tensor) -> Tensor:
        """The mel of frames `(B, T)`, `(B, T, n_mels)` float32."""
        return F.embedding(places, self._mel).float()

    def magnitude(self, places: Tensor) -> Tensor | None:
        """The magnitude of the coarse frames that begin at frames `(B, T)`, if it is here.

        `(B, T * reduction, n_bins)` float32.
        """
        if self._magnitude is None:
            return None
        offsets = torch.arange(self._reduction, device=places.device)
        fine = (places[..., None] + offsets) * (places > 0)[..., None]
        return F.embedding(fine.flatten(1), self._magnitude).float()


def resident_bytes(frames: Frames, *, magnitudes: bool) -> int:
    """What `ResidentFrames` would take."""
    return frames.mels.nbytes + magnitudes * frames.magnitudes.nbytes


def _copied(table: NDArray[np.float16], device: torch.device) -> Tensor:
    """Copy a table behind a row of zeros."""
    copy = torch.zeros((len(table) + 1, table.shape[1]), dtype=torch.float16, device=device)
    for start, piece in _pieces(table):
        copy[start + 1 : start + 1 + len(piece)].copy_(torch.from_numpy(piece))
    return copy


def _pieces(table: NDArray[np.float16]) -> Iterator[tuple[int, NDArray[np.float16]]]:
    rows = max(1, _PIECE // table[:1].nbytes)
    for start in range(0, len(table), rows):
        yield start, np.array(table[start : start + rows])
