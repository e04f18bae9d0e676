"""Trains without a screen: one readable line every few seconds, and what happens as it happens."""

import logging
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue

from rich.console import Console

from engine.order import TrainOrder
from engine.plain_files import whole_path
from engine.session import Session
from engine.snapshot import Event, Phase, Snapshot
from engine.stop import AlreadyThereError
from tui import wording
from tui.endings import sentence_about, sentence_about_end, sentence_about_rent
from tui.last_wait import LastWait
from tui.log_file import open_log
from tui.terminal import let_go_of_standard_streams
from tui.watch import Watch, exit_code

LOG = logging.getLogger(__name__)

_LOOK = 0.2
"""Seconds between two looks for something that happened."""
_EVERY = 5.0
"""Seconds from one line to the next."""


def train_headless(make_order: Callable[[], TrainOrder]) -> int:
    """Train as ordered, writing lines to standard output; return the exit code.

    A voice that is at its stop already is done, and no error: whatever starts a job again after
    its machine went away may do so once too often.

    Raises:
        InputError: the order cannot be carried out.
    """
    order = replace(make_order(), attended=False)
    try:
        session = Session(order)
    except AlreadyThereError as there:
        Lines().write(f"nothing to do: {there}")
        return 0
    log = open_log(order.voice_folder)
    lines = Lines()
    watch = Watch(session, lines)
    watch.handle_signals()
    session.start()
    watch.start()
    voice = shlex.quote(str(whole_path(order.voice_folder)))
    lines.write(f"a screen for it, from any terminal: voicecoach attach {voice}")
    last = _follow(session, lines)
    watch.closing.set()
    error = session.error
    if error is None:
        lines.write(sentence_about_end(last))
    else:
        LOG.error("training failed", exc_info=error)
        lines.complain(f"voicecoach: {sentence_about(error, log)}")
    rent = sentence_about_rent(last)
    if rent:
        lines.write(rent)
    return exit_code(error, interrupted=last.interrupted)


def _follow(session: Session, lines: "Lines") -> Snapshot:
    """Write what the session says until it has ended; return the last snapshot."""
    news, wait = News(), LastWait()
    next_line = time.monotonic()
    ended = False
    shown: str | None = None
    while True:
        snapshot = session.snapshot()
        for event in news.since(snapshot.events):
            lines.write(event_line(event))
        told = wait.look(snapshot, give_up="another signal")
        if told:
            lines.write(told)
        lines.write_kept()
        if time.monotonic() >= next_line or snapshot.phase is Phase.STOPPED:
            next_line = time.monotonic() + _EVERY
            text = line_about(snapshot)
            if text != shown:
                lines.write(f"{datetime.now():%H:%M:%S}  {text}")
                shown = text
        if ended:
            return snapshot
        # One more look after the end, for what the engine said last.
        ended = session.join(_LOOK)


class News:
    """Tells which events have not been told yet."""

    def __init__(self) -> None:
        self._last: Event | None = None

    def since(self, events: tuple[Event, ...]) -> Iterator[Event]:
        """Yield the events after the last one yielded, oldest first."""
        start = 0
        for index in range(len(events) - 1, -1, -1):
            if events[index] is self._last:
                start = index + 1
                break
        for event in events[start:]:
            self._last = event
            yield event


class _Pipe(Console):
    """A console that reports a reader who has gone, instead of ending the program."""

    def on_broken_pipe(self) -> None:
        """Leave it to the caller."""
        raise BrokenPipeError("the pipe has no reader")


class Lines:
    """Standard output and standard error, which may close, stall or hang up at any time."""

    def __init__(self) -> None:
        options = {"markup": False, "highlight": False, "emoji": False, "soft_wrap": True}
        self._out = _Pipe(file=sys.stdout, **options)  # type: ignore[arg-type]
        self._errors = _Pipe(file=sys.stderr, **options)  # type: ignore[arg-type]
        self._kept: SimpleQueue[str] = SimpleQueue()

    lost = False
    """Lines that nobody reads do no harm."""
    takes_output = True
    """Nobody is waited for because of them either."""

    def write(self, text: str) -> None:
        """Write a line to standard output."""
        self._print(self._out, text)

    def complain(self, text: str) -> None:
        """Write a line to standard error."""
        self._print(self._errors, text)

    def tell(self, text: str) -> None:
        """Keep a sentence until the main thread writes it: writing could keep the watch waiting."""
        self._kept.put(text)

    def write_kept(self) -> None:
        """Write what was told since the last time."""
        while not self._kept.empty():
            self.write(self._kept.get())

    def close(self) -> None:
        """Do nothing: the lines end with the engine."""

    def let_go(self) -> None:
        """Write nowhere from now on."""
        let_go_of_standard_streams()

    def _print(self, console: Console, text: str) -> None:
        try:
            console.print(wording.printable(text))
            console.file.flush()
        except (OSError, ValueError) as error:
            LOG.warning("nobody reads the lines any more (%s); training goes on", error)
            let_go_of_standard_streams()


