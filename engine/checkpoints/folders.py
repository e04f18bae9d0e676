"""Checkpoints as folders: which there are, and what their readable half says.

`state.json` ends with a checksum of every byte before it, and holds those of the files of tensors
beside it: a checkpoint of which any byte has changed is told from a good one.

Nothing here imports torch, so that `info` answers at once and an order is checked at once.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.files import plain_file, read_plain
from engine.formatting import brief
from engine.networks.specs import NetworkSpec, read_spec
from engine.run.stop import MAX_STEPS
from engine.voice.folder import Voice
from engine.voice.layout import (
    STEP_FOLDER,
    CheckpointEntry,
    is_checkpoint,
    list_checkpoints,
    step_folders,
)

FORMAT = 2
"""What `state.json` says of itself. Format 1 has no checksum of its own."""
_MAX_FORMAT = 1000

MOMENTS = "optimizer.safetensors"
"""The largest file of a checkpoint, without which it speaks, and trains on with moments anew."""

MAX_TENSOR_BYTES = 2**32
"""More than any file of tensors has. The BBC's largest network has 341 MB with all that Adam
remembers; a file of holes can have any number, which would all be read, or taken of the memory."""

_DAMAGED_FOLDER = re.compile(r"step-([0-9]{9,10})-damaged(-[0-9]+)?")
# The last line but one of state.json: the checksum of what stands before it.
_SEAL = '  "checksum": "{}"\n}}\n'
# More than any state.json has; one that is longer is none.
_MAX_BYTES = 2**20
# The seed of a voice, and the numbers in a network; both far below.
_MAX_SEED = 2**63 - 1
_MAX_PARAMETERS = 2**40


class DamagedCheckpointError(InputError):
    """A checkpoint that is not as it was written; the message names the file."""

    def __init__(self, what: str, remedy: str) -> None:
        """Take what is damaged, and what to do about it."""
        super().__init__(f"{what}; {remedy}.")
        self.what = what


def damaged_checkpoints(folder: Path) -> list[CheckpointEntry]:
    """What is damaged, as far as can be told without reading tensors, oldest first.

    Those that were moved aside when a run found them, and those whose `state.json` is missing or
    is not as it was written.
    """
    if not folder.is_dir():
        return []
    found = [entry for entry in step_folders(folder) if not _has_sound_state(entry.path)]
    for path in folder.iterdir():
        if match := _DAMAGED_FOLDER.fullmatch(path.name):
            found.append(CheckpointEntry(int(match[1]), path))
    return sorted(found, key=lambda entry: entry.step)


def _has_sound_state(checkpoint: Path) -> bool:
    try:
        read_state(checkpoint)
    except InputError:
        return False
    return True


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


def move_aside(checkpoint: Path) -> Path:
    """Give a damaged checkpoint a name that is never listed, removed or swept; return it.

    Raises:
        OSError: it cannot be renamed.
    """
    target = checkpoint.with_name(f"{checkpoint.name}-damaged")
    number = 1
    while target.exists():
        number += 1
        target = checkpoint.with_name(f"{checkpoint.name}-damaged-{number}")
    return checkpoint.rename(target)


def sealed(state: dict[str, Any]) -> str:
    """The text of a `state.json`, with the checksum of every byte before it as its last entry."""
    said = {name: value for name, value in state.items() if name != "checksum"}
    body = json.dumps({**said, "format": FORMAT}, indent=2, ensure_ascii=False)
    body = body.removesuffix("\n}") + ",\n"
    return body + _SEAL.format(hashlib.sha256(body.encode()).hexdigest())


def _is_as_written(text: str, state: dict[str, Any]) -> bool:
    """Whether no byte of a `state.json` has changed; those of format 1 cannot tell."""
    if "checksum" not in state and state.get("format") == 1:
        return True
    body, mark, _ = text.rpartition('  "checksum": "')
    return bool(mark) and text == body + _SEAL.format(hashlib.sha256(body.encode()).hexdigest())


def is_sound(checkpoint: Path) -> bool:
    """Whether no byte of a checkpoint has changed, as far as its own checksums tell.

    It takes as long as reading all of it.
    """
    try:
        digests = dict(read_state(checkpoint).get("sha256", {}))
        for name, digest in digests.items():
            if Path(name).name != name:
                return False
            if name == MOMENTS and not (checkpoint / name).exists():
                continue
            with plain_file(checkpoint / name) as file:
                if os.fstat(file.fileno()).st_size > MAX_TENSOR_BYTES:
                    return False
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    return False
    except (InputError, OSError, TypeError, ValueError):
        return False
    return True


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read a checkpoint's `state.json`.

    Returns:
        What it says; `network`, `step`, `base_step` and `symbols` are there and of their type,
        and its numbers are such as a training can have.

    Raises:
        DamagedCheckpointError: it is gone, is not as it was written, or says what cannot be: its
            checksum anybody can make.
        InputError: it cannot be read, or a later voicecoach wrote it.
    """
    path = checkpoint / "state.json"
    try:
        # The bytes themselves: reading as text would make other ends of lines alike.
        text = read_plain(path, _MAX_BYTES).decode()
        state = json.loads(text)
    except PermissionError as error:
        raise InputError(f"Cannot read the checkpoint {checkpoint}: {error.strerror}.") from error
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise damaged(checkpoint, f"state.json cannot be read: {why}") from error
    if not isinstance(state, dict):
        raise damaged(checkpoint, f"{path} is not the state of a checkpoint")
    if not _is_as_written(text, state):
        raise damaged(checkpoint, "state.json is not as it was written")
    _require_own_format(state, path)
    try:
        _require_sound(state)
    except (InputError, ValueError) as error:
        raise damaged(checkpoint, f"{path}: {error}") from error
    match = STEP_FOLDER.fullmatch(checkpoint.name)
    if match and int(match[1]) != state["step"]:
        raise damaged(checkpoint, f"{path} is of step {state['step']:,}, not of its folder's")
    return state


