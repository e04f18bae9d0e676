"""Recipes: every hyperparameter of training in one place."""

import math
from dataclasses import dataclass

from engine.choices import RecipeName


@dataclass(frozen=True)
class Recipe:
    """The settings of a training run; the defaults are voicecoach's own."""

    name: RecipeName = "standard"
    batch_size: int = 16
    """Clips in a batch; the paper's 16."""
    peak_rate: float = 2e-3
    """Highest learning rate; see `learning_rate`. With the warm-up below, the curve is the
    BBC's from its peak on, and higher before it."""
    warmup_steps: int = 1000
    """Global step of the highest learning rate; see `learning_rate`."""
    betas: tuple[float, float] = (0.9, 0.999)
    """Adam's decay rates of the first and second moment."""
    adam_epsilon: float = 1e-8
    """Keeps Adam's step finite where gradients are zero."""
    epsilon_hat: bool = False
    """Add it to the root of the second moment as it is, not corrected for its start from zero:
    the order of computation at the end of section 2 of Adam's paper (arXiv 1412.6980), which
    TensorFlow follows. Early steps are then smaller where gradients are tiny."""
    clip_value: float = 1.0
    """Gradients are clipped to ± this, value by value."""
    masked: bool = True
    """Means of losses run over real frames and text alone, not over padding."""
    own_lengths: bool = True
    """The attention's guide takes N and T of each utterance (paper section 4.2); otherwise the
    longest allowed, as the BBC's code does."""
    restart_steps: int = 50
    """Steps over which the learning rate rises where Adam starts without moments from weights
    that are trained already: its first steps are all of full size, whatever the gradient."""
    restart_factor: float = 1.0
    """What the learning rate is multiplied with from there on, up to `peak_rate`: another speaker
    is learned sooner than at the rate with which the base was finished."""
    crop_frames: int | None = 16
    """Coarse frames of the random crops that SSRN learns from; None takes whole clips."""
    ema_decay: float | None = 0.999
    """Decay per step of the EMA of the weights, which the voice speaks with: it is smoother than
    the weights of one step. None speaks with the weights themselves."""
    drop_logits: bool = False
    """Whether dropout falls on the last layer too."""
    exact: bool = False
    """Whether `--precision auto` is fp32 on every device: with bf16 the steps from a checkpoint
    lead elsewhere, by nearly the distance that they cover."""
    frame_drop: float = 0.0
    """Share of the frames hidden from Text2Mel's audio encoder while training, so that it
    learns to attend to the text and not to copy the frame before."""
    tempo: float = 0.0
    """Text2Mel hears each batch up to this share faster or slower, at random: the same recordings
    then differ each time, and overfitting starts later. All clips of a batch share a tempo, which
    pads none of them further."""


def recipe_named(name: RecipeName) -> Recipe:
    """Return a recipe by its name.

    `bbc` is the BBC's own: losses averaged over padding too, one guide for all lengths, whole
    clips for SSRN, batches of 32, a rate that only the global step decides, Adam as TensorFlow
    computes it, in fp32, and no EMA of the weights.
    """
    if name == "standard":
        return Recipe(restart_factor=3.0, frame_drop=0.1, tempo=0.2)
    return Recipe(
        name="bbc",
        peak_rate=1e-3,
        warmup_steps=4000,
        batch_size=32,
        epsilon_hat=True,
        masked=False,
        own_lengths=False,
        restart_steps=1,
        crop_frames=None,
        drop_logits=True,
        ema_decay=None,
        exact=True,
    )


EVALUATION = recipe_named("standard")
"""The held-out loss always uses this recipe, so that recipes can be compared: the BBC's own loss
also averages over padding."""


def learning_rate(step: int, recipe: Recipe, optimizer_start_step: int = 0) -> float:
    """Return the learning rate of a *global* step (from 1).

    Rises linearly to the peak at the end of the warm-up and falls with the inverse square root
    after it, as in "Attention Is All You Need" (section 5.3). As a function of the global step
    alone it can neither be lost nor restart: a voice that continues at step 855,000 continues
    at 6.8e-5. Only where the optimizer state was reset, at `optimizer_start_step`, does it rise
    over `restart_steps` to `restart_factor` times that.
    """
    warmup = recipe.warmup_steps
    rise = step / (warmup * math.sqrt(warmup))
    rate = recipe.peak_rate * math.sqrt(warmup) * min(rise, 1 / math.sqrt(step))
    if optimizer_start_step:
        rate = min(recipe.restart_factor * rate, recipe.peak_rate)
        rate *= min(1.0, (step - optimizer_start_step) / recipe.restart_steps)
    return rate
