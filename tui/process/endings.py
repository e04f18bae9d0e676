"""How a command ends: why its screen closed, and the last lines on the terminal."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from engine.choices import NETWORK_TITLES
from engine.errors import InputError, explain
from engine.formatting import plural, printable
from engine.jobs.demo import next_commands
from engine.run.evaluation import Notice
from engine.run.snapshot import Event, Snapshot
from engine.run.stop import read_stored_stop
from engine.voice.folder import Voice
from tui import formatting

LOG = logging.getLogger(__name__)

Closed = Literal["end", "keep training", "hung up", "crashed"]
"""Why a screen closed: the run has ended or is to, or goes on without it; its terminal is gone, or
it failed."""

_Event = TypeVar("_Event", Event, Notice)

_REPEAT_SECONDS = 30.0
"""From one sentence to the next about the same wait."""


def describe_outcome(error: BaseException | None, last: Snapshot, log: Path) -> str:
    """Say how a run ended; an error goes to the log in full."""
    if error is None:
        LOG.info("training ended at step %d", last.step)
        return describe_end(last)
    LOG.error("training failed", exc_info=error)
    return f"voicecoach: {explain(error, log)}"


def describe_end(last: Snapshot) -> str:
    """Say where a run that ended as asked was saved, and how to continue it."""
    again = last.command_to_continue
    if last.checkpoint_step is None:
        if not Voice.exists(last.voice_folder):
            return "nothing was trained; fix the recordings and run the same command again"
        saved, how = "ended before the first step", "to start again"
    else:
        saved, how = f"saved at {_saved(last)}", f"to continue{_to_its_stop(last)}"
    because = f"{last.ended_because}, so the run ended: " if last.ended_because else ""
    if last.budget_is_used_up:
        budget, spent = formatting.dollars(last.budget), formatting.dollars(last.spent)
        return (
            f"{because}the budget of {budget} is used up ({spent} spent); {saved}; "
            f"to go on with a larger one: {again} --budget AMOUNT"
        )
    return f"{_interruption(last)}{because}{saved}; {how}: {again}"


def describe_rent(last: Snapshot) -> str:
    """Say what the machine costs after a run; empty where that is not known."""
    # A machine that its cloud takes away costs nothing for long.
    if last.price <= 0 or last.interrupted:
        return ""
    idle = f" ({formatting.dollars(last.idle_usd)} idle)" if last.idle_usd >= 0.01 else ""
    return (
        f"spent {formatting.dollars(last.spent)}{idle}; the machine still costs "
        f"{formatting.price(last.price)} until you stop it"
    )


def _saved(last: Snapshot) -> str:
    """The steps that are saved: `step 10,040`, `step 10,040 (Text2Mel) and 8,010 (SSRN)`."""
    if last.other is None:
        return f"step {last.checkpoint_step:,}"
    steps = [
        f"{one.checkpoint_step or one.step:,} ({NETWORK_TITLES[one.network]})" for one in last.both
    ]
    return f"step {' and '.join(steps)}"


def _to_its_stop(last: Snapshot) -> str:
    try:
        stops = [(one, read_stored_stop(last.voice_folder / one.network)) for one in last.both]
    except InputError:
        # The next run says so, and asks for a stop.
        return ""
    words = [
        stop.point.words
        if last.other is None
        else f"{stop.point.words} ({NETWORK_TITLES[one.network]})"
        for one, stop in stops
        if stop is not None and stop.point.step != one.checkpoint_step
    ]
    return f" to its stop at {' and '.join(words)}" if words else ""


def _interruption(last: Snapshot) -> str:
    if not last.interrupted:
        return ""
    notice = last.spot_notice
    return "interrupted: " if notice is None else f"interrupted ({notice.text}): "


def closing_lines(before_end: Snapshot, last: Snapshot, how: str) -> Iterator[str]:
    """Yield the last lines below a closed screen.

    Args:
        before_end: the run before its end began; nobody had time to read what happened later.
        last: the run at its end.
        how: the sentence about how it ended.
    """
    known = before_end.events[-1:]
    for event in events_after(known[0] if known else None, last.events):
        # The failure itself is in `how` already.
        if event.severity != "information" and not last.failure.startswith(event.text):
            yield f"{event.severity}: {event.text}"
    yield how
    yield from filter(None, [describe_rent(last)])
    yield from next_lines(last)


def next_lines(last: Snapshot) -> Iterator[str]:
    """Yield what may be done next, a shell command each, where the run says so."""
    commands = (*(line for one in last.both for line in _export(one)), *next_commands(last))
    width = max((len(what) for what, _ in commands), default=0)
    for what, command in commands:
        yield f"{what + ':':{width + 1}}  {command}"


def _export(last: Snapshot) -> Iterator[tuple[str, str]]:
    """At its stop or budget: which checkpoint to export, and the command that does it."""
    stop, spent = last.stop, last.spent
    at_stop = stop is not None and stop.reached(last.step, last.voice_seconds, spent)
    if last.recommended is not None and (at_stop or last.budget_is_used_up):
        yield f"to export the best, {last.recommended.step:,}", last.export_command


def events_after(known: _Event | None, events: tuple[_Event, ...]) -> tuple[_Event, ...]:
    """Return the events, or notices, after a known one; all of them if it is not among them."""
    known_at = (i for i in reversed(range(len(events))) if events[i] == known)
    return events[next(known_at, -1) + 1 :]


class LastWait:
    """Says what the end of a run waits for, how long at most, and how to give it up."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._reported = ""
        self._next = 0.0

    def report(self, snapshot: Snapshot, skip_with: str = "Ctrl+C") -> str:
        """Return what is new to say; `skip_with` is what ends the wait, if anything does here."""
        now = self._clock()
        waits_for = snapshot.end_waits_for
        if not waits_for or (waits_for == self._reported and now < self._next):
            self._reported = waits_for
            return ""
        self._reported, self._next = waits_for, now + _REPEAT_SECONDS
        left = formatting.countdown(snapshot.end_waits_until - now).strip()
        if waits_for == "mirror":
            skips = f"; {skip_with} skips it" if skip_with else ""
            return f"waiting for the mirror, up to {left}{skips}"
        words = f"saving… {printable(snapshot.saving_trouble)} Retrying for another {left}"
        steps = plural(snapshot.unsaved, "step")
        return f"{words}; {skip_with} gives up {steps}" if skip_with else words
