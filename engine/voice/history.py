"""The losses of a network: every logged step on disk, a few hundred points for the screen."""

import contextlib
import os
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from engine.errors import EngineError, InputError
from engine.files import append_line, fsync, make_folder, plain_file, write_whole
from engine.run.curves import LossCurve, Losses
from engine.run.stop import MAX_STEPS, Step
from engine.serialization import from_json, to_json, whole_json_lines
from engine.voice.loss_curve import CurveBuilder

EVALUATE_EVERY = 100
"""Steps between evaluations of the held-out clips."""
# Lines that wait in memory for a disk that takes none; beyond them the oldest go.
_MAX_WAITING = 20_000
# Bytes that are read at once; no line of ours is as long.
_BLOCK = 2**21
# A hundred million steps take less; a file of holes can have any number, which would all be read.
_MAX_BYTES = 2**30

_Loss = Annotated[float, Meta(ge=-1e30, le=1e30)]
"""No loss comes near the limits, and a curve of those that did could not be drawn."""


class _Line(msgspec.Struct, gc=False):
    """A line of the file: a logged step, or a note, as far as it is read back."""

    step: Step
    loss: _Loss | None = None
    held_out: _Loss | None = None
    note: str | None = None


@dataclass(frozen=True)
class LoggedStep:
    """A logged step with all that the file has of it."""

    step: Step
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


class _WaitingLine(NamedTuple):
    """A line that the file does not have yet, and its bytes without the end of the line."""

    line: _Line
    raw: bytes


_Stored = NDArray[np.void]
"""Lines of a file that can be read, in its order."""
# NaN for the loss of a note, and for a held-out loss where none was evaluated; the first byte of a
# line, and the one behind its end.
_STORED = np.dtype(
    [("step", "i8"), ("loss", "f8"), ("held_out", "f8"), ("start", "i8"), ("end", "i8")]
)
_NO_LINES = np.empty(0, _STORED)


def held_out_losses(path: Path, steps: Sequence[int]) -> dict[int, float]:
    """Return the held-out losses of the checkpoints of some steps, as far as they are known.

    Held-out clips are evaluated every hundred steps: a checkpoint has the last loss at or before
    its step, if it is no older than that.

    Raises:
        InputError: the history at `path` is larger than any, or cannot be read.
    """
    known = _summary(path)
    found = {}
    for step in steps:
        last = bisect_right(known.evaluated, step) - 1
        if last >= 0 and step - known.evaluated[last] < EVALUATE_EVERY:
            found[step] = known.held_out[last]
    return found


@dataclass(frozen=True)
class _Summary:
    """What is asked of a history that stays as it is."""

    curve: LossCurve
    evaluated: tuple[int, ...]
    """Steps of the evaluations of the held-out clips."""
    held_out: tuple[float, ...]
    """Their losses, of a step that was repeated the last."""


def _summary(path: Path) -> _Summary:
    try:
        state = path.stat()
        return _summary_of(path, (state.st_ino, state.st_size, state.st_mtime_ns))
    except FileNotFoundError:
        return _Summary(LossCurve(), (), ())
    except OSError as error:
        raise InputError(f"Cannot read {path}: {error.strerror}.") from error


@lru_cache(maxsize=4)
def _summary_of(path: Path, _state: tuple[int, int, int]) -> _Summary:
    """Read a file once for each of its states: a report asks several times."""
    lines = _read_stored(path)
    evaluated = lines[~np.isnan(lines["held_out"])]
    evaluated = evaluated[_up_to(evaluated, MAX_STEPS)]
    return _Summary(
        _draw(lines[_up_to(lines, MAX_STEPS)]).curve(),
        tuple(evaluated["step"].tolist()),
        tuple(evaluated["held_out"].tolist()),
    )


def read_curve(path: Path) -> LossCurve:
    """The curve of a history that stays as it is; an empty one where there is none.

    Raises:
        InputError: the file is larger than any history, or cannot be read.
    """
    return _summary(path).curve


