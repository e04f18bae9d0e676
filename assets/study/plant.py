"""Make a voice of damaged checkpoints whose order is known, to test what measures them.

Each checkpoint of the new voice is one checkpoint of another voice with a defect of some strength.
Their steps are in no order, so that nothing but the sound and the attention tells them apart;
`planted.json` in the voice's folder has them from best to worst.
"""

import argparse
import json
import random
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError, VoicecoachError
from engine.voice.folder import Voice

ANSWERS = "planted.json"
"""Which checkpoints are better than which, in the folder of a planted voice."""

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Defect:
    """One way to make a network worse, and how strongly."""

    damage: Callable[[Weights, float, torch.Generator], dict[str, Tensor]]
    """Weights, strength and source of chance to damaged weights; strength 0 changes nothing."""
    strengths: tuple[float, ...]
    """From none to hopeless."""


def add_noise(weights: Weights, strength: float, chance: torch.Generator) -> dict[str, Tensor]:
    """Add noise to every tensor, in parts of its own standard deviation."""
    return {name: _noisy(tensor, strength, chance) for name, tensor in weights.items()}


def add_noise_to(part: str) -> Callable[[Weights, float, torch.Generator], dict[str, Tensor]]:
    """Return `add_noise` for the tensors whose names begin with `part`."""

    def damage(weights: Weights, strength: float, chance: torch.Generator) -> dict[str, Tensor]:
        return {
            name: _noisy(tensor, strength, chance) if name.startswith(part) else tensor
            for name, tensor in weights.items()
        }

    return damage


def swap_symbols(weights: Weights, strength: float, chance: torch.Generator) -> dict[str, Tensor]:
    """Have `strength` pairs of letters read as each other: clear speech of the wrong words."""
    name = "text_encoder.embedding.weight"
    rows = weights[name].clone()
    # Padding, E and the space stay.
    letters = 3 + torch.randperm(len(rows) - 3, generator=chance)[: 2 * round(strength)]
    rows[letters] = rows[letters.reshape(-1, 2).flip(1).flatten()]
    return {**weights, name: rows}


def _noisy(tensor: Tensor, strength: float, chance: torch.Generator) -> Tensor:
    spread = float(tensor.std()) if tensor.numel() > 1 else 0.0
    return tensor + strength * spread * torch.randn(tensor.shape, generator=chance)


DEFECTS = {
    "noise": Defect(add_noise, (0, 0.08, 0.14, 0.2, 0.3, 0.5)),
    "queries": Defect(add_noise_to("audio_encoder"), (0, 0.2, 0.35, 0.5, 0.8, 1.2)),
    "keys": Defect(add_noise_to("text_encoder"), (0, 0.2, 0.35, 0.5, 0.8, 1.2)),
    "letters": Defect(swap_symbols, (0, 1, 2, 4, 7, 12)),
}
TOWARDS = "towards"
_MIXTURES = (0, 0.2, 0.4, 0.6, 0.8, 1.0)


def mixed(weights: Weights, other: Weights, share: float) -> dict[str, Tensor]:
    """Return weights a share of the way to another network's, of the same sizes."""
    return {name: torch.lerp(tensor, other[name], share) for name, tensor in weights.items()}


def series(good: Checkpoint, defect: str, seed: int, bad: Checkpoint | None) -> list[Weights]:
    """Return weights from undamaged to worst.

    Raises:
        InputError: `bad` is missing where the defect is another network's weights, or of other
            sizes.
    """
    weights = good.inference_weights
    if defect == TOWARDS:
        if bad is None or bad.spec != good.spec:
            raise InputError(f"{TOWARDS} needs --bad, a checkpoint of the same sizes.")
        return [mixed(weights, bad.inference_weights, share) for share in _MIXTURES]
    kind = DEFECTS[defect]
    # The same noise at every strength: only its size differs.
    return [
        kind.damage(weights, strength, torch.Generator().manual_seed(seed))
        for strength in kind.strengths
    ]


def plant(voice: Voice, out: Path, good: Checkpoint, damaged: list[Weights], seed: int) -> Voice:
    """Write a voice with the damaged checkpoints, and the other network's newest as it is.

    Raises:
        InputError: there is something in the folder already.
    """
    if out.exists():
        raise InputError(f"{out} exists; give a new folder.")
    dataset = voice.dataset if voice.settings.dataset else None
    planted = Voice.create(out, replace(voice.settings, dataset=dataset, mirror=None, id=None))
    for network in NETWORKS:
        if network != good.network and (entry := voice.newest(network)):
            _save(planted, load_checkpoint(entry.path, with_optimizer=False), entry.step)
    steps = [good.base_step + 100 * place for place in range(1, len(damaged) + 1)]
    random.Random(seed).shuffle(steps)  # noqa: S311 (no secret)
    for step, weights in zip(steps, damaged, strict=True):
        _save(planted, replace(good, weights=dict(weights), ema={}, optimizer={}), step)
    answers = {"network": good.network, "best_to_worst": steps}
    (out / ANSWERS).write_text(json.dumps(answers) + "\n", "utf-8")
    return planted


def _save(voice: Voice, checkpoint: Checkpoint, step: int) -> None:
    save_checkpoint(
        replace(checkpoint, step=step), voice.checkpoint_folder(checkpoint.network, step)
    )


def load(voice: Voice, network: NetworkName, step: int | None) -> Checkpoint:
    """Load the checkpoint of a step, or the newest.

    Raises:
        InputError: there is none.
    """
    entry = voice.newest(network)
    if entry is None:
        raise InputError(f"The voice {voice.folder} has no {network} checkpoint.")
    path = entry.path if step is None else voice.checkpoint_folder(network, step)
    return load_checkpoint(path, with_optimizer=False)


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("voice", type=Path, help="a trained voice")
    parser.add_argument("defect", choices=[*DEFECTS, TOWARDS])
    parser.add_argument("--out", type=Path, required=True, help="the folder of the new voice")
    parser.add_argument("--network", choices=NETWORKS, default="text2mel")
    parser.add_argument("--step", type=int, help="the undamaged checkpoint (the newest)")
    parser.add_argument("--bad", type=Path, help=f"{TOWARDS}: the voice to go to")
    parser.add_argument("--bad-step", type=int, help="its checkpoint (the newest)")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    try:
        voice = Voice.open(options.voice)
        good = load(voice, options.network, options.step)
        bad = options.bad and load(Voice.open(options.bad), options.network, options.bad_step)
        damaged = series(good, options.defect, options.seed, bad)
        plant(voice, options.out, good, damaged, options.seed)
    except VoicecoachError as error:
        print(f"plant: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
