"""What `voicecoach ps` prints: the runs of this host and their status."""

import json
import os
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.attach.client import ask_status
from engine.attach.messages import Status
from engine.attach.registry import RunEntry, known_runs, last_record
from engine.choices import NETWORK_TITLES
from engine.formatting import duration, printable
from engine.run.snapshot import Phase
from tui import formatting

_ANSWER_WITHIN = 2.0
"""Seconds that a run may take to answer."""
_AT_ONCE = 16
_STILL = 15.0
"""Seconds without a step that are worth showing: a checkpoint takes less."""

_COLUMNS = ("voice", "network", "step", "state", "spent", "last seen", "pid", "screens")
_DROPPED_FIRST = ("screens", "pid", "last seen", "network", "spent")
"""Columns that a narrow terminal does without, in this order; --json has them all."""
_NARROWEST_NAME = 12
"""Cells of a voice's name before other columns are dropped for it."""

_WIDTH_OF_A_PIPE = 1_000
"""Cells of a line that no terminal shows: wider than any run needs."""

_BEGINNINGS = (
    ("demo", "train a small voice and hear it; needs no GPU"),
    ("check RECORDINGS", "check your recordings, then voicecoach train"),
    ("--help", "show all commands"),
)


@dataclass(frozen=True)
class Run:
    """A run of this host, and its own answer."""

    entry: RunEntry
    status: Status | None
    """None where it does not answer."""
    last_record: tuple[int | None, float | None] = (None, None)
    """The step and the spend in US dollars that a run which does not answer wrote down last."""

    @property
    def command_to_resume(self) -> str | None:
        """The shell command that takes up a killed run; None for one that lives."""
        entry = self.entry
        if not entry.killed:
            return None
        network = "" if entry.network == "text2mel" else f" --network {entry.network}"
        folder = shlex.quote(str(entry.voice_folder))
        return entry.resume or f"voicecoach train --voice {folder}{network}"

    def as_json(self, now: float) -> dict[str, Any]:
        """Plain values, the same fields whether it answers or not."""
        entry, answer = self.entry, self.status
        fields: dict[str, Any] = dict.fromkeys(Status.__struct_fields__)
        if answer is not None:
            fields = {name: getattr(answer, name) for name in fields}
            fields["phase"] = answer.phase.value
        else:
            fields["step"], fields["spent"] = self.last_record
        still, phase = fields.pop("still_seconds"), fields.pop("phase_seconds")
        return {
            **fields,
            "voice": entry.voice,
            "network": entry.network,
            "pid": entry.process.pid,
            "folder": str(entry.voice_folder),
            "since": round(entry.since, 3),
            "answers": answer is not None,
            "killed": entry.killed,
            "resume": self.command_to_resume,
            "last_sign_of_life": round(entry.last_seen if answer is None else now, 3),
            "last_change": None if still is None else round(now - float(still), 3),
            "phase_since": None if phase is None else round(now - float(phase), 3),
        }


def query_runs() -> list[Run]:
    """Query every run of this host; one that does not answer, or was killed, holds up no other.

    Raises:
        InputError: the list of runs cannot be read.
    """
    known = known_runs()
    if not known:
        return []
    with ThreadPoolExecutor(min(_AT_ONCE, len(known))) as pool:
        return list(pool.map(_query, known))


def _query(entry: RunEntry) -> Run:
    answer = None if entry.killed else ask_status(entry.voice_folder, _ANSWER_WITHIN)
    # Another process than the one that is listed may serve the folder by now.
    if answer is not None and answer.pid == entry.process.pid:
        return Run(entry, answer)
    return Run(entry, None, last_record(entry.voice_folder, entry.network))


def print_runs_as_json(runs: list[Run]) -> None:
    """Print the runs for scripts; times are seconds since the epoch."""
    now = time.time()
    json.dump([run.as_json(now) for run in runs], sys.stdout, indent=2, sort_keys=True)
    sys.stdout.write("\n")


