"""The check before training: what it finds is shown while there is still nothing to pay for."""

import logging
import math
import shlex
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

from engine.check.report import CheckReport, Finding
from engine.check.survey import check_corpus
from engine.data.clips import Clip
from engine.errors import Cancelled, Declined, EngineError
from engine.machine.cloud.news import Interruption
from engine.run.commands import Continue, Finish, FolderGone, Hold, Inbox, ScreenDetached
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Progress
from engine.training.check_record import CheckRecord, corpus_key, load_record, save_record
from engine.training.estimating import Estimating
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

WAIT_SECONDS = 60
"""How long a person at the screen may read before training begins without an answer: a machine
that is paid by the hour must not wait for nobody."""

# Errors that are told one by one where there is no screen.
_MAX_NAMED = 8
# Seconds between looks at the inbox while no countdown runs.
_IDLE_SECONDS = 5.0


def check_before_training(
    options: TrainOptions, voice: Voice, clips: Sequence[Clip], publisher: Publisher, inbox: Inbox
) -> frozenset[int]:
    """Check the corpus unless that was done, show the report, and wait where it has errors.

    The wait is for a person at a screen: `Continue` begins, `Hold` stops the countdown, and without
    an answer training begins on the usable `clips`. Meanwhile it is estimated what training on
    them would take. Without a screen nothing is waited for, and errors are told as lines.

    Returns:
        The lines of `metadata.csv` about which errors were told.

    Raises:
        Cancelled: `Finish` came while the recordings were being checked, or the cloud takes the
            machine away.
        Declined: `Finish` was the answer to what was found.
    """
    record, fresh = _record_of(voice, publisher, inbox)
    if record is None:
        return frozenset()
    report = record.report
    publisher.update(check=report)
    attended = options.attended and inbox.next_of((ScreenDetached,), 0) is None
    told: frozenset[int] = frozenset()
    if fresh:
        _tell(voice, publisher, report, attended=attended)
        if not attended:
            told = _tell_errors(voice, publisher, report)
    # Of fewer than two clips nothing can be learned: what comes next says so, and ends the run.
    if attended and report.harmful and report.usable > 1 and not record.accepted:
        with Estimating(options, voice.settings, clips, publisher):
            _await_answer(publisher, inbox)
    if not record.accepted:
        _keep(voice, publisher, replace(record, accepted=True))
    return told


def _record_of(voice: Voice, publisher: Publisher, inbox: Inbox) -> tuple[CheckRecord | None, bool]:
    """The record of the corpus as it is, and whether it was made just now.

    None where the check itself failed: that is told, and costs no training.
    """
    try:
        key = corpus_key(voice)
        known = load_record(voice, key)
        if known is not None:
            return known, False
        record = CheckRecord(key, _check(voice, publisher, inbox), accepted=False)
    except Cancelled:
        raise
    except Exception as error:
        _log.exception("the check failed")
        publisher.event(
            f"the corpus could not be checked ({error}): it is trained on as it is", "error"
        )
        return None, False
    _keep(voice, publisher, record)
    return record, True


def _check(voice: Voice, publisher: Publisher, inbox: Inbox) -> CheckReport:
    def show(done: int, total: int) -> None:
        publisher.update(progress=Progress("checking the recordings", done, total))

    settings = voice.settings
    return check_corpus(
        voice.dataset,
        voice.vocabulary,
        settings.limits,
        settings.audio,
        on_progress=show,
        cancelled=inbox.finish_requested,
    )


def _keep(voice: Voice, publisher: Publisher, record: CheckRecord) -> None:
    try:
        save_record(voice, record)
    except EngineError as error:
        publisher.event(f"{error} The next run will check the corpus again.", "warning")


def _tell(voice: Voice, publisher: Publisher, report: CheckReport, *, attended: bool) -> None:
    counts = report.counts()
    found = f"{_count(counts['error'], 'error')}, {_count(counts['warning'], 'warning')}"
    text = f"corpus checked: {_count(report.usable, 'clip')}, {found}"
    if report.findings:
        check = f"`voicecoach check {shlex.quote(str(voice.dataset))}` lists them"
        text += "; k shows them" if attended else f"; {check}"
    # A screen shows the errors themselves.
    publisher.event(text, "warning" if report.harmful and not attended else "information")


def _count(number: int, noun: str) -> str:
    return f"1 {noun}" if number == 1 else f"{number:,} {noun}s" if number else f"no {noun}s"


def _tell_errors(voice: Voice, publisher: Publisher, report: CheckReport) -> frozenset[int]:
    errors = [finding for finding in report.findings if finding.severity == "error"]
    for finding in errors[:_MAX_NAMED]:
        publisher.event(_line_about(finding), "error")
    if len(errors) > _MAX_NAMED:
        more = f"and {len(errors) - _MAX_NAMED:,} more; {voice.check_record} lists them all"
        publisher.event(more, "error")
    return frozenset(finding.line for finding in errors if finding.line is not None)


def _line_about(finding: Finding) -> str:
    line = "" if finding.line is None else f"line {finding.line}: "
    about = finding.clip_id or finding.file
    kind = finding.kind.replace("-", " ")
    return f"{line}{about}{': ' if about else ''}{kind}, {finding.figure}; {finding.advice}"


def _await_answer(publisher: Publisher, inbox: Inbox) -> None:
    """Wait until the person has made up their mind, or has gone, or the countdown has ended.

    Raises:
        Declined: they do not want to train.
        Cancelled: the cloud takes the machine away, or the voice folder is gone.
    """
    deadline: float | None = monotonic() + WAIT_SECONDS
    seconds: int | None = WAIT_SECONDS
    while seconds is None or seconds > 0:
        publisher.beat()
        publisher.update(phase=Phase.CHECKED, seconds_to_start=seconds)
        patience = _IDLE_SECONDS
        if deadline is not None and seconds is not None:
            # Until the number that is shown changes.
            patience = max(0.0, deadline - monotonic() - (seconds - 1))
        kinds = (Continue, Hold, Finish, ScreenDetached, Interruption, FolderGone)
        answer = inbox.next_of(kinds, patience)
        match answer:
            case Interruption():
                raise Cancelled("The machine is taken away.")
            case FolderGone():
                raise Cancelled("The voice folder is gone.")
            case Finish():
                raise Declined("The corpus was not to be trained on.")
            case ScreenDetached():
                # It stays in the inbox, for the trainer has to know it too.
                publisher.event("nobody is there to ask: training begins on the usable clips")
                break
            case Continue():
                inbox.take_out(answer)
                publisher.event("training begins on the usable clips")
                break
            case Hold():
                inbox.take_out(answer)
                deadline = None
        seconds = None if deadline is None else math.ceil(deadline - monotonic())
    else:
        publisher.event("nobody answered: training begins on the usable clips")
    publisher.update(phase=Phase.PREPARING, seconds_to_start=None)
