"""The losses, against loops over the frames that are there."""

import math

import pytest
import torch

from engine.data.batches import Batch
from engine.data.clips import Limits
from engine.evaluation.losses import ssrn_loss, text2mel_loss
from engine.networks.ssrn import SSRNOutput
from engine.networks.text2mel import Text2MelOutput
from engine.run.recipe import recipe_named

TEXTS, FRAMES, BANDS, BINS = [5, 3, 8], [12, 7, 9], 4, 6
STANDARD, BBC = recipe_named("standard"), recipe_named("bbc")


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(1)
    mel, magnitude = torch.zeros(3, 12, BANDS), torch.zeros(3, 48, BINS)
    for row, frames in enumerate(FRAMES):
        mel[row, :frames] = torch.rand(frames, BANDS, generator=generator)
        magnitude[row, : 4 * frames] = torch.rand(4 * frames, BINS, generator=generator)
    text = torch.ones(3, 8, dtype=torch.long)
    return Batch(text, torch.tensor(TEXTS), mel, torch.tensor(FRAMES), magnitude)


@pytest.fixture
def output(batch):
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(3, 12, BANDS, generator=generator)
    attention = torch.softmax(torch.randn(3, 8, 12, generator=generator), dim=1)
    return Text2MelOutput(logits, torch.sigmoid(logits), attention)


def by_loop(logits, truth, rows):
    """Mean absolute difference and cross entropy over listed (row, frame, band)."""
    l1 = entropy = 0.0
    for place in rows:
        y = 1 / (1 + math.exp(-float(logits[place])))
        x = float(truth[place])
        l1 += abs(y - x)
        entropy -= x * math.log(y) + (1 - x) * math.log(1 - y)
    return l1 / len(rows), entropy / len(rows)


def places(lengths, bands):
    return [(b, t, f) for b, n in enumerate(lengths) for t in range(n) for f in range(bands)]


def test_text2mel_loss_of_real_frames_with_a_guide_for_each_clip(batch, output):
    loss = text2mel_loss(output, batch, STANDARD, Limits())
    l1, entropy = by_loop(output.logits, batch.mel, places(FRAMES, BANDS))
    total, count = 0.0, 0
    for b in range(3):
        for n in range(TEXTS[b]):
            for t in range(FRAMES[b]):
                away = n / TEXTS[b] - t / FRAMES[b]
                total += float(output.attention[b, n, t]) * (1 - math.exp(-(away**2) / 0.08))
                count += 1
    assert float(loss.l1) == pytest.approx(l1, rel=1e-5)
    assert float(loss.divergence) == pytest.approx(entropy, rel=1e-5)
    assert float(loss.attention) == pytest.approx(total / count, rel=1e-5)
    assert float(loss.total) == pytest.approx(l1 + entropy + total / count, rel=1e-5)


def test_bbc_recipe_takes_plain_means_and_one_guide_for_all(batch, output):
    loss = text2mel_loss(output, batch, BBC, Limits())
    l1, entropy = by_loop(output.logits, batch.mel, places([12] * 3, BANDS))
    total = 0.0
    for b in range(3):
        for n in range(8):
            for t in range(12):
                away = n / 180 - t / 210
                total += float(output.attention[b, n, t]) * (1 - math.exp(-(away**2) / 0.08))
    assert float(loss.l1) == pytest.approx(l1, rel=1e-5)
    assert float(loss.divergence) == pytest.approx(entropy, rel=1e-5)
    assert float(loss.attention) == pytest.approx(total / (3 * 8 * 12), rel=1e-5)


@pytest.mark.parametrize(("recipe", "lengths"), [(STANDARD, FRAMES), (BBC, [12] * 3)])
def test_ssrn_loss_is_computed_on_fine_frames(batch, recipe, lengths):
    logits = torch.randn(3, 48, BINS, generator=torch.Generator().manual_seed(3))
    loss = ssrn_loss(SSRNOutput(logits, torch.sigmoid(logits)), batch, recipe)
    fine = [4 * length for length in lengths]
    l1, entropy = by_loop(logits, batch.magnitude, places(fine, BINS))
    assert float(loss.l1) == pytest.approx(l1, rel=1e-5)
    assert float(loss.divergence) == pytest.approx(entropy, rel=1e-5)
    assert float(loss.total) == pytest.approx(l1 + entropy, rel=1e-5)
    assert loss.attention is None


def test_padding_costs_nothing(batch, output):
    loss = text2mel_loss(output, batch, STANDARD, Limits())
    logits, attention = output.logits.clone(), output.attention.clone()
    logits[1, 7:], attention[1, 3:], attention[1, :, 7:] = 50, 1, 1
    louder = Text2MelOutput(logits, torch.sigmoid(logits), attention)
    assert float(text2mel_loss(louder, batch, STANDARD, Limits()).total) == float(loss.total)
    assert float(text2mel_loss(louder, batch, BBC, Limits()).total) > float(loss.total)
