"""Random numbers of a step: a part of a batch has those that its rows have in the whole."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.networks.dropout import Rows, dropout, random_numbers, uniform

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]
CUTS = [(0, 1), (1, 4), (4, 7)]


def in_parts(make):
    """What each part makes, with the same seed, put together."""
    made = []
    for first, end in CUTS:
        with random_numbers(6, Rows(first, end, 7)):
            made.append(make(first, end))
    return torch.cat(made)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_parts_keep_just_what_the_whole_keeps(kind, device):
    x = torch.randn(7, 30, 5).to(device, kind)
    with random_numbers(6):
        whole = dropout(x, 0.3, training=True)
    assert 0.2 < float((whole == 0).float().mean()) < 0.4
    assert torch.equal(in_parts(lambda first, end: dropout(x[first:end], 0.3, True)), whole)


@pytest.mark.parametrize("device", DEVICES)
def test_one_layer_after_the_other_goes_on_as_in_the_whole(device):
    x = torch.randn(7, 30, 5, device=device)

    def three(x):
        hidden = uniform(x.shape[:2], x.device) >= 0.5
        return dropout(dropout(x * hidden.unsqueeze(-1), 0.1, True), 0.4, True)

    with random_numbers(6):
        whole = three(x)
    assert torch.equal(in_parts(lambda first, end: three(x[first:end])), whole)


def test_gradients_pass_where_values_did():
    x = torch.randn(7, 4, requires_grad=True)
    with random_numbers(6):
        kept = dropout(x, 0.5, training=True)
    kept.sum().backward()
    assert torch.equal(x.grad, 2.0 * (kept != 0))
    whole, x.grad = x.grad, None
    in_parts(lambda first, end: dropout(x[first:end], 0.5, True)).sum().backward()
    assert torch.equal(x.grad, whole)


def test_no_random_number_is_drawn_where_nothing_is_dropped():
    x = torch.randn(2, 3)
    state = torch.get_rng_state()
    assert torch.equal(dropout(x, 0.5, False), x)
    assert torch.equal(dropout(x, 0.0, True), x)
    assert torch.equal(torch.get_rng_state(), state)


def test_two_networks_on_a_gpu_draw_one_after_the_other(monkeypatch):
    gpus, cuda = [torch.Generator(), torch.Generator()], torch.device("cuda:0")
    monkeypatch.setattr(torch.cuda, "default_generators", gpus)

    def draw(seed, number):
        with random_numbers(seed, device=torch.device("cuda", number)):
            return float(torch.rand((), generator=gpus[number]))

    with ThreadPoolExecutor(2) as threads, random_numbers(1, device=cuda):
        first = float(torch.rand((), generator=gpus[0]))
        same_gpu, other_gpu = (threads.submit(draw, 2, number) for number in (0, 1))
        other_gpu.result()
        assert gpus[0].initial_seed() == 1
    assert (draw(1, 0), same_gpu.result()) == (first, other_gpu.result())


def test_another_seed_drops_others_and_the_same_seed_the_same():
    def dropped(seed):
        with random_numbers(seed):
            return dropout(torch.ones(3, 400), 0.2, True)

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))


def test_outside_of_a_step_torchs_own_seed_decides():
    torch.manual_seed(3)
    first, second = (dropout(torch.ones(400), 0.2, True) for _ in range(2))
    torch.manual_seed(3)
    assert torch.equal(dropout(torch.ones(400), 0.2, True), first)
    assert not torch.equal(first, second)


@pytest.mark.parametrize("share", [0.001, 0.05, 0.3, 0.9])
def test_every_value_is_dropped_with_the_same_probability_whatever_its_neighbours(share):
    with random_numbers(5):
        drops = torch.stack([dropout(torch.ones(100), share, True) == 0 for _ in range(4000)])
    spread = np.sqrt(share * (1 - share) / 4000)
    assert float((drops.float().mean(0) - share).abs().max()) < 5 * spread
    pairs = (drops[:, 1:] & drops[:, :-1]).float().mean()
    assert float(pairs) == pytest.approx(share**2, abs=5 * share / np.sqrt(4000 * 99))


@given(
    rows=st.integers(1, 5),
    width=st.integers(1, 40),
    share=st.floats(1e-9, 0.999),
    seed=st.integers(0, 2**63),
)
def test_what_is_kept_is_scaled_so_that_the_mean_stays(rows, width, share, seed):
    with random_numbers(seed):
        kept = dropout(torch.ones(rows, width, dtype=torch.float64), share, True)
    assert (
        (kept == 0) | torch.isclose(kept, torch.tensor(1 / (1 - share), dtype=kept.dtype))
    ).all()