def print_how_to_begin() -> None:
    """Print what to type on a host without runs."""
    console = Console(markup=False, highlight=False, emoji=False)
    console.print("You have no run on this host. To begin:")
    table = Table(box=None, show_header=False, padding=(0, 0, 0, 2))
    for command, does in _BEGINNINGS:
        table.add_row(f"voicecoach {command}", does)
    console.print(table)


def print_runs(runs: list[Run]) -> None:
    """Print the runs as a table for people."""
    console = Console(markup=False, highlight=False, emoji=False)
    if not runs:
        console.print("you have no run on this host")
        return
    now = time.time()
    rows = [[printable(cell) for cell in _cells(run, now)] for run in runs]
    # A pipe has no width of its own.
    piped = not console.is_terminal and "COLUMNS" not in os.environ
    if piped:
        console.width = _WIDTH_OF_A_PIPE
    places = _COLUMNS if piped else _fitting(rows, console.width)
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
    for heading in places:
        right = heading in ("step", "pid", "screens")
        table.add_column(
            heading,
            justify="right" if right else "left",
            overflow="fold",
            no_wrap=heading != "voice" or piped,
        )
    for row in rows:
        cells = dict(zip(_COLUMNS, row, strict=True))
        table.add_row(*(Text(cells[heading]) for heading in places))
    console.print(table, soft_wrap=piped)
    _print_commands(
        console,
        "to open a screen on one:",
        [
            f"voicecoach attach {shlex.quote(str(run.entry.voice_folder))}"
            for run in runs
            if not run.entry.killed
        ],
    )
    resume = [command for run in runs if (command := run.command_to_resume)]
    _print_commands(console, "to resume what was killed:", resume)


def _fitting(rows: list[list[str]], width: int) -> list[str]:
    """The columns that have room: of a name that does not fit a part goes to the next line."""
    needs = {
        heading: max(cell_len(heading), *(cell_len(row[place]) for row in rows)) + 2
        for place, heading in enumerate(_COLUMNS)
    }
    needs["voice"] = min(needs["voice"], _NARROWEST_NAME)
    left = [*_COLUMNS]
    for heading in _DROPPED_FIRST:
        if sum(needs[one] for one in left) - 2 > width:
            left.remove(heading)
    return left


def _print_commands(console: Console, heading: str, commands: list[str]) -> None:
    if commands:
        console.print(heading)
    for command in commands:
        console.print(f"  {printable(command)}", soft_wrap=True)


def _cells(run: Run, now: float) -> list[str]:
    entry, answer = run.entry, run.status
    network = "both" if entry.network == "both" else NETWORK_TITLES[entry.network]
    name, pid = entry.voice, str(entry.process.pid)
    if answer is not None:
        steps = [answer.step] if answer.ssrn_step is None else [answer.step, answer.ssrn_step]
        step, spent = " · ".join(f"{one:,}" for one in steps), formatting.dollars(answer.spent)
        return [name, network, step, _state(answer), spent, "now", pid, _screens(answer)]
    (last_step, last_spent), since = run.last_record, duration(max(0.0, now - entry.last_seen))
    step = "" if last_step is None else f"{last_step:,}"
    spent = "" if last_spent is None else formatting.dollars(last_spent)
    state = f"no answer for {since}"
    if entry.killed:
        then = datetime.fromtimestamp(entry.last_seen)
        state, pid = f"killed about {formatting.moment(datetime.fromtimestamp(now), then)}", ""
    return [name, network, step, state, spent, f"{since} ago", pid, ""]


def _screens(answer: Status) -> str:
    return f"{answer.screens} + {answer.readers} reading" if answer.readers else str(answer.screens)


def _state(answer: Status) -> str:
    """Show the speed of a training run, and what any other does, and for how long."""
    if answer.wait_ends_at is not None:
        return f"waits until {formatting.clock(answer.wait_ends_at)}"
    if answer.phase is not Phase.TRAINING:
        return f"{answer.phase.value}, {duration(answer.phase_seconds)}"
    speed = answer.steps_per_second
    if answer.still_seconds >= max(_STILL, 3 / speed if speed else 0.0):
        return f"no step for {duration(answer.still_seconds)}"
    return formatting.speed(speed) if speed else answer.phase.value
