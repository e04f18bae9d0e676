"""Whether the disk has room for a run: two checkpoints, features and history, before the first."""

from pathlib import Path

import torch

from engine.data.audio import AudioSpec, recording_length
from engine.data.clips import RECORDINGS, find_recordings
from engine.errors import InputError
from engine.files import require_room
from engine.formatting import format_bytes
from engine.networks.build import build_network
from engine.networks.specs import NetworkSpec
from engine.training.recipe import Recipe
from engine.voice.folder import Voice

# Lines of a few hundred thousand steps.
_HISTORY_BYTES = 2**22
_BYTES_OF_A_WEIGHT = 4
_BYTES_OF_A_FEATURE = 2


def require_room_to_train(voice: Voice, spec: NetworkSpec, recipe: Recipe) -> None:
    """Refuse to begin where checkpoints could not be kept.

    Two of them must fit, because a new one is there before an old one goes, and the features,
    unless there are some.

    Raises:
        EngineError: saying how much is needed, what for, and how much is free.
    """
    checkpoint = checkpoint_bytes_of(spec, recipe)
    features = 0 if any(voice.features.glob("*.features")) else _features_bytes(voice)
    parts = [f"two checkpoints of {format_bytes(checkpoint)}"]
    if features:
        parts.append(f"features of {format_bytes(features)}")
    require_room(
        voice.folder,
        2 * checkpoint + features + _HISTORY_BYTES,
        f"Training ({', '.join(parts)} and the history)",
    )


def checkpoint_bytes_of(spec: NetworkSpec, recipe: Recipe) -> int:
    """Bytes of a checkpoint to train on from: weights, their average if kept, Adam's moments."""
    with torch.device("meta"):
        weights = sum(one.numel() for one in build_network(spec).parameters())
    copies = 3 if recipe.ema_decay is None else 4
    return copies * weights * _BYTES_OF_A_WEIGHT


def _features_bytes(voice: Voice) -> int:
    """Bytes that the features of a corpus take at most, by the headers of its recordings."""
    audio = voice.settings.audio
    recordings = find_recordings(voice.dataset / RECORDINGS)
    frames = sum(_frames(paths[0], audio) for paths in recordings.values())
    numbers = audio.n_bins + -(-audio.n_mels // audio.reduction)
    return frames * numbers * _BYTES_OF_A_FEATURE


def _frames(recording: Path, audio: AudioSpec) -> int:
    try:
        samples, rate = recording_length(recording)
    except InputError:
        # The check of the corpus tells it; it will have no features.
        return 0
    return int(samples * audio.sample_rate / rate / audio.hop_length) + audio.reduction
