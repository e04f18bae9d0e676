"""The weights of an exported voice: safetensors whose names, shapes and content are checked."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from engine.choices import NetworkName
from engine.errors import InputError
from engine.exported.card import NetworkCard
from engine.exported.folder import CARD, opened, weights_file
from engine.networks.build import build_network, network_with
from engine.networks.specs import NetworkSpec
from engine.networks.ssrn import SSRN
from engine.networks.text2mel import Text2Mel

_Shapes = dict[str, tuple[int, ...]]
# Bytes of the longest header that is read, and of the largest tensors together.
_MAX_HEADER = 2**20
_MAX_WEIGHTS = 2**32
# As safetensors writes them.
_SAFETENSORS = {"float32": "F32", "float16": "F16"}
_TORCH = {"float32": torch.float32, "float16": torch.float16}


def pack(weights: Mapping[str, Tensor], dtype: str) -> bytes:
    """Return weights as the content of a safetensors file.

    Raises:
        InputError: one of them is not finite, or not in that number format.
    """
    packed = {name: tensor.to(_TORCH[dtype]).contiguous() for name, tensor in weights.items()}
    for name, tensor in packed.items():
        if not weights[name].isfinite().all():
            raise InputError(
                f"The weights {name} hold numbers that are not finite: the training has diverged; "
                f"choose an earlier checkpoint."
            )
        if not tensor.isfinite().all():
            raise InputError(
                f"The weights {name} hold numbers too large for 16 bits; export without --half."
            )
    content: bytes = save(packed, metadata={"format": "pt"})
    return content


def load_network(folder: Path, network: NetworkName, card: NetworkCard) -> Text2Mel | SSRN:
    """Return a network of an export in evaluation mode, in single precision.

    Memory is taken only for what the file really holds.

    Raises:
        InputError: the weights are missing, damaged, or not those that the card tells of.
    """
    path = folder / weights_file(network)
    shapes = _shapes_of(card.spec)
    parameters = sum(math.prod(shape) for shape in shapes.values())
    if card.parameters != parameters:
        raise InputError(
            f"{folder / CARD}: networks.{network}.parameters is {card.parameters:,}, but its spec "
            f"has {parameters:,}; export the voice again."
        )
    content = _read(path, parameters, card)
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise InputError(
            f"{path} is damaged: its content is not what the card has the checksum of; copy it "
            f"again."
        )
    try:
        _compare(_header(content), shapes, card.dtype)
        weights = load(content)
    except (SafetensorError, ValueError) as error:
        raise InputError(f"{path} does not hold the weights of its card: {error}.") from error
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise InputError(f"{path}: {name} holds numbers that are not finite; it cannot speak.")
    return network_with(card.spec, {name: tensor.float() for name, tensor in weights.items()})


def _shapes_of(spec: NetworkSpec) -> _Shapes:
    """Names and shapes of a network's weights, for which no memory is taken."""
    with torch.device("meta"):
        network = build_network(spec)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _read(path: Path, parameters: int, card: NetworkCard) -> bytes:
    """Read a file whose size is that of its tensors and a header."""
    need = _TORCH[card.dtype].itemsize * parameters
    if need > _MAX_WEIGHTS:
        raise InputError(
            f"{path}: networks of more than {_MAX_WEIGHTS:,} bytes are not read, and the card "
            f"tells of {need:,}."
        )
    with opened(path) as (file, size):
        if not need < size <= need + _MAX_HEADER:
            raise InputError(
                f"{path} has {size:,} bytes where the card tells of {need:,} bytes of weights and "
                f"a short header: it is cut short, or belongs to another voice; copy it again."
            )
        return file.read(size)


def _header(content: bytes) -> dict[str, object]:
    """The header of a safetensors file: what it says of every tensor.

    Raises:
        ValueError: there is none.
    """
    length = int.from_bytes(content[:8], "little")
    if length > min(len(content) - 8, _MAX_HEADER):
        raise ValueError(f"its header claims {length:,} bytes")
    try:
        said = json.loads(content[8 : 8 + length].decode("utf-8"))
    except RecursionError as error:
        raise ValueError("its header is nested too deeply") from error
    if not isinstance(said, dict):
        raise ValueError("its header is no object")
    said.pop("__metadata__", None)
    return said


def _compare(header: Mapping[str, object], shapes: _Shapes, dtype: str) -> None:
    """Refuse tensors that are not those of the network.

    Raises:
        ValueError: saying which.
    """
    if missing := shapes.keys() - header.keys():
        raise ValueError(f"it lacks {min(missing)}")
    if extra := header.keys() - shapes.keys():
        raise ValueError(f"it has {min(extra)[:60]!r}, which the network has not")
    for name, shape in shapes.items():
        said = header[name]
        found = (said.get("dtype"), said.get("shape")) if isinstance(said, dict) else None
        if found != (_SAFETENSORS[dtype], list(shape)):
            raise ValueError(
                f"{name} should be {_SAFETENSORS[dtype]} {list(shape)}, not {str(found)[:60]}"
            )
