"""The stop of a network that is on its way there: kept beside its checkpoints, in `stop.json`.

A run that is killed, or whose machine is taken away, has not come to its stop. Whoever takes it up
keeps to that stop: `+20k` counted anew from the newest checkpoint would train, and cost, more than
was asked for.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import EngineError, InputError
from engine.files import make_folder, read_plain, write_whole
from engine.formatting import whole_minutes
from engine.run.stop import MAX_STEPS, MAX_USD, Stop, StopPoint, StopRule

_NAME = "stop.json"
_MAX_BYTES = 1_000
_MAX_SECONDS = 1e12
_LONGEST_TEXT = 200


@dataclass(frozen=True)
class KeptStop:
    """Where a run was to stop."""

    point: StopPoint
    text: str
    """As it was asked for."""

    @property
    def words(self) -> str:
        """Name the point, as in "its stop was …"."""
        if self.point.step is not None:
            return f"{self.point.step:,}"
        if self.point.training_seconds is not None:
            return f"{whole_minutes(self.point.training_seconds)} of training in all"
        return f"${self.point.usd:,.2f} spent"

    def holds_for(self, asked: Stop | None) -> bool:
        """Whether a start that asks for this stop, or for none, keeps to it.

        The same words again mean the same end, and not as much once more.
        """
        return asked is None or (isinstance(asked, StopRule) and asked.text == self.text)


def read_kept_stop(network_folder: Path) -> KeptStop | None:
    """The stop at which the network of a voice is not yet; None where it has none.

    Raises:
        InputError: what is kept cannot be read, or is none that can be.
    """
    path = network_folder / _NAME
    try:
        said = json.loads(read_plain(path, _MAX_BYTES))
        return _kept(said)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it is damaged"
        raise InputError(
            f"{path}, where the voice was to stop, cannot be read ({why}); say it again with "
            f"--stop-at, or give --stop-at none"
        ) from error


def keep_stop(network_folder: Path, kept: KeptStop | None) -> None:
    """Keep where the network of a voice is to stop; None where it has come there, or goes on.

    No stop is written as well, where there was one: a copy of the file in a mirror is to say so.

    Raises:
        EngineError: it cannot be written.
    """
    path = network_folder / _NAME
    if kept is None:
        if path.exists():
            write_whole(path, b"{}\n", make_folders=False)
        return
    point = kept.point
    said: dict[str, Any] = {"text": kept.text}
    if point.step is not None:
        said["step"] = point.step
    elif point.training_seconds is not None:
        said["training_seconds"] = point.training_seconds
    else:
        said["usd"] = point.usd
    try:
        # In a voice folder that is there: one that was deleted must not come back.
        make_folder(network_folder, within=network_folder.parent)
    except OSError as error:
        raise EngineError(f"{network_folder} cannot be made: {error.strerror}.") from error
    write_whole(path, (json.dumps(said) + "\n").encode(), make_folders=False)


def _kept(said: Any) -> KeptStop | None:  # noqa: ANN401 (what JSON has)
    """Read what `keep_stop` wrote.

    Raises:
        ValueError: it is something else.
    """
    if said == {}:
        return None
    if not isinstance(said, dict) or len(said) != 2:
        raise ValueError("it is no stop")
    text = said.get("text")
    if not isinstance(text, str) or not text.isprintable() or not 0 < len(text) <= _LONGEST_TEXT:
        raise ValueError("it does not say what was asked for")
    if "step" in said:
        if type(said["step"]) is not int:
            raise ValueError("its step is none")
        return KeptStop(StopPoint(step=int(_amount(said["step"], MAX_STEPS))), text)
    if "training_seconds" in said:
        seconds = _amount(said["training_seconds"], _MAX_SECONDS)
        return KeptStop(StopPoint(training_seconds=seconds), text)
    return KeptStop(StopPoint(usd=_amount(said.get("usd"), MAX_USD)), text)


def _amount(value: object, most: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= most:
        raise ValueError("its amount is none that can be")
    return float(value)
