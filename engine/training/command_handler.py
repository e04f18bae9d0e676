"""What a person, their terminal and the cloud ask of a run, carried out between two steps."""

import time
from collections.abc import Iterator
from dataclasses import replace

from engine.choices import NetworkName
from engine.errors import VoicecoachError
from engine.formatting import plural
from engine.machine.cloud.machine import NoticeGone, SpotNews, SpotNotice
from engine.run.commands import (
    Audition,
    Continue,
    Finish,
    FolderGone,
    Inbox,
    KeyPressed,
    LeaveOut,
    MarkHeard,
    Message,
    Pause,
    PlotAttention,
    SaveCheckpoint,
    ScreenAttached,
    ScreenDetached,
    SetSentences,
    TerminalStalled,
)
from engine.run.options import MAX_WAIT_SECONDS, TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase
from engine.run.stop import SetBudget, StopAt
from engine.speech.audition import Auditions
from engine.training.corpus_history import leave_out
from engine.training.cost import CostMeter
from engine.training.limits import Limits
from engine.training.setup import TrainingContext

# Seconds between two iterations of the loop while no steps are made.
_IDLE_SECONDS = 0.5
# The shown end of a wait may be so far off, in seconds, before it is corrected: the time of day
# can be set, and a process that was suspended continues where it was.
_SHOWN_WITHIN = 5.0


class TrainingGroup:
    """The networks that a run trains, and what their trainers ask of each other.

    A network that is trained alone waits and ends by itself.
    """

    def __init__(self) -> None:
        self.states: list[RunState] = []
        self.expected: set[NetworkName] = set()
        """Networks that are being prepared, and will be trained next."""

    def others_busy(self, state: "RunState") -> bool:
        """Whether another network is trained, or waits for a person without limit."""
        others = (one for one in self.states if one is not state)
        return bool(self.expected) or any(not one.ended and not one.waits for one in others)

    def others_done(self, state: "RunState") -> bool:
        """Whether all others are at their stop, or have ended."""
        others = (one for one in self.states if one is not state)
        return not self.expected and all(one.at_stop or one.ended for one in others)

    def all_at_stop(self) -> bool:
        """Whether nothing is left of what the run was to train."""
        return not self.expected and all(one.at_stop for one in self.states)

    def all_saved_for(self, notice: SpotNotice, state: "RunState") -> bool:
        """Note that one has saved for a notice of its cloud; return whether all have."""
        state.saved_for = notice
        return all(one.ended or one.saved_for == notice for one in self.states)


