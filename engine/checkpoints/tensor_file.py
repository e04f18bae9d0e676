"""Writes safetensors files without blocking the training thread.

The library's own writer copies all tensors into Python objects and holds the interpreter lock while
it writes. Here each tensor is written as it lies in memory, and the lock is free meanwhile.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from engine.files import PRIVATE, open_plain

# The names of https://github.com/huggingface/safetensors#format for what a network can hold.
_KINDS = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
}
# Bytes that are written, read and summed at a time.
_PIECE = 2**22


def write_tensors(tensors: Mapping[str, Tensor], path: Path, mode: int = PRIVATE) -> str:
    """Write a safetensors file of tensors on the CPU, sync it, and return its SHA-256.

    `mode` is less the umask.

    Raises:
        OSError: it cannot be written, or is there already.
        ValueError: a tensor has a type that such a file cannot hold.
    """
    pieces = {name: _raw_bytes(tensor) for name, tensor in tensors.items()}
    digest = hashlib.sha256()
    descriptor = open_plain(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb", buffering=0) as file:  # noqa: PTH123 (no path)
        for piece in (memoryview(_header(tensors, pieces)), *pieces.values()):
            for start in range(0, len(piece), _PIECE):
                part = piece[start : start + _PIECE]
                digest.update(part)
                while part:
                    part = part[os.write(file.fileno(), part) :]
        os.fsync(file.fileno())
    return digest.hexdigest()


def sha256_of(path: Path, *, from_disk: bool = False) -> str:
    """The SHA-256 of a file; `from_disk`, past the page cache, so that the disk itself is read."""
    with path.open("rb") as file:
        if from_disk:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return hashlib.file_digest(file, "sha256").hexdigest()


def bytes_of(tensors: Mapping[str, Tensor]) -> int:
    """The size of tensors in a file, without their names."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def _raw_bytes(tensor: Tensor) -> memoryview:
    flat = tensor.detach().contiguous().reshape(-1).view(torch.uint8)
    return flat.numpy().data.cast("B")


def _header(tensors: Mapping[str, Tensor], pieces: Mapping[str, memoryview]) -> bytes:
    """The length of what follows in 8 bytes, and where each tensor lies, as JSON."""
    places: dict[str, dict[str, object]] = {}
    end = 0
    for name, tensor in tensors.items():
        if tensor.dtype not in _KINDS:
            raise ValueError(f"{name} holds {tensor.dtype}, which cannot be saved")
        start, end = end, end + len(pieces[name])
        places[name] = {
            "dtype": _KINDS[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(places, separators=(",", ":")).encode()
    # Aligns the tensors.
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
