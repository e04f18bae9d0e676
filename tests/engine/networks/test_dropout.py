"""Random numbers of a part of a batch: those that its rows have in the whole."""

import pytest
import torch
import torch.nn.functional as F

from engine.networks.dropout import Rows, dropout, part_of_batch, uniform

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")),
]
CUTS = [(0, 1), (1, 4), (4, 7)]


def in_parts(make):
    """What each part makes, started from the same state of the generator, and put together."""
    made = []
    for first, end in CUTS:
        torch.manual_seed(6)
        with part_of_batch(Rows(first, end, 7)):
            made.append(make(first, end))
    return torch.cat(made)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_parts_keep_just_what_the_whole_keeps(kind, device):
    x = torch.randn(7, 30, 5).to(device, kind)
    torch.manual_seed(6)
    whole = F.dropout(x, 0.3, training=True)
    assert 0.2 < float((whole == 0).float().mean()) < 0.4
    assert torch.equal(in_parts(lambda first, end: dropout(x[first:end], 0.3, True)), whole)


@pytest.mark.parametrize("device", DEVICES)
def test_one_layer_after_the_other_goes_on_as_in_the_whole(device):
    x = torch.randn(7, 30, 5, device=device)

    def three(x):
        hidden = uniform(x.shape[:2], x.device) >= 0.5
        return dropout(dropout(x * hidden.unsqueeze(-1), 0.1, True), 0.4, True)

    torch.manual_seed(6)
    whole = three(x)
    assert torch.equal(in_parts(lambda first, end: three(x[first:end])), whole)


def test_gradients_pass_where_values_did():
    x = torch.randn(7, 4, requires_grad=True)
    torch.manual_seed(6)
    F.dropout(x, 0.5, training=True).sum().backward()
    whole, x.grad = x.grad, None
    in_parts(lambda first, end: dropout(x[first:end], 0.5, True)).sum().backward()
    assert torch.equal(x.grad, whole)


def test_no_random_number_is_drawn_where_nothing_is_dropped():
    x = torch.randn(2, 3)
    state = torch.get_rng_state()
    with part_of_batch(Rows(0, 2, 7)):
        assert torch.equal(dropout(x, 0.5, False), x)
        assert torch.equal(dropout(x, 0.0, True), x)
    assert torch.equal(torch.get_rng_state(), state)
