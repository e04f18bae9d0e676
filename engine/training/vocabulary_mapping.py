"""A Text2Mel's checkpoint for other symbols: the rows of its embedding, moved by symbol."""

from dataclasses import replace

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint
from engine.errors import InputError
from engine.networks.specs import Text2MelSpec
from engine.text.mapping import SymbolMapping

_EMBEDDING = "text_encoder.embedding.weight"
# Adam's moments of the embedding have a row for each symbol too; its count of steps has none.
_MOMENTS = (f"exp_avg/{_EMBEDDING}", f"exp_avg_sq/{_EMBEDDING}")


def require_rows_of_symbols(checkpoint: Checkpoint) -> None:
    """Refuse a checkpoint of which it cannot be told which symbol a row is of.

    Raises:
        InputError: its embedding has not a row for each of its symbols.
    """
    tables = [(name, checkpoint.optimizer.get(name)) for name in _MOMENTS]
    tables += [(_EMBEDDING, checkpoint.ema.get(_EMBEDDING))]
    found = [(name, table) for name, table in tables if table is not None]
    if _EMBEDDING not in checkpoint.weights:
        raise InputError(f"its weights have no {_EMBEDDING}")
    found.append((_EMBEDDING, checkpoint.weights[_EMBEDDING]))
    symbols = len(checkpoint.symbols)
    for name, table in found:
        if table.ndim != 2 or len(table) != symbols:
            raise InputError(
                f"its {name} has the shape {tuple(table.shape)}, but its state.json names "
                f"{symbols} symbols, one for each row"
            )


def with_symbols(checkpoint: Checkpoint, mapping: SymbolMapping) -> Checkpoint:
    """Return a Text2Mel's checkpoint that reads the symbols of `mapping.ours`.

    A symbol that the source has keeps its row, to the bit, and Adam's moments of it; padding and
    the end of a sentence are such symbols. One that it has not starts from its neighbour's row, or
    from the mean of the letters', and from moments of zero, so that it learns fast at first.
    """
    assert isinstance(checkpoint.spec, Text2MelSpec)

    def moved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        if _EMBEDDING not in tensors:
            return tensors
        return {**tensors, _EMBEDDING: _moved(tensors[_EMBEDDING], mapping)}

    known = torch.tensor(mapping.known).unsqueeze(-1)  # (symbols, 1)
    moments = {
        name: _moved(checkpoint.optimizer[name], mapping) * known
        for name in _MOMENTS
        if name in checkpoint.optimizer
    }
    return replace(
        checkpoint,
        spec=replace(checkpoint.spec, vocabulary_size=len(mapping.ours)),
        symbols=mapping.ours,
        weights=moved(checkpoint.weights),
        ema=moved(checkpoint.ema),
        optimizer={**checkpoint.optimizer, **moments},
        symbols_from=mapping.as_json(),
    )


def _moved(table: Tensor, mapping: SymbolMapping) -> Tensor:
    """Rows of `table` `(theirs, e)` as those of the mapping's symbols, `(ours, e)`."""
    mean = table[list(mapping.letter_rows)].mean(dim=0)
    return torch.stack([mean if row is None else table[row] for row in mapping.rows])
