"""`check --deep`: the clips whose transcript a trained voice does not believe.

A clip that is hard to predict, because it is loud, noisy or spoken by somebody else, is so with
any transcript. Each clip is therefore predicted frame by frame from the true frames before it
(teacher forcing), once with its own transcript and some times with those of other clips of like
length: a right transcript makes the prediction clearly better, a wrong one does not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from engine.check_report import Doubt
from engine.corpus.analysis import analyse, coarse_frames, is_silent, trim
from engine.corpus.audio import AudioSpec, load_recording, recording_length
from engine.corpus.clips import Clip, Limits, open_corpus
from engine.corpus.text import Vocabulary
from engine.errors import Cancelled, InputError
from engine.host.device import choose_device
from engine.networks.attention import attend
from engine.networks.text2mel import Text2Mel
from engine.speech.measures import measure_attention
from engine.training.checkpoint import load_checkpoint, speaking_network
from engine.voice import Voice

# Clips that are predicted together; each lends its transcript to the others.
_BATCH = 16
# Transcripts of other clips that each clip is predicted with.
_STRANGERS = 4


@dataclass(frozen=True)
class _Evidence:
    """What the network made of one clip."""

    clip: Clip
    loss: float
    others: tuple[float, ...]
    focus: float
    off_diagonal: float

    @property
    def ratio(self) -> float:
        """Loss with the own transcript over that with another's."""
        return self.loss / max(float(np.median(self.others)), 1e-9)


