import math

import numpy as np
import pytest

from engine.evaluation.attention_measures import measure_attention


def test_sharp_and_spread_attention():
    measures = measure_attention(np.eye(30, dtype=np.float32))
    assert (measures.focus, measures.off_diagonal) == (1, 0)
    spread = measure_attention(np.full((20, 20), 1 / 20, np.float32))
    assert spread.focus == pytest.approx(1 / 20)
    assert spread.off_diagonal > 0.01


def test_off_diagonal_is_the_mean_of_attention_times_guide():
    n, t = 7, 12
    attention = np.random.default_rng(0).random((n, t)).astype(np.float32)
    total = sum(
        attention[i, j] * (1 - math.exp(-((i / n - j / t) ** 2) / (2 * 0.2**2)))
        for i in range(n)
        for j in range(t)
    )
    assert measure_attention(attention).off_diagonal == pytest.approx(total / (n * t), rel=1e-5)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0)])
def test_empty_matrix_is_refused(shape):
    with pytest.raises(ValueError, match="no measures"):
        measure_attention(np.zeros(shape, np.float32))
