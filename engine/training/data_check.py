"""The check before training: what it finds is shown while there is still nothing to pay for."""

import contextlib
import logging
import math
import shlex
import threading
from collections.abc import Iterator
from dataclasses import replace
from time import monotonic

from engine.check.clean_copy import clean_command, clean_copy_beside
from engine.check.report import USUAL_STEPS, CheckReport, Estimate, Finding
from engine.check.survey import Measured, corpus_key, judge, measure_corpus
from engine.checkpoints.state import specs_of
from engine.data.clips import CorpusScan
from engine.data.metadata import Rejected
from engine.errors import Cancelled, Declined, EngineError, VoicecoachError
from engine.machine.cloud.machine import Interruption
from engine.run.commands import (
    CleanFirst,
    Continue,
    Finish,
    FolderGone,
    Hold,
    Inbox,
    KeyPressed,
    LeaveOut,
    ScreenDetached,
)
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Progress
from engine.run.stop import SetBudget, StopRule
from engine.training.corpus_history import leave_out
from engine.training.throughput import EstimateRequest, with_estimates
from engine.voice.check_record import CheckRecord, load_record, save_record
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

WAIT_SECONDS = 60
"""How long a person at the screen may read before training begins without an answer: a machine
that is paid by the hour must not wait for nobody."""

# Errors that are reported one by one where there is no screen.
_MAX_NAMED = 8
# Seconds between two checks of the inbox while no countdown runs.
_IDLE_SECONDS = 5.0
_ANSWERS = (
    *(Continue, Hold, CleanFirst, LeaveOut, KeyPressed),
    *(Finish, ScreenDetached, Interruption, FolderGone),
)


