"""From any text to a waveform: sentence by sentence, then joined."""

import io
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from engine.choices import SynthesisName
from engine.data.audio import AudioSpec
from engine.errors import Cancelled, EngineError, InputError
from engine.files import PRIVATE, write_whole
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.speech.attention_window import AttentionWindow
from engine.speech.bbc_synthesis import ORIGINAL_VOCODER, OriginalSynthesizer
from engine.speech.loudness import join, level
from engine.speech.synthesizer import Spoken, Synthesizer
from engine.speech.vocoder import VocoderSettings, magnitude_from_mel, vocode
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
    def finished(self) -> bool:
        """Whether every sentence was spoken to its end."""
        return all(part.finished for part in self.parts)


class Sound(NamedTuple):
    """A waveform and the magnitude that it was made of."""

    waveform: NDArray[np.float32]
    """Samples, `(samples,)`."""
    magnitude: NDArray[np.float32]
    """Normalised magnitude, `(T, n_bins)`."""


def _no_progress(done: int, total: int) -> None:
    """Nobody watches."""


def _never() -> bool:
    return False


def speak(
    text: str,
    text2mel: Text2Mel,
    ssrn: SSRN | None,
    vocabulary: Vocabulary,
    audio: AudioSpec,
    *,
    max_characters: int = 180,
    max_frames: int = 210,
    window: AttentionWindow = "paper",
    synthesis: SynthesisName = "standard",
    settings: VocoderSettings | None = None,
    on_progress: Callable[[int, int], None] = _no_progress,
    cancelled: Callable[[], bool] = _never,
) -> Utterance:
    """Speak a text of any length.

    Args:
        text: what to say; cut into sentences, and those into parts if they are too long. The
            BBC's synthesis takes a line whole, as long as it is short enough.
        text2mel: on the device that is to speak, in float32; put into evaluation mode.
        ssrn: likewise; None spreads the mel bands over the bins instead.
        vocabulary: the symbols that the networks were trained with.
        audio: the audio constants that they were trained with.
        max_characters: symbols of the longest part, its E included.
        max_frames: coarse frames at which a part that finds no end is cut short; exactly so many
            are spoken by the BBC's synthesis.
        window: how attention is held to the text's order; the BBC's synthesis has its own.
        synthesis: ours, frame by frame until the end of the text, or that of the BBC's code.
        settings: of the vocoder; those of the synthesis without them.
        on_progress: called with the parts done and their total, first with 0.
        cancelled: asked between frames whether to give up.

    Raises:
        InputError: the text has nothing that the voice can speak.
        EngineError: a network's weights yield numbers that are not finite.
        Cancelled: `cancelled()` became true.
    """
    as_bbc = synthesis == "bbc"
    cut = _lines if as_bbc else split_sentences
    sentences = cut(text, vocabulary, max_characters)
    if not sentences:
        raise InputError(
            f"There is nothing to speak in {_shortened(text)!r}; this voice reads the characters "
            f"{vocabulary.symbols[2:]!r}."
        )
    settings = settings or (ORIGINAL_VOCODER if as_bbc else VocoderSettings())
    limits = {"max_frames": max_frames, "max_characters": max_characters}
    synthesizer = (
        OriginalSynthesizer(text2mel, vocabulary, **limits)
        if as_bbc
        else Synthesizer(text2mel, vocabulary, window=window, **limits)
    )
    parts: list[Spoken] = []
    sounds: list[Sound] = []
    on_progress(0, len(sentences))
    for sentence in sentences:
        part = synthesizer.mel(sentence, cancelled=cancelled)
        if cancelled():
            raise Cancelled("The text was not spoken to its end.")
        parts.append(part)
        sounds.append(_sound(part.mel, ssrn, audio, settings))
        on_progress(len(parts), len(sentences))
    return Utterance(
        waveform=join([sound.waveform for sound in sounds], audio.sample_rate),
        sample_rate=audio.sample_rate,
        mel=np.concatenate([part.mel for part in parts]),
        magnitude=np.concatenate([sound.magnitude for sound in sounds]),
        attention=_along_diagonal([part.attention for part in parts]),
        parts=tuple(parts),
        ssrn=ssrn is not None,
    )


def resynthesise(
    mel: NDArray[np.floating],
    ssrn: SSRN | None,
    audio: AudioSpec,
    settings: VocoderSettings | None = None,
) -> Sound:
    """Make a recording's true coarse mel `(T / 4, n_mels)` sound again, to judge an SSRN alone.

    The waveform has the level of `engine.speech.loudness.level`, so that the recording itself
    can be set beside it at the same one.

    Raises `EngineError` when the network's weights yield numbers that are not finite.
    """
    sound = _sound(mel.astype(np.float32), ssrn, audio, settings or VocoderSettings())
    return Sound(level(sound.waveform), sound.magnitude)


def write_wav(
    path: Path, waveform: NDArray[np.float32], sample_rate: int, mode: int = PRIVATE
) -> None:
    """Write samples `(n,)` in [−1, 1] as a mono WAV of 16 bits, whole or not at all.

    Its folder has to be there. `mode` is the file's permissions, less the umask. Raises
    `EngineError` when it cannot be written.
    """
    samples = np.round(np.clip(waveform, -1, 1) * 32_767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sample_rate)
        file.writeframes(samples.tobytes())
    write_whole(path, buffer.getvalue(), mode, make_folders=False)


def _lines(text: str, vocabulary: Vocabulary, max_characters: int) -> list[str]:
    """Cut text at line ends, and a line that is too long into sentences."""
    pieces = []
    for line in text.splitlines():
        cleaned = vocabulary.clean(line)
        if len(cleaned) >= max_characters:
            pieces.extend(split_sentences(line, vocabulary, max_characters))
        elif any(map(str.isalnum, cleaned)):
            pieces.append(cleaned)
    return pieces


def _sound(
    mel: NDArray[np.float32], ssrn: SSRN | None, audio: AudioSpec, settings: VocoderSettings
) -> Sound:
    """Sharpen a coarse mel, by SSRN if there is one, and make it sound."""
    magnitude = magnitude_from_mel(mel, audio) if ssrn is None else _sharpened(mel, ssrn)
    return Sound(vocode(magnitude, audio, settings), magnitude)


@torch.inference_mode()
def _sharpened(mel: NDArray[np.float32], ssrn: SSRN) -> NDArray[np.float32]:
    """Return SSRN's magnitude `(T, n_bins)` of a coarse mel `(T / 4, n_mels)`."""
    weight = next(ssrn.parameters())
    batch = torch.from_numpy(mel)[None].to(weight.device, weight.dtype)
    magnitude: NDArray[np.float32] = ssrn.eval()(batch).magnitude[0].cpu().numpy()
    if not np.isfinite(magnitude).all():
        raise EngineError(
            "SSRN yields numbers that are not finite: its weights are damaged or its training "
            "has diverged; go back to an earlier checkpoint."
        )
    return magnitude


def _along_diagonal(blocks: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    """Place matrices corner to corner, zeros elsewhere."""
    rows, columns = (sum(block.shape[axis] for block in blocks) for axis in (0, 1))
    joined = np.zeros((rows, columns), np.float32)
    row = column = 0
    for block in blocks:
        joined[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return joined


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
