"""The losses of a network: every logged step on disk, a few hundred points for the screen."""

import contextlib
import os
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
from msgspec import Meta

from engine.errors import EngineError, InputError
from engine.files import append_line, fsync, make_folder, plain_file, write_whole
from engine.run.curves import RECENT_STEPS, LossCurve, Losses
from engine.run.stop import MAX_STEPS
from engine.serialization import from_json, to_json

EVALUATE_EVERY = 100
"""Steps between evaluations of the held-out clips."""
# Points of the curve that the screen draws; a terminal has fewer columns.
_MAX_POINTS = 400
# Lines that wait in memory for a disk that takes none; beyond them the oldest go.
_MAX_WAITING = 20_000
# No line of ours is as long.
_MAX_LINE_BYTES = 2**16
# A hundred million steps take less; a file of holes can have any number, which would all be read.
_MAX_BYTES = 2**30

_Loss = Annotated[float, Meta(ge=-1e30, le=1e30)]
"""No loss comes near the limits, and a curve of those that did could not be drawn."""


@dataclass(frozen=True)
class _Line:
    """A line of the file: a logged step, or a note, as far as it is read back."""

    step: Annotated[int, Meta(ge=0, le=MAX_STEPS)]
    loss: _Loss | None = None
    held_out: _Loss | None = None
    note: str | None = None


@dataclass(frozen=True)
class LoggedStep:
    """A logged step with all that the file has of it."""

    step: Annotated[int, Meta(ge=0, le=MAX_STEPS)]
    loss: _Loss
    l1: _Loss
    divergence: _Loss
    attention: _Loss | None = None
    learning_rate: _Loss | None = None
    held_out: _Loss | None = None

    @property
    def losses(self) -> Losses:
        """The mean losses since the logged step before."""
        return Losses(self.loss, self.l1, self.divergence, self.attention)


class _StoredLine(NamedTuple):
    """A line, its bytes without the end of the line, and where they end in the file."""

    line: _Line
    raw: bytes
    end: int = 0


def held_out_losses(path: Path, steps: Sequence[int]) -> dict[int, float]:
    """Return the held-out losses of the checkpoints of some steps, as far as they are known.

    Held-out clips are evaluated every hundred steps: a checkpoint has the last loss at or before
    its step, if it is no older than that.

    Raises:
        InputError: the history at `path` is larger than any, or cannot be read.
    """
    try:
        known = dict(_evaluations(path))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    evaluated = sorted(known)
    found = {}
    for step in steps:
        last = bisect_right(evaluated, step) - 1
        if last >= 0 and step - evaluated[last] < EVALUATE_EVERY:
            found[step] = known[evaluated[last]]
    return found


def _evaluations(path: Path) -> Iterator[tuple[int, float]]:
    """Steps and held-out losses in the order of the file: of a step that was repeated, the last."""
    for raw in _raw_lines(path):
        # Nine lines of ten have none, and need no parsing.
        if b'"held_out":null' not in raw and (line := _parse(raw)) and line.held_out is not None:
            yield line.step, line.held_out


