"""The judge beside training: evaluates each checkpoint, and says which one is the best.

Training never waits for it. It is a process of its own, which gives way to all others; a thread
here asks it, writes down what it measured, and publishes what follows from that.
"""

import contextlib
import math
import re
import shlex
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from engine.advice.advice import advise_run
from engine.advice.best import recommend
from engine.advice.intervals import summarise
from engine.advice.kept import kept_checkpoints
from engine.checkpoints.state import STATE_FILE
from engine.choices import NETWORK_TITLES, NetworkName
from engine.errors import VoicecoachError
from engine.evaluation.worker import Reply, Request
from engine.files import changed_at
from engine.formatting import duration, whole_minutes
from engine.machine.background import BackgroundThread
from engine.machine.device import usable_cores
from engine.run.evaluation import Evaluation
from engine.run.publisher import Publisher
from engine.run.sample import KeptCheckpoint
from engine.run.snapshot import Phase
from engine.training.judge_process import JudgeFailedError, JudgeProcess
from engine.voice.comparisons import LIST as COMPARISONS
from engine.voice.evaluations import LIST as EVALUATIONS
from engine.voice.evaluations import append_evaluation, read_evaluations
from engine.voice.folder import Voice

SHARE = 0.02
"""Of the time trained, the processor time that evaluating may take where training needs the cores
too."""
# Cores from which on training on a GPU leaves some without work.
_SPARE_CORES = 4
# Seconds that an evaluation is expected to take before one was made, its process's start included.
_FIRST_SECONDS = 30.0
STILL_SECONDS = 600.0
"""Seconds without any processor time after which its process hangs."""
# Processor time for one sentence after which it does, too.
_BUSY_SECONDS = 600.0
# What the end of a run waits for its last evaluations at most: a share of the time trained, and
# seconds.
_LAST_SHARE, _LAST_SECONDS = 0.05, 60.0
# A checkpoint, and a run, whose evaluation fails so often is left alone.
_MAX_TRIES, _MAX_FAILURES = 2, 4
# An evaluation that has gone on for so many seconds, with less than this share of a core, is slow.
_SLOW_SECONDS, _SLOW_SHARE = 60.0, 0.25
_TURN_SECONDS, _READ_SECONDS, _ADVISE_SECONDS = 1.0, 0.5, 30.0
# Seconds without work after which its process is not worth its memory.
_IDLE_SECONDS = 120.0


