"""`attention.plots` of a network: its attention in earlier runs, for a screen to step back to."""

import logging
import zlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import InputError
from engine.files import read_plain, write_whole
from engine.formatting import printable
from engine.run.curves import AttentionPlot
from engine.serialization import from_msgpack, to_msgpack

_log = logging.getLogger(__name__)

# Of the file, and of what is in it: a plot has some 40 kB, and compresses to a tenth.
_MAX_BYTES = 2**24
_MAX_UNPACKED = 2**26


def save_plots(path: Path, plots: Iterable[AttentionPlot]) -> None:
    """Write plots in place of those of before, into a folder that has to be there.

    Raises:
        EngineError: they cannot be written.
    """
    packed = [replace(plot, weights=shades(plot.weights)) for plot in plots]
    write_whole(path, zlib.compress(to_msgpack(packed), 1), make_folders=False)


def read_plots(path: Path) -> list[AttentionPlot]:
    """Read plots, oldest first; none where there is no file, or a damaged one."""
    try:
        unpacking = zlib.decompressobj()
        content = unpacking.decompress(read_plain(path, _MAX_BYTES), _MAX_UNPACKED)
        if not unpacking.eof:
            raise InputError("it is cut off, or too large")
        plots = from_msgpack(content, list[AttentionPlot], "it is damaged")
    except FileNotFoundError:
        return []
    except (OSError, zlib.error, InputError) as error:
        _log.warning("the attention plots in %s are not shown: %s", path, error)
        return []
    return [
        replace(plot, source=printable(plot.source), weights=weights_of(plot.weights))
        for plot in plots
        if plot.weights.ndim == 2
    ]


def shades(weights: NDArray[Any]) -> NDArray[Any]:
    """Attention as 256 shades, to send and to store: a quarter of the bytes, shown just as well."""
    return np.asarray(np.rint(np.nan_to_num(weights).clip(0, 1) * 255), np.uint8)


def weights_of(shades: NDArray[Any]) -> NDArray[np.float32]:
    """Attention from its shades; read-only."""
    weights = np.asarray(shades, np.float32) / np.float32(255)
    weights.setflags(write=False)
    return weights