def rank_doubts(
    voice: Path,
    dataset: Path,
    *,
    device: str = "cpu",
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[Doubt, ...]:
    """Rank the clips of a corpus by how little a trained voice believes their transcripts.

    Args:
        voice: a voice with a trained Text2Mel, best of the same speaker.
        dataset: the corpus, in LJ Speech layout; nothing is written there.
        device: `auto`, `cpu` or `cuda:N`.
        on_progress: called with clips done and clips in all, from the calling thread.
        cancelled: asked between batches.

    Returns:
        A doubt for every usable clip, the least believed first; a score of 1 or more is
        suspicious.

    Raises:
        InputError: no such voice, device or corpus, or the voice has not learned enough to judge.
        Cancelled: `cancelled()` was true.
    """
    opened = Voice.open(voice)
    target = choose_device(device)
    network, vocabulary = _load(opened, target)
    settings = opened.settings
    corpus = open_corpus(dataset, vocabulary, settings.limits, settings.audio)
    batches = _batches(corpus.clips)
    evidence: list[_Evidence] = []
    done, total = 0, len(corpus.clips)
    on_progress(0, total)
    for batch in batches:
        if cancelled():
            raise Cancelled("The transcripts were not all judged.")
        heard = list(_hear(batch, settings.audio, settings.limits))
        evidence.extend(_examine(heard, network, vocabulary, settings.limits, target))
        done += len(batch)
        on_progress(done, total)
    return _judge(evidence)


def _load(voice: Voice, device: torch.device) -> tuple[Text2Mel, Vocabulary]:
    """The voice's newest Text2Mel and the symbols that it reads."""
    entry = voice.newest("text2mel")
    if entry is None:
        raise InputError(
            f"The voice {voice.folder} cannot judge transcripts: its Text2Mel has no checkpoint; "
            f"train it first."
        )
    checkpoint = load_checkpoint(entry.path, to_speak=True)
    network = speaking_network(checkpoint)
    if not isinstance(network, Text2Mel):
        raise InputError(f"{entry.path} holds an {checkpoint.network}, not a text2mel.")
    if network.spec.n_mels != voice.settings.audio.n_mels:
        raise InputError(
            f"{entry.path} was trained on {network.spec.n_mels} mel bands, but "
            f"{voice.folder / 'voice.toml'} says n_mels = {voice.settings.audio.n_mels}; "
            f"set it back."
        )
    return network.to(device), Vocabulary(checkpoint.symbols, voice.settings.cleaner)


def _batches(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of like duration together, in batches of nearly equal size."""

    def seconds(clip: Clip) -> float:
        samples, rate = recording_length(clip.path)
        return samples / rate

    ordered = sorted(clips, key=seconds)
    count = -(-len(ordered) // _BATCH)
    edges = [len(ordered) * i // count for i in range(count + 1)]
    return [ordered[a:b] for a, b in pairwise(edges)]


def _hear(
    clips: Sequence[Clip], audio: AudioSpec, limits: Limits
) -> Iterator[tuple[Clip, NDArray[np.float32]]]:
    """Coarse mels `(T, n_mels)` of the clips that training would take, too."""
    for clip in clips:
        try:
            waveform = load_recording(clip.path, audio.sample_rate)
        except InputError:
            continue  # the check of the recordings tells of it
        if is_silent(waveform):
            continue
        frames = coarse_frames(len(trim(waveform, audio.trim_db)), audio)
        if frames <= limits.max_coarse_frames:
            yield clip, analyse(waveform, audio)[0][:: audio.reduction]


@torch.inference_mode()
def _examine(
    heard: Sequence[tuple[Clip, NDArray[np.float32]]],
    network: Text2Mel,
    vocabulary: Vocabulary,
    limits: Limits,
    device: torch.device,
) -> Iterator[_Evidence]:
    """Predict every clip with its own transcript and with those of its neighbours."""
    if len(heard) < 2:
        return
    masked = network.spec.mask_text
    ids = [vocabulary.encode(clip.text) for clip, _ in heard]
    width = max(map(len, ids)) if masked else limits.max_characters
    text = torch.zeros(len(ids), width, dtype=torch.long)
    frames = max(len(mel) for _, mel in heard)
    mels = torch.zeros(len(heard), frames, network.spec.n_mels)
    for row, (symbols, (_, mel)) in enumerate(zip(ids, heard, strict=True)):
        text[row, : len(symbols)] = torch.tensor(symbols)
        mels[row, : len(mel)] = torch.from_numpy(mel)
    text, mels = text.to(device), mels.to(device)
    key, value = network.text_encoder.encode(text)
    query = network.audio_encoder(F.pad(mels, (0, 0, 1, 0))[:, :-1])
    losses: list[Tensor] = []
    own: Tensor | None = None
    for shift in range(min(_STRANGERS, len(heard) - 1) + 1):
        mask = (text != 0).roll(shift, 0) if masked else None
        joined, attention = attend(query, key.roll(shift, 0), value.roll(shift, 0), mask)
        own = attention if own is None else own
        prediction = torch.sigmoid(network.audio_decoder(joined).float())
        losses.append((prediction - mels).abs().mean(dim=-1))  # (B, T)
    table = torch.stack(losses, dim=1).cpu().numpy()  # (B, 1 + strangers, T)
    assert own is not None
    for row, (clip, mel) in enumerate(heard):
        loss, *others = table[row, :, : len(mel)].mean(axis=-1).tolist()
        measures = measure_attention(own[row, : len(ids[row]), : len(mel)].cpu().numpy())
        yield _Evidence(clip, loss, tuple(others), measures.focus, measures.off_diagonal)


def _judge(evidence: Sequence[_Evidence]) -> tuple[Doubt, ...]:
    """Score the evidence: 1 is half-way from the well-believed clips to strangers' transcripts."""
    if not evidence:
        raise InputError("There are too few clips to compare transcripts; two at least are needed.")
    believed = float(np.quantile([piece.ratio for piece in evidence], 0.25))
    if believed > 0.95:
        raise InputError(
            "The voice has not learned enough to judge transcripts: it predicts the clips no "
            "better with their own than with those of others; train it further."
        )
    middle = (1 - believed) / 2
    doubts = [
        Doubt(
            line=piece.clip.line,
            clip_id=piece.clip.clip_id,
            text=piece.clip.text,
            score=(piece.ratio - believed) / middle,
            loss=piece.loss,
            other_loss=float(np.median(piece.others)),
            focus=piece.focus,
            off_diagonal=piece.off_diagonal,
        )
        for piece in evidence
    ]
    return tuple(sorted(doubts, key=lambda doubt: (-doubt.score, doubt.line)))
