"""Checkpoints saved and loaded: never half of one, never a byte that has changed.

Where the newest is damaged, the one before is found and used.
"""

import errno
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.checkpoints.state import (
    EMA_FILE,
    MAX_TENSOR_BYTES,
    OPTIMIZER_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    AutoPrecision,
    CheckpointState,
    DamagedCheckpointError,
    Recovery,
    Unlogged,
    damaged,
    read_state,
    sealed,
)
from engine.checkpoints.tensor_file import bytes_of, sha256_of, write_tensors
from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.files import PRIVATE, PRIVATE_FOLDER, fsync, make_folder, open_plain, require_room
from engine.formatting import timestamp
from engine.networks.build import network_with, weight_shapes
from engine.networks.specs import NetworkSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.run.publisher import Publisher
from engine.serialization import to_plain
from engine.voice.folder import Voice
from engine.voice.layout import CheckpointEntry, list_checkpoints, step_folders

# Room for what is not a weight: names, step counts, state.json.
_OVERHEAD, _MAX_OVERHEAD = 2**18, 2**20
# What a checkpoint and its `state.json` both say.
_IN_STATE = (
    *("network", "symbols", "step", "base_step", "recipe", "seed", "optimizer_start_step"),
    *("symbols_from", "unlogged", "corpus", "recovery", "auto_precision"),
)

_REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), "free some space; "),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "make that folder writable; "),
    errno.EXDEV: "copy the voice to another disk, such as a mounted volume; ",
}


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to speak with a network and to continue its training."""

    network: NetworkName
    spec: NetworkSpec
    symbols: str
    """The vocabulary that the weights were trained with."""
    step: int
    base_step: int
    recipe: str
    seed: int
    weights: dict[str, Tensor]
    """The weights that are trained."""
    ema: dict[str, Tensor] = field(default_factory=dict)
    """Their exponential moving average, which speaks; empty where the recipe has none."""
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    """The optimizer's state; empty where the checkpoint is for speaking alone."""
    optimizer_start_step: int = 0
    """The step at which the optimizer last started without state; 0 where it never had to."""
    symbols_from: dict[str, Any] = field(default_factory=dict)
    """In the base of a voice with other symbols than its source: where each row of the embedding
    came from, see `engine.text.mapping.SymbolMapping`. Empty in any other."""
    unlogged: Unlogged = field(default_factory=Unlogged)
    """Losses that the next line of the history includes besides those of the steps to come."""
    corpus: str = ""
    """The key of the corpus that it was trained on last, see `engine.data.content`; empty where
    that is not known."""
    recovery: Recovery = field(default_factory=Recovery)
    """What divergence has done to the run."""
    auto_precision: AutoPrecision | None = None
    """What `--precision auto` chose in this run or an earlier one."""

    @property
    def inference_weights(self) -> dict[str, Tensor]:
        """The weights to speak with, and to start another voice from."""
        return self.ema or self.weights


