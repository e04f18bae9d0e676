"""What `voicecoach ps` prints: the runs of this host, asked where they stand."""

import json
import shlex
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.wire.client import glance
from engine.wire.messages import Glance
from engine.wire.registry import KnownRun, known_runs
from tui import wording
from tui.widgets.status_words import NETWORKS

_ANSWER_WITHIN = 2.0
"""Seconds that a run may take to say where it stands."""
_AT_ONCE = 16
_STILL = 15.0
"""Seconds without a sign of life that are worth naming: a checkpoint takes less."""


@dataclass(frozen=True)
class Run:
    """A run of this host, and what it said of itself."""

    known: KnownRun
    glance: Glance | None
    """None where it does not answer."""

    def as_json(self, now: float) -> dict[str, Any]:
        """Plain values, the same fields whether it answers or not."""
        entry, said = self.known.entry, self.glance
        fields: dict[str, Any] = dict.fromkeys(Glance.__dataclass_fields__)
        if said is not None:
            fields |= {**asdict(said), "phase": said.phase.value}
        still = fields.pop("still_seconds")
        sign = self.known.seen if still is None else now - float(still)
        return {
            **fields,
            "voice": entry.voice,
            "network": entry.network,
            "pid": entry.process.pid,
            "folder": str(entry.voice_folder),
            "since": round(entry.since, 3),
            "answers": said is not None,
            "last_sign_of_life": round(sign, 3),
        }


def look_at_runs() -> list[Run]:
    """Ask every run of this host where it stands; one that does not answer holds up no other.

    Raises:
        InputError: the list of runs cannot be read.
    """
    known = known_runs()
    if not known:
        return []
    folders: list[Path] = [run.entry.voice_folder for run in known]
    with ThreadPoolExecutor(min(_AT_ONCE, len(folders))) as pool:
        answers = pool.map(lambda folder: glance(folder, _ANSWER_WITHIN), folders)
        # Another process than the one that is listed may serve the folder by now.
        return [
            Run(run, said if said is not None and said.pid == run.entry.process.pid else None)
            for run, said in zip(known, answers, strict=True)
        ]


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
    for heading in ("voice", "network", "step", "speed", "spent", "last sign", "pid", "screens"):
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
    entry, said = run.known.entry, run.glance
    name, network, pid = entry.voice, NETWORKS[entry.network], str(entry.process.pid)
    if said is None:
        since = wording.duration(max(0.0, now - run.known.seen))
        return [name, network, "", "", "", f"silent for {since}", pid, ""]
    speed = wording.speed(said.steps_per_second) if said.steps_per_second else said.phase.value
    return [
        name,
        network,
        wording.steps(said.step),
        speed,
        wording.dollars(said.spent),
        _sign(said),
        pid,
        _screens(said),
    ]


def _screens(said: Glance) -> str:
    return f"{said.screens} + {said.readers} reading" if said.readers else str(said.screens)


def _sign(said: Glance) -> str:
    if said.still_seconds < _STILL:
        return "now"
    return f"{wording.duration(said.still_seconds)} ago"
