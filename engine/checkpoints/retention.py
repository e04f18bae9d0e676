"""Which checkpoints are kept; removes the others and leftovers of interrupted writes."""

from collections.abc import Iterable
from pathlib import Path

from engine.checkpoints.state import STATE_FILE
from engine.choices import NetworkName
from engine.files import remove, remove_all
from engine.voice.folder import Voice
from engine.voice.layout import is_checkpoint


def superseded(steps: Iterable[int], keep_newest: int, keep_every: int, base_step: int) -> set[int]:
    """The steps whose checkpoints are not kept.

    Kept are the newest few, the first at or after each multiple of `keep_every` (a checkpoint may
    come a few steps late, while the one before it is being written), and the base.
    """
    ordered = sorted(steps)
    milestones: dict[int, int] = {}
    for step in ordered:
        milestones.setdefault(step // keep_every, step)
    milestones.pop(0, None)
    return set(ordered[:-keep_newest]) - {base_step, *milestones.values()}


def remove_superseded(
    voice: Voice, network: NetworkName, base_step: int, keep: Iterable[int] = ()
) -> dict[Path, OSError]:
    """Remove the checkpoints of a network that are not kept, and what `sweep` finds.

    Kept are also the base and the steps to `keep`.

    Returns:
        The folders that cannot be removed, each with the reason; they do not hold up the others.

    Raises:
        OSError: the folder of the checkpoints cannot be read.
    """
    settings = voice.settings
    found = voice.checkpoints(network)
    steps = [entry.step for entry in found]
    old = superseded(steps, settings.keep_newest, settings.keep_every, base_step) - {*keep}
    left = {}
    for entry in found:
        try:
            if entry.step in old:
                _hide(entry.path)
        except OSError as error:
            left[entry.path] = error
    return left | sweep(voice.folder / network / "checkpoints")


def _hide(checkpoint: Path) -> None:
    """Give a checkpoint that is not kept a name that is never listed.

    overlayfs does not rename a folder of a lower layer: it is removed there, `state.json` first, so
    that an interrupted removal leaves no checkpoint.
    """
    try:
        checkpoint.rename(checkpoint.with_name(f".{checkpoint.name}.removed"))
    except OSError:
        (checkpoint / STATE_FILE).unlink(missing_ok=True)
        remove(checkpoint)


def sweep(folder: Path) -> dict[Path, OSError]:
    """Remove what interrupted writes and removals have left among checkpoints.

    A checkpoint that was to be replaced by another of its step, which then was not saved, is put
    back.

    Returns:
        What can be neither removed nor put back, each with the reason.

    Raises:
        OSError: the folder cannot be read.
    """
    leftovers, left = [], {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if not path.name.startswith(".step-"):
            continue
        target = path.with_name(path.name[1:].partition(".")[0])
        if path.suffix == ".old" and is_checkpoint(path) and not target.exists():
            try:
                path.rename(target)
            except OSError as error:
                left[path] = error
        else:
            leftovers.append(path)
    return left | remove_all(leftovers)
