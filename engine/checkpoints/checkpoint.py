"""Checkpoints: never half of one, never the last good one removed."""

import errno
import os
import re
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from engine.checkpoints.folders import (
    MAX_TENSOR_BYTES,
    MOMENTS,
    damaged,
    read_state,
    sealed,
    superseded,
)
from engine.checkpoints.recovery import Recovery, recovery_from
from engine.checkpoints.tensor_file import bytes_of, digest_of, digest_on_disk, write_tensors
from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.files import (
    PRIVATE,
    PRIVATE_FOLDER,
    fsync,
    make_folder,
    open_plain,
    remove,
    remove_all,
    require_room,
)
from engine.formatting import timestamp
from engine.networks.build import build_network, network_with
from engine.networks.specs import NetworkSpec, read_spec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel
from engine.voice.folder import Voice
from engine.voice.layout import is_checkpoint

_WEIGHTS = "weights.safetensors"
_AVERAGE = "average.safetensors"
# What a checkpoint takes beside its tensors: their names, and state.json.
_BESIDE_TENSORS = 2**18
# What a file of tensors takes beside those of the weights' sizes: their names, the count of steps.
_MAX_BESIDE = 2**20
# No loss of the steps between two lines of the history comes near it.
_MAX_SUM = 1e30


@dataclass(frozen=True)
class Unlogged:
    """Losses of the steps since the last logged one, so that a run taken up again logs the same.

    The sums are of single precision; as numbers of Python they are exact.
    """

    count: int = 0
    """Steps."""
    sums: tuple[float, ...] = ()
    """Sums over these steps of the loss and of each of its parts; empty without a step."""


@dataclass(frozen=True)
class Checkpoint:
    """All that is needed to speak with a network and to train it on."""

    network: NetworkName
    spec: NetworkSpec
    symbols: str
    """The vocabulary that the weights were trained with."""
    step: int
    base_step: int
    recipe: str
    seed: int
    moments_from: int
    """The step at which Adam started without moments; 0 where it never had to start anew."""
    weights: dict[str, Tensor]
    """The weights that are trained."""
    average: dict[str, Tensor]
    """Their running average, which speaks; empty when the recipe keeps none."""
    optimizer: dict[str, Tensor]
    """Adam's moments; empty in a checkpoint made for speaking alone."""
    symbols_from: dict[str, Any] = field(default_factory=dict)
    """In the base of a voice with other symbols than its source: where each row of the embedding
    came from, as `engine.text.mapping.SymbolMapping` tells it. Empty in any other."""
    unlogged: Unlogged = field(default_factory=Unlogged)
    """What the next line of the history is the mean of besides the steps to come."""
    corpus: str = ""
    """The key of the corpus that it was trained on last, see `engine.data.content`; empty where
    that is not known."""
    recovery: Recovery = field(default_factory=Recovery)
    """What became of a run that fell sick."""

    @property
    def speaking(self) -> dict[str, Tensor]:
        """The weights to speak with, and to start another voice from."""
        return self.average or self.weights


