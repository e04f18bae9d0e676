"""The numbers of the features: what the networks learn from, by clip."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec


class Frames:
    """Mels and magnitudes of some clips, read from disk as they are asked for.

    Training Text2Mel touches no page of magnitudes. Both are float16, whose rounding (at most
    0.0005) is far below what the networks resolve.
    """

    def __init__(self, path: Path, audio: AudioSpec, frames: int, spans: NDArray[np.int64]) -> None:
        """Open a file of features with so many frames in all.

        `spans` `(clips, 2)` has the first frame of each clip, and the one behind its last.
        """
        self.path = path
        self.audio = audio
        self.frames = frames
        self.spans = spans
        shape = (frames, audio.n_bins)
        self._magnitude = np.memmap(path, np.float16, "r", shape=shape)
        shape = (frames, audio.n_mels)
        offset = self._magnitude.nbytes
        self._mel = np.memmap(path, np.float16, "r", offset=offset, shape=shape)

    @property
    def mels(self) -> NDArray[np.float16]:
        """The mels of all clips in the file, `(frames, n_mels)`, read-only."""
        return self._mel

    @property
    def magnitudes(self) -> NDArray[np.float16]:
        """Their magnitudes, `(frames, n_bins)`, read-only."""
        return self._magnitude

    def mel(self, i: int) -> NDArray[np.float16]:
        """Mel of clip i, `(T, n_mels)`, read-only."""
        start, end = self.spans[i]
        return self._mel[start:end]

    def coarse_mel(self, i: int) -> NDArray[np.float16]:
        """Every `reduction`-th mel frame of clip i, `(T / reduction, n_mels)`, read-only."""
        return self.mel(i)[:: self.audio.reduction]

    def magnitude(self, i: int) -> NDArray[np.float16]:
        """Magnitude of clip i, `(T, n_bins)`, read-only."""
        start, end = self.spans[i]
        return self._magnitude[start:end]

    def coarse_frames(self, i: int) -> int:
        """Coarse frames of clip i, T / reduction."""
        start, end = self.spans[i]
        return int(end - start) // self.audio.reduction