class RunState:
    """Where a network stands: at which step, for whom, and whether it makes steps or waits."""

    def __init__(
        self,
        step: int,
        options: TrainOptions,
        publisher: Publisher,
        cost: CostMeter,
        group: TrainingGroup | None = None,
    ) -> None:
        """Stand at a global step, ready to make the next."""
        self.group = group or TrainingGroup()
        self.group.states.append(self)
        self.group.expected.discard(cost.network)
        self._publisher = publisher
        self._cost = cost
        self._hold = options.hold
        self.step = step
        """The global step that was made last."""
        self.attended = options.attended
        """Whether there is a person to wait for, at a screen that can steer."""
        self.terminal_stalled = False
        """Whether no terminal of such a screen takes output."""
        self.paused = False
        """Whether no steps are made, for whatever reason."""
        self.at_stop = False
        """Whether that is because the stop, or the budget, is reached."""
        self.at_budget = False
        """Whether that is the budget."""
        self.diverged = ""
        """Why the run waits for a person after it diverged again and again; a sentence."""
        self.finishing = False
        """Whether it is time to end."""
        self.ends_at_stop = False
        """Whether that is because the stop is reached and nobody is there."""
        self.ended_because = ""
        """Why that is so where nobody asked for it, as a clause."""
        self.gives_up_stop = False
        """Whether a person at a screen ended the run."""
        self.saved_for: SpotNotice | None = None
        """The notice of the cloud for which it has saved."""
        self.ended = False
        """Whether its trainer has nothing more to do."""
        self.waits = False
        """Whether no steps are made, and the wait for a person has a limit."""
        self._wait_ends: float | None = None
        self._unread_since: float | None = None

    def pause(self, phase: Phase, *, by_person: bool = False) -> None:
        """Make no more steps until `resume`; the phase says why.

        A pause that no person asked for has a limit, unless `--hold` was given: a waiting machine
        costs as much as one that trains. See `why_wait_ends`.
        """
        self.paused = True
        self._cost.pause_training()
        self._publisher.update(phase=phase, steps_per_second=None)
        self.waits = not (by_person or self._hold)
        self._begin_wait()

    def _begin_wait(self) -> None:
        busy = self.group.others_busy(self)
        if not (self.waits and self.attended) or busy or self._wait_ends is not None:
            return
        told = any(one._wait_ends is not None for one in self.group.states)
        if not (self.terminal_stalled or told):
            self._publisher.event(
                f"the run ends after {_minutes()} without a key; --hold waits without limit"
            )
        self._set_wait_end(self._now + MAX_WAIT_SECONDS)

    def wait_after_divergence(self, text: str) -> None:
        """Wait for a person to let the run try again; a text says what happened."""
        self.diverged = text
        self._publisher.event(f"paused at step {self.step:,}: p tries again", "error")
        self._publisher.update(alarm=text)
        self.pause(Phase.PAUSED)

    def resume(self) -> None:
        """Make steps again."""
        self.paused = self.at_stop = self.at_budget = self.waits = False
        self._set_wait_end(None)
        self._publisher.update(phase=Phase.TRAINING)

    def key_pressed(self) -> None:
        """Restart the limit of a wait: somebody is there."""
        if self._wait_ends is not None:
            self._set_wait_end(self._now + MAX_WAIT_SECONDS)

    def why_wait_ends(self) -> str:
        """Return why the wait for a person is over, as a clause; empty while it lasts."""
        if self.group.others_busy(self):
            if self._wait_ends is not None:
                self._set_wait_end(None)
            return ""
        self._begin_wait()
        if self._wait_ends is None:
            return self._why_pause_ends()
        if self.terminal_stalled:
            return "no terminal takes the screen's output"
        left = self._wait_ends - self._now
        shown = self._publisher.snapshot.wait_ends_at
        if shown is None or abs(time.time() + left - shown) > _SHOWN_WITHIN:
            self._set_wait_end(self._wait_ends)
        return f"nobody pressed a key for {_minutes()}" if left <= 0 else ""

    def _why_pause_ends(self) -> str:
        """A pause that a person asked for lasts as long as some terminal takes output."""
        if self._hold or not self.terminal_stalled:
            self._unread_since = None
            return ""
        now = self._now
        if self._unread_since is None:
            self._unread_since = now
        if now - self._unread_since < MAX_WAIT_SECONDS:
            return ""
        return f"no terminal has taken the screen's output for {_minutes()}"

    def _set_wait_end(self, at: float | None) -> None:
        self._wait_ends = at
        shown = None if at is None else time.time() + at - self._now
        self._publisher.update(wait_ends_at=shown)

    @property
    def others_done(self) -> bool:
        """Whether the other network, where the run trains one, is at its stop too, or has ended."""
        return self.group.others_done(self)

    @property
    def _now(self) -> float:
        return self._cost.clock.read()


def _minutes() -> str:
    return f"{MAX_WAIT_SECONDS / 60:g} minutes"


Request = SaveCheckpoint | PlotAttention | ScreenDetached | Continue | SpotNews
"""What only the trainer can do; `Continue` lets a diverged run try once more."""


