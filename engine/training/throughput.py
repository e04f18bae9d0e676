"""How long training would take: a few real steps on this machine, and what the BBC measured."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from engine.check.kinds import finding
from engine.check.report import CheckReport, Estimate, in_order, this_machine
from engine.choices import NetworkName, Precision
from engine.data.batches import Batch
from engine.data.clips import METADATA, ClipShape
from engine.machine.device import (
    choose_device,
    choose_threads,
    describe_device,
    is_out_of_memory,
    possible_precisions,
    precision_name,
    use_in_this_thread,
)
from engine.networks.specs import NetworkSpec, Text2MelSpec, size_of
from engine.run.recipe import recipe_named
from engine.training.learner import Learner
from engine.training.precision import fastest_precision, timed_step
from engine.voice.settings import VoiceSettings

# Where in the corpus, sorted by length, the timed batches lie; the middle comes first, because
# a slow machine has time for that alone.
_PLACES = (0.5, 0.25, 0.75, 0.1, 0.9)
# Seconds after which no further step is timed.
_MAX_TIMED_SECONDS = 3.0

PUBLISHED_STEPS: Mapping[NetworkName, int] = {"text2mel": 670_000, "ssrn": 49_000}
"""The steps with which the BBC trained a voice, in 27.9 and 5.35 hours of a V100."""
PUBLISHED_BATCH = 32
"""Clips of each of these steps."""
# Steps a second that they made.
_PUBLISHED: Mapping[NetworkName, float] = {"text2mel": 6.67, "ssrn": 2.54}
_PUBLISHED_MACHINE = "a V100, as the BBC measured it"


class _Interrupted(Exception):  # noqa: N818 (a wish, not a defect)
    """A step was cancelled before its end."""


@dataclass(frozen=True, slots=True)
class EstimateRequest:
    """What is to be trained, and where."""

    settings: VoiceSettings
    """Preset, recipe, symbols, audio and limits count."""
    steps: Mapping[NetworkName, int]
    """For each network that is to be estimated."""
    device: str = "cpu"
    price: float | None = None
    """US dollars an hour."""
    precision: Precision = "auto"
    existing: Mapping[NetworkName, NetworkSpec] = field(default_factory=dict)
    """The networks that the voice already has: they keep their widths, whatever the preset."""

    def spec(self, network: NetworkName) -> NetworkSpec:
        """The spec of a network: the voice's own, or the preset's, with the sizes asked for."""
        audio, existing = self.settings.audio, self.existing.get(network)
        if existing is None:
            return self.settings.fresh_spec(network)
        if isinstance(existing, Text2MelSpec):
            symbols = len(self.settings.symbols)
            return replace(existing, vocabulary_size=symbols, n_mels=audio.n_mels)
        return replace(existing, n_mels=audio.n_mels, n_bins=audio.n_bins)

    def estimate(
        self,
        network: NetworkName,
        machine: str,
        batch_size: int,
        rate: float,
        precision: str = "",
    ) -> Estimate:
        """What training takes at so many steps a second."""
        steps, size = self.steps[network], size_of(self.spec(network))
        hours = steps / rate / 3600
        usd = None if self.price is None else hours * self.price
        return Estimate(network, size, machine, batch_size, steps, rate, hours, usd, precision)


def with_estimates(
    report: CheckReport,
    shapes: Sequence[ClipShape],
    request: EstimateRequest,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Add what training would take, on this machine and as the BBC measured it.

    Clips that do not fit the memory, not even one at a time, are a finding, not an end.

    Args:
        report: the check of a corpus.
        shapes: of the usable clips; a few steps are timed with batches of their lengths.
        request: what is to be trained.
        on_progress: called with networks that were timed and their number.
        cancelled: asked from layer to layer, as a step may take many seconds; what was not
            measured is left out.

    Raises:
        InputError: there is no such device.
    """
    device = choose_device(request.device)
    use_in_this_thread(device)
    choose_threads()
    published, measured = published_training(request), []
    for done, network in enumerate(request.steps):
        if not shapes or cancelled():
            break
        on_progress(done, len(request.steps))
        try:
            measured.append(measure_training(network, shapes, request, device, cancelled))
        except _Interrupted:
            break
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            # A batch that does not fit is made in parts, down to single clips.
            figure = (
                f"{network}, {size_of(request.spec(network))}, does not fit the memory of "
                f"{describe_device(device)} with the longest clips, not even one at a time"
            )
            found = finding("out-of-memory", figure).at(METADATA)
            findings = in_order([*report.findings, found])
            return replace(report, estimates=published, findings=findings)
    return replace(report, estimates=(*measured, *published))


