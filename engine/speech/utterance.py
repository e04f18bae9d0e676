"""A text as a voice spoke it."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.run.evaluation import Misreading
from engine.speech.misreadings import misreadings
from engine.speech.sound_stream import PAUSE_SECONDS
from engine.speech.synthesizer import Spoken
from engine.text.vocabulary import Vocabulary, split_sentences


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

    def misreadings(self, audio: AudioSpec) -> tuple[Misreading, ...]:
        """What attention shows to be misread; words count in `symbols`, seconds in the sound."""
        found: list[Misreading] = []
        symbols, seconds = 0, 0.0
        for part in self.parts:
            found += (
                replace(
                    one, start=one.start + symbols, end=one.end + symbols,
                    seconds=round(one.seconds + seconds, 3), until=round(one.until + seconds, 3),
                )
                for one in misreadings(
                    part.text + "E", part.attention, audio.coarse_frame_seconds
                )
            )  # fmt: skip
            symbols += len(part.text) + 1
            seconds += len(part.mel) * audio.coarse_frame_seconds + PAUSE_SECONDS
        return tuple(found)

    @property
    def finished(self) -> bool:
        """Whether every sentence was spoken to its end."""
        return all(part.finished for part in self.parts)


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
