"""Weights that are not finite."""

import pytest
import torch

from engine.training.divergence import all_finite


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf")])
def test_a_single_number_that_is_not_finite_is_found(number):
    tensors = [torch.randn(50), torch.randn(3, 4)]
    assert all_finite(tensors)
    tensors[1][2, 1] = number
    assert not all_finite(tensors)
