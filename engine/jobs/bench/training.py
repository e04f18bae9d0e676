"""How fast training is: steps of both networks, and how long they wait for a checkpoint."""

import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from engine.choices import NetworkName
from engine.data.batches import Batch
from engine.data.clips import ClipShape
from engine.jobs.bench.plain import PlainTrainer
from engine.jobs.bench.report import OURS, PLAIN, Ceilings, Measure, measured
from engine.jobs.bench.timing import Effort, Work, in_turn, waiting_for
from engine.machine.device import precision_name
from engine.run.recipe import recipe_named
from engine.training.checkpoint_writer import StateCopy
from engine.training.divergence import all_finite
from engine.training.learner import Learner
from engine.training.precision import warm_up
from engine.training.throughput import noise_batch
from engine.voice.settings import VoiceSettings

# A batch as a corpus of clips of four seconds gives it; SSRN learns from crops.
_CHARACTERS, _FRAMES = 96, 80


class TrainingSpeed:
    """Measures the training of one network on a device."""

    def __init__(
        self,
        network: NetworkName,
        settings: VoiceSettings,
        device: torch.device,
        precisions: Sequence[torch.dtype],
        ceilings: Ceilings,
        effort: Effort,
    ) -> None:
        """Build the network, once for each precision and once in the plain way."""
        self._network: NetworkName = network
        self._settings = settings
        self._device = device
        self._ceilings = ceilings
        self._effort = effort
        spec, recipe = settings.fresh_spec(network), recipe_named("standard")
        self._plain = PlainTrainer(spec, device)
        self._learners = {
            precision_name(one): Learner(spec, recipe, device=device, precision=one, seed=1)
            for one in precisions
        }

    def steps(self, batch_size: int) -> Iterator[Measure]:
        """Steps in each precision, by the plain way's."""
        crop = recipe_named("standard").crop_frames if self._network == "ssrn" else None
        clips = [ClipShape(_CHARACTERS, _FRAMES)] * batch_size
        batch = noise_batch(self._network, clips, self._settings, crop).staged(self._device)
        for learner in self._learners.values() if self._device.type == "cuda" else ():
            warm_up(learner, batch)
        works: dict[str, Work] = {
            name: partial(one.step, batch, 1) for name, one in self._learners.items()
        }
        ways: dict[str, Work] = {PLAIN: partial(self._plain.step, batch), **works}
        waiting = {name: waiting_for(self._device, work) for name, work in ways.items()}
        times = in_turn(waiting, self._effort)
        flop = self._flop(batch)
        for name in works:
            ceiling = self._ceilings.seconds(flop, name), "matrix products"
            yield measured(
                f"{self._network} step", "step", times, (name, PLAIN),
                ceiling=ceiling, batch_size=batch_size, precision=name,
            )  # fmt: skip

    def _flop(self, batch: Batch) -> int:
        """Floating-point operations of a step's products, as its formula has them."""
        meta = torch.device("meta")
        with meta:
            plain = PlainTrainer(self._settings.fresh_spec(self._network), meta)
        with FlopCounterMode(display=False) as counter:
            plain.backward(batch.each(lambda tensor: tensor.to(meta)))
        return int(counter.get_total_flops())

    def checkpoint(self) -> Measure:
        """How long the steps wait for a checkpoint; in the plain way until it is written."""
        learner = next(iter(self._learners.values()))
        copy = StateCopy(learner)

        def stall() -> None:
            live = learner.live_state()
            all_finite((*live["weights"].values(), *live["ema"].values()))
            copy.take()[1]()

        with tempfile.TemporaryDirectory(prefix="voicecoach-bench-") as folder:
            target = Path(folder) / "checkpoint.pt"
            ways = {OURS: stall, PLAIN: lambda: torch.save(learner.live_state(), target)}
            times = in_turn(ways, self._effort)
        # A GPU copies to the host, which no ceiling tells of.
        moved = self._ceilings.seconds_to_move(2 * copy.bytes)
        least = (moved, "a copy in memory") if self._device.type == "cpu" else None
        return measured(
            f"{self._network} checkpoint", "checkpoint", times,
            ceiling=least, megabytes=copy.bytes / 1e6,
        )  # fmt: skip