def _require_own_format(state: dict[str, Any], path: Path) -> None:
    """Refuse what a later voicecoach wrote: that is not damaged, and must not be set aside.

    Raises:
        InputError: it is.
    """
    written = state.get("format")
    if type(written) is int and FORMAT < written <= _MAX_FORMAT:
        raise InputError(
            f"{path} has format {written}, which a later voicecoach wrote; this one reads formats "
            f"up to {FORMAT}: install that one."
        )


def _require_sound(state: dict[str, Any]) -> None:
    """Refuse what no checkpoint says.

    Raises:
        ValueError: naming the field.
        InputError: the same, of the network's sizes.
    """
    if state.get("network") not in NETWORKS:
        found = brief(state.get("network"))
        raise ValueError(f"the network is {found}, neither of {' and '.join(NETWORKS)}")
    if not isinstance(state.get("symbols"), str):
        raise ValueError(f"symbols is {brief(state.get('symbols'))}; a text is needed")
    step = _require_whole(state, "step", 0, MAX_STEPS)
    _require_whole(state, "base_step", 0, step)
    for name, least, most in (
        ("format", 1, FORMAT),
        ("seed", 0, _MAX_SEED),
        ("moments_from", 0, step),
        ("parameters", 1, _MAX_PARAMETERS),
    ):
        if name in state:
            _require_whole(state, name, least, most)
    if "spec" in state:
        read_spec(state["network"], state["spec"])


def _require_whole(state: dict[str, Any], name: str, least: int, most: int) -> int:
    value = state.get(name)
    if type(value) is not int or not least <= value <= most:
        need = f"a whole number from {least:,} to {most:,} is needed"
        raise ValueError(f"{name} is {brief(value)}; {need}")
    return value


def damaged(checkpoint: Path, what: str) -> DamagedCheckpointError:
    """Say what is damaged of a checkpoint, and which one is before it."""
    match = STEP_FOLDER.fullmatch(checkpoint.name)
    before = [
        entry
        for entry in (list_checkpoints(checkpoint.parent) if match else [])
        if match is not None and entry.step < int(match[1])
    ]
    remedy = (
        f"the one before is of step {before[-1].step:,}, {before[-1].path.name}: move the damaged "
        f"one away to use it"
        if before
        else "there is none before it"
    )
    return DamagedCheckpointError(f"The checkpoint {checkpoint} is damaged: {what}", remedy)


def source_checkpoints(source: Path) -> dict[NetworkName, Path]:
    """Find the newest checkpoints in a voice.

    Of a voice's checkpoint, take that one, and the newest of the other network beside it: a
    Text2Mel is heard through the SSRN of its voice.

    Raises:
        InputError: it is neither, or a voice without checkpoints.
    """
    if is_checkpoint(source):
        own: NetworkName = read_state(source)["network"]
        return {**_newest_of(source.resolve().parent.parent.parent), own: source}
    found = _newest_of(source)
    if not found:
        raise InputError(
            f"{source} is neither a voice with checkpoints nor a checkpoint; give the folder of "
            f"a voice, or one of its step-… folders."
        )
    return found


def _newest_of(voice: Path) -> dict[NetworkName, Path]:
    """The newest checkpoint of each network that the folder of a voice has."""
    found: dict[NetworkName, Path] = {}
    for network in NETWORKS:
        entries = list_checkpoints(voice / network / "checkpoints")
        if entries:
            found[network] = entries[-1].path
    return found


def specs_of(voice: Voice) -> dict[NetworkName, NetworkSpec]:
    """The specs of the networks that a voice has: those of its newest checkpoints.

    Raises:
        InputError: a checkpoint's `state.json` is damaged.
    """
    newest = {network: voice.newest(network) for network in NETWORKS}
    return {
        network: spec_in(read_state(entry.path), entry.path)
        for network, entry in newest.items()
        if entry is not None
    }


def spec_in(state: dict[str, Any], checkpoint: Path) -> NetworkSpec:
    """The spec of a network in a checkpoint's state.

    Raises:
        InputError: it has none that can be used.
    """
    try:
        return read_spec(state["network"], state.get("spec"))
    except InputError as error:
        raise InputError(f"{checkpoint / 'state.json'}: {error}.") from error