class _Series:
    """Values over steps."""

    def __init__(self) -> None:
        self.steps = array("q")
        self.values = array("d")

    def add(self, step: int, value: float | None) -> None:
        if value is not None:
            self.steps.append(step)
            self.values.append(value)

    def thinned(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """At most `_MAX_POINTS` steps, and the means of as many values up to each."""
        per_point = 1
        while len(self.steps) >= per_point * _MAX_POINTS:
            per_point *= 2
        end = len(self.steps) // per_point * per_point
        means = np.array(self.values[:end]).reshape(-1, per_point).mean(axis=1)
        return tuple(self.steps[per_point - 1 : end : per_point]), tuple(means.tolist())

    def last(self, steps: int) -> "_Series":
        """The part of the last so many steps."""
        start = bisect_left(self.steps, self.steps[-1] - steps) if self.steps else 0
        part = _Series()
        part.steps, part.values = self.steps[start:], self.values[start:]
        return part


def _curve(losses: _Series, held_out: _Series) -> LossCurve:
    best = min(held_out.values, default=None)
    best_step = 0 if best is None else held_out.steps[held_out.values.index(best)]
    recent = losses.last(RECENT_STEPS).thinned()
    return LossCurve(*losses.thinned(), *held_out.thinned(), best, best_step, *recent)


def read_curve(path: Path) -> LossCurve:
    """The curve of a history that stays as it is; an empty one where there is none.

    Raises:
        InputError: the file is larger than any history, or cannot be read.
    """
    losses, held_out = _Series(), _Series()
    try:
        latest = {one.line.step: one.line for one in _read_lines(path) if one.line.loss is not None}
    except FileNotFoundError:
        latest = {}
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error
    for step in sorted(latest):
        losses.add(step, latest[step].loss)
        held_out.add(step, latest[step].held_out)
    return _curve(losses, held_out)


def logged_steps(path: Path, up_to: int) -> Iterator[LoggedStep]:
    """Yield the logged steps of a history up to a step; none where there is no history.

    Raises:
        OSError: it cannot be read.
        InputError: the file is larger than any history.
    """
    if not path.exists():
        return
    for raw in _raw_lines(path):
        with contextlib.suppress(InputError):  # a note, or a line that was cut off
            line = from_json(raw, LoggedStep, "history")
            if line.step <= up_to:
                yield line


class History:
    """The history of a network: each logged step once on disk, thinned in memory.

    What is added waits in memory until `flush`, which another thread may call.
    """

    def __init__(self, path: Path, up_to: int) -> None:
        """Read the file up to a step, and cut off what lies beyond it.

        What lies beyond was made by a run that did not save it; the same steps are made again,
        and a step is logged once.

        Raises:
            InputError: the file is larger than any history.
            EngineError: it cannot be read or written.
        """
        self.path = path
        """Where the file is; whoever moves the voice changes it here."""
        # Held while the file is changed, which may take long; not needed to add a line.
        self._writing = threading.Lock()
        self._waiting: list[_StoredLine] = []
        self._losses, self._held_out = _Series(), _Series()
        self.last_step: int | None = None
        """The last step that the file had when it was opened, saved or not."""
        try:
            # In a voice folder that is there: one that was deleted must not come back.
            make_folder(path.parent, within=path.parents[1])
            self._read(up_to)
        except OSError as error:
            raise EngineError(f"The history {path} cannot be used: {error.strerror}.") from error

    @property
    def curve(self) -> LossCurve:
        """The whole run in a few hundred points."""
        return _curve(self._losses, self._held_out)

    @property
    def last_held_out(self) -> float | None:
        """The newest loss on the held-out set; None before the first."""
        return self._held_out.values[-1] if self._held_out.values else None

    def add(
        self, step: int, losses: Losses, learning_rate: float, held_out: float | None = None
    ) -> None:
        """Append a logged step; it waits for `flush`."""
        fields: dict[str, object] = {"step": step, "loss": losses.total, "l1": losses.l1}
        fields |= {"divergence": losses.divergence, "attention": losses.attention}
        fields |= {"learning_rate": learning_rate, "held_out": held_out}
        self._append(_Line(step, losses.total, held_out), fields)

    def note(self, step: int, text: str) -> None:
        """Append what happened to the run at a step; a reader of losses passes over it."""
        # Names of files may hold what is no character; a single one would hold up all the losses.
        text = text.encode(errors="backslashreplace").decode()
        self._append(_Line(step, note=text), {"step": step, "note": text})

    def _append(self, line: _Line, fields: dict[str, object]) -> None:
        self._draw(line)
        self._waiting.append(_StoredLine(line, to_json(fields)))

    def flush(self) -> None:
        """Write what waits; what comes to wait meanwhile is for the next call.

        Raises:
            EngineError: it cannot be written, and goes on waiting.
        """
        with self._writing:
            # The trainer may append meanwhile.
            lines = self._waiting[:]
            try:
                if lines:
                    append_line(self.path, b"\n".join(line.raw for line in lines).decode())
                    del self._waiting[: len(lines)]
            except BaseException:
                del self._waiting[:-_MAX_WAITING]
                raise

    def make_safe(self) -> None:
        """Write what waits, and wait until all of the file survives a power cut.

        Raises:
            EngineError: it cannot be written.
        """
        self.flush()
        try:
            fsync(self.path)
        except FileNotFoundError:
            return  # nothing was logged yet
        except OSError as error:
            raise EngineError(f"{self.path} cannot be written: {error.strerror}.") from error

    def cut_back(self, step: int) -> None:
        """Remove what was logged after a step, from which training goes on.

        Raises:
            EngineError: the file cannot be read or written.
        """
        with self._writing:
            self._waiting = [line for line in self._waiting if line.line.step <= step]
            self._losses, self._held_out = _Series(), _Series()
            try:
                self._read(step)
            except OSError as error:
                raise EngineError(
                    f"The history {self.path} cannot be cut back: {error.strerror}."
                ) from error
            finally:
                for line in self._waiting:
                    self._draw(line.line)

    def _draw(self, line: _Line) -> None:
        self._losses.add(line.step, line.loss)
        self._held_out.add(line.step, line.held_out)

    def _read(self, up_to: int) -> None:
        """Remember the last line of every step up to one, and leave the file with these alone."""
        if not self.path.exists():
            return
        lines = list(_read_lines(self.path))
        self.last_step = max((one.line.step for one in lines), default=None)
        latest = {one.line.step: one for one in lines if one.line.loss is not None}
        kept = [
            one
            for one in sorted(lines, key=lambda one: one.line.step)
            if one.line.step <= up_to and (one.line.loss is None or one is latest[one.line.step])
        ]
        end = kept[-1].end if kept else 0
        if kept != lines[: len(kept)]:
            content = b"".join(one.raw + b"\n" for one in kept)
            write_whole(self.path, content, make_folders=False)
        elif self.path.stat().st_size > end:
            # Shortening takes no room, of which there may be none.
            os.truncate(self.path, end)
        for one in kept:
            self._draw(one.line)


def _read_lines(path: Path) -> Iterator[_StoredLine]:
    """The lines of a history that can be read; not the one that a dying process left unfinished."""
    end = 0
    for raw in _raw_lines(path):
        end += len(raw)
        if raw.endswith(b"\n") and (line := _parse(raw)) is not None:
            yield _StoredLine(line, raw[:-1], end)


def _raw_lines(path: Path) -> Iterator[bytes]:
    with plain_file(path) as file:
        if os.fstat(file.fileno()).st_size > _MAX_BYTES:
            raise InputError(
                f"{path} is too large (maximum {_MAX_BYTES:,} bytes); move it away: "
                f"training goes on without its curve"
            )
        # Of a line without end, no more than a piece is in memory; it is no line of ours.
        while raw := file.readline(_MAX_LINE_BYTES):
            yield raw


def _parse(raw: bytes) -> _Line | None:
    try:
        line = from_json(raw, _Line, "history")
    except InputError:
        return None
    return None if line.loss is None and line.note is None else line
