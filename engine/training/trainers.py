"""The trainers of a run's networks, and the services that they share."""

import os
import threading
from collections.abc import Callable, Iterable

import torch

from engine.machine.background import BackgroundThread
from engine.machine.device import gpu_uuid
from engine.machine.gpu import poll_gpu
from engine.run.commands import Finish, Inboxes
from engine.run.publisher import Publisher
from engine.speech.audition import Auditions
from engine.speech.in_training import NetworkInTraining
from engine.speech.series import SHARE, Series
from engine.training.budget import Budget
from engine.training.checkpoint_writer import OnSaved
from engine.training.command_handler import TrainingGroup
from engine.training.divergence import DivergedError
from engine.training.judging import Judging
from engine.training.network_run import NetworkRun
from engine.training.setup import TrainingContext
from engine.training.spend_recorder import SpendRecorder
from engine.training.spot import SpotWatch
from engine.training.trainer import Services, Trainer
from engine.training.turns import Turns, places_for
from engine.training.watchdog import Watchdog
from engine.voice.folder import Voice

_NICE = 5

Prepared = tuple[NetworkRun, TrainingContext]
"""A network of the run, and what its trainer needs."""


class Trainers:
    """Starts a trainer for each network that is prepared, and what runs alongside it."""

    def __init__(
        self,
        voice: Voice,
        publisher: Publisher,
        spend: SpendRecorder,
        spot: SpotWatch,
        on_saved: OnSaved,
        on_end: Callable[[], None],
    ) -> None:
        """Train nothing yet; `on_end` is called when a network's training has ended."""
        self._voice = voice
        self._spend = spend
        self._spot = spot
        self._on_saved = on_saved
        self._on_end = on_end
        self._budget = Budget(voice, publisher, spend.cost)
        self._group = TrainingGroup()
        self._turns: dict[torch.device, Turns] = {}
        self._judges: list[Judging] = []
        self._gpus: list[BackgroundThread] = []
        self._auditions: Auditions | None = None

    def begin(self, prepared: list[Prepared]) -> Auditions:
        """Train the networks with which the run begins; return what speaks with them."""
        voices = [_in_training(self._voice, context) for _, context in prepared]
        self._auditions = Auditions(self._voice, prepared[0][0].publisher, voices)
        for run, _ in prepared:
            self.expect(run)
        for run, context in prepared:
            self._train(run, context, alone=len(prepared) == 1)
        return self._auditions

    def expect(self, run: NetworkRun) -> None:
        """Keep the others from ending at their stop while a network is being prepared."""
        self._group.expected.add(run.network)

    def give_up(self, run: NetworkRun) -> None:
        """Undo `expect` for a network that cannot be trained."""
        self._group.expected.discard(run.network)

    def take(self, run: NetworkRun, context: TrainingContext) -> None:
        """Train another network, from here on."""
        assert self._auditions is not None
        self._auditions.take_network(_in_training(self._voice, context))
        self._train(run, context, alone=False)

    def _train(self, run: NetworkRun, context: TrainingContext, *, alone: bool) -> None:
        assert self._auditions is not None
        voice, publisher, device = self._voice, run.publisher, context.learner.device
        gpu = poll_gpu(
            gpu_uuid(device),
            lambda reading, absent: publisher.update(gpu=reading, gpu_absent=absent),
            publisher.event,
        )
        self._gpus += [] if gpu is None else [gpu]
        text = context.store.clips[context.attention_clip].text
        share = SHARE if alone else SHARE / 2
        series = Series(voice, run.network, self._auditions, publisher, text, share)
        series.begin(context.step)
        on_gpu = device.type != "cpu"
        judging = Judging(voice, run.network, publisher, on_gpu=on_gpu, alone=alone)
        self._judges.append(judging)
        judging.start()
        cost = self._spend.meter_of(run.network, context.step)
        turns = self._turns.setdefault(device, Turns(places_for(device)))
        given = (
            run.inbox, cost, self._budget, self._group, turns,
            self._auditions, series, judging, self._spend, self._spot,
        )  # fmt: skip

        def make_trainer(watchdog: Watchdog) -> Trainer:
            if device.type == "cuda":
                torch.cuda.set_device(device)  # each thread has its own
            elif not alone:
                # Two may take all cores: the screen's thread comes first.
                os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
            on_saved = self._on_saved, series.checkpoint_saved
            services = Services(*given, watchdog, on_saved)
            return Trainer(context, run.options, publisher, services)

        run.start(make_trainer, self._on_end)

    def end_all_if_one_failed(self, runs: Iterable[NetworkRun], inboxes: Inboxes) -> None:
        """End the run where a network failed; where one diverged, the others train on."""
        for run in runs:
            if run.ended:
                inboxes.close(run.network)
                self.give_up(run)
                if run.error is not None and not isinstance(run.error, DivergedError):
                    inboxes.send(Finish(by_signal=True))

    def close(self) -> None:
        """End what runs alongside, once the networks are trained no more."""
        for gpu in self._gpus:
            gpu.stop(wait=False)
        for judging in self._judges:
            judging.close()
        if self._auditions is not None:
            self._auditions.close()


def _in_training(voice: Voice, context: TrainingContext) -> NetworkInTraining:
    learner = context.learner
    return NetworkInTraining(
        learner.spec, voice.settings.symbols, learner.copy_ema_weights,
        context.store, (context.attention_clip, *context.held_out_clips),
    )  # fmt: skip
