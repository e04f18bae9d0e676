"""The judges of a voice: models that listen to what it says, as far as they are there.

What they say of a voice means little by itself: what they say of its recordings stands beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.evaluation.listening_models import (
    RATE,
    Sound,
    load_naturalness,
    load_recogniser,
    load_speaker_encoder,
)
from engine.formatting import printable

Model = Callable[[Sound, str], float]
"""Takes a measure of a sound in which a text is said."""

_PACKAGES = {"error_rate": "pocketsphinx", "naturalness": "distillmos"}
# Whose weights come with voicecoach.
_SPEAKER_ENCODER = "resemblyzer 0.1.4"
# What a sentence gets in which nothing can be heard.
_SILENT = {"error_rate": 100.0, "naturalness": 1.0, "similarity": 0.0}
# Of a corpus, so many recordings are heard to compare a voice with.
_MAX_RECORDINGS = 16
# Two sounds that are the same to the speaker encoder.
_SAME = 1 - 1e-6


@dataclass(frozen=True)
class Recording:
    """A clip of the speaker whose voice is judged."""

    sound: NDArray[np.float32]
    """`(samples,)`"""
    rate: int
    """Hz."""
    text: str


@dataclass(frozen=True)
class Judges:
    """Models that listen, and a speaker's recordings to compare a voice with."""

    models: dict[str, Model]
    """By the measures that they take."""
    names: tuple[str, ...]
    """Of the models, with their versions."""
    absent: str
    """Why others take no part, in a sentence without its full stop; empty where all do."""
    recordings: tuple[tuple[Sound, str], ...]
    """With their texts."""

    def measure(self, sound: NDArray[np.float32], rate: int, text: str) -> dict[str, float]:
        """Return what the models say of a sentence, by the names in `engine.advice.measures`.

        Args:
            sound: `(samples,)` at any rate and loudness.
            rate: Hz.
            text: what is said in it, or should be.
        """
        heard = _audible(sound, rate)
        if heard is None:
            return {name: _SILENT[name] for name in self.models}
        return {name: model(heard, text) for name, model in self.models.items()}

    @cached_property
    def ceilings(self) -> dict[str, float]:
        """What the models say of the recordings, on average; empty without any.

        The first time it takes as long as measuring so many sentences.
        """
        return {
            name: float(np.mean([model(*recording) for recording in self.recordings]))
            for name, model in self.models.items()
            if self.recordings
        }


def open_judges(recordings: Sequence[Recording], english: bool = True) -> Judges:
    """Load the models that are installed and of use.

    Args:
        recordings: clips of the speaker, best such that the voice was not trained on.
        english: whether the voice speaks English, which the recogniser needs.
    """
    heard = [(_audible(one.sound, one.rate), one.text) for one in recordings]
    audible = tuple((sound, text) for sound, text in heard if sound is not None)[:_MAX_RECORDINGS]
    loaders: dict[str, Callable[[], Model]] = {"naturalness": load_naturalness}
    if english:
        loaders["error_rate"] = load_recogniser
    models: dict[str, Model] = {}
    names: list[str] = []
    absent: list[str] = []
    if audible:
        models["similarity"] = _load_similarity([sound for sound, _ in audible])
        names.append(_SPEAKER_ENCODER)
    for measure, load in loaders.items():
        package = _PACKAGES[measure]
        try:
            models[measure] = load()
            names.append(f"{package} {version(package)}")
        except Exception as error:  # whatever the code of a package does, ours goes on
            absent.append(_why_absent(package, error))
    return Judges(models, tuple(names), "; ".join(dict.fromkeys(absent)), audible)


def _why_absent(package: str, error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return "voicecoach[judge] is not installed: pip install 'voicecoach[judge]'"
    return f"{package} cannot be used: {printable(str(error))}"


def _audible(sound: NDArray[np.float32], rate: int) -> Sound | None:
    """A sound as the models hear it; None where there is none to hear."""
    if not np.isfinite(sound).all() or not np.abs(sound).max(initial=0.0) > 0:
        return None
    resampled: Sound = soxr.resample(sound.astype(np.float32, copy=False), rate, RATE)
    return resampled if np.abs(resampled).max(initial=0.0) > 0 else None


def _load_similarity(recordings: Sequence[Sound]) -> Model:
    """Return what compares a sound with a speaker's recordings, other than itself: 1 is alike."""
    encode = load_speaker_encoder()
    speakers = np.stack([encode(sound) for sound in recordings])

    def similarity(sound: Sound, _: str) -> float:
        voice = encode(sound)
        others = speakers[speakers @ voice < _SAME]
        centre = (others if len(others) else speakers).mean(0)
        return float(voice @ centre / np.linalg.norm(centre))

    return similarity
