"""What `voicecoach ps` prints: the runs of this host, asked where they stand."""

import json
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.attach.client import ask_status
from engine.attach.messages import Status
from engine.attach.registry import KnownRun, LastSeen, known_runs, last_seen
from engine.run.snapshot import Phase
from tui import formatting as wording
from tui.widgets.status_words import NETWORKS

_ANSWER_WITHIN = 2.0
"""Seconds that a run may take to say where it stands."""
_AT_ONCE = 16
_STILL = 15.0
"""Seconds without a step that are worth naming: a checkpoint takes less."""


@dataclass(frozen=True)
class Run:
    """A run of this host, and what it answered."""

    known: KnownRun
    status: Status | None
    """None where it does not answer."""
    last_seen: LastSeen | None = None
    """Of one that does not answer, what it wrote down last."""

    def as_json(self, now: float) -> dict[str, Any]:
        """Plain values, the same fields whether it answers or not."""
        entry, status = self.known.entry, self.status
        fields: dict[str, Any] = dict.fromkeys(Status.__struct_fields__)
        if status is not None:
            fields = {name: getattr(status, name) for name in fields}
            fields["phase"] = status.phase.value
        elif self.last_seen is not None:
            fields |= asdict(self.last_seen)
        still, phase = fields.pop("still_seconds"), fields.pop("phase_seconds")
        return {
            **fields,
            "voice": entry.voice,
            "network": entry.network,
            "pid": entry.process.pid,
            "folder": str(entry.voice_folder),
            "since": round(entry.since, 3),
            "answers": status is not None,
            "last_sign_of_life": round(self.known.seen if status is None else now, 3),
            "last_change": None if still is None else round(now - float(still), 3),
            "phase_since": None if phase is None else round(now - float(phase), 3),
        }


def look_at_runs() -> list[Run]:
    """Ask every run of this host where it stands; one that does not answer holds up no other.

    Raises:
        InputError: the list of runs cannot be read.
    """
    known = known_runs()
    if not known:
        return []
    with ThreadPoolExecutor(min(_AT_ONCE, len(known))) as pool:
        return list(pool.map(_look_at, known))


def _look_at(known: KnownRun) -> Run:
    entry = known.entry
    status = ask_status(entry.voice_folder, _ANSWER_WITHIN)
    # Another process than the one that is listed may serve the folder by now.
    if status is not None and status.pid == entry.process.pid:
        return Run(known, status)
    return Run(known, None, last_seen(entry.voice_folder, entry.network))


def print_runs_as_json(runs: list[Run]) -> None:
    """Print the runs for scripts; times are seconds since the epoch."""
    now = time.time()
    json.dump([run.as_json(now) for run in runs], sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


def print_runs(runs: list[Run]) -> None:
    """Print the runs as a table for people."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not runs:
        console.print("no run of yours is on this host")
        return
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("voice", "network", "step", "state", "spent", "last sign", "pid", "screens"):
        right = heading in ("step", "pid", "screens")
        table.add_column(
            heading,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=heading != "voice",
        )
    now = time.time()
    for run in runs:
        table.add_row(*(Text(wording.printable(cell)) for cell in _cells(run, now)))
    console.print(table)
    console.print("to look at one:")
    for run in runs:
        folder = wording.printable(shlex.quote(str(run.known.entry.voice_folder)))
        console.print(f"  voicecoach attach {folder}", soft_wrap=True)


def _cells(run: Run, now: float) -> list[str]:
    entry, status = run.known.entry, run.status
    name, network, pid = entry.voice, NETWORKS[entry.network], str(entry.process.pid)
    if status is None:
        last, since = run.last_seen, wording.duration(max(0.0, now - run.known.seen))
        step = "" if last is None or last.step is None else wording.steps(last.step)
        spent = "" if last is None or last.spent is None else wording.dollars(last.spent)
        return [name, network, step, f"silent for {since}", spent, f"{since} ago", pid, ""]
    step, spent = wording.steps(status.step), wording.dollars(status.spent)
    return [name, network, step, _state(status), spent, "now", pid, _screens(status)]


def _screens(status: Status) -> str:
    return f"{status.screens} + {status.readers} reading" if status.readers else str(status.screens)


def _state(status: Status) -> str:
    """Say how fast a run that makes steps is, and how long any other does what it does.

    Of one that waits for a person, and ends by itself, that time is shown.
    """
    if status.wait_ends_at is not None:
        until = wording.clock(datetime.fromtimestamp(status.wait_ends_at))
        return f"waits until {until}"
    if status.phase is not Phase.TRAINING:
        return f"{status.phase.value}, {wording.duration(status.phase_seconds)}"
    speed = status.steps_per_second
    if status.still_seconds >= max(_STILL, 3 / speed if speed else 0.0):
        return f"no step for {wording.duration(status.still_seconds)}"
    return wording.speed(speed) if speed else status.phase.value
