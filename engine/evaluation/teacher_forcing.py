"""Clips predicted frame by frame from their true frames, with their own transcript and others'.

A clip that is hard to predict, because it is loud, noisy or spoken by somebody else, is hard with
any transcript. How much its own transcript helps only shows against transcripts of other clips.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from engine.data.audio import load_recording
from engine.data.clips import Clip
from engine.data.spectrograms import analyse, coarse_frames, is_silent, trim
from engine.errors import InputError
from engine.evaluation.speaker_match import Mel, MelChange
from engine.networks.text2mel import attend, guide
from engine.speech.speaker import Speaker
from engine.speech.synthesizer import require_finite

OTHER_TEXTS = 8
"""Transcripts of other clips that each clip is predicted with, where there are so many."""

AnalysedClip = tuple[Clip, Mel]
"""A clip and its coarse mel `(T, n_mels)`."""


@dataclass(frozen=True)
class Prediction:
    """How well a network predicts one clip."""

    clip: Clip
    loss: float
    """Mean absolute difference with the clip's own transcript."""
    others: NDArray[np.float64]
    """The same with transcripts of other clips, `(others,)`."""
    focus: float
    """Mean over frames of the largest attention weight, with its own transcript."""
    off_diagonal: float
    """The same of attention away from a steady pace, summed over the text, so that its length
    does not count."""

    @cached_property
    def other_loss(self) -> float:
        """The median of the losses with other transcripts."""
        return float(np.median(self.others))

    @cached_property
    def ratio(self) -> float:
        """Loss with its own transcript over that with others': 1 where it does not help."""
        return self.loss / self.other_loss

    @cached_property
    def other_ratios(self) -> NDArray[np.float64]:
        """The same ratio of every other transcript to the rest: how a wrong one behaves.

        `(others,)`, or empty where there is only one.
        """
        if len(self.others) < 2:
            return np.empty(0)
        rest = [np.median(np.delete(self.others, i)) for i in range(len(self.others))]
        return self.others / np.array(rest)


class TeacherForcing:
    """Predicts batches of clips with a Text2Mel in float32 and in evaluation mode."""

    def __init__(self, speaker: Speaker) -> None:
        """Take the Text2Mel of a voice on the device that is to predict."""
        self.speaker = speaker
        self._network = speaker.text2mel
        self._limits = speaker.settings.limits
        self._device = next(speaker.text2mel.parameters()).device

    def analyse(self, clips: Sequence[Clip]) -> list[AnalysedClip]:
        """Analyse recordings as training does; those that it would leave out are left out."""
        audio, analysed = self.speaker.settings.audio, []
        for clip in clips:
            try:
                waveform = load_recording(clip.path, audio.sample_rate)
            except InputError:
                continue
            if is_silent(waveform):
                continue
            frames = coarse_frames(len(trim(waveform, audio.trim_db)), audio)
            if frames <= self._limits.max_coarse_frames:
                analysed.append((clip, analyse(waveform, audio)[0][:: audio.reduction]))
        return analysed

    @torch.inference_mode()
    def predict(
        self, clips: Sequence[AnalysedClip], change: MelChange | None = None
    ) -> list[Prediction]:
        """Predict every clip of a batch with its own transcript and with its neighbours'.

        The texts are encoded once; each clip lends its own to those that follow it. Clips with
        the same transcript do not count as others, and a clip without others has no prediction.
        `change` is applied to all mels.

        Raises:
            EngineError: the network's weights yield numbers that are not finite.
        """
        if not clips:
            return []
        symbols = [self.speaker.vocabulary.encode(clip.text) for clip, _ in clips]
        mels = [torch.from_numpy(change(mel) if change else mel) for _, mel in clips]
        truth = pad_sequence(mels, batch_first=True).to(self._device)
        losses, attention = self._losses(self._padded(symbols), truth)
        return list(_predictions(clips, symbols, losses, attention))

    @torch.inference_mode()
    def attend(self, analysed: AnalysedClip) -> NDArray[np.float32]:
        """The attention `(N, T)` of one clip to its own transcript, E included, however long.

        Raises:
            EngineError: the network's weights yield numbers that are not finite.
        """
        clip, mel = analysed
        text = self._padded([self.speaker.vocabulary.encode(clip.text)])
        key, value = self._network.text_encoder.encode(text)
        truth = torch.from_numpy(mel)[None].to(self._device)
        query = self._network.audio_encoder(F.pad(truth, (0, 0, 1, 0))[:, :-1])
        mask = text != 0 if self._network.spec.mask_text else None
        weights = attend(query, key, value, mask)[1][0].cpu().numpy()
        require_finite(weights, "Text2Mel")
        found: NDArray[np.float32] = weights[: len(clip.text) + 1]
        return found

    def _padded(self, symbols: Sequence[Sequence[int]]) -> Tensor:
        """Texts `(B, N)`; a network that sees padding gets them at full length."""
        width = max(map(len, symbols))
        if not self._network.spec.mask_text:
            width = self._limits.max_characters
        rows = [[*row, *[0] * (width - len(row))] for row in symbols]
        return torch.tensor(rows, device=self._device)

    def _losses(
        self, text: Tensor, truth: Tensor
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Losses `(B, 1 + others, T)`, the own text's first, and its attention `(B, N, T)`."""
        key, value = self._network.text_encoder.encode(text)
        query = self._network.audio_encoder(F.pad(truth, (0, 0, 1, 0))[:, :-1])
        losses = []
        for shift in range(1 + min(OTHER_TEXTS, len(truth) - 1)):
            mask = (text != 0).roll(shift, 0) if self._network.spec.mask_text else None
            joined, weights = attend(query, key.roll(shift, 0), value.roll(shift, 0), mask)
            mel = torch.sigmoid(self._network.audio_decoder(joined).float())
            losses.append((mel - truth).abs().mean(dim=-1))
            if shift == 0:
                attention = weights
        found = torch.stack(losses, dim=1).cpu().numpy()
        require_finite(found, "Text2Mel")
        return found, attention.cpu().numpy()


def _predictions(
    clips: Sequence[AnalysedClip],
    symbols: Sequence[Sequence[int]],
    losses: NDArray[np.float32],
    attention: NDArray[np.float32],
) -> Iterator[Prediction]:
    for row, (clip, mel) in enumerate(clips):
        frames = len(mel)
        per_text = losses[row, :, :frames].mean(axis=1, dtype=np.float64)
        # Text s of this row is that of the clip s places before it.
        others = [s for s in range(1, len(per_text)) if symbols[row - s] != symbols[row]]
        if not others:
            continue
        characters = len(symbols[row])
        focus, off_diagonal = measure_attention(attention[row, :characters, :frames])
        off_diagonal *= characters
        yield Prediction(clip, float(per_text[0]), per_text[others], focus, off_diagonal)


def measure_attention(attention: NDArray[np.float32]) -> tuple[float, float]:
    """How well one sentence was read: focus and stray of its attention matrix A `(N, T)`.

    Focus is how sharply a frame attends to one character: mean over t of max over n; 1 is best.
    Stray is attention away from a steady pace: mean of A·W with the guide's W (paper section
    4.2); 0 is best.

    Raises:
        ValueError: the matrix is empty.
    """
    n, t = attention.shape
    if not attention.size:
        raise ValueError(f"an attention matrix of {n} characters and {t} frames has no measures")
    penalty = guide(torch.tensor([n]), torch.tensor([t]), n, t)[0].numpy()
    return float(attention.max(axis=0).mean()), float((attention * penalty).mean())
