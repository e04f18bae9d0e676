"""Hours and dollars of training: of the BBC's schedule, and of a corpus."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from engine.check.report import USUAL_STEPS
from engine.choices import NETWORKS, NetworkName, Precision, RecipeName
from engine.data.audio import recording_length
from engine.data.clips import ClipShape, scan_corpus, usable_clips
from engine.data.spectrograms import coarse_frames
from engine.errors import InputError
from engine.jobs.bench.report import Schedule
from engine.machine.device import choose_device
from engine.run.recipe import recipe_named
from engine.text.vocabulary import Vocabulary
from engine.training.throughput import (
    PUBLISHED_BATCH,
    PUBLISHED_STEPS,
    EstimateRequest,
    measure_training,
)
from engine.voice.settings import VoiceSettings

# LJ Speech, on which the BBC trained: seconds of its clips at some shares of them, from the
# shortest on, and characters a second.
_LJ_SPEECH = {0: 1.1, 0.1: 3.1, 0.25: 4.9, 0.5: 6.8, 0.75: 8.6, 0.9: 9.6, 1: 10.1}
_CHARACTERS_A_SECOND = 15.2
_CLIPS = 400


@dataclass(frozen=True)
class Training:
    """Estimates what training takes on a device, at a price in US dollars an hour."""

    settings: VoiceSettings
    device: str
    price: float | None
    precision: Precision
    max_seconds: float
    """For each network, once it is warm."""

    def of_the_bbc(self, recipe: RecipeName) -> Schedule:
        """The BBC's schedule, with clips as long as theirs.

        The standard recipe's batches are smaller, so it makes more steps, over as many clips.
        """
        clips = PUBLISHED_BATCH // recipe_named(recipe).batch_size
        steps = {network: clips * PUBLISHED_STEPS[network] for network in NETWORKS}
        return self._schedule("the BBC's schedule", recipe, steps, _like_lj_speech(self.settings))

    def shapes_of(self, dataset: Path) -> list[ClipShape]:
        """The lengths of a corpus's clips as their headers tell them; too long ones are left out.

        Raises:
            InputError: it cannot be read, or no clip can be used.
        """
        settings = self.settings
        corpus = usable_clips(scan_corpus(dataset), Vocabulary(settings.symbols), settings.limits)
        shapes, failure = [], ""
        for clip in corpus.clips:
            try:
                samples, rate = recording_length(clip.path)
            except InputError as error:
                failure = str(error)
                continue
            frames = coarse_frames(samples * settings.audio.sample_rate // rate, settings.audio)
            if 0 < frames <= settings.limits.max_coarse_frames:
                shapes.append(ClipShape(len(clip.text) + 1, frames))
        if not shapes:
            why = failure or "all of its recordings are too long"
            raise InputError(f"{dataset} cannot be trained on: {why.rstrip('.')}.")
        return shapes

    def of_corpus(self, dataset: Path, shapes: list[ClipShape]) -> Schedule:
        """As many steps as `check` estimates, with clips of these lengths."""
        return self._schedule(dataset.resolve().name, "standard", USUAL_STEPS, shapes)

    def _schedule(
        self,
        what: str,
        recipe: RecipeName,
        steps: Mapping[NetworkName, int],
        shapes: list[ClipShape],
    ) -> Schedule:
        settings = replace(self.settings, recipe=recipe)
        precision: Precision = "auto" if recipe == "bbc" else self.precision
        request = EstimateRequest(settings, steps, self.device, self.price, precision)
        device = choose_device(self.device)
        estimates = [
            measure_training(network, shapes, request, device, max_seconds=self.max_seconds)
            for network in NETWORKS
        ]
        return Schedule(what, recipe, tuple(estimates))


def _like_lj_speech(settings: VoiceSettings) -> list[ClipShape]:
    shares = np.linspace(0, 1, _CLIPS)
    seconds = np.interp(shares, [*_LJ_SPEECH], [*_LJ_SPEECH.values()])
    rate = settings.audio.sample_rate
    return [
        ClipShape(round(one * _CHARACTERS_A_SECOND), coarse_frames(int(one * rate), settings.audio))
        for one in seconds
    ]
