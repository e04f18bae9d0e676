"""What a run shows: one immutable snapshot, replaced as a whole between steps.

A reader takes the newest: it can hold up no step, and see no half change.
"""

import shlex
import time
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.check.report import CheckReport
from engine.choices import NetworkName, StopWhen
from engine.formatting import plural
from engine.machine.cloud.machine import Machine, SpotNotice
from engine.machine.gpu import GpuReading
from engine.run.curves import AttentionPlot, LossCurve, Losses
from engine.run.evaluation import Advice, CheckpointScores, Notice, Recommendation
from engine.run.lost_steps import LostSteps
from engine.run.sample import KeptCheckpoint, Sample, Speaking
from engine.run.stop import StopPoint


class Phase(Enum):
    """What the engine is doing."""

    PREPARING = "preparing"
    """Reading the corpus, computing features, loading weights."""
    CHECKED = "checked"
    """The check of the corpus found errors; with a screen open the engine waits for an answer."""
    TRAINING = "training"
    PAUSED = "paused"
    AT_STOP = "at the stop"
    """The stop is reached and saved; with a screen open the engine waits for what is next."""
    STOPPING = "stopping"
    """Writing the last checkpoint."""
    STOPPED = "stopped"
    """Ended as asked; everything is saved."""
    FAILED = "failed"
    """Ended by a fault; `Snapshot.failure` says which."""

    @property
    def before_steps(self) -> bool:
        """Whether training has not begun, so that nothing is known yet of where it stands."""
        return self in (Phase.PREPARING, Phase.CHECKED)

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen."""
        return self in (Phase.STOPPED, Phase.FAILED)


class Progress(Struct, frozen=True):
    """How far a countable piece of work has come."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class MirrorState:
    """How far the copy of a voice in its mirror has come."""

    address: str
    """Where it is, as `--mirror` takes it: shown by `without_secrets`."""
    safe_step: int | None = None
    """The newest checkpoint of the network that is whole there; None when none is, or before the
    mirror has been reached."""
    pending: int = 0
    """Checkpoints that are kept here and not there yet."""
    seconds: float | None = None
    """What the last one took to be sent."""
    trouble: str = ""
    """Why nothing can be sent at the moment; empty when all is well."""
    since: float | None = None
    """When the trouble began, in seconds since the epoch."""
    unused: bool = False
    """Whether `voice.toml` names it and `--mirror` does not: nothing is copied."""