def logged_steps(path: Path, up_to: int) -> Iterator[LoggedStep]:
    """Yield the logged steps of a history up to a step; none where there is no history.

    Raises:
        OSError: it cannot be read.
        InputError: the file is larger than any history.
    """
    if not path.exists():
        return
    for raw in (line for block in _blocks(path) for line in block.split(b"\n")):
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
        self._waiting: list[_WaitingLine] = []
        self._curve = _draw(_NO_LINES)
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
        return self._curve.curve()

    @property
    def last_held_out(self) -> float | None:
        """The newest loss on the held-out set; None before the first."""
        return self._curve.last_held_out

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
        self._waiting.append(_WaitingLine(line, to_json(fields)))

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
            self._curve = _draw(_NO_LINES)
            try:
                self._read(step)
            except OSError as error:
                raise EngineError(
                    f"The history {self.path} cannot be cut back: {error.strerror}."
                ) from error
            finally:
                for line, _ in self._waiting:
                    self._draw(line)

    def _draw(self, line: _Line) -> None:
        if line.loss is not None:
            self._curve.add(line.step, line.loss, line.held_out)

    def _read(self, up_to: int) -> None:
        """Draw the last line of every step up to one, and leave the file with these alone."""
        if not self.path.exists():
            return
        lines = _read_stored(self.path)
        self.last_step = int(lines["step"].max()) if len(lines) else None
        numbers = _up_to(lines, up_to)
        kept = lines[numbers]
        end = int(kept["end"][-1]) if len(kept) else 0
        if not np.array_equal(numbers, np.arange(len(numbers))):
            with plain_file(self.path) as file:
                old = file.read(_MAX_BYTES)
            content = b"".join(old[one["start"] : one["end"] - 1] + b"\n" for one in kept)
            write_whole(self.path, content, make_folders=False)
        elif self.path.stat().st_size > end:
            # Shortening takes no room, of which there may be none.
            os.truncate(self.path, end)
        self._curve = _draw(kept)


def _draw(lines: _Stored) -> CurveBuilder:
    """The curve of lines that have each logged step once, in order."""
    logged = lines[~np.isnan(lines["loss"])]
    return CurveBuilder(logged["step"], logged["loss"], logged["held_out"])


def _up_to(lines: _Stored, step: int) -> NDArray[np.intp]:
    """The numbers of the notes and, of each logged step, the last line, in the order of steps."""
    chosen = np.isnan(lines["loss"])
    logged = np.flatnonzero(~chosen)[::-1]
    _, newest = np.unique(lines["step"][logged], return_index=True)
    chosen[logged[newest]] = True
    kept = np.flatnonzero(chosen & (lines["step"] <= step))
    return kept[np.argsort(lines["step"][kept], kind="stable")]


def _read_stored(path: Path) -> _Stored:
    """The lines that can be read.

    Raises:
        OSError: the file cannot be read.
        InputError: it is larger than any history.
    """
    blocks, start = [_NO_LINES], 0
    for raw in _blocks(path):
        blocks.append(_parse(raw, start))
        start += len(raw)
    return np.concatenate(blocks)


def _blocks(path: Path) -> Iterator[bytes]:
    """The file in pieces that end with a line; of a line without end, as much as is read at once.

    Such a line is none of ours.
    """
    with plain_file(path) as file:
        if os.fstat(file.fileno()).st_size > _MAX_BYTES:
            raise InputError(
                f"{path} is too large (maximum {_MAX_BYTES:,} bytes); move it away: "
                f"training goes on without its curve"
            )
        rest = b""
        while piece := file.read(_BLOCK):
            block = rest + piece
            end = block.rfind(b"\n") + 1 or len(block)
            rest = block[end:]
            yield block[:end]
        yield rest


def _parse(raw: bytes, start: int) -> _Stored:
    """The lines of a block that begins at a byte of the file; the last may lack its end."""
    raw = raw if raw.endswith(b"\n") else raw + b"\n"
    letters = np.frombuffer(raw, np.uint8)
    ends = np.flatnonzero(letters == ord("\n")) + 1
    starts = np.concatenate(([0], ends))[: len(ends)]
    lines: Sequence[_Line] = ()
    # Otherwise the decoder may find other values than one in each line.
    if (letters[starts] == ord("{")).all():
        lines = whole_json_lines(raw, _Line)
    if len(lines) != len(ends):
        lines = [_parse_line(line) for line in raw.split(b"\n")[:-1]]
    found = np.empty(len(ends), _STORED)
    found["step"] = [line.step for line in lines]
    # Where there is none, NumPy makes NaN of it.
    found["loss"] = [line.loss for line in lines]
    found["held_out"] = [line.held_out for line in lines]
    found["start"], found["end"] = start + starts, start + ends
    return found[[line.loss is not None or line.note is not None for line in lines]]


def _parse_line(raw: bytes) -> _Line:
    """Read a line; an empty one where that cannot be done."""
    try:
        return from_json(raw, _Line, "history")
    except InputError:
        return _Line(0)
