"""Attention, and the guide that teaches it to be diagonal."""

import math

import torch

from engine.networks.text2mel import attend, guide


def test_attention_covers_the_text_alone():
    torch.manual_seed(1)
    query, key, value = torch.randn(2, 7, 4), torch.randn(2, 5, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False]])
    joined, attention = attend(query, key, value, mask)
    assert attention.shape == (2, 5, 7)
    torch.testing.assert_close(attention.sum(1), torch.ones(2, 7))
    assert (attention[1, 2:] == 0).all()
    scores = key[0] @ query[0].T / 2  # the root of d = 4
    expected = torch.softmax(scores, dim=0)
    torch.testing.assert_close(attention[0], expected)
    context = expected.T @ value[0]
    torch.testing.assert_close(joined[0], torch.cat((context, query[0]), dim=-1))


def test_the_guide_is_the_papers_formula_with_each_ones_lengths():
    lengths, frames = [3, 6], [10, 4]
    penalty = guide(torch.tensor(lengths), torch.tensor(frames), 6, 10)
    assert penalty.shape == (2, 6, 10)
    for b in range(2):
        for n in range(6):
            for t in range(10):
                away = n / lengths[b] - t / frames[b]
                expected = 1 - math.exp(-(away**2) / (2 * 0.2**2))
                assert math.isclose(penalty[b, n, t], expected, abs_tol=1e-6)
