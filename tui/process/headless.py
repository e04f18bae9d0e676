"""Trains without a screen: one readable line every few seconds, and events as they happen."""

import logging
import select
import shlex
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue

from engine.choices import NETWORK_TITLES
from engine.files import absolute_path
from engine.formatting import duration, plural, printable
from engine.run.options import TrainOptions
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import AlreadyThereError
from engine.session import Session
from tui import formatting
from tui.process.endings import LastWait, describe_outcome, describe_rent, events_after, next_lines
from tui.process.logs import open_log
from tui.process.signals import SignalWatch, exit_code
from tui.process.streams import OutputError, let_go_of_standard_streams

LOG = logging.getLogger(__name__)

_POLL_SECONDS = 0.2
_LINE_SECONDS = 5.0


def train_headless(
    make_options: Callable[[], TrainOptions],
    first_line: str = "",
    on_signals: Callable[[], None] = lambda: None,
) -> int:
    """Train, writing lines to standard output; return the exit code.

    A voice that is at its stop already is done, and no error: whatever starts a job again after
    its machine went away may do so once too often.

    `first_line` is written before `make_options`, which may prepare files, is called, and
    `on_signals` is called once a signal to end saves first.

    Raises:
        InputError: the options cannot be used.
    """
    lines = Lines()
    if first_line:
        lines.write(first_line)
    options = replace(make_options(), attended=False)
    try:
        session = Session(options)
    except AlreadyThereError as there:
        lines.write(f"nothing to do: {there}")
        return 0
    log = open_log(options.voice_folder, options.notify)
    watch = SignalWatch(session, lines)
    watch.handle_signals()
    on_signals()
    session.start()
    watch.start()
    voice = shlex.quote(str(absolute_path(options.voice_folder)))
    lines.write(f"to open its screen, in any terminal: voicecoach attach {voice}")
    last = _follow(session, lines)
    how = describe_outcome(session.error, last, log)
    if session.error is None:
        lines.write(how)
    else:
        sys.stderr.write(f"{printable(how)}\n")
    if rent := describe_rent(last):
        lines.write(rent)
    for line in next_lines(last):
        lines.write(line)
    watch.close()
    return exit_code(session.error, interrupted=last.interrupted)


def _follow(session: Session, lines: "Lines") -> Snapshot:
    """Write what the session reports until it has ended; return the last snapshot."""
    known: Event | None = None
    wait = LastWait()
    next_line = time.monotonic()
    ended, shown = False, [""]
    while True:
        snapshot = session.snapshot()
        for event in events_after(known, snapshot.events):
            lines.write(event_line(event))
        known = snapshot.events[-1] if snapshot.events else known
        if waiting := wait.report(snapshot, skip_with="a signal"):
            lines.write(waiting)
        lines.write_queued()
        if time.monotonic() >= next_line or snapshot.phase is Phase.STOPPED:
            next_line = time.monotonic() + _LINE_SECONDS
            text = [line_about(one, named=len(snapshot.both) > 1) for one in _moving(snapshot)]
            if text != shown:
                lines.write(*(f"{datetime.now():%H:%M:%S}  {one}" for one in text))
                shown = text
        if ended:
            return snapshot
        # Once more after the end, for what the engine reported last.
        ended = session.join(_POLL_SECONDS)


def _moving(snapshot: Snapshot) -> Sequence[Snapshot]:
    """What there is to say something new of: one at its stop waits for the other in silence."""
    return [one for one in snapshot.both if one.phase is not Phase.AT_STOP] or snapshot.both


class Lines:
    """Standard output and standard error, which may be full, closed or hung up at any time."""

    lost = keeps_failures = False
    takes_output = True
    """Nobody is waited for because of lines that nobody reads."""

    def __init__(self) -> None:
        self._queue: SimpleQueue[str] = SimpleQueue()
        self._trouble = ""

    def write(self, *texts: str) -> None:
        """Write lines, or drop them; the log says when that begins, and when it ends."""
        trouble = ""
        try:
            sys.stdout.write("".join(f"{printable(text)}\n" for text in texts))
            sys.stdout.flush()
        except OutputError as error:
            trouble = str(error)
        if trouble and trouble != self._trouble:
            LOG.warning("dropping lines: %s", trouble)
        elif self._trouble and not trouble:
            LOG.info("standard output is written again")
        self._trouble = trouble

    def tell(self, text: str) -> None:
        """Queue a sentence for the main thread: writing it could keep the watch waiting."""
        self._queue.put(text)

    def write_queued(self) -> None:
        """Write what was queued by `tell`."""
        while not self._queue.empty():
            self.write(self._queue.get())

    def close(self) -> None:
        """Do nothing: the lines end with the engine."""

    def let_go(self, last_words: str = "") -> None:
        """Say last words where that needs no waiting; then write nowhere but into files."""
        if last_words and select.select([], [2], [], 0)[1]:
            sys.stderr.write(f"{printable(last_words)}\n")
        let_go_of_standard_streams()


