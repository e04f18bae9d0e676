"""The losses of a run: every logged step on disk, a few hundred points for the screen."""

import json
import math
import os
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.files import append_line, fsync, make_folder, plain_file, write_whole
from engine.run.snapshot import LossCurve, Losses
from engine.run.stop import MAX_STEPS

# Points of the curve that the screen draws; a terminal has fewer columns.
_POINTS = 400
# Lines that wait in memory for a disk that takes none; beyond them the oldest go.
_MAX_WAITING = 20_000
# Bytes of a line; none of ours has as many.
_MAX_LINE = 2**16
# A hundred million steps take less; a file of holes can have any number, which would all be read.
_MAX_BYTES = 2**30
# No loss comes near it, and a curve of those that did could not be drawn.
_MAX_LOSS = 1e30


class Thinned:
    """A series of any length in at most `_POINTS` points, each the mean of as many values.

    When it is full, neighbours are merged and each point stands for twice as many.
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._values: list[float] = []
        self._per_point = 1
        self._sum = 0.0
        self._count = 0

    def add(self, step: int, value: float) -> None:
        """Append the value of a step."""
        self._sum += value
        self._count += 1
        if self._count < self._per_point:
            return
        self._steps.append(step)
        self._values.append(self._sum / self._count)
        self._sum, self._count = 0.0, 0
        if len(self._steps) >= _POINTS:
            pairs = zip(self._values[::2], self._values[1::2], strict=True)
            self._values = [(a + b) / 2 for a, b in pairs]
            self._steps = self._steps[1::2]
            self._per_point *= 2

    @property
    def points(self) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Steps and values."""
        return tuple(self._steps), tuple(self._values)


@dataclass(frozen=True)
class Entry:
    """A line of the history."""

    step: int
    losses: Losses
    learning_rate: float
    held_out: float | None


@dataclass(frozen=True)
class _Line:
    """A line of the file that can be read."""

    start: int
    """Where it begins, in bytes."""
    raw: bytes
    step: int
    loss: float | None
    """None in a note, which tells something else of a step."""
    held_out: float | None