def published_training(request: EstimateRequest) -> tuple[Estimate, ...]:
    """What the BBC's own figures say of the full size; nothing of other sizes."""
    return tuple(
        request.estimate(network, _PUBLISHED_MACHINE, PUBLISHED_BATCH, _PUBLISHED[network])
        for network in request.steps
        if size_of(request.spec(network)) == "bbc"
    )


def measure_training(
    network: NetworkName,
    shapes: Sequence[ClipShape],
    request: EstimateRequest,
    device: torch.device,
    cancelled: Callable[[], bool] = lambda: False,
    max_seconds: float = _MAX_TIMED_SECONDS,
) -> Estimate:
    """Time a few steps with clips of some lengths of a corpus, and say what training takes.

    On a GPU each shape is warmed up, the longest clips first, which need the most memory; the
    second time, a CUDA graph is recorded.

    Raises:
        RuntimeError, MemoryError: not even a single one of the longest clips fits the memory.
    """
    settings = request.settings
    recipe = recipe_named(settings.recipe)

    def make_learner(precision: torch.dtype) -> Learner:
        learner = Learner(
            request.spec(network),
            recipe,
            device=device,
            precision=precision,
            seed=1,
            limits=settings.limits,
        )
        _make_interruptible(learner.network, cancelled)
        return learner

    size = min(recipe.batch_size, len(shapes))
    crop = recipe.crop_frames if network == "ssrn" else None
    batches = [
        noise_batch(network, clips, settings, crop).staged(device)
        for clips in _chosen(shapes, size)
    ]
    possible = possible_precisions(request.precision, device, exact=recipe.exact)
    precision, _ = fastest_precision(possible, device, make_learner, batches[0])
    learner = make_learner(precision)
    for batch in (batches[-1], *batches, *batches) if device.type == "cuda" else batches[:1]:
        timed_step(learner, batch)
    seconds: list[float] = []
    for batch in batches[: len(_PLACES)]:
        seconds.append(timed_step(learner, batch))
        if sum(seconds) > max_seconds or cancelled():
            break
    machine = this_machine(describe_device(device))
    rate = len(seconds) / sum(seconds)
    return request.estimate(network, machine, size, rate, precision_name(precision))


def _make_interruptible(network: nn.Module, cancelled: Callable[[], bool]) -> None:
    def check(*_: object) -> None:
        if cancelled():
            raise _Interrupted

    for module in network.modules():
        module.register_forward_pre_hook(check)
    for parameter in network.parameters():
        # Called on the way back, when the parameter's gradient is known.
        parameter.register_hook(check)  # type: ignore[no-untyped-call]


def _chosen(shapes: Sequence[ClipShape], size: int) -> list[list[ClipShape]]:
    """The clips of batches at some places of the corpus sorted by length, its longest at last."""
    by_length = sorted(shapes, key=lambda shape: (shape.frames, shape.characters))
    starts = [round(place * (len(by_length) - size)) for place in (*_PLACES, 1.0)]
    return [by_length[start : start + size] for start in starts]


def noise_batch(
    network: NetworkName, clips: Sequence[ClipShape], settings: VoiceSettings, crop: int | None
) -> Batch:
    """Noise in the shape of clips, padded to the longest: its numbers take as long."""
    frames = torch.tensor([min(clip.frames, crop or clip.frames) for clip in clips])
    characters = torch.tensor([clip.characters for clip in clips])
    longest, audio = int(frames.max()), settings.audio
    generator = torch.Generator().manual_seed(1)
    shape = (len(clips), int(characters.max()))
    text = torch.randint(2, len(settings.symbols), shape, generator=generator)
    magnitude = None
    if network == "ssrn":
        shape_of_bins = (len(clips), longest * audio.reduction, audio.n_bins)
        magnitude = torch.rand(shape_of_bins, generator=generator)
    mel = torch.rand((len(clips), longest, audio.n_mels), generator=generator)
    return Batch(text, characters, mel, frames, magnitude)