def event_line(event: Event) -> str:
    """Write an event with its time, and with its severity where it has one."""
    mark = "" if event.severity == "information" else f"{event.severity}: "
    return f"{datetime.fromtimestamp(event.time):%H:%M:%S}  {mark}{event.text}"


def line_about(snapshot: Snapshot) -> str:
    """Say where the run stands, in one line."""
    if snapshot.phase.before_steps:
        progress = snapshot.progress
        if progress is None:
            return "preparing"
        return f"preparing: {progress.what}, {progress.done:,} of {progress.total:,}"
    parts = [*_spot(snapshot), _where(snapshot), *_losses(snapshot)]
    if snapshot.learning_rate is not None:
        lowered = wording.lowered(snapshot.rate_factor)
        parts.append(f"lr {wording.learning_rate(snapshot.learning_rate)} {lowered}".rstrip())
    if snapshot.skipped:
        parts.append(f"{snapshot.skipped:,} steps skipped")
    if snapshot.steps_per_second:
        parts.append(wording.speed(snapshot.steps_per_second))
    parts.extend(_stop(snapshot))
    if snapshot.price > 0:
        price = wording.price(snapshot.price, snapshot.price_source)
        parts.append(f"spent {wording.dollars(snapshot.spent)} at {price}")
    parts.extend(_mirror(snapshot))
    return "  ".join(parts)


def _spot(snapshot: Snapshot) -> Iterator[str]:
    notice = snapshot.spot_notice
    if notice is not None and notice.deadline is not None and not snapshot.phase.ended:
        left = wording.countdown(notice.deadline - time.time()).strip()
        yield f"{wording.printable(notice.text)} in {left}:"


def _mirror(snapshot: Snapshot) -> Iterator[str]:
    mirror = snapshot.mirror
    if mirror is not None and mirror.unnamed:
        yield "nothing is copied to a mirror"
    elif mirror is not None:
        safe = "nothing" if mirror.safe_step is None else f"step {mirror.safe_step:,}"
        yield f"{safe} safe in the mirror{', which is behind' if mirror.trouble else ''}"


def _where(snapshot: Snapshot) -> str:
    own = snapshot.step - snapshot.base_step
    base = f" ({own:,} since base {snapshot.base_step:,})" if snapshot.base_step else ""
    phase = "" if snapshot.phase is Phase.TRAINING else f"{snapshot.phase_words}  "
    if snapshot.wait_ends_at is not None:
        at = wording.clock(datetime.fromtimestamp(snapshot.wait_ends_at))
        phase = f"{snapshot.phase_words}, ends at {at} unless a key is pressed  "
    return f"{phase}step {snapshot.step:,}{base}"


def _losses(snapshot: Snapshot) -> Iterator[str]:
    losses = snapshot.losses
    if losses is not None:
        parts = f"l1 {wording.loss(losses.l1)}, bd {wording.loss(losses.divergence)}"
        if losses.attention is not None:
            parts += f", att {wording.loss(losses.attention)}"
        yield f"loss {wording.loss(losses.total)} ({parts})"
    if snapshot.held_out is not None:
        yield f"held-out {wording.loss(snapshot.held_out)}"


def _stop(snapshot: Snapshot) -> Iterator[str]:
    if snapshot.end_point is None:
        return
    asked = f"stop at {snapshot.stop_text}"
    if snapshot.budget_comes_first:
        asked = f"budget {wording.dollars(snapshot.budget)}"
    elif snapshot.stop is not None and snapshot.stop.step is not None:
        asked = f"stop at {snapshot.stop.step:,}"
    left = snapshot.seconds_to_stop
    if left is None or snapshot.phase.ended:
        yield asked
    else:
        when = wording.arrival(datetime.now(), left)
        yield f"{asked} · {when} (in {wording.duration(left)})"
