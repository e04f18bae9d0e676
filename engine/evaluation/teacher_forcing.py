"""Clips predicted frame by frame from their true frames, with their own transcript and others'.

A clip that is hard to predict, because it is loud, noisy or spoken by somebody else, is so with
any transcript. What its own transcript is worth shows only beside transcripts of other clips.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import Clip, Limits
from engine.data.spectrograms import analyse, coarse_frames, is_silent, trim
from engine.errors import InputError
from engine.evaluation.attention_measures import measure_attention
from engine.networks.attention import attend
from engine.networks.text2mel import Text2Mel
from engine.speech.synthesizer import require_finite
from engine.text.vocabulary import Vocabulary

STRANGERS = 8
"""Transcripts of other clips that each clip is predicted with, where there are so many."""

Hearing = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""How a coarse mel `(T, n_mels)` is changed before the network hears it."""


@dataclass(frozen=True)
class Heard:
    """A clip and its sound."""

    clip: Clip
    mel: NDArray[np.float32]
    """Coarse mel, `(T, n_mels)`."""


@dataclass(frozen=True)
class Evidence:
    """What a network made of one clip."""

    clip: Clip
    loss: float
    """Mean absolute difference with the clip's own transcript."""
    others: NDArray[np.float64]
    """The same with transcripts of other clips, `(strangers,)`."""
    focus: float
    """Mean over frames of the largest attention weight, with its own transcript."""
    off_diagonal: float
    """Share of that attention away from a steady pace: A·W (paper section 4.2) summed over the
    text, mean over frames; so it does not hang on how long the text is."""

    @cached_property
    def other_loss(self) -> float:
        """The middle of the losses with other transcripts."""
        return float(np.median(self.others))

    @cached_property
    def ratio(self) -> float:
        """Loss with the own transcript over that with others': 1 where it is worth nothing."""
        return self.loss / self.other_loss

    @cached_property
    def strange_ratios(self) -> NDArray[np.float64]:
        """The same ratio of every other transcript to the rest: how a wrong one behaves.

        `(strangers,)`, or nothing where there is only one.
        """
        if len(self.others) < 2:
            return np.empty(0)
        rest = [np.median(np.delete(self.others, i)) for i in range(len(self.others))]
        return self.others / np.array(rest)


def hear(clips: Sequence[Clip], audio: AudioSpec, limits: Limits) -> list[Heard]:
    """Analyse recordings as training does; what it would leave out is left out.

    Which those are, the check of the recordings tells.
    """
    heard = []
    for clip in clips:
        try:
            waveform = load_recording(clip.path, audio.sample_rate)
        except InputError:
            continue
        if is_silent(waveform):
            continue
        frames = coarse_frames(len(trim(waveform, audio.trim_db)), audio)
        if frames <= limits.max_coarse_frames:
            heard.append(Heard(clip, analyse(waveform, audio)[0][:: audio.reduction]))
    return heard


class TeacherForcing:
    """Predicts batches of clips with a Text2Mel in float32 and in evaluation mode."""

    def __init__(self, network: Text2Mel, vocabulary: Vocabulary, limits: Limits) -> None:
        self.network = network
        self.vocabulary = vocabulary
        self._limits = limits
        self._device = network.text_encoder.embedding.weight.device

    @torch.inference_mode()
    def examine(
        self, heard: Sequence[Heard], hearings: Sequence[Hearing | None]
    ) -> list[list[Evidence]]:
        """Predict every clip of a batch with its own transcript and with its neighbours'.

        The texts are encoded once; each clip lends its own to those that follow it. Clips of
        the same transcript are no strangers, and a clip without strangers gives no evidence.

        Returns:
            The evidence of all clips, for each way of hearing them.

        Raises:
            EngineError: the network's weights yield numbers that are not finite.
        """
        symbols = [self.vocabulary.encode(piece.clip.text) for piece in heard]
        width = max(map(len, symbols))
        if not self.network.spec.mask_text:
            width = self._limits.max_characters
        rows = [row + [0] * (width - len(row)) for row in symbols]
        text = torch.tensor(rows, device=self._device)
        key, value = self.network.text_encoder.encode(text)
        return [
            list(self._evidence(heard, symbols, (text, key, value), hearing))
            for hearing in hearings
        ]

    def _evidence(
        self,
        heard: Sequence[Heard],
        symbols: Sequence[Sequence[int]],
        encoded: tuple[Tensor, Tensor, Tensor],
        hearing: Hearing | None,
    ) -> Iterator[Evidence]:
        mels = [piece.mel if hearing is None else hearing(piece.mel) for piece in heard]
        truth = torch.zeros(len(mels), max(map(len, mels)), mels[0].shape[1])
        for row, mel in enumerate(mels):
            truth[row, : len(mel)] = torch.from_numpy(mel)
        losses, attention = self._predict(truth.to(self._device), encoded)
        for row, mel in enumerate(mels):
            per_text = losses[row, :, : len(mel)].mean(axis=1, dtype=np.float64)
            # Text s of this row is that of the clip s places before it.
            strange = [s for s in range(1, len(per_text)) if symbols[row - s] != symbols[row]]
            if not strange:
                continue
            characters = len(symbols[row])
            measures = measure_attention(attention[row, :characters, : len(mel)])
            yield Evidence(
                heard[row].clip,
                float(per_text[0]),
                per_text[strange],
                measures.focus,
                measures.off_diagonal * characters,
            )

    def _predict(
        self, truth: Tensor, encoded: tuple[Tensor, Tensor, Tensor]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Losses `(B, 1 + strangers, T)`, the own text's first, and its attention `(B, N, T)`."""
        text, key, value = encoded
        query = self.network.audio_encoder(F.pad(truth, (0, 0, 1, 0))[:, :-1])
        losses, attentions = [], []
        for shift in range(1 + min(STRANGERS, len(truth) - 1)):
            mask = (text != 0).roll(shift, 0) if self.network.spec.mask_text else None
            joined, weights = attend(query, key.roll(shift, 0), value.roll(shift, 0), mask)
            mel = torch.sigmoid(self.network.audio_decoder(joined).float())
            losses.append((mel - truth).abs().mean(dim=-1))
            if shift == 0:
                attentions.append(weights)
        found = torch.stack(losses, dim=1).cpu().numpy()
        require_finite(found)
        return found, attentions[0].cpu().numpy()