class CommandHandler:
    """Carries out commands, and hands on to the trainer what only it can do."""

    def __init__(
        self,
        context: TrainingContext,
        publisher: Publisher,
        inbox: Inbox,
        auditions: Auditions,
        limits: Limits,
        cost: CostMeter,
    ) -> None:
        self._context = context
        self._publisher = publisher
        self._inbox = inbox
        self._auditions = auditions
        self._limits = limits
        self._cost = cost

    def process(self, state: RunState) -> Iterator[Request]:
        """Carry out what has arrived; yield what the trainer is to do, in the order of arrival."""
        self._publisher.beat()
        while (command := self._inbox.take()) is not None:
            yield from self._carry_out(command, state)
        if state.at_budget and not self._limits.reached(state.step):
            yield from self._resume(state)

    def wait(self, state: RunState) -> None:
        """Wait a moment for the next command; end a wait for a person that has lasted too long."""
        if state.at_stop:
            self._limits.store_stop(state.step, done=state.group.all_at_stop())
        if state.at_stop and not state.attended and state.others_done:
            state.finishing = state.ends_at_stop = True
        elif why := state.why_wait_ends():
            self._publisher.event(f"{why}: the run ends")
            self._publisher.update(ended_because=why, wait_ends_at=None)
            state.ended_because, state.finishing = why, True
        else:
            self._inbox.wait(_IDLE_SECONDS)

    def _carry_out(self, command: Message, state: RunState) -> Iterator[Request]:
        match command:
            case StopAt(rule):
                if self._limits.change_stop(rule, state.step) and state.at_stop:
                    yield from self._resume(state)
            case SetBudget(usd):
                self._limits.budget.change(usd)
            case Pause():
                self._pause(state)
            case Continue(network):
                # Of two networks one may be at its stop while the other is paused.
                if network or not state.at_stop or state.others_done:
                    yield from self._resume(state)
            case ScreenDetached():
                yield command
                yield from self._go_unattended(state, command.keep_training)
            case ScreenAttached():
                state.attended, state.terminal_stalled = True, False
                self._publisher.event("a screen is attached")
            case KeyPressed():
                state.key_pressed()
            case TerminalStalled(stalled):
                state.terminal_stalled = stalled
            case Finish(by_signal):
                state.finishing, state.gives_up_stop = True, not by_signal
            case FolderGone():
                state.finishing = True
            case LeaveOut():
                voice = self._context.voice
                known = [clip.clip_id for clip in self._context.store.clips]
                known += voice.settings.left_out
                leave_out(command, voice, known, self._publisher, " from the next run on")
            case Audition():
                self._auditions.request(command)
            case MarkHeard(file):
                self._auditions.mark_heard(file)
            case SetSentences(sentences):
                self._set_sentences(sentences)
            case SaveCheckpoint() | PlotAttention() | SpotNotice() | NoticeGone():
                yield command

    def _pause(self, state: RunState) -> None:
        if not state.paused:
            state.pause(Phase.PAUSED, by_person=True)
            self._publisher.event(f"paused at step {state.step:,}")

    def _resume(self, state: RunState) -> Iterator[Request]:
        if not state.paused or self._limits.refuse_to_resume():
            return
        if state.at_stop:
            if self._limits.reached(state.step):
                self._limits.set_stop(None, state.step)
            self._publisher.update(
                first_step=state.step,
                first_run_seconds=self._cost.run_training_seconds,
                first_spent=self._cost.spent,
            )
        if state.diverged:
            state.diverged = ""
            yield Continue()
        state.resume()
        self._publisher.event("training continues")

    def _go_unattended(self, state: RunState, keep_training: bool) -> Iterator[Request]:
        state.attended = False
        self._publisher.event("continuing without a screen")
        if state.paused and keep_training and not state.at_stop:
            yield from self._resume(state)
        if state.paused and (not state.at_stop or state.others_done):
            if not state.at_stop and not state.diverged:
                self._publisher.event(
                    "nobody is there to end the pause: saving and ending", "warning"
                )
            state.finishing = True

    def _set_sentences(self, sentences: tuple[str, ...]) -> None:
        voice = self._context.voice
        for text in sentences or ("",):
            if not any(map(str.isalnum, voice.vocabulary.clean(text))):
                self._publisher.event(f"nothing to speak in {text!r}", "error")
                return
        self._publisher.update(sentences=sentences)
        self._publisher.event(f"{plural(len(sentences), 'sentence')}: {' · '.join(sentences)}")
        try:
            voice.save(replace(voice.settings, sentences=sentences))
        except VoicecoachError as error:
            self._publisher.event(f"the sentences are kept for this run only: {error}", "warning")