def save_checkpoint(checkpoint: Checkpoint, target: Path) -> None:
    """Write a checkpoint: a temporary folder, made safe on disk, read again, then renamed.

    Every file is read back and compared with what was to be written before the checkpoint gets
    its name. Other threads go on meanwhile.

    Raises:
        EngineError: there is no room for it, the folder cannot be written, or what the disk gives
            back is not what was written; nothing is left of it.
    """
    size = checkpoint_bytes(checkpoint)
    require_room(target, size, f"The checkpoint {target.name}")
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        # In a voice folder that is there: one that was deleted must not come back without its lock.
        make_folder(target.parent, within=target.parents[2])
        temporary.mkdir(PRIVATE_FOLDER)
        write_checkpoint(checkpoint, temporary)
        fsync(temporary)
        _put_in_place(temporary, target)
        fsync(target.parent)
    except (OSError, ValueError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise EngineError(
            f"The checkpoint {target} cannot be written: {_reason(error)}; {_remedy(error)}the "
            f"ones before it are untouched."
        ) from error


def write_checkpoint(checkpoint: Checkpoint, folder: Path, mode: int = PRIVATE) -> None:
    """Write a checkpoint's files into a folder, and compare what the disk has with them.

    Raises:
        OSError: they cannot be written, or are not as they were written.
        ValueError: a tensor is of a type that no such file holds.
    """
    digests = {
        name: write_tensors(tensors, folder / name, mode)
        for name, tensors in _files(checkpoint).items()
    }
    state = sealed({**_state(checkpoint), "sha256": digests})
    _write_synced(folder / "state.json", state.encode(), mode)
    _read_again(folder, digests, state)


def checkpoint_bytes(checkpoint: Checkpoint) -> int:
    """The room that a checkpoint takes on disk, rounded up."""
    files = _files(checkpoint).values()
    return sum(bytes_of(tensors) for tensors in files) + _BESIDE_TENSORS


def _files(checkpoint: Checkpoint) -> dict[str, dict[str, Tensor]]:
    """The files of tensors that a checkpoint has, by name."""
    files = {_WEIGHTS: checkpoint.weights}
    if checkpoint.average:
        files[_AVERAGE] = checkpoint.average
    if checkpoint.optimizer:
        files[MOMENTS] = checkpoint.optimizer
    return files


def _write_synced(path: Path, content: bytes, mode: int) -> None:
    descriptor = open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 (no path)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read_again(folder: Path, digests: dict[str, str], state: str) -> None:
    """Compare what the disk has with what was to be written.

    Raises:
        OSError: they differ, or it cannot be read.
    """
    for name, digest in digests.items():
        if digest_on_disk(folder / name) != digest:
            raise OSError(errno.EIO, f"the disk gives {name} back other than it was written")
    if (folder / "state.json").read_bytes() != state.encode():
        raise OSError(errno.EIO, "the disk gives state.json back other than it was written")


def _reason(error: Exception) -> str:
    """What the system says, without its number and the name of a temporary file."""
    return getattr(error, "strerror", None) or str(error)


def _remedy(error: Exception) -> str:
    """What to do about it, where that is known."""
    match getattr(error, "errno", None):
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "free some space; "
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return "make that folder writable; "
        case errno.EXDEV:
            return "copy the voice to another disk, such as a mounted volume; "
    return ""


def _put_in_place(temporary: Path, target: Path) -> None:
    """Rename; a checkpoint of the same step, made on purpose again, gives way last.

    It may be the last good one, so it is only ever renamed: a file system that refuses that fails
    the save.

    Raises:
        OSError: it cannot be renamed.
    """
    if target.exists():
        old = target.with_name(f".{target.name}.{os.getpid()}.old")
        target.rename(old)
        temporary.rename(target)
        shutil.rmtree(old, ignore_errors=True)  # what refuses is swept later
    else:
        temporary.rename(target)


def _state(checkpoint: Checkpoint) -> dict[str, Any]:
    state = {
        "network": checkpoint.network,
        "step": checkpoint.step,
        "base_step": checkpoint.base_step,
        "recipe": checkpoint.recipe,
        "seed": checkpoint.seed,
        "moments_from": checkpoint.moments_from,
        "symbols": checkpoint.symbols,
        "parameters": sum(tensor.numel() for tensor in checkpoint.weights.values()),
        "spec": asdict(checkpoint.spec),
        "saved": timestamp(),
        "unlogged": asdict(checkpoint.unlogged),
    }
    if checkpoint.corpus:
        state["corpus"] = checkpoint.corpus
    if checkpoint.recovery != Recovery():
        state["recovery"] = asdict(checkpoint.recovery)
    if checkpoint.symbols_from:
        state["symbols_from"] = checkpoint.symbols_from
    return state


def load_checkpoint(folder: Path, *, to_speak: bool = False) -> Checkpoint:
    """Read a checkpoint; weights stored in half precision come back in single precision.

    Args:
        folder: a `step-…` folder.
        to_speak: leave out what only training needs.

    Raises:
        DamagedCheckpointError: a file is missing, or a byte of it is not as it was written.
        InputError: a file cannot be read.
    """
    state = read_state(folder)
    network: NetworkName = state["network"]
    try:
        digests = dict(state.get("sha256", {}))
        spec = read_spec(network, state["spec"])
        shapes = _shapes(spec)
        return Checkpoint(
            network=network,
            spec=spec,
            symbols=state["symbols"],
            step=state["step"],
            base_step=state["base_step"],
            recipe=str(state["recipe"]),
            seed=state["seed"],
            moments_from=state.get("moments_from", 0),
            weights=_weights(folder, _WEIGHTS, shapes, digests),
            average=_average(folder, shapes, digests),
            optimizer={} if to_speak else _moments(folder, shapes, digests),
            symbols_from=dict(state.get("symbols_from", {})),
            unlogged=_unlogged(state.get("unlogged", {}), state["step"]),
            corpus=_corpus(state.get("corpus", "")),
            recovery=recovery_from(state.get("recovery", {})),
        )
    except PermissionError as error:
        raise InputError(f"Cannot read {error.filename}: {error.strerror}.") from error
    except (
        OSError,
        SafetensorError,
        LookupError,
        TypeError,
        ValueError,
        AttributeError,
        ArithmeticError,
    ) as error:
        raise damaged(folder, str(error)) from error


def _shapes(spec: NetworkSpec) -> dict[str, torch.Size]:
    """The names and shapes of a network's weights, for which no memory is taken."""
    with torch.device("meta"):
        return {name: one.shape for name, one in build_network(spec).named_parameters()}


def _weights(
    folder: Path, name: str, shapes: dict[str, torch.Size], digests: dict[str, str]
) -> dict[str, Tensor]:
    """Weights that have the names and shapes of their network.

    Raises:
        ValueError: they have others, or are not as they were written.
        OSError: they are gone.
    """
    found = _tensors(folder, name, digests, _bytes_of(shapes))
    if {key: one.shape for key, one in found.items()} != shapes:
        raise ValueError(f"{name} does not fit the sizes in its own state.json")
    return found


def _bytes_of(shapes: dict[str, torch.Size]) -> int:
    """Bytes of weights in single precision."""
    return 4 * sum(shape.numel() for shape in shapes.values())


def _average(
    folder: Path, shapes: dict[str, torch.Size], digests: dict[str, str]
) -> dict[str, Tensor]:
    """The average; empty where none was written, but never where it was and has gone."""
    if _AVERAGE not in digests and not (folder / _AVERAGE).exists():
        return {}
    return _weights(folder, _AVERAGE, shapes, digests)


def _moments(
    folder: Path, shapes: dict[str, torch.Size], digests: dict[str, str]
) -> dict[str, Tensor]:
    """Adam's moments; empty where somebody has removed their file, which is the largest."""
    if not (folder / MOMENTS).exists():
        return {}
    return _tensors(folder, MOMENTS, digests, 2 * _bytes_of(shapes))


def _corpus(said: Any) -> str:  # noqa: ANN401 (what JSON has)
    # It becomes part of a path.
    if not (isinstance(said, str) and re.fullmatch("([0-9a-f]{32})?", said)):
        raise ValueError(f"state.json has {said!r} for the key of a corpus")
    return said


def _unlogged(said: dict[str, Any], step: int) -> Unlogged:
    count, sums = said.get("count", 0), tuple(said.get("sums", ()))
    sound = len(sums) in (3, 4) and all(
        type(one) in (int, float) and abs(one) <= _MAX_SUM for one in sums
    )
    there = type(count) is int and 0 < count <= step and sound
    if not there and (count, sums) != (0, ()):
        raise ValueError("state.json has sums of losses, `unlogged`, that are of no network")
    return Unlogged(count, tuple(map(float, sums)))


def has_average(folder: Path) -> bool:
    """Whether a checkpoint speaks with an average of its weights; says so without reading it."""
    return (folder / _AVERAGE).is_file()


def speaking_network(checkpoint: Checkpoint) -> Text2Mel | SSRN:
    """Return a checkpoint's network in evaluation mode, with the weights that speak.

    Raises:
        InputError: the weights are not those of the network that `state.json` tells of.
    """
    try:
        return network_with(checkpoint.spec, checkpoint.speaking)
    except RuntimeError as error:
        raise InputError(
            f"The checkpoint of {checkpoint.network} at step {checkpoint.step:,} does not fit its "
            f"own state.json: {str(error).splitlines()[0]}"
        ) from error


def _tensors(folder: Path, name: str, digests: dict[str, str], most: int) -> dict[str, Tensor]:
    """Read a file of tensors that is still as it was written.

    Args:
        folder: of the checkpoint.
        name: of the file.
        digests: the SHA-256 of each file, as `state.json` says it.
        most: bytes of the tensors.

    Raises:
        ValueError: a byte of it has changed, or it is larger than any of a network of that size.
        OSError: it is gone.
    """
    path = folder / name
    # What reads it below follows links, and waits for pipes.
    descriptor = open_plain(path)
    size = os.fstat(descriptor).st_size
    os.close(descriptor)
    most = min(most + _MAX_BESIDE, MAX_TENSOR_BYTES)
    if size > most:
        raise ValueError(f"{name} is too large for its network (maximum {most:,} bytes)")
    if name in digests and digest_of(path) != digests[name]:
        raise ValueError(f"{name} is not as it was written")
    # Copies: what safetensors returns is the file itself, mapped, and a file that is written
    # over would take the process with it.
    return {key: tensor.to(torch.float32, copy=True) for key, tensor in load_file(path).items()}


def remove_superseded(
    voice: Voice, network: NetworkName, base_step: int, saved: int | None = None
) -> dict[Path, OSError]:
    """Remove old checkpoints, except the newest few, the first from every 50k-th step on, the base.

    What an earlier removal has left is tried again. One that cannot be removed keeps no other.

    Args:
        voice: whose.
        network: of which network.
        base_step: the step of the base, which is kept.
        saved: the step of the one that was just saved, which is kept too.

    Returns:
        The folders that cannot be removed, each with the reason.

    Raises:
        OSError: the folder of the checkpoints cannot be read.
    """
    settings = voice.settings
    found = voice.checkpoints(network)
    steps = [entry.step for entry in found]
    old = superseded(steps, settings.keep_newest, settings.keep_every, base_step) - {saved}
    left = {}
    for entry in found:
        if entry.step in old:
            try:
                _hide(entry.path, entry.path.with_name(f".{entry.path.name}.removed"))
            except OSError as error:
                left[entry.path] = error
    return left | sweep(voice.folder / network / "checkpoints")


def _hide(checkpoint: Path, hidden: Path) -> None:
    """Give a checkpoint a name that is never listed; remove it where it cannot be renamed.

    Only for one that is not kept. overlayfs does not rename a folder of a lower layer. Without its
    `state.json`, what a removal that is cut off leaves is no checkpoint.

    Raises:
        OSError: it can be neither renamed nor removed.
    """
    try:
        checkpoint.rename(hidden)
    except OSError:
        (checkpoint / "state.json").unlink(missing_ok=True)
        remove(checkpoint)


def sweep(folder: Path) -> dict[Path, OSError]:
    """Clear away what a write or a removal that was cut off has left among checkpoints.

    A checkpoint that was about to give way to another of its step, which then did not come,
    is put back.

    Returns:
        What can be neither removed nor put back, each with the reason.

    Raises:
        OSError: the folder cannot be read.
    """
    doomed, left = [], {}
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
            doomed.append(path)
    return left | remove_all(doomed)
