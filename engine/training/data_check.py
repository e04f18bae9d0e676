"""The check before training: what it finds is shown while there is still nothing to pay for."""

import contextlib
import hashlib
import json
import logging
import math
import shlex
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from time import monotonic

from engine.check.report import USUAL_STEPS, CheckReport, Finding
from engine.check.survey import survey
from engine.checkpoints.state import specs_of
from engine.data.clips import RECORDINGS, ClipShape, CorpusScan
from engine.errors import Cancelled, Declined, EngineError, InputError
from engine.files import read_plain, write_whole
from engine.formatting import plural
from engine.machine.cloud.machine import Interruption
from engine.run.commands import Continue, Finish, FolderGone, Hold, Inbox, ScreenDetached
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Progress
from engine.run.stop import StopRule
from engine.serialization import from_json
from engine.training.throughput import EstimateRequest, with_estimates
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

WAIT_SECONDS = 60
"""How long a person at the screen may read before training begins without an answer: a machine
that is paid by the hour must not wait for nobody."""

# Errors that are reported one by one where there is no screen.
_MAX_NAMED = 8
# Seconds between two checks of the inbox while no countdown runs.
_IDLE_SECONDS = 5.0
_ANSWERS = (Continue, Hold, Finish, ScreenDetached, Interruption, FolderGone)
# Part of every key: raise it when the checks find something else in the same corpus.
_FORMAT = 1
# More than the report of any corpus has; a file that is longer is none.
_MAX_BYTES = 2**26


@dataclass(frozen=True, slots=True)
class CheckRecord:
    """`check.json`: the check of a corpus, so that a run that resumes need not check again."""

    key: str
    """`corpus_key` of the corpus when it was checked."""
    report: CheckReport
    accepted: bool
    """Whether there was nothing to ask, or the answer was to train."""
    shapes: tuple[ClipShape, ...] = ()
    """Of the usable clips, to estimate what training on them takes."""


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
        self.reported: frozenset[int] = frozenset()
        """Lines of `metadata.csv` whose errors were reported one by one."""

    def run(self, scan: CorpusScan) -> None:
        """Check the corpus unless that was done, and publish the report.

        Raises:
            Cancelled: `Finish` came meanwhile, or the cloud takes the machine away.
        """
        try:
            key = corpus_key(self._voice, scan)
            self.record = load_record(self._voice, key)
            checked_now = self.record is None
            if self.record is None:
                self.record = self._check(key, scan)
                self._save(self.record)
        except Cancelled:
            raise
        except Exception as error:
            _log.exception("the check failed")
            self._publisher.event(
                f"the corpus could not be checked ({error}): training on it as it is", "error"
            )
            return
        self._publisher.update(check=self.record.report)
        if checked_now:
            self._report(self.record.report)

    def wait_for_answer(self) -> None:
        """Wait for a person at a screen where the corpus has errors and nobody has agreed yet.

        `Continue` begins, `Hold` stops the countdown, and without an answer training begins.
        Meanwhile a few steps are timed to estimate what training would take.

        Raises:
            Cancelled: the cloud takes the machine away, or the voice folder is gone.
            Declined: `Finish` was the answer.
        """
        record = self.record
        if record is None or record.accepted:
            return
        report = record.report
        # Of fewer than two clips nothing can be learned: what comes next ends the run.
        if self._attended() and report.harmful and report.usable > 1:
            with self._timing_steps(record):
                self._await_answer()
        self._save(replace(record, accepted=True))

    def _attended(self) -> bool:
        return self._options.attended and self._inbox.find(ScreenDetached) is None

    def _check(self, key: str, scan: CorpusScan) -> CheckRecord:
        def show(done: int, total: int) -> None:
            self._publisher.update(progress=Progress("checking the recordings", done, total))

        settings = self._voice.settings
        found = survey(
            scan,
            self._voice.vocabulary,
            settings.limits,
            settings.audio,
            on_progress=show,
            cancelled=self._inbox.finish_requested,
        )
        return CheckRecord(key, found.report, accepted=False, shapes=found.shapes)

    def _save(self, record: CheckRecord) -> None:
        try:
            save_record(self._voice, record)
        except EngineError as error:
            self._publisher.event(f"{error} The next run will check the corpus again.", "warning")

    def _report(self, report: CheckReport) -> None:
        """Report the result of a check; where there is no screen, its errors as well."""
        attended = self._attended()
        counts = report.counts()
        found = f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}"
        text = f"corpus checked: {_count(report.usable, 'clip')}, {found}"
        if report.findings:
            command = f"`voicecoach check {shlex.quote(str(self._voice.dataset))}` lists them"
            text += "; k shows them" if attended else f"; {command}"
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

    def _await_answer(self) -> None:
        """Wait until the person has answered, or has gone, or the countdown has ended."""
        deadline: float | None = monotonic() + WAIT_SECONDS
        begins = ""
        while not begins:
            left = None if deadline is None else deadline - monotonic()
            if left is not None and left <= 0:
                begins = "no answer: training on the usable clips"
                break
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
                    begins = "nobody is there to ask: training on the usable clips"
                case Continue() as answer:
                    self._inbox.remove(answer)
                    begins = "training on the usable clips"
                case Hold() as answer:
                    self._inbox.remove(answer)
                    deadline = None
        self._publisher.event(begins)
        self._publisher.update(phase=Phase.PREPARING, seconds_to_start=None)

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
                    self._publisher.update(check=report)
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


def corpus_key(voice: Voice, scan: CorpusScan) -> str:
    """Return a hash of all that a check depends on.

    These are the bytes of the list; names, sizes and times of the recordings, as reading them all
    takes minutes where they are many; and the voice's symbols, cleaner, limits and audio constants.
    Raises `OSError` where a recording has gone meanwhile.
    """
    settings, folder = voice.settings, scan.dataset / RECORDINGS
    stats = ((str(path.relative_to(folder)), path.lstat()) for path in scan.files)
    files = [(name, stat.st_size, stat.st_mtime_ns) for name, stat in stats]
    described = {
        "format": _FORMAT,
        "symbols": settings.symbols,
        "cleaner": settings.cleaner,
        "limits": asdict(settings.limits),
        "audio": asdict(settings.audio),
        "recordings": sorted(files),
    }
    return hashlib.sha256(scan.content + json.dumps(described).encode()).hexdigest()


def load_record(voice: Voice, key: str) -> CheckRecord | None:
    """Return the record of a corpus; None where there is none, or a damaged one, of this key."""
    try:
        raw = read_plain(voice.check_record, _MAX_BYTES)
        record = from_json(raw, CheckRecord, voice.check_record)
    except (OSError, InputError):
        return None
    if record.key != key:
        return None
    # A corpus that moved along with its voice is named by the place where it is.
    return replace(record, report=replace(record.report, dataset=str(voice.dataset)))


def save_record(voice: Voice, record: CheckRecord) -> None:
    """Write a record in place of the one before, or raise `EngineError`."""
    content = {**asdict(record), "report": record.report.as_json()}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    voice.locate()
    write_whole(voice.check_record, text.encode(errors="backslashreplace"), make_folders=False)


def _count(number: int, noun: str) -> str:
    return plural(number, noun) if number else f"no {noun}s"


def _sentence(finding: Finding) -> str:
    line = "" if finding.line is None else f"line {finding.line}: "
    subject = finding.clip_id or finding.file
    kind = finding.kind.replace("-", " ")
    return f"{line}{subject}{': ' if subject else ''}{kind}, {finding.figure}; {finding.advice}"