class DataCheck:
    """Checks the corpus before training, once, and waits for a person where it has errors.

    The two are separate because what can be refused without an answer is refused between them.
    """

    def __init__(
        self, options: TrainOptions, voice: Voice, publisher: Publisher, inbox: Inbox
    ) -> None:
        self._options = options
        self._voice = voice
        self._publisher = publisher
        self._inbox = inbox
        self.record: CheckRecord | None = None
        """What is known of the corpus; None where the check itself failed, which is reported and
        does not prevent training."""
        self._measured: Measured | None = None
        """What it was judged by; None where it was known from an earlier run."""
        self._estimates: tuple[Estimate, ...] = ()
        self._turn = threading.Lock()
        self.reported: frozenset[int] = frozenset()
        """Lines of `metadata.csv` whose errors were reported one by one."""

    @property
    def left_out(self) -> tuple[Rejected, ...] | None:
        """The clips that the check leaves out; None where the check itself failed."""
        return None if self.record is None else self.record.report.left_out

    def run(self, scan: CorpusScan) -> None:
        """Check the corpus unless that was done, and publish the report.

        Raises:
            Cancelled: `must_end` said so meanwhile.
        """
        self.take_left_out(scan)
        try:
            key = self._key(scan)
            known = load_record(self._voice, key)
            checked_now = known is None or not self._holds(known)
            self.record = known
            if checked_now:
                # Who agreed to the errors did so whatever else is left out.
                accepted = known is not None and known.accepted
                self.record = replace(self._check(key, scan), accepted=accepted)
                self._save(self.record)
        except Cancelled:
            raise
        except Exception as error:
            _log.exception("the check failed")
            self._publisher.event(
                f"the corpus could not be checked ({error}): training on it as it is", "error"
            )
            return
        assert self.record is not None
        self._publish()
        if checked_now:
            self._report(self.record.report)

    def take_left_out(self, scan: CorpusScan) -> None:
        """Carry out what a person has left out or taken in by now."""
        while (command := self._inbox.find(LeaveOut)) is not None:
            self._inbox.remove(command)
            self._leave_out(command, scan)

    def _leave_out(self, command: LeaveOut, scan: CorpusScan) -> None:
        leave_out(command, self._voice, [row.clip_id for row in scan.rows], self._publisher)
        if self.record is not None and self._measured is not None:
            self.record = self._judged(self.record.key, self._measured)
            self._publish()

    def _holds(self, known: CheckRecord) -> bool:
        """Whether a check of an earlier run answers for this one.

        Where a person is asked, they may leave out clips, and the rest is then judged anew.
        """
        asks = known.report.harmful and not known.accepted and self._attended()
        return not asks and set(known.left_out) == set(self._voice.settings.left_out)

    def _publish(self) -> None:
        with self._turn:
            assert self.record is not None
            estimates = self._estimates or self.record.report.estimates
            self._publisher.update(check=replace(self.record.report, estimates=estimates))

    def wait_for_answer(self, scan: CorpusScan) -> bool:
        """Wait for a person at a screen where the corpus has errors and nobody has agreed yet.

        `Continue` begins, `Hold` stops the countdown, and without an answer training begins.
        `CleanFirst` makes the clean copy of the corpus, from which the voice then learns. Meanwhile
        a few steps are timed to estimate what training would take.

        Returns:
            Whether the voice now learns from the clean copy, which is yet to be checked.

        Raises:
            Cancelled: the cloud takes the machine away, or the voice folder is gone; or one of
                them, or `Finish`, came while the copy was made.
            Declined: `Finish` was the answer.
        """
        record = self.record
        if record is None or record.accepted:
            return False
        report = record.report
        # Of fewer than two clips nothing can be learned: what comes next ends the run.
        if self._attended() and report.harmful and report.usable > 1:
            answer = None
            while answer is not Continue:
                with self._timing_steps(record):
                    answer = self._answer(scan)
                if answer is CleanFirst and self._use_clean_copy(scan):
                    return True
        self._save(replace(self.record or record, accepted=True))
        return False

    def _use_clean_copy(self, scan: CorpusScan) -> bool:
        """Have the voice learn from the clean copy; say why, where none can be made."""

        def show(done: int, total: int) -> None:
            self._publisher.update(progress=Progress("making the clean copy", done, total))

        settings = self._voice.settings
        try:
            copy = clean_copy_beside(
                scan,
                self._voice.vocabulary,
                settings.limits,
                settings.audio,
                left_out=settings.left_out,
                on_progress=show,
                cancelled=lambda: must_end(self._inbox, self._publisher),
            )
        except Cancelled:
            raise
        except (VoicecoachError, OSError) as error:
            self._publisher.event(f"no clean copy: {error}", "error")
            return False
        self._voice.use_corpus(copy)
        self._publisher.event(f"training on the clean copy {copy}")
        return True

    def _key(self, scan: CorpusScan) -> str:
        settings = self._voice.settings
        key = corpus_key(scan, self._voice.vocabulary, settings.limits, settings.audio)
        return f"{key}-keep-errors" if settings.keep_errors else key

    def _attended(self) -> bool:
        return self._options.attended and self._inbox.find(ScreenDetached) is None

    def _check(self, key: str, scan: CorpusScan) -> CheckRecord:
        def show(done: int, total: int) -> None:
            self._publisher.update(progress=Progress("checking the recordings", done, total))

        settings = self._voice.settings
        self._measured = measure_corpus(
            scan,
            self._voice.vocabulary,
            settings.limits,
            settings.audio,
            on_progress=show,
            cancelled=lambda: must_end(self._inbox, self._publisher),
        )
        return self._judged(key, self._measured)

    def _judged(self, key: str, measured: Measured) -> CheckRecord:
        left_out, keep_errors = self._voice.settings.left_out, self._voice.settings.keep_errors
        found = judge(measured, keep_errors=keep_errors, left_out=left_out)
        return CheckRecord(key, found.report, False, found.shapes, left_out)

    def _save(self, record: CheckRecord) -> None:
        try:
            save_record(self._voice, record)
        except EngineError as error:
            self._publisher.event(f"{error} The next run will check the corpus again.", "warning")

    def _report(self, report: CheckReport) -> None:
        """Report the result of a check; where there is no screen, its errors as well."""
        attended = self._attended()
        text = f"corpus checked: {report.errors_sentence()}"
        if attended and report.findings:
            text += "; k shows what was found"
        elif report.findings:
            command = f"voicecoach check {shlex.quote(str(self._voice.dataset))}"
            text += f"; `{command}` lists what was found"
        serious = report.harmful and not attended
        self._publisher.event(text, "warning" if serious else "information")
        if attended:
            return
        errors = [finding for finding in report.findings if finding.severity == "error"]
        for finding in errors[:_MAX_NAMED]:
            self._publisher.event(_sentence(finding), "error")
        if len(errors) > _MAX_NAMED:
            more = f"and {len(errors) - _MAX_NAMED:,} more; see {self._voice.check_record}"
            self._publisher.event(more, "error")
        self.reported = frozenset(one.line for one in errors if one.line is not None)
        if report.with_errors:
            command = clean_command(self._voice.dataset, against=self._voice.folder)
            self._publisher.event(f"`{command}` makes a clean copy")

    def _answer(self, scan: CorpusScan) -> type[Continue | CleanFirst]:
        """Wait until the person has answered, or has gone, or the countdown has ended."""
        deadline: float | None = monotonic() + WAIT_SECONDS
        how, begins = "training on the usable clips", ""
        answer: type[Continue | CleanFirst] = Continue
        while not begins:
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                begins = f"no answer: {how}"
                break
            if is_budget_spent(self._inbox, self._publisher):
                raise Cancelled("The budget is used up.")
            seconds = None if left is None else math.ceil(left)
            self._publisher.beat()
            self._publisher.update(phase=Phase.CHECKED, seconds_to_start=seconds)
            # Until the number that is shown changes.
            timeout = _IDLE_SECONDS if left is None or seconds is None else left - seconds + 1
            match self._inbox.find(*_ANSWERS, seconds=timeout):
                case Interruption():
                    raise Cancelled("The machine is taken away.")
                case FolderGone():
                    raise Cancelled("The voice folder is gone.")
                case Finish():
                    raise Declined("The corpus was rejected.")
                case ScreenDetached():
                    # It stays in the inbox, for the trainer has to know it too.
                    begins = f"nobody is there to ask: {how}"
                case Continue() as command:
                    self._inbox.remove(command)
                    begins = how
                case CleanFirst() as command:
                    self._inbox.remove(command)
                    begins, answer = "cleaning the corpus first", CleanFirst
                case Hold() as command:
                    self._inbox.remove(command)
                    deadline = None
                case LeaveOut() | KeyPressed() as command:
                    self._inbox.remove(command)
                    deadline = deadline and monotonic() + WAIT_SECONDS
                    if isinstance(command, LeaveOut):
                        self._leave_out(command, scan)
        self._publisher.event(begins)
        self._publisher.update(phase=Phase.PREPARING, seconds_to_start=None)
        return answer

    @contextlib.contextmanager
    def _timing_steps(self, record: CheckRecord) -> Iterator[None]:
        """Time a few training steps in a thread, and add the estimate to the published report.

        Leaving the block cancels it and waits as long as a layer of a step takes: torch draws from
        one random state for all threads, and the steps need the device.
        """
        cancelled = threading.Event()

        def run() -> None:
            try:
                report = with_estimates(
                    record.report,
                    record.shapes,
                    self._request(),
                    on_progress=lambda done, total: None,
                    cancelled=cancelled.is_set,
                )
                if not cancelled.is_set():
                    self._estimates = report.estimates
                    self._publish()
            except Exception as error:
                _log.exception("training could not be timed")
                self._publisher.event(f"training could not be timed ({error})", "warning")
            finally:
                self._publisher.update(progress=None)

        thread = threading.Thread(target=run, name="estimate")
        self._publisher.update(progress=Progress("timing training steps", 0, 1))
        thread.start()
        try:
            yield
        finally:
            cancelled.set()
            thread.join()

    def _request(self) -> EstimateRequest:
        """What is to be trained, up to the stop, or the usual steps where that is no step."""
        settings, network, stop = self._voice.settings, self._options.network, self._options.stop
        steps = USUAL_STEPS[network]
        if isinstance(stop, StopRule) and stop.kind == "more steps":
            steps = int(stop.amount)
        elif isinstance(stop, StopRule) and stop.kind == "step":
            steps = max(1, int(stop.amount) - self._publisher.snapshot.step)
        return EstimateRequest(
            settings,
            steps={network: steps},
            device=self._options.device,
            price=settings.price or None,
            precision=self._options.precision,
            existing=specs_of(self._voice),
        )


def must_end(inbox: Inbox, publisher: Publisher) -> bool:
    """Whether a preparation must end: it was asked to, or the budget is used up."""
    return inbox.finish_requested() or is_budget_spent(inbox, publisher)


def is_budget_spent(inbox: Inbox, publisher: Publisher) -> bool:
    """Whether the budget is used up before the first step, at which a new one would be set."""
    snapshot, new = publisher.snapshot, inbox.newest(SetBudget)
    return 0 < (snapshot.budget if new is None else new.usd) <= snapshot.spent


def _sentence(finding: Finding) -> str:
    line = "" if finding.line is None else f"line {finding.line}: "
    subject = finding.clip_id or finding.file
    kind = finding.kind.replace("-", " ")
    return f"{line}{subject}{': ' if subject else ''}{kind}, {finding.figure}; {finding.advice}"