class Event(Struct, frozen=True):
    """Something that happened, for the log on the screen."""

    time: float
    """Seconds since the epoch."""
    text: str
    severity: str = "information"
    """`information`, `warning` or `error`, as Textual names them."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Everything a screen shows of a run."""

    phase: Phase
    voice: str
    """The voice's name, its folder's last part."""
    voice_folder: Path
    network: NetworkName
    preset: str
    """The network's size: a preset's name, or widths of its own in words."""
    recipe: str
    demo: bool = False
    """Whether `voicecoach demo` started it."""
    gpus: str = ""
    """What `--gpus` says: the number of GPUs that share each batch, or auto."""
    device: str = ""
    """`cpu` or `cuda:0 NVIDIA H100`."""
    precision: str = ""
    progress: Progress | None = None
    check: CheckReport | None = None
    """What the check of the corpus found; None until it is known."""
    seconds_to_start: int | None = None
    """While the engine waits after a check: seconds after which it begins without an answer, None
    where it waits for one however long."""
    step: int = 0
    base_step: int = 0
    """The step at which the imported weights stood."""
    first_step: int = 0
    """Where the way to the stop began: the step from which this run continued, or the stop at
    which the person let it go on."""
    first_run_seconds: float = 0.0
    first_spent: float = 0.0
    """`run_seconds` and `spent` there."""
    stop: StopPoint | None = None
    stop_text: str = ""
    """The stop as it was asked for."""
    stop_when: StopWhen = ""
    """What ends the run besides it: `flat`, that its advice sees no more improvement."""
    steps_per_second: float | None = None
    warm_up: str = ""
    """Why steps are slower at the moment than they will be: `recording CUDA graph 3`."""
    losses: Losses | None = None
    held_out: float | None = None
    """Loss on the held-out set."""
    learning_rate: float | None = None
    rate_factor: float = 1.0
    """What of the recipe's learning rate is left since the run diverged."""
    rollbacks: int = 0
    """How often the run was rolled back to an earlier checkpoint because it diverged."""
    skipped: int = 0
    """Steps of this run that changed nothing: their loss or a gradient was not finite."""
    alarm: str = ""
    """A sentence that the person must see as long as it holds: where a step hangs, or why the run
    waits for them."""
    run_seconds: float = 0.0
    """Training time of this run, pauses left out."""
    voice_seconds: float = 0.0
    """Training time of the voice, all its runs together."""
    spent: float = 0.0
    """Spend of the voice in US dollars, all its runs together, idle time included."""
    idle_usd: float = 0.0
    """The part of it that was for idle time."""
    wait_seconds: float = 0.0
    """How long the run has been waiting or preparing now; renewed every second while it prepares,
    or else every ten seconds, after five minutes every minute."""
    wait_usd: float = 0.0
    """What that has cost, in US dollars."""
    wait_ends_at: float | None = None
    """While the run waits for a person: when it ends by itself unless a key is pressed, in seconds
    since the epoch; None where it waits without limit. Of a run that failed: when its screen
    closes."""
    ended_because: str = ""
    """Why the run ended instead of waiting for a person: `nobody pressed a key for 5 minutes`."""
    budget: float = 0.0
    """US dollars that all runs of the voice may cost; 0 for no budget."""
    price: float = 0.0
    """US dollars an hour; 0 where nothing was said."""
    price_source: str = ""
    """Who says so and when, `AWS spot us-east-1b, 14:00`; empty where the person does."""
    machine: Machine | None = None
    """The machine as its cloud names it; None until that is known, and outside of clouds."""
    spot_notice: SpotNotice | None = None
    """The notice that stands: the cloud takes the machine away, or may soon."""
    interrupted: bool = False
    """Whether the run ended because the cloud takes the machine away."""
    checkpoint_step: int | None = None
    """The newest checkpoint on disk."""
    mirror: MirrorState | None = None
    """The voice's copy elsewhere; None where it has none."""
    saving_step: int | None = None
    """The step whose checkpoint is being written at this moment."""
    saving_trouble: str = ""
    """Why checkpoints cannot be written, or what a slow disk takes long over; empty while all is
    well."""
    end_waits_for: Literal["", "disk", "mirror"] = ""
    """What the end of the run waits for: a disk that refuses the last step, or the mirror."""
    end_waits_until: float = 0.0
    """When it waits no longer, in seconds since the epoch."""
    lost: LostSteps | None = None
    """What the run before had made and not saved, when it did not end as asked."""
    curve: LossCurve = field(default_factory=LossCurve)
    attention: tuple[AttentionPlot, ...] = ()
    """Oldest first."""
    samples: tuple[Sample, ...] = ()
    """Oldest first."""
    events: tuple[Event, ...] = ()
    """Oldest first; the last few hundred."""
    warnings: tuple[Event, ...] = ()
    """Of what happened, what the person must have seen: it stays on top of a screen until they
    dismiss it there. Oldest first."""
    left_out: tuple[str, ...] = ()
    """Ids of the clips that the person left out; after the first step, from the next run on."""
    sentences: tuple[str, ...] = ()
    """What the voice speaks at checkpoints; an audition speaks the first unless told otherwise."""
    checkpoints: tuple[KeptCheckpoint, ...] = ()
    """Of both networks, oldest first: what `Audition` can name."""
    scores: tuple[CheckpointScores, ...] = ()
    """What the judge measured of the network's checkpoints, oldest first."""
    evaluating: int | None = None
    """The step of the checkpoint that is being evaluated at this moment."""
    judge_waits: str = ""
    """Why checkpoints are not evaluated now, or why that takes long, in a sentence without its full
    stop; empty while there is nothing to wait for."""
    judge_absent: str = ""
    """Why models take no part in the evaluation: `voicecoach[judge] is not installed`."""
    advice: Advice | None = None
    """Whether it pays to go on; None before there is anything to say."""
    recommended: Recommendation | None = None
    """The checkpoint to export; None before one was measured."""
    notices: tuple[Notice, ...] = ()
    """What the person is told wherever they are, oldest first; the last few dozen."""
    auditioning: bool = False
    """Whether a sample is being made, or waits for that."""
    speaking: Speaking | None = None
    """The sample that can be heard while it is being made; None before its first sound."""
    auditions: int = 0
    """Auditions that a person asked for in this run and that have ended, also without a sample."""
    gpu: GpuReading | None = None
    gpu_absent: str = ""
    """Why there is no reading: `no NVIDIA driver`."""
    failure: str = ""
    screens: int = 0
    """Screens that steer the run: the one of its own process, and those of others."""
    readers: int = 0
    """Screens of other processes that only look at it."""
    other: "Snapshot | None" = None
    """Where a run trains both networks: SSRN's, in that of Text2Mel; see `publisher.COMMON`."""

    @property
    def both(self) -> "tuple[Snapshot, ...]":
        """One for each network that is trained."""
        return (self,) if self.other is None else (self, self.other)

    def of(self, network: NetworkName) -> "Snapshot":
        """The same run seen from a network; the other one is then in `other`."""
        other = self.other
        if other is None or other.network != network:
            return self
        return replace(other, other=replace(self, other=None))

    @property
    def busiest(self) -> "Snapshot":
        """Of two networks, one that is not at its stop: the run ends with it."""
        return next((one for one in self.both if one.phase is not Phase.AT_STOP), self)

    @property
    def command_to_continue(self) -> str:
        """The shell command that continues this training where it is saved, to the same stop."""
        train = "demo" if self.demo else "train"
        command = f"voicecoach {train} --voice {shlex.quote(str(self.voice_folder))}"
        network = self.network if self.other is None else "both"
        if network != "text2mel":
            command += f" --network {network}"
        if self.stop is None and (self.stop_text or self.demo):
            # No file knows of a stop before the first step, nor that a demo is to have none.
            command += f" --stop-at {shlex.quote(self.stop_text or 'none')}"
        if self.stop_when and not self.is_flat:
            command += f" --stop-when {self.stop_when}"
        if self.gpus:
            command += f" --gpus {self.gpus}"
        if self.mirror is not None and not self.mirror.unused:
            command += f" --mirror {shlex.quote(self.mirror.address)}"
        return command

    @property
    def export_command(self) -> str:
        """The shell command that exports the recommended checkpoint; empty without one."""
        best = self.recommended
        return "" if best is None else best.export_command(self.voice_folder, self.voice)

    @property
    def is_flat(self) -> bool:
        """Whether neither held-out loss nor judge sees any improvement by now."""
        return self.advice is not None and self.advice.flat_since is not None

    @property
    def sentence(self) -> str:
        """The first of the sentences; empty before there is one."""
        return self.sentences[0] if self.sentences else ""

    @property
    def saved(self) -> bool:
        """Whether a checkpoint on disk has this very step."""
        return self.checkpoint_step == self.step

    @property
    def unsaved(self) -> int:
        """Steps that no checkpoint on disk has."""
        kept = self.base_step if self.checkpoint_step is None else self.checkpoint_step
        return max(0, self.step - kept)

    @property
    def unsaved_text(self) -> str:
        """The loss of these steps in a clause: `12 steps since checkpoint 871,000 are lost`."""
        step = self.checkpoint_step
        since = "" if step is None else f" since checkpoint {step:,}"
        lost = plural(self.unsaved, f"step{since} is lost", f"steps{since} are lost")
        return lost if self.unsaved else ""

    @property
    def budget_is_used_up(self) -> bool:
        """Whether all of the budget is spent."""
        return 0 < self.budget <= self.spent

    @property
    def phase_words(self) -> str:
        """What the engine is doing, in words: a run that its budget ended is at no other stop."""
        at_budget = self.phase is Phase.AT_STOP and self.budget_is_used_up
        return "at the budget" if at_budget else self.phase.value

    @property
    def budget_comes_first(self) -> bool:
        """Whether the budget ends the run before the stop does."""
        if self.budget <= 0 or self.phase.before_steps:
            return False
        if self.stop is None or self.budget_is_used_up:
            return True
        budget, stop = self._seconds_to(StopPoint(usd=self.budget)), self._seconds_to(self.stop)
        return budget is not None and stop is not None and budget < stop

    @property
    def end_point(self) -> StopPoint | None:
        """Where the run ends by itself: at the stop, or at the budget if that comes first."""
        return StopPoint(usd=self.budget) if self.budget_comes_first else self.stop

    @property
    def progress_to_stop(self) -> float | None:
        """Share of the way to `end_point` that is done, from 0 to 1; None without one.

        Of a budget, which holds for the whole voice, it is what the whole voice has spent.
        """
        end = self.end_point
        if end is None:
            return None
        if self.budget_comes_first:
            return min(1.0, self.spent / self.budget)
        if end.step is not None:
            done: float = self.step - self.first_step
            left: float = end.step - self.step
        elif end.training_seconds is not None:
            done = self.run_seconds - self.first_run_seconds
            left = end.training_seconds - self.voice_seconds
        elif end.at is not None:
            done, left = self.run_seconds - self.first_run_seconds, end.at - time.time()
        else:
            assert end.usd is not None
            done, left = self.spent - self.first_spent, end.usd - self.spent
        return 1.0 if left <= 0 else max(0.0, done) / (max(0.0, done) + left)

    @property
    def seconds_to_stop(self) -> float | None:
        """Training time still to go; None without an end or before the speed is known."""
        end = self.end_point
        return None if end is None else self._seconds_to(end)

    def _seconds_to(self, point: StopPoint) -> float | None:
        if point.training_seconds is not None:
            left = point.training_seconds - self.voice_seconds
        elif point.at is not None:
            left = point.at - time.time()
        elif point.usd is not None:
            if self.price <= 0:
                return None
            left = (point.usd - self.spent) / self.price * 3600
        elif self.steps_per_second:
            assert point.step is not None
            left = (point.step - self.step) / self.steps_per_second
        else:
            return None
        return max(0.0, left)

    @property
    def spent_at_stop(self) -> float | None:
        """Spend in US dollars projected at the stop; None where the stop is unknown."""
        seconds = self.seconds_to_stop
        return None if seconds is None else self.spent + self.price * seconds / 3600