class Judging:
    """Has the checkpoints of a network evaluated one after the other, as time allows.

    The newest comes first, then the base and the best, then the others, the newer ones first.
    """

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        publisher: Publisher,
        *,
        on_gpu: bool,
        alone: bool = True,
    ) -> None:
        """Evaluate nothing yet.

        `on_gpu` says where the network is trained. Unless it is trained `alone`, it is evaluated
        in half of the time, and the other network in the other half.
        """
        self._alone = alone
        self._share = SHARE if alone else SHARE / 2
        self._voice = voice
        self._network: NetworkName = network
        self._publisher = publisher
        self._spare_cores = on_gpu and usable_cores() >= _SPARE_CORES
        self._thread = BackgroundThread(
            "evaluating checkpoints", self._turn, publisher.event, every=_TURN_SECONDS
        )
        self._closing = threading.Event()
        self._ends_at: float | None = None
        self._idle = False
        self._process: JudgeProcess | None = None
        self._used_at = 0.0
        self._used = 0.0
        """Processor time that counts against training."""
        self._expected = _FIRST_SECONDS
        self._unwritten: list[Evaluation] = []
        self._waiting: list[int] = []
        self._known: tuple[object, ...] = ()
        self._tries: Counter[tuple[int, int | None]] = Counter()
        self._failures = 0
        self._told: set[str] = set()
        self._reported: tuple[int, int] | None = None
        self._evaluations: tuple[Evaluation, ...] = ()
        self._models: set[str] = set()
        """That took part in the last evaluation."""
        self._advised_at = -math.inf
        self._told_best: int | None = None

    def start(self) -> None:
        """Begin, from the checkpoints that there are."""
        self._thread.start()

    def finish(self, trained: float, go_on: Callable[[], bool]) -> None:
        """Evaluate what can be before a run ends that nobody waits for.

        Args:
            trained: seconds of training in this run.
            go_on: waits a moment, and says whether there is still time for it.
        """
        self._ends_at = end = time.monotonic() + min(_LAST_SHARE * trained, _LAST_SECONDS)
        self._thread.request()
        while not (self._thread.wait(0) and self._idle):
            if time.monotonic() >= end or not go_on():
                break

    def close(self) -> None:
        """Give up what is under way, and end thread and process."""
        self._closing.set()
        self._thread.stop()
        self._end_process()

    # What follows runs in the thread.

    def _turn(self) -> None:
        self._write()
        self._refresh()
        self._advise()
        step = self._next()
        if step is None:
            self._rest()
            if self._idle and self._publisher.snapshot.phase is Phase.AT_STOP:
                self.report()
            return
        self._idle = False
        self._evaluate(step)
        self._write()
        self._refresh()
        self._advise()
        self._idle = not self._waiting

    def _write(self) -> None:
        """Write down what was measured; what a full disk refuses is tried again."""
        while self._unwritten:
            self._voice.locate()
            append_evaluation(self._voice, self._unwritten[0])
            del self._unwritten[0]

    def _refresh(self) -> None:
        """Publish which checkpoints are the best, and plan, where something has changed."""
        folder = self._voice.locate()
        files = (EVALUATIONS, COMPARISONS, f"{self._network}/checkpoints")
        now = (folder, sum(self._tries.values()), *(changed_at(folder / name) for name in files))
        if now == self._known:
            return
        checkpoints = kept_checkpoints(self._voice)
        self._evaluations = evaluations = read_evaluations(self._voice, self._network)
        self._publisher.update(
            checkpoints=checkpoints,
            scores=tuple(map(summarise, evaluations)),
            recommended=recommend(self._voice, self._network),
        )
        evaluated = {one.step for one in evaluations if self._is_whole(one)}
        kept = [one for one in checkpoints if one.network == self._network]
        self._waiting = [one.step for one in _in_order(kept) if self._lacks(one.step, evaluated)]
        self._known, self._advised_at = now, -math.inf

    def _advise(self) -> None:
        """Advise now and then; tell wherever the person is when nothing more improves."""
        snapshot, now = self._publisher.snapshot, time.monotonic()
        if snapshot.phase.before_steps or now - self._advised_at < _ADVISE_SECONDS:
            return
        self._advised_at = now
        advice, best = advise_run(snapshot, self._evaluations), snapshot.recommended
        self._publisher.update(advice=advice)
        if advice.kind in ("flat", "worse") and best and best.step != self._told_best:
            self._told_best = best.step
            self._publisher.notify("verdict", f"{advice.text}; export {best.words}")

    def _is_whole(self, evaluation: Evaluation) -> bool:
        """Whether it has all that can be measured now: with the newest SSRN, by all models."""
        newest = None if self._network == "ssrn" else self._voice.newest("ssrn")
        by_now = newest is None or evaluation.ssrn_step == newest.step
        if not self._alone:  # a new SSRN comes as often as a checkpoint
            by_now = newest is None or evaluation.ssrn_step is not None
        return by_now and self._models <= {*evaluation.judges}

    def _lacks(self, step: int, evaluated: set[int]) -> bool:
        return step not in evaluated and self._tries[self._try(step)] < _MAX_TRIES

    def _try(self, step: int) -> tuple[int, int | None]:
        """A checkpoint as it was saved: another one may be made of its step."""
        folder = self._voice.checkpoint_folder(self._network, step)
        return step, changed_at(folder / STATE_FILE)

    def _next(self) -> int | None:
        """The checkpoint to evaluate now; None while there is none, or no time."""
        refusal = self._refusal()
        if refusal or not self._waiting or self._closing.is_set():
            self._idle = True
            self._say_why_it_waits(refusal)
            return None
        trained = self._publisher.snapshot.run_seconds
        left = math.inf if self._is_free() else self._share * trained - self._used
        if self._ends_at is not None:
            left = self._ends_at - time.monotonic()
        if self._expected <= left:
            return self._waiting[0]
        after = whole_minutes((self._used + self._expected) / self._share)
        share = f"{100 * self._share:.0f} %"
        self._say_why_it_waits(
            f"the next evaluation starts after {after} of training in this run, to take at most "
            f"{share} of its time"
        )
        return None

    def _refusal(self) -> str:
        """Why nothing is evaluated in this run; empty where all is well."""
        by_hand = f"`voicecoach evaluate {shlex.quote(str(self._voice.folder))}` does it"
        if not self._voice.settings.evaluation:
            return f"evaluation is off (`evaluation = false` in voice.toml); {by_hand}"
        if self._failures >= _MAX_FAILURES:
            return f"no more checkpoints are evaluated in this run, see the log; {by_hand}"
        return ""

    def _say_why_it_waits(self, words: str) -> None:
        if words != self._publisher.snapshot.judge_waits:
            self._publisher.update(judge_waits=words)

    def _is_free(self) -> bool:
        """Whether training needs no core that the judge could take."""
        phases = {one.phase for one in self._publisher.run_snapshot.both}
        waits = phases <= {Phase.PAUSED, Phase.AT_STOP}
        return self._spare_cores or self._ends_at is not None or waits

    def _rest(self) -> None:
        """End a process that has had nothing to do for a while."""
        if self._process and time.monotonic() - self._used_at > _IDLE_SECONDS:
            self._end_process()

    def _evaluate(self, step: int) -> None:
        tried, before = self._try(step), self._process.seconds if self._process else 0.0
        self._publisher.update(evaluating=step, judge_waits="")
        try:
            folder = self._voice.locate()
            reply = self._ask(Request(folder, self._network, step))
        except (JudgeFailedError, OSError) as error:
            self._end_process()
            self._fail(tried, str(error))
        else:
            if reply is None:  # the run ends
                return
            self._publisher.update(judge_absent=reply.judge_absent)
            self._expected = self._process.seconds - before if self._process else 0.0
            if reply.evaluation is not None:
                self._failures, self._models = 0, {*reply.evaluation.judges}
                self._unwritten.append(reply.evaluation)
                if not self._is_whole(reply.evaluation):
                    self._tries[tried] = _MAX_TRIES  # the newest SSRN may be damaged
            elif self._voice.locate() == folder:
                self._fail(tried, reply.trouble)
        finally:
            self._publisher.update(evaluating=None, judge_waits="")

    def _ask(self, request: Request) -> Reply | None:
        """Have a checkpoint evaluated; None where the run ends meanwhile.

        Raises:
            JudgeFailedError: the process ended or hangs.
            OSError: it cannot be started.
        """
        if self._process is None:
            self._process = JudgeProcess()
        process, limit = self._process, _Silence()
        began, had = time.monotonic(), process.seconds
        process.ask(request)
        while not self._closing.is_set():
            before = process.seconds
            reply = process.reply(_READ_SECONDS)
            self._used_at = time.monotonic()
            self._used += 0.0 if self._is_free() else process.seconds - before
            if reply is not None and reply.done:
                return reply
            limit.check(process.seconds, heard=reply is not None)
            self._say_if_slow(time.monotonic() - began, process.seconds - had)
            # Where others use all cores it takes hours, and advice must not wait for that.
            with contextlib.suppress(VoicecoachError):  # the next turn says so
                self._refresh()
                self._advise()
        return None

    def _say_if_slow(self, passed: float, seconds: float) -> None:
        if passed > _SLOW_SECONDS and seconds < _SLOW_SHARE * passed:
            self._say_why_it_waits(
                f"the evaluation has had {duration(seconds)} of processor time in "
                f"{whole_minutes(passed)}: it takes only what training and other programs leave"
            )

    def _fail(self, tried: tuple[int, int | None], why: str) -> None:
        """Note a checkpoint that was not evaluated; tell each kind of trouble once."""
        step = tried[0]
        if self._try(step) != tried:
            return  # pruned meanwhile, or saved anew
        self._tries[tried] += 1
        self._failures += 1
        text = f"checkpoint {step:,} was not evaluated: {why.rstrip('.')}"
        kind = re.sub(r"[0-9.,]+", "", text)
        if kind not in self._told:
            self._told.add(kind)
            self._publisher.event(f"{text}; training goes on", "warning")
        if self._failures == _MAX_FAILURES:
            self._publisher.event("no more checkpoints are evaluated in this run", "warning")

    def _end_process(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.end()

    def report(self) -> None:
        """Say which checkpoint to export, once at each stop; any thread may call it."""
        snapshot = self._publisher.snapshot
        advised = snapshot.recommended
        if advised is None or self._reported == (snapshot.step, advised.step):
            return
        self._reported = (snapshot.step, advised.step)
        text = f"export {NETWORK_TITLES[advised.network]} {advised.words}"
        self._publisher.event(text)
        self._publisher.notify("verdict", text)


class _Silence:
    """Notices a process that hangs; one that others leave no core takes long, and does not."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._seconds, self._moved_at = 0.0, time.monotonic()

    def check(self, seconds: float, *, heard: bool) -> None:
        """Take the processor time that it has had so far, and whether it said anything.

        Raises:
            JudgeFailedError: it hangs.
        """
        now = time.monotonic()
        if heard or not self._heard:
            self._heard = seconds
        if seconds > self._seconds or heard:
            self._seconds, self._moved_at = seconds, now
        if now - self._moved_at > STILL_SECONDS:
            raise JudgeFailedError(f"its process stood still for {duration(STILL_SECONDS)}")
        if seconds - self._heard > _BUSY_SECONDS:
            raise JudgeFailedError(f"its process computed for {duration(_BUSY_SECONDS)} in vain")


def _in_order(kept: Sequence[KeptCheckpoint]) -> list[KeptCheckpoint]:
    """Checkpoints as they are to be evaluated: what is recommended depends most on the first."""
    newest = max((one.step for one in kept), default=0)

    def place(one: KeptCheckpoint) -> tuple[bool, bool, bool, int]:
        return one.step != newest, not one.base, not one.best_by, -one.step

    return sorted(kept, key=place)