def event_line(event: Event) -> str:
    """Write an event with its time, and with its severity where it has one."""
    mark = "" if event.severity == "information" else f"{event.severity}: "
    return f"{datetime.fromtimestamp(event.time):%H:%M:%S}  {mark}{event.text}"


def line_about(snapshot: Snapshot, *, named: bool = False) -> str:
    """Describe the state of the run in one line; `named`, which network it is about."""
    name = f"{NETWORK_TITLES[snapshot.network]}: " if named else ""
    return name + "  ".join(_parts_about(snapshot))


def _parts_about(snapshot: Snapshot) -> list[str]:
    if snapshot.phase.before_steps:
        return [_preparation(snapshot), *_spend(snapshot)]
    parts = [*_spot(snapshot), _position(snapshot), *_losses(snapshot)]
    if snapshot.learning_rate is not None:
        factor = formatting.rate_factor(snapshot.rate_factor)
        parts.append(f"lr {formatting.learning_rate(snapshot.learning_rate)} {factor}".rstrip())
    if snapshot.skipped:
        parts.append(f"{plural(snapshot.skipped, 'step')} skipped")
    if snapshot.warm_up:
        parts.append(snapshot.warm_up)
    elif snapshot.steps_per_second:
        parts.append(formatting.speed(snapshot.steps_per_second))
    parts.extend(_stop(snapshot))
    parts.extend(_spend(snapshot))
    parts.extend(_mirror(snapshot))
    return parts


def _preparation(snapshot: Snapshot) -> str:
    progress = snapshot.progress
    if progress is None:
        return "preparing"
    return f"preparing: {progress.what}, {progress.done:,} of {progress.total:,}"


def _spend(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.price > 0:
        price = formatting.price(snapshot.price, snapshot.price_source)
        yield f"spent {formatting.dollars(snapshot.spent)} at {price}"


def _spot(snapshot: Snapshot) -> Iterator[str]:
    notice = snapshot.spot_notice
    if notice is not None and notice.deadline is not None and not snapshot.phase.ended:
        left = formatting.countdown(notice.deadline - time.time()).strip()
        yield f"{printable(notice.text)} in {left}:"


def _mirror(snapshot: Snapshot) -> Iterator[str]:
    mirror = snapshot.mirror
    if mirror is not None and mirror.unused:
        yield "nothing is copied to a mirror"
    elif mirror is not None:
        step = mirror.safe_step
        safe = "nothing sent to the mirror yet" if step is None else f"step {step:,} in the mirror"
        yield f"{safe}{', which is behind' if mirror.trouble else ''}"


def _position(snapshot: Snapshot) -> str:
    own = snapshot.step - snapshot.base_step
    base = f" ({own:,} since base {snapshot.base_step:,})" if snapshot.base_step else ""
    phase = "" if snapshot.phase is Phase.TRAINING else f"{snapshot.phase_words}  "
    if snapshot.wait_ends_at is not None:
        at = formatting.clock(snapshot.wait_ends_at)
        phase = f"{snapshot.phase_words}, ends at {at} unless a key is pressed  "
    return f"{phase}step {snapshot.step:,}{base}"


def _losses(snapshot: Snapshot) -> Iterator[str]:
    losses = snapshot.losses
    if losses is not None:
        parts = f"L1 {formatting.loss(losses.l1)}, div {formatting.loss(losses.divergence)}"
        if losses.attention is not None:
            parts += f", att {formatting.loss(losses.attention)}"
        yield f"loss {formatting.loss(losses.total)} ({parts})"
    if snapshot.held_out is not None:
        yield f"held-out {formatting.loss(snapshot.held_out)}"


def _stop(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.end_point is None:
        return
    stop = f"stop at {snapshot.stop_text}"
    if snapshot.budget_comes_first:
        stop = f"budget {formatting.dollars(snapshot.budget)}"
    elif snapshot.stop is not None and snapshot.stop.step is not None:
        stop = f"stop at {snapshot.stop.step:,}"
    left = snapshot.seconds_to_stop
    if left is None or snapshot.phase.ended:
        yield stop
    else:
        now, at = datetime.now(), snapshot.end_point.at
        when = f" · {formatting.arrival(now, left)}"
        if at is not None:
            stop, when = f"stop at {formatting.clock_stop(at, now)}", ""
        yield f"{stop}{when} (in {duration(left)})"
