"""Trains without a screen: one readable line every few seconds, and what happens as it happens."""

import contextlib
import io
import logging
import os
import select
import shlex
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from queue import SimpleQueue
from typing import TextIO

from engine.files import absolute_path
from engine.run.options import TrainOptions
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import AlreadyThereError
from engine.session import Session
from tui import formatting as wording
from tui.process.endings import sentence_about, sentence_about_end, sentence_about_rent
from tui.process.last_wait import LastWait
from tui.process.log_file import open_log
from tui.process.signals import Watch, exit_code
from tui.process.terminal import let_go_of_standard_streams

LOG = logging.getLogger(__name__)

_LOOK = 0.2
"""Seconds between two looks for something that happened."""
_EVERY = 5.0
"""Seconds from one line to the next."""


def train_headless(make_options: Callable[[], TrainOptions], first_line: str = "") -> int:
    """Train as ordered, writing lines to standard output; return the exit code.

    A voice that is at its stop already is done, and no error: whatever starts a job again after
    its machine went away may do so once too often.

    Args:
        make_options: makes the order, and may prepare files for it.
        first_line: is written before that.

    Raises:
        InputError: the order cannot be carried out.
    """
    if first_line:
        Lines().write(first_line)
    options = replace(make_options(), attended=False)
    try:
        session = Session(options)
    except AlreadyThereError as there:
        Lines().write(f"nothing to do: {there}")
        return 0
    log = open_log(options.voice_folder)
    lines = Lines()
    watch = Watch(session, lines)
    watch.handle_signals()
    session.start()
    watch.start()
    voice = shlex.quote(str(absolute_path(options.voice_folder)))
    lines.write(f"a screen for it, from any terminal: voicecoach attach {voice}")
    last = _follow(session, lines)
    error = session.error
    if error is None:
        lines.write(sentence_about_end(last))
    else:
        LOG.error("training failed", exc_info=error)
        lines.print_error(f"voicecoach: {sentence_about(error, log)}")
    rent = sentence_about_rent(last)
    if rent:
        lines.write(rent)
    watch.close()
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


class _Stream:
    """A standard stream, written to without a buffer.

    What it does not take is dropped: it neither fills the memory nor appears late or twice.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        self._name = name
        self._stream = stream
        self._torn = False
        self._trouble = ""
        self._dropped = 0

    def write(self, line: str) -> None:
        """Write a line, or drop it; the log says when that begins, and when lines arrive again."""
        try:
            self._put(line)
        except (OSError, ValueError) as error:
            self._dropped += 1
            trouble = getattr(error, "strerror", None) or str(error)
            if trouble != self._trouble:
                LOG.warning(
                    "%s cannot be written (%s): lines are dropped until it can; training goes on",
                    self._name,
                    trouble,
                )
            self._trouble = trouble
        else:
            if self._trouble:
                LOG.info("%s is written again; %d lines are missing", self._name, self._dropped)
            self._trouble, self._dropped = "", 0

    def _put(self, line: str) -> None:
        try:
            descriptor = self._stream.fileno()
        except io.UnsupportedOperation:
            print(line, file=self._stream, flush=True)
            return
        # A line that was cut off does not swallow the next one.
        text = "\n" * self._torn + line + "\n"
        content = text.encode(self._stream.encoding or "utf-8", "backslashreplace")
        while content:
            content = content[os.write(descriptor, content) :]
            self._torn = bool(content)


class Lines:
    """Standard output and standard error, which may be full, closed or hung up at any time."""

    def __init__(self) -> None:
        self._out = _Stream("standard output", sys.stdout)
        self._errors = _Stream("standard error", sys.stderr)
        self._kept: SimpleQueue[str] = SimpleQueue()

    lost = False
    """Lines that nobody reads do no harm."""
    keeps_failures = False
    """Lines stay where they are."""
    takes_output = True
    """Nobody is waited for because of them either."""

    def write(self, text: str) -> None:
        """Write a line to standard output."""
        self._out.write(wording.printable(text))

    def print_error(self, text: str) -> None:
        """Write a line to standard error."""
        self._errors.write(wording.printable(text))

    def tell(self, text: str) -> None:
        """Keep a sentence until the main thread writes it: writing could keep the watch waiting."""
        self._kept.put(text)

    def write_kept(self) -> None:
        """Write what was told since the last time."""
        while not self._kept.empty():
            self.write(self._kept.get())

    def close(self) -> None:
        """Do nothing: the lines end with the engine."""

    def let_go(self, last_words: str = "") -> None:
        """Say last words where that needs no waiting; then write nowhere but into files."""
        if last_words and select.select([], [2], [], 0)[1]:
            with contextlib.suppress(OSError):
                os.write(2, f"{wording.printable(last_words)}\n".encode())
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
