"""All of a benchmark, part by part; what a person wants to know comes first."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.choices import NETWORKS, PresetName
from engine.data.clips import require_layout
from engine.jobs.bench.ceilings import find_ceilings
from engine.jobs.bench.features import measure_features
from engine.jobs.bench.report import BenchReport, Ceilings, Measure, Schedule, measured
from engine.jobs.bench.schedule import Training
from engine.jobs.bench.speaking import SpeakingSpeed
from engine.jobs.bench.timing import Effort
from engine.jobs.bench.training import TrainingSpeed
from engine.machine.device import (
    choose_device,
    choose_threads,
    describe_device,
    make_repeatable,
    model_of,
    possible_precisions,
    precision_name,
    use_in_this_thread,
)
from engine.voice.settings import VoiceSettings

_FULL, _QUICK = Effort(rounds=7, max_seconds=30), Effort(rounds=2, max_seconds=3)
_BATCHES = (16, 32)
# Of fewer clips, opening the store would be much of the time.
_CLIPS, _QUICK_CLIPS = 60, 30
_LEFT_OUT = (
    "batches of 32",
    "which precision is fastest: the first that --precision auto tries is measured",
    "the BBC's schedule with its own recipe",
)

ScreenCost = Callable[[float], float]
"""Shows a run on a screen for so many seconds; returns the CPU seconds it uses per second."""


@dataclass(frozen=True)
class BenchOptions:
    """What to measure."""

    preset: PresetName = "bbc"
    device: str = "auto"
    dataset: Path | None = None
    """A corpus whose training is estimated, too."""
    price: float | None = None
    """US dollars an hour."""
    quick: bool = False
    rounds: int | None = None
    """How often the ways take turns; None for as often as there is time."""

    def __post_init__(self) -> None:
        if self.dataset is not None:
            require_layout(self.dataset)

    @property
    def effort(self) -> Effort:
        """How long to measure each thing."""
        usual = _QUICK if self.quick else _FULL
        return usual if self.rounds is None else Effort(self.rounds, 10 * usual.max_seconds)


Part = Schedule | Ceilings | Measure


class Bench:
    """One benchmark."""

    def __init__(self, options: BenchOptions, screen_cost: ScreenCost) -> None:
        """Choose the device.

        Raises:
            InputError: there is no such device.
        """
        self._options = options
        self._screen_cost = screen_cost
        self._device = choose_device(options.device)
        use_in_this_thread(self._device)
        make_repeatable(self._device)
        choose_threads()

    def run(
        self, on_part: Callable[[Part], None], on_progress: Callable[[str], None]
    ) -> BenchReport:
        """Measure everything; `on_part` is given each result as it comes, the hours first.

        Raises:
            InputError: the corpus cannot be used.
        """
        parts: list[Part] = []
        for part in self._parts(on_progress):
            on_part(part)
            parts.append(part)
        options = self._options
        return BenchReport(
            device=describe_device(self._device),
            model=model_of(self._device),
            cores=_cores(),
            threads=torch.get_num_threads(),
            torch=str(torch.__version__),
            preset=options.preset,
            usd_per_hour=options.price,
            quick=options.quick,
            left_out=self._left_out(),
            schedules=tuple(one for one in parts if isinstance(one, Schedule)),
            ceilings=tuple(one for one in parts if isinstance(one, Ceilings)),
            measures=tuple(one for one in parts if isinstance(one, Measure)),
        )

    def _left_out(self) -> tuple[str, ...]:
        left = list(_LEFT_OUT) if self._options.quick else []
        return (*left, *(() if self._options.dataset else ("your corpus: name its folder",)))

    def _parts(self, on_progress: Callable[[str], None]) -> Iterator[Part]:
        options, effort = self._options, self._options.effort
        possible = possible_precisions("auto", self._device)
        training = Training(
            VoiceSettings(preset=options.preset), options.device, options.price,
            precision_name(possible[0]) if options.quick else "auto", effort.max_seconds / 3,
        )  # fmt: skip
        # What is wrong with a corpus is said before anything is timed.
        shapes = [] if options.dataset is None else training.shapes_of(options.dataset)
        on_progress("the BBC's schedule")
        schedule = training.of_the_bbc("standard")
        yield schedule
        if not options.quick:
            on_progress("the BBC's schedule with its own recipe")
            yield training.of_the_bbc("bbc")
        if options.dataset is not None:
            on_progress("your corpus")
            yield training.of_corpus(options.dataset, shapes)
        on_progress("what this machine can do at most")
        ceilings = on_cpu = find_ceilings(self._device, effort.max_seconds / 10)
        yield ceilings
        if self._device.type != "cpu":
            on_cpu = find_ceilings(torch.device("cpu"), effort.max_seconds / 10)
            yield on_cpu
        best = [one for one in possible if precision_name(one) == schedule.estimates[0].precision]
        yield from self._training(best if options.quick else possible, ceilings, on_progress)
        on_progress("features")
        yield measure_features(_QUICK_CLIPS if options.quick else _CLIPS, effort)
        on_progress("speaking")
        speaking = SpeakingSpeed(options.preset, on_cpu, effort)
        yield from speaking.measures()
        yield speaking.first_sound_beside_steps(self._device, best[0])
        on_progress("the screen")
        yield self._screen()

    def _training(
        self,
        precisions: Sequence[torch.dtype],
        ceilings: Ceilings,
        on_progress: Callable[[str], None],
    ) -> Iterator[Measure]:
        settings, effort = VoiceSettings(preset=self._options.preset), self._options.effort
        for network in NETWORKS:
            on_progress(f"{network} steps and checkpoints")
            speed = TrainingSpeed(network, settings, self._device, precisions, ceilings, effort)
            for size in _BATCHES[:1] if self._options.quick else _BATCHES:
                yield from speed.steps(size)
            yield speed.checkpoint()

    def _screen(self) -> Measure:
        """What the screen takes of the machine, so that training makes fewer steps."""
        seconds = self._screen_cost(self._options.effort.max_seconds)
        share = seconds / _cores()
        return measured("screen, 120×40", "second", {"ours": [seconds]}, share_of_machine=share)


def _cores() -> int:
    return len(os.sched_getaffinity(0))
