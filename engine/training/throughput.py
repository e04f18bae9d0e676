"""How long training would take: a few real steps on this machine, and what the BBC measured."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from engine.check.kinds import finding
from engine.check.report import CheckReport, Estimate, in_order, this_machine
from engine.choices import NetworkName, Precision, PresetName, RecipeName
from engine.data.audio import AudioSpec
from engine.data.batches import Batch
from engine.data.clips import METADATA, ClipShape, Limits
from engine.machine.device import (
    choose_device,
    choose_precision,
    describe_device,
    is_out_of_memory,
    leave_a_core_for_the_screen,
)
from engine.networks.specs import NetworkSpec, Text2MelSpec, preset_spec, size_of
from engine.training.learner import Learner
from engine.training.recipe import Recipe, recipe_named

# Where in the corpus, sorted by length, the timed batches lie; the middle comes first, because
# a slow machine has time for that alone.
_PLACES = (0.5, 0.25, 0.75, 0.1, 0.9)
# Seconds after which no further step is timed.
_MAX_TIMED_SECONDS = 3.0

# Steps a second that the BBC's code made on a V100 with batches of 32 (670,000 Text2Mel steps in
# 27.9 hours, 49,000 SSRN steps in 5.35 hours).
_PUBLISHED: Mapping[NetworkName, float] = {"text2mel": 6.67, "ssrn": 2.54}
_PUBLISHED_BATCH = 32
_PUBLISHED_MACHINE = "a V100, as the BBC measured it"


class OutOfMemory(Exception):  # noqa: N818 (a finding about the machine, not a defect)
    """Not even one of the longest clips fits the device's memory; the text says where."""


class _Interrupted(Exception):  # noqa: N818 (a wish, not a defect)
    """A step was cancelled before its end."""


@dataclass(frozen=True, slots=True)
class EstimateRequest:
    """What is to be trained."""

    preset: PresetName
    recipe: RecipeName
    vocabulary_size: int
    audio: AudioSpec
    limits: Limits
    steps: Mapping[NetworkName, int]
    """For each network that is to be estimated."""
    price: float | None
    """US dollars an hour."""
    precision: Precision = "auto"
    existing: Mapping[NetworkName, NetworkSpec] = field(default_factory=dict)
    """The networks that the voice already has: they keep their widths, whatever the preset."""

    def spec(self, network: NetworkName) -> NetworkSpec:
        """The spec of a network: the voice's own, or the preset's, with the sizes asked for."""
        n_mels, n_bins = self.audio.n_mels, self.audio.n_bins
        existing = self.existing.get(network)
        if isinstance(existing, Text2MelSpec):
            return replace(existing, vocabulary_size=self.vocabulary_size, n_mels=n_mels)
        if existing is not None:
            return replace(existing, n_mels=n_mels, n_bins=n_bins)
        return preset_spec(
            self.preset,
            network,
            vocabulary_size=self.vocabulary_size,
            n_mels=n_mels,
            n_bins=n_bins,
        )