def save_checkpoint(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint into a temporary folder, sync it, read it back, then rename it.

    Other threads run meanwhile.

    Raises:
        EngineError: there is no room for it, the folder cannot be written, or reading it back gives
            something else; nothing is left of it.
    """
    size = sum(map(bytes_of, _files(checkpoint).values())) + _OVERHEAD
    require_room(target, size, f"The checkpoint {target.name}")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        # Only in an existing voice folder: a deleted one must not come back without its lock.
        make_folder(target.parent, within=target.parents[2])
        temporary.mkdir(PRIVATE_FOLDER)
        write_checkpoint(checkpoint, temporary)
        fsync(temporary)
        _put_in_place(temporary, target)
        fsync(target.parent)
    except (OSError, ValueError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        # Without the error's number and the name of a temporary file.
        reason = getattr(error, "strerror", None) or error
        remedy = _REMEDIES.get(getattr(error, "errno", None) or 0, "")
        raise EngineError(
            f"The checkpoint {target} cannot be written: {reason}; {remedy}the ones before it are "
            f"untouched."
        ) from error


def write_checkpoint(checkpoint: Checkpoint, folder: Path, mode: int = PRIVATE) -> None:
    """Write a checkpoint's files into a folder, and read them back.

    Raises:
        OSError: they cannot be written, or reading them back gives something else.
        ValueError: a tensor has a type that safetensors does not know here.
    """
    checksums = {
        name: write_tensors(tensors, folder / name, mode)
        for name, tensors in _files(checkpoint).items()
    }
    state = CheckpointState(
        **{name: getattr(checkpoint, name) for name in _IN_STATE},
        spec=asdict(checkpoint.spec),
        parameters=sum(tensor.numel() for tensor in checkpoint.weights.values()),
        saved=timestamp(),
        checksums=checksums,
    )
    content = sealed(to_plain(state)).encode()
    _write_synced(folder / STATE_FILE, content, mode)
    for name, checksum in checksums.items():
        if sha256_of(folder / name, from_disk=True) != checksum:
            raise OSError(errno.EIO, f"reading {name} back gives other content")
    if (folder / STATE_FILE).read_bytes() != content:
        raise OSError(errno.EIO, f"reading {STATE_FILE} back gives other content")


def _files(checkpoint: Checkpoint) -> dict[str, dict[str, Tensor]]:
    """The tensor files of a checkpoint by name."""
    files = {
        WEIGHTS_FILE: checkpoint.weights,
        EMA_FILE: checkpoint.ema,
        OPTIMIZER_FILE: checkpoint.optimizer,
    }
    return {name: tensors for name, tensors in files.items() if tensors}


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    descriptor = open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 (no path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _put_in_place(temporary: Path, target: Path) -> None:
    """Rename the new checkpoint, and first one of the same step that is saved again.

    That one may be the last good one, so it is renamed and not removed before: a file system that
    refuses that fails the save.

    Raises:
        OSError: it cannot be renamed.
    """
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    temporary.rename(target)
    shutil.rmtree(old, ignore_errors=True)  # what refuses is swept later


def load_checkpoint(folder: Path, *, with_optimizer: bool = True) -> Checkpoint:
    """Read a checkpoint; weights stored in half precision come back in single precision.

    Args:
        folder: a `step-…` folder.
        with_optimizer: load the optimizer's state, which only training needs.

    Raises:
        DamagedCheckpointError: a file is missing, or a byte of it is not as it was written.
        InputError: a file cannot be read.
    """
    state = read_state(folder)
    spec, checksums = state.network_spec, state.checksums
    shapes = weight_shapes(spec)
    weight_bytes = 4 * sum(shape.numel() for shape in shapes.values())

    def tensors(name: str, max_bytes: int) -> dict[str, Tensor]:
        return _read_tensors(folder / name, checksums.get(name), max_bytes)

    ema: dict[str, Tensor] = {}
    optimizer: dict[str, Tensor] = {}
    try:
        weights = _fitting(tensors(WEIGHTS_FILE, weight_bytes), shapes, WEIGHTS_FILE)
        # Absent is fine where none was written, but not where it was lost.
        if EMA_FILE in checksums or has_ema(folder):
            ema = _fitting(tensors(EMA_FILE, weight_bytes), shapes, EMA_FILE)
        # A person may have deleted it: it is the largest file.
        if with_optimizer and (folder / OPTIMIZER_FILE).exists():
            optimizer = tensors(OPTIMIZER_FILE, 2 * weight_bytes)
    except PermissionError as error:
        raise InputError(f"Cannot read {error.filename}: {error.strerror}.") from error
    except (OSError, SafetensorError, ValueError, OverflowError) as error:
        raise damaged(folder, str(error)) from error
    in_state = {name: getattr(state, name) for name in _IN_STATE}
    return Checkpoint(spec=spec, weights=weights, ema=ema, optimizer=optimizer, **in_state)


def _fitting(
    tensors: dict[str, Tensor], shapes: Mapping[str, torch.Size], name: str
) -> dict[str, Tensor]:
    if {key: tensor.shape for key, tensor in tensors.items()} != shapes:
        raise ValueError(f"{name} does not fit the sizes in its own state.json")
    return tensors


def _read_tensors(path: Path, checksum: str | None, max_bytes: int) -> dict[str, Tensor]:
    """Read a tensor file in single precision.

    Raises:
        ValueError: a byte of it has changed, or it is too large for its network.
        OSError: it is missing.
    """
    # safetensors would follow a link, and wait for a pipe.
    descriptor = open_plain(path)
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
    max_bytes = min(max_bytes + _MAX_OVERHEAD, MAX_TENSOR_BYTES)
    if size > max_bytes:
        raise ValueError(f"{path.name} is too large for its network (maximum {max_bytes:,} bytes)")
    if checksum is not None and sha256_of(path) != checksum:
        raise ValueError(f"{path.name} is not as it was written")
    # Copies: safetensors returns the mapped file, and overwriting that file would kill the process.
    return {key: tensor.to(torch.float32, copy=True) for key, tensor in load_file(path).items()}


def has_ema(folder: Path) -> bool:
    """Whether a checkpoint has an EMA of its weights, without reading it."""
    return (folder / EMA_FILE).is_file()


def inference_network(checkpoint: Checkpoint) -> Text2Mel | SSRN:
    """Return a checkpoint's network in evaluation mode, with its EMA weights, if it has them."""
    return network_with(checkpoint.spec, checkpoint.inference_weights)


@dataclass(frozen=True)
class NewestGood:
    """The newest good checkpoint of a network, and the damaged ones that are newer."""

    checkpoint: Checkpoint | None
    """None where the network has no checkpoint."""
    damaged: tuple[int, ...] = ()
    """Their steps, newest first."""

    @property
    def note(self) -> str:
        """What a listener must know; empty where all is well."""
        if not self.damaged or self.checkpoint is None:
            return ""
        steps = ", ".join(f"{step:,}" for step in self.damaged)
        good = self.checkpoint
        return f"{good.network} at step {good.step:,}, because {steps} is damaged"


def find_newest_good(
    voice: Voice,
    network: NetworkName,
    publisher: Publisher | None = None,
    *,
    with_incomplete: bool = False,
    is_sound: Callable[[Checkpoint], bool] = lambda checkpoint: True,
) -> NewestGood:
    """Find the newest checkpoint of a network that is not damaged.

    Without a `publisher` it is to be listened to: it comes without optimizer state, and nothing is
    moved. With one it is to be trained on, and what is damaged is warned of and renamed.

    Checkpoints whose weights are not `is_sound` count as damaged, and `with_incomplete` folders
    without a `state.json` too, which are no checkpoints else.

    Raises:
        InputError: one cannot be read, or all are damaged.
    """
    voice.locate()
    bad: list[tuple[CheckpointEntry, str]] = []
    list_entries = step_folders if with_incomplete else list_checkpoints
    for entry in reversed(list_entries(voice.folder / network / "checkpoints")):
        try:
            checkpoint = load_checkpoint(entry.path, with_optimizer=publisher is not None)
        except DamagedCheckpointError as error:
            bad.append((entry, error.what))
            continue
        if not is_sound(checkpoint):
            bad.append((entry, f"The checkpoint {entry.path} has weights that are not finite"))
            continue
        if publisher is not None:
            for damaged_entry, what in bad:
                _set_aside(damaged_entry, what, checkpoint, publisher)
        return NewestGood(checkpoint, tuple(entry.step for entry, _ in bad))
    if bad:
        raise InputError(
            f"No checkpoint of {network} in {voice.folder} is good: {bad[0][1]}. Restore one from "
            f"a backup or the mirror, or move them all away to start over."
        )
    return NewestGood(None)


def _set_aside(entry: CheckpointEntry, what: str, good: Checkpoint, publisher: Publisher) -> None:
    """Rename a damaged checkpoint to what is never listed, removed or swept, and warn of it."""
    damaged = f"{entry.path.name}-damaged"
    names = chain([damaged], (f"{damaged}-{number}" for number in count(2)))
    target = next(path for path in map(entry.path.with_name, names) if not path.exists())
    try:
        entry.path.rename(target)
        where, done = f"kept as {target.name}", "set aside"
    except OSError as error:
        where, done = f"it cannot be renamed ({error.strerror})", "passed over"
    using = f"using step {good.step:,}"
    publisher.warn(
        f"{what}: {where}; {using}",
        f"Checkpoint {entry.step:,} of {good.network} is damaged: {done}, {using}.",
    )
