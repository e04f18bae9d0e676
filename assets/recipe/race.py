"""Train one network by one recipe from a voice, and print its held-out loss over time.

For races of recipes at equal time: every tenth clip is held out, the loss is the standard
recipe's whatever recipe trains, and time is the processor's, so that two races may run side by
side. What was learned is left as a voice, for `voicecoach evaluate` and `intelligibility.py`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from engine.choices import NetworkName
from engine.data.batches import Batch, BatchSource
from engine.data.clips import Limits, scan_corpus, usable_clips
from engine.data.features import FeatureStore
from engine.errors import InputError, VoicecoachError
from engine.evaluation.losses import loss_of
from engine.networks.build import network_with
from engine.run.recipe import EVALUATION, Recipe, recipe_named
from engine.training.learner import Learner
from engine.voice.folder import Voice

HELD_OUT_EVERY = 10
ROWS = 20
"""Lines printed of a race of so many steps."""


SETTINGS: dict[str, tuple[type, float, float]] = {
    "batch_size": (int, 1, 1_000),
    "peak_rate": (float, 1e-9, 1),
    "warmup_steps": (int, 1, 1e9),
    "adam_epsilon": (float, 1e-30, 1),
    "clip_value": (float, 1e-9, 1e9),
    "restart_steps": (int, 1, 1e9),
    "crop_frames": (int, 1, 10_000),
    "ema_decay": (float, 0, 0.999999),
    "frame_drop": (float, 0, 0.99),
    "tempo": (float, 0, 0.9),
} | dict.fromkeys(("epsilon_hat", "masked", "own_lengths", "drop_logits", "exact"), (bool, 0, 1))
"""What `--set` changes: type, least and most."""
OPTIONAL = ("crop_frames", "ema_decay")
"""Those that may be None."""


def read_changes(given: Sequence[str]) -> dict[str, object]:
    """Read `tempo=0.2` and the like as fields of `Recipe`; InputError for what is none."""
    changes: dict[str, object] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in SETTINGS:
            raise InputError(f"--set {text}: {name!r} is none of {', '.join(sorted(SETTINGS))}")
        kind, least, most = SETTINGS[name]
        try:
            read = json.loads({"True": "true", "False": "false", "None": "null"}.get(value, value))
        except ValueError:
            read = value
        if kind is float and type(read) is int:
            read = float(read)
        optional = name in OPTIONAL
        if not ((optional and read is None) or (type(read) is kind and least <= read <= most)):
            words = {bool: "True or False", int: "a whole number", float: "a number"}[kind]
            words += "" if kind is bool else f" from {least:g} to {most:g}"
            raise InputError(f"--set {text}: give {words}{', or None' if optional else ''}")
        changes[name] = read
    return changes


def check_numbers(options: argparse.Namespace) -> None:
    """Raise InputError where an option is outside of what can be raced with."""
    for name, least, most in (
        ("steps", 1, 1e9),
        ("seconds", 0.001, float("inf")),
        ("threads", 1, 1_000),
        ("seed", 0, 2**32 - 1),
        ("dropout", 0, 0.9),
    ):
        value = getattr(options, name)
        if value is not None and not least <= value <= most:
            raise InputError(f"--{name} is {value}; give {least:g} to {most:g}")


def open_voice(corpus: Path, source: Voice, out: Path) -> tuple[Voice, FeatureStore]:
    """Make a voice of a corpus with the settings of another, and the features of the corpus."""
    settings = replace(source.settings, dataset=corpus.resolve(), mirror=None, id=None)
    usable = usable_clips(scan_corpus(corpus), source.vocabulary, settings.limits)
    held_out = tuple(clip.clip_id for clip in usable.clips[HELD_OUT_EVERY // 2 :: HELD_OUT_EVERY])
    if not held_out:
        raise InputError(f"{corpus} has too few usable clips to hold out one of ten")
    voice = Voice.create(out, replace(settings, held_out=held_out))
    store = FeatureStore.open(
        usable,
        settings.audio,
        settings.limits,
        voice.features,
        on_progress=lambda done, total: None,
        cancelled=lambda: False,
    )
    return voice, store


@torch.inference_mode()
def held_out_losses(learner: Learner, batch: Batch, limits: Limits) -> list[float]:
    """The loss and its L1 of the weights that would speak, without dropout, in fp32."""
    _, weights = learner.copy_ema_weights()
    network = network_with(learner.spec, weights)
    inputs = (batch.text, batch.mel) if batch.magnitude is None else (batch.mel,)
    losses = loss_of(network(*inputs), batch, EVALUATION, limits)
    return [float(losses.total), float(losses.l1)]


def race(
    voice: Voice,
    store: FeatureStore,
    base: Checkpoint,
    recipe: Recipe,
    precision: torch.dtype,
    max_steps: int,
    max_seconds: float,
) -> Iterator[tuple[int, float, float, list[float]]]:
    """Train until a limit; yield steps, processor seconds, training loss and held-out losses."""
    settings, clips = voice.settings, range(len(store.clips))
    held_out = [i for i in clips if store.clips[i].clip_id in settings.held_out]

    def batches_of(chosen: Sequence[int]) -> BatchSource:
        return BatchSource(
            store,
            {i: voice.vocabulary.indices(store.clips[i].text) for i in chosen},
            magnitudes=base.network == "ssrn",
            batch_size=recipe.batch_size,
            crop_frames=recipe.crop_frames,
            tempo=recipe.tempo,
            seed=settings.seed,
        )

    device = torch.device("cpu")
    logit_dropout = settings.dropout if recipe.drop_logits else 0.0
    spec = replace(base.spec, dropout=settings.dropout, logit_dropout=logit_dropout)
    learner = Learner(
        spec, recipe, device=device, precision=precision, seed=settings.seed, limits=settings.limits
    )
    learner.restore(base)
    batches = batches_of([i for i in clips if i not in held_out])
    held_out_batch = batches_of(held_out).gather(np.array(held_out)).to(device)
    sums, start = [], process_time()
    spent_judging = 0.0
    for done in range(1, max_steps + 1):
        step = base.step + done
        sums.append(float(learner.step(batches.batch(step).to(device), step).total))
        spent = process_time() - start - spent_judging
        ends = done == max_steps or spent >= max_seconds
        if ends or done % max(1, max_steps // ROWS) == 0:
            yield (
                done,
                spent,
                float(np.mean(sums)),
                held_out_losses(learner, held_out_batch, settings.limits),
            )
            sums.clear()
            spent_judging = process_time() - start - spent
        if ends:
            break
    state = learner.live_state()
    kept = replace(
        base,
        step=step,
        base_step=base.step,
        recipe=recipe.name,
        weights=state["weights"],
        ema=state["ema"],
        optimizer={},
    )
    save_checkpoint(kept, voice.checkpoint_folder(base.network, step))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 2 where something given cannot be used."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Example: python assets/recipe/race.py recordings --from assets/demo/voice "
        "--out build/race --seconds 600 --recipe bbc",
    )
    networks: tuple[NetworkName, ...] = ("text2mel", "ssrn")
    parser.add_argument("corpus", type=Path, help="recordings in LJ Speech layout")
    parser.add_argument("--from", dest="source", type=Path, required=True, help="a voice")
    parser.add_argument("--out", type=Path, required=True, help="the voice to make")
    parser.add_argument("--network", choices=networks, default="text2mel")
    parser.add_argument("--recipe", choices=("standard", "bbc"), default="standard")
    parser.add_argument(
        "--set", nargs="*", default=[], metavar="NAME=VALUE", help="override its settings"
    )
    parser.add_argument("--dropout", type=float, help="the source's unless given")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--steps", type=int, default=2_000, help="end after so many")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="or so many seconds")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(arguments)
    try:
        check_numbers(options)
        torch.set_num_threads(options.threads)
        recipe = replace(recipe_named(options.recipe), **read_changes(options.set))
        source = Voice.open(options.source)
        newest = source.newest(options.network)
        if newest is None:
            raise InputError(f"{options.source} has no {options.network}")
        changes = {"seed": options.seed, "recipe": options.recipe}
        if options.dropout is not None:
            changes["dropout"] = options.dropout
        source.settings = replace(source.settings, **changes)
        voice, store = open_voice(options.corpus, source, options.out)
        found = load_checkpoint(newest.path, with_optimizer=False)
        base = replace(found, weights=found.inference_weights, ema={}, base_step=found.step)
        save_checkpoint(base, voice.checkpoint_folder(options.network, base.step))
        low = options.precision == "bf16" and not recipe.exact
        precision = torch.bfloat16 if low else torch.float32
        limits = options.steps, options.seconds
        print("  step  seconds  training  held-out      L1")
        for step, spent, loss, held_out in race(voice, store, base, recipe, precision, *limits):
            print(f"{step:6,}  {spent:7.0f}  {loss:8.4f}  {held_out[0]:8.4f}  {held_out[1]:.4f}")
            sys.stdout.flush()
    except (VoicecoachError, OSError) as trouble:
        print(f"race.py: {trouble}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
