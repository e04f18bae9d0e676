"""`state.json`: the readable half of a checkpoint.

It ends with a checksum of all bytes before it and has those of the tensor files, so that any
changed byte of a checkpoint is noticed. Nothing here imports torch.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.files import plain_file, read_plain
from engine.networks.specs import NetworkSpec, read_spec
from engine.run.stop import Step
from engine.serialization import from_json
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.layout import (
    STEP_FOLDER,
    CheckpointEntry,
    is_checkpoint,
    list_checkpoints,
    step_folders,
)

STATE_FILE = "state.json"
WEIGHTS_FILE = "weights.safetensors"
EMA_FILE = "average.safetensors"
OPTIMIZER_FILE = "optimizer.safetensors"
"""The largest file of a checkpoint; without it the optimizer is reset."""

MAX_TENSOR_BYTES = 2**32
"""The largest tensor file that is read. The BBC's largest network has 341 MB with its optimizer
state; a sparse file can claim any size."""

FORMAT = 2
"""The version of `state.json`. Version 1 has no checksum of its own."""
_MAX_FORMAT = 1000
_MAX_BYTES = 2**20
# No loss of the steps between two lines of the history comes near it.
_MAX_LOSS_SUM = 1e30
# The end of state.json: the checksum of all before it.
_SEAL = '  "checksum": "{}"\n}}\n'

_DAMAGED_FOLDER = re.compile(r"step-([0-9]{9,10})-damaged(-[0-9]+)?")

RATE_FACTOR = 0.5
"""What the learning rate is multiplied by at each rollback."""
FORGIVEN_AFTER = 5000
"""Steps after a rollback from which on it no longer counts. The learning rate stays lowered."""

_Count = Annotated[int, Meta(ge=0, le=10**6)]


class DamagedCheckpointError(InputError):
    """A checkpoint that is not as it was written; the message names the file."""

    def __init__(self, what: str, remedy: str) -> None:
        """Take what is damaged, as a sentence without its full stop, and what to do about it."""
        super().__init__(f"{what}; {remedy}.")
        self.what = what


@dataclass(frozen=True)
class Unlogged:
    """Losses of the steps since the last logged one, so that a resumed run logs the same.

    The sums are of single precision; as numbers of Python they are exact.
    """

    count: Annotated[int, Meta(ge=0, le=2**31)] = 0
    """Steps."""
    sums: tuple[Annotated[float, Meta(ge=-_MAX_LOSS_SUM, le=_MAX_LOSS_SUM)], ...] = ()
    """Sums over these steps of the loss and of each of its parts; empty without a step."""


class Recovery(msgspec.Struct, frozen=True, rename={"diverged_at": "sick_step"}):
    """What is different in a run since it diverged; named on disk as version 0.1 did."""

    rate_factor: Annotated[float, Meta(gt=0, le=1)] = 1.0
    """The learning rate of the recipe is multiplied by this."""
    rollbacks: _Count = 0
    """How often the run was rolled back, of the `MAX_ROLLBACKS` that are allowed."""
    salt: _Count = 0
    """Part of the seed of batches and dropout where it is not 0: the very same steps would diverge
    again."""
    diverged_at: Step = 0
    """The step at which the last divergence was noticed."""

    def after(self, step: int) -> "Recovery":
        """Return what holds after another rollback, from divergence at a step."""
        return Recovery(self.rate_factor * RATE_FACTOR, self.rollbacks + 1, self.salt + 1, step)

    def tried_again(self) -> "Recovery":
        """Return what holds where a person wants another try after the last one."""
        return msgspec.structs.replace(self.after(self.diverged_at), rollbacks=1)

    def forgiven(self, step: int) -> "Recovery":
        """Return what holds at a step: rollbacks long ago no longer count."""
        if self.rollbacks and step >= self.diverged_at + FORGIVEN_AFTER:
            return msgspec.structs.replace(self, rollbacks=0)
        return self


class AutoPrecision(msgspec.Struct, frozen=True):
    """What `--precision auto` chose by timing, so that a resumed run makes the same steps."""

    device: Annotated[str, Meta(max_length=200)]
    """The model of the processor or GPU that was timed."""
    precision: Annotated[str, Meta(max_length=10)]
    """`bf16`, or another name of a precision."""


class CheckpointState(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={"optimizer_start_step": "moments_from", "checksums": "sha256"},
):
    """What `state.json` says; see `engine.checkpoints.checkpoint.Checkpoint`."""

    network: NetworkName
    step: Step
    base_step: Step
    recipe: Annotated[str, Meta(pattern=r"\A[a-z0-9-]{1,40}\Z")]
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    optimizer_start_step: Step = 0
    symbols: str
    parameters: Annotated[int, Meta(ge=1, le=2**40)] | None = None
    spec: dict[str, Any]
    """The sizes of the network; see `network_spec`."""
    saved: str = ""
    """When, in UTC."""
    symbols_from: dict[str, Any] = msgspec.field(default_factory=dict)
    unlogged: Unlogged = Unlogged()
    corpus: Annotated[str, Meta(pattern=r"^([0-9a-f]{32})?\Z")] = ""
    """Part of a path, and therefore a plain key."""
    recovery: Recovery = Recovery()
    auto_precision: AutoPrecision | None = None
    checksums: dict[str, str] = msgspec.field(default_factory=dict)
    """SHA-256 of each file of tensors."""

    @property
    def network_spec(self) -> NetworkSpec:
        """The sizes of the network."""
        return read_spec(self.network, self.spec)

    def __post_init__(self) -> None:
        if max(self.base_step, self.optimizer_start_step) > self.step:
            raise ValueError("base_step or moments_from lies beyond step")
        count, sums = self.unlogged.count, self.unlogged.sums
        if len(sums) not in ((3, 4) if count else (0,)):
            raise ValueError("unlogged has sums that no network logs")
        read_spec(self.network, self.spec)


class _Seal(msgspec.Struct):
    """What decides how a `state.json` is read."""

    format: Annotated[int, Meta(ge=1, le=_MAX_FORMAT)]
    checksum: Any = None


def sealed(state: Mapping[str, Any]) -> str:
    """The text of a `state.json`, with the checksum of every byte before it as its last entry."""
    plain = {name: value for name, value in state.items() if name != "checksum"}
    body = json.dumps({**plain, "format": FORMAT}, indent=2, ensure_ascii=False)
    body = body.removesuffix("\n}") + ",\n"
    return body + _SEAL.format(hashlib.sha256(body.encode()).hexdigest())


def read_state(checkpoint: Path) -> CheckpointState:
    """Read a checkpoint's `state.json`.

    Raises:
        DamagedCheckpointError: it is missing, is not as it was written, or has impossible values:
            anybody can compute a checksum.
        InputError: it cannot be read, or a later voicecoach wrote it.
    """
    path = checkpoint / STATE_FILE
    try:
        text = read_plain(path, _MAX_BYTES).decode()
        seal = from_json(text, _Seal, STATE_FILE)
    except PermissionError as error:
        raise InputError(f"Cannot read the checkpoint {checkpoint}: {error.strerror}.") from error
    except (OSError, ValueError, InputError) as error:
        why = getattr(error, "strerror", None) or error
        raise damaged(checkpoint, f"state.json cannot be read: {why}") from error
    if not _is_as_written(text, seal):
        raise damaged(checkpoint, "state.json is not as it was written")
    if seal.format > FORMAT:
        # Not damaged, and not to be set aside.
        raise InputError(
            f"{path} has format {seal.format}, which a later voicecoach wrote; this one reads "
            f"formats up to {FORMAT}: install that one."
        )
    try:
        state = from_json(text, CheckpointState, STATE_FILE)
        if state.network == "text2mel":  # SSRN never sees text
            Vocabulary(state.symbols)
    except InputError as error:
        raise damaged(checkpoint, str(error)) from error
    match = STEP_FOLDER.fullmatch(checkpoint.name)
    if match and int(match[1]) != state.step:
        raise damaged(checkpoint, f"{path} is of step {state.step:,}, not of its folder's")
    network = checkpoint.absolute().parents[1].name
    if network in NETWORKS and network != state.network:
        raise damaged(checkpoint, f"{path} is of {state.network}, not of {network}")
    return state


def _is_as_written(text: str, seal: _Seal) -> bool:
    """Whether no byte of a `state.json` has changed; format 1 has no checksum to say so."""
    if seal.checksum is None and seal.format == 1:
        return True
    body, mark, _ = text.rpartition('  "checksum": "')
    return bool(mark) and text == body + _SEAL.format(hashlib.sha256(body.encode()).hexdigest())


def damaged(checkpoint: Path, what: str) -> DamagedCheckpointError:
    """The error for a damaged checkpoint, which names the one before it."""
    match = STEP_FOLDER.fullmatch(checkpoint.name)
    step = int(match[1]) if match else 0
    before = [one for one in list_checkpoints(checkpoint.parent) if one.step < step]
    remedy = "there is none before it"
    if before:
        remedy = (
            f"the one before is of step {before[-1].step:,}, {before[-1].path.name}: move the "
            f"damaged one away to use it"
        )
    return DamagedCheckpointError(f"The checkpoint {checkpoint} is damaged: {what}", remedy)


def damaged_checkpoints(folder: Path) -> list[CheckpointEntry]:
    """The damaged checkpoints that can be found without reading tensors, oldest first.

    Those that a run set aside, and those whose `state.json` is missing or damaged.
    """
    if not folder.is_dir():
        return []
    found = [entry for entry in step_folders(folder) if not _has_good_state(entry.path)]
    matches = ((_DAMAGED_FOLDER.fullmatch(path.name), path) for path in folder.iterdir())
    found += [CheckpointEntry(int(match[1]), path) for match, path in matches if match]
    return sorted(found, key=lambda entry: entry.step)


def _has_good_state(checkpoint: Path) -> bool:
    try:
        read_state(checkpoint)
    except InputError:
        return False
    return True


def is_intact(checkpoint: Path) -> bool:
    """Whether a checkpoint matches its checksums; takes as long as reading all of it."""
    try:
        for name, digest in read_state(checkpoint).checksums.items():
            if Path(name).name != name:
                return False
            if name == OPTIMIZER_FILE and not (checkpoint / name).exists():
                continue
            with plain_file(checkpoint / name) as file:
                if os.fstat(file.fileno()).st_size > MAX_TENSOR_BYTES:
                    return False
                if hashlib.file_digest(file, "sha256").hexdigest() != digest:
                    return False
    except (InputError, OSError, ValueError):
        return False
    return True


def specs_of(voice: Voice) -> dict[NetworkName, NetworkSpec]:
    """The specs of the networks that a voice has: those of its newest checkpoints.

    Raises `InputError` where a checkpoint's `state.json` is damaged.
    """
    newest = _newest_in(voice.folder)
    return {network: read_state(path).network_spec for network, path in newest.items()}


def source_checkpoints(source: Path) -> dict[NetworkName, Path]:
    """Find the newest checkpoints in a voice.

    Of a single checkpoint, take it and the newest of the other network of its voice: a Text2Mel is
    heard through an SSRN.

    Raises:
        InputError: it is neither, or a voice without checkpoints.
    """
    if is_checkpoint(source):
        return {**_newest_in(source.resolve().parents[2]), read_state(source).network: source}
    found = _newest_in(source)
    if not found:
        raise InputError(
            f"{source} is neither a voice with checkpoints nor a checkpoint; give the folder of "
            f"a voice, or one of its step-… folders."
        )
    return found


def _newest_in(folder: Path) -> dict[NetworkName, Path]:
    entries = {network: list_checkpoints(folder / network / "checkpoints") for network in NETWORKS}
    return {network: found[-1].path for network, found in entries.items() if found}