class History:
    """The history of a network: each logged step once on disk, thinned in memory.

    What is added waits in memory until `flush`, which another thread may call.
    """

    def __init__(self, path: Path, up_to: int) -> None:
        """Read what there is up to a step, and cut off what lies beyond it.

        What lies beyond was made by a run that did not save it; the same steps are made again,
        and a step is logged once.

        Raises:
            InputError: the file is larger than any history.
            EngineError: it cannot be read or written.
        """
        self.path = path
        """Where the file is; whoever moves it says so here."""
        # Who changes the file, which a slow disk may hold; never needed to add a line.
        self._writing = threading.Lock()
        # Who changes what waits: steps and lines.
        self._turn = threading.Lock()
        self._waiting: deque[tuple[int, str]] = deque(maxlen=_MAX_WAITING)
        self._forget()
        self.last_step: int | None = None
        """The last step that the file had when it was opened, saved or not."""
        try:
            # In a voice folder that is there: one that was deleted must not come back.
            make_folder(path.parent, within=path.parents[1])
            if path.exists():
                self._read(up_to)
        except OSError as error:
            raise EngineError(f"The history {path} cannot be used: {error.strerror}.") from error

    def _forget(self) -> None:
        self._losses = Thinned()
        self._held_out = Thinned()
        self.last_held_out: float | None = None
        self._best: float | None = None
        self._best_step = 0

    def _read(self, up_to: int) -> None:
        """Remember the last line of every step up to one, and leave the file with these alone."""
        lines = list(_lines(self.path))
        self.last_step = max((line.step for line in lines), default=None)
        latest = {line.step: line for line in lines if line.loss is not None}
        kept = [
            line
            for line in sorted(lines, key=lambda line: line.step)
            if line.step <= up_to and (line.loss is None or line is latest[line.step])
        ]
        self._keep_only(kept, lines)
        for line in kept:
            if line.loss is not None:
                self._remember(line.step, line.loss, line.held_out)

    def _keep_only(self, kept: list[_Line], lines: list[_Line]) -> None:
        """Cut the file off after what is kept; write it anew where that does not do."""
        if kept == lines[: len(kept)]:
            end = kept[-1].start + len(kept[-1].raw) if kept else 0
            if self.path.stat().st_size > end:
                # Shortening takes no room, of which there may be none.
                os.truncate(self.path, end)
        else:
            content = b"".join(line.raw.rstrip(b"\n") + b"\n" for line in kept)
            write_whole(self.path, content, make_folders=False)

    def cut_back(self, step: int) -> None:
        """Take back what was logged after a step, from which training goes on.

        Raises:
            EngineError: the file cannot be read or written.
        """
        with self._writing:
            waiting = [entry for entry in self._take_waiting() if entry[0] <= step]
            self._put_back(waiting)
            self._forget()
            try:
                if self.path.exists():
                    self._read(step)
            except OSError as error:
                raise EngineError(
                    f"The history {self.path} cannot be cut back: {error.strerror}."
                ) from error
            finally:
                for _, text in waiting:
                    line = _parse(0, text.encode())
                    if line is not None and line.loss is not None:
                        self._remember(line.step, line.loss, line.held_out)

    def _remember(self, step: int, loss: float, held_out: float | None) -> None:
        self._losses.add(step, loss)
        if held_out is not None:
            self._held_out.add(step, held_out)
            self.last_held_out = held_out
            if math.isfinite(held_out) and (self._best is None or held_out < self._best):
                self._best, self._best_step = held_out, step

    def add(self, entry: Entry) -> None:
        """Append a logged step; it waits for `flush`."""
        self._remember(entry.step, entry.losses.total, entry.held_out)
        line = {
            "step": entry.step,
            "loss": entry.losses.total,
            "l1": entry.losses.l1,
            "divergence": entry.losses.divergence,
            "attention": entry.losses.attention,
            "learning_rate": entry.learning_rate,
            "held_out": entry.held_out,
        }
        self._add(entry.step, json.dumps(line))

    def note(self, step: int, what: str) -> None:
        """Append what happened to the run at a step; a reader of losses passes over it."""
        line = json.dumps({"step": step, "note": what}, ensure_ascii=False)
        # Names of files may hold what is no character; a single one would hold up all the losses.
        self._add(step, line.encode(errors="backslashreplace").decode())

    def _add(self, step: int, line: str) -> None:
        with self._turn:
            self._waiting.append((step, line))

    def flush(self) -> None:
        """Write what waits; what comes to wait meanwhile is for the next call.

        Raises:
            EngineError: it cannot be written, and goes on to wait.
        """
        with self._writing:
            lines = self._take_waiting()
            if not lines:
                return
            try:
                append_line(self.path, "\n".join(text for _, text in lines))
            except BaseException:
                self._put_back(lines)
                raise

    def _take_waiting(self) -> list[tuple[int, str]]:
        with self._turn:
            lines = list(self._waiting)
            self._waiting.clear()
            return lines

    def _put_back(self, lines: list[tuple[int, str]]) -> None:
        """Let lines wait again, before those that have come since."""
        with self._turn:
            self._waiting = deque((*lines, *self._waiting), maxlen=_MAX_WAITING)

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

    @property
    def curve(self) -> LossCurve:
        """The whole run in a few hundred points."""
        steps, losses = self._losses.points
        held_out_steps, held_out = self._held_out.points
        return LossCurve(
            steps, losses, held_out_steps, held_out, best=self._best, best_step=self._best_step
        )


def _lines(path: Path) -> Iterator[_Line]:
    """The lines of a history that can be read; not the one that a dying process left unfinished."""
    start = 0
    with plain_file(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > _MAX_BYTES:
            raise InputError(
                f"{path} is too large (maximum {_MAX_BYTES:,} bytes); move it away: "
                f"training goes on without its curve"
            )
        # Of a line without end, no more than a piece is in memory; it is no line of ours.
        while raw := file.readline(_MAX_LINE):
            if (line := _parse(start, raw)) is not None and raw.endswith(b"\n"):
                yield line
            start += len(raw)


def _parse(start: int, raw: bytes) -> _Line | None:
    try:
        said = json.loads(raw)
        step, loss, held = said["step"], said.get("loss"), said.get("held_out")
        loss = None if loss is None and "note" in said else float(loss)
        held_out = None if held is None else float(held)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    # A curve has no place for what is not finite.
    if type(step) is not int or not 0 <= step <= MAX_STEPS:
        return None
    if not all(abs(one) <= _MAX_LOSS for one in (loss or 0.0, held_out or 0.0)):
        return None
    return _Line(start, raw, step, loss, held_out)