def with_estimates(
    report: CheckReport,
    shapes: Sequence[ClipShape],
    request: EstimateRequest,
    device: str,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Add what training would take, on this machine and as the BBC measured it.

    Clips that do not fit the memory, not even one at a time, are a finding, not an end. See
    `measure_training`.

    Raises:
        InputError: there is no such device.
    """
    published = published_training(request)
    try:
        measured = measure_training(
            shapes, request, device, on_progress=on_progress, cancelled=cancelled
        )
    except OutOfMemory as error:
        found = finding("out-of-memory", str(error)).at(METADATA)
        findings = in_order([*report.findings, found])
        return replace(report, estimates=published, findings=findings)
    return replace(report, estimates=(*measured, *published))


def measure_training(
    shapes: Sequence[ClipShape],
    request: EstimateRequest,
    device: str,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[Estimate, ...]:
    """Time a few steps of each network on this machine with batches of a corpus's lengths.

    Each shape is warmed up on a GPU, the longest clips first, which need the most memory.

    Args:
        shapes: of the usable clips.
        request: what is to be trained.
        device: `auto`, `cpu` or `cuda:N`.
        on_progress: called with networks that were timed and their number.
        cancelled: asked from layer to layer, as a step may take many seconds; what was not
            measured is left out.

    Raises:
        InputError: there is no such device.
        OutOfMemory: a step does not fit the memory.
    """
    where = choose_device(device)
    leave_a_core_for_the_screen()
    recipe = recipe_named(request.recipe)
    machine = this_machine(describe_device(where))
    estimates = []
    for done, (network, steps) in enumerate(request.steps.items()):
        if not shapes or cancelled():
            break
        on_progress(done, len(request.steps))
        try:
            rate = _steps_a_second(network, shapes, request, recipe, where, cancelled)
        except _Interrupted:
            break
        size = min(recipe.batch_size, len(shapes))
        estimates.append(_estimate(network, request, machine, size, steps, rate))
    return tuple(estimates)


def published_training(request: EstimateRequest) -> tuple[Estimate, ...]:
    """What the BBC's own figures say of the full size; nothing of other sizes."""
    return tuple(
        _estimate(
            network, request, _PUBLISHED_MACHINE, _PUBLISHED_BATCH, steps, _PUBLISHED[network]
        )
        for network, steps in request.steps.items()
        if size_of(request.spec(network)) == "bbc"
    )


def _estimate(
    network: NetworkName,
    request: EstimateRequest,
    machine: str,
    batch_size: int,
    steps: int,
    rate: float,
) -> Estimate:
    hours = steps / rate / 3600
    usd = None if request.price is None else hours * request.price
    return Estimate(
        network, size_of(request.spec(network)), machine, batch_size, steps, rate, hours, usd
    )


def _steps_a_second(
    network: NetworkName,
    shapes: Sequence[ClipShape],
    request: EstimateRequest,
    recipe: Recipe,
    device: torch.device,
    cancelled: Callable[[], bool],
) -> float:
    try:
        learner = _learner(network, request, recipe, device)
        _make_interruptible(learner.network, cancelled)
        batches = _batches(network, shapes, request, recipe, device)
        for batch in (batches[-1], *batches) if device.type == "cuda" else batches[:1]:
            _timed_step(learner, batch)
        seconds: list[float] = []
        for batch in batches[: len(_PLACES)]:
            seconds.append(_timed_step(learner, batch))
            if sum(seconds) > _MAX_TIMED_SECONDS or cancelled():
                break
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        # A batch that does not fit is made in parts, down to single clips.
        raise OutOfMemory(
            f"{network}, {size_of(request.spec(network))}, does not fit the memory of "
            f"{describe_device(device)} with the longest clips, not even one at a time"
        ) from error
    return len(seconds) / sum(seconds)


def _learner(
    network: NetworkName, request: EstimateRequest, recipe: Recipe, device: torch.device
) -> Learner:
    return Learner(
        request.spec(network),
        recipe,
        device=device,
        precision=choose_precision(request.precision, device, exact=recipe.exact),
        seed=1,
        max_characters=request.limits.max_characters,
        max_frames=request.limits.max_coarse_frames,
    )


def _make_interruptible(network: nn.Module, cancelled: Callable[[], bool]) -> None:
    def check(*_: object) -> None:
        if cancelled():
            raise _Interrupted

    for module in network.modules():
        module.register_forward_pre_hook(check)
    for parameter in network.parameters():
        # Called on the way back, when the parameter's gradient is known.
        parameter.register_hook(check)  # type: ignore[no-untyped-call]


def _batches(
    network: NetworkName,
    shapes: Sequence[ClipShape],
    request: EstimateRequest,
    recipe: Recipe,
    device: torch.device,
) -> list[Batch]:
    """Batches at some places of the corpus sorted by length, and at last its longest clips."""
    by_length = sorted(shapes, key=lambda shape: (shape.frames, shape.characters))
    size = min(recipe.batch_size, len(by_length))
    starts = [round(place * (len(by_length) - size)) for place in _PLACES]
    chosen = [by_length[start : start + size] for start in (*starts, len(by_length) - size)]
    crop = recipe.crop_frames if network == "ssrn" else None
    return [_batch(network, clips, request, crop).staged(device) for clips in chosen]


def _batch(
    network: NetworkName, clips: Iterable[ClipShape], request: EstimateRequest, crop: int | None
) -> Batch:
    """Noise in the shape of clips, padded to the longest: its numbers take as long."""
    clips = list(clips)
    frames = torch.tensor([min(clip.frames, crop or clip.frames) for clip in clips])
    characters = torch.tensor([clip.characters for clip in clips])
    longest, audio = int(frames.max()), request.audio
    generator = torch.Generator().manual_seed(1)
    text = torch.randint(
        2, request.vocabulary_size, (len(clips), int(characters.max())), generator=generator
    )
    magnitude = None
    if network == "ssrn":
        shape = (len(clips), longest * audio.reduction, audio.n_bins)
        magnitude = torch.rand(shape, generator=generator)
    mel = torch.rand((len(clips), longest, audio.n_mels), generator=generator)
    return Batch(text, characters, mel, frames, magnitude)


def _timed_step(learner: Learner, batch: Batch) -> float:
    """Seconds of one optimiser step, until the device has made it."""
    start = time.perf_counter()
    learner.step(batch, 1)
    if learner.device.type == "cuda":
        torch.cuda.synchronize(learner.device)
    return time.perf_counter() - start
