"""The attention as cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.style import Style
from textual.color import Color

from tui.widgets.attention_picture import (
    RAMP,
    half_block_rows,
    levels,
    pool,
    ramp_rows,
    shades_between,
)

sides = st.integers(1, 90)
matrices = st.tuples(sides, sides).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)
SHADES = shades_between(Color(20, 25, 30), Color(30, 120, 130), Color(240, 230, 190))


@pytest.mark.slow
@given(matrices, st.integers(1, 60), st.integers(1, 60))
def test_pooling_fits_the_cells_and_loses_no_peak(weights, rows, columns):
    pooled = pool(weights, rows, columns)
    assert pooled.shape == (rows, columns)
    if rows <= weights.shape[0] and columns <= weights.shape[1]:
        assert pooled.max() == weights.max()
    assert set(pooled.ravel()) <= set(weights.ravel())


@pytest.mark.slow
@given(matrices, st.integers(1, 20), st.integers(1, 60))
def test_both_ways_of_drawing_fill_the_cells(weights, rows, columns):
    for drawn in (
        half_block_rows(weights, rows, columns, SHADES),
        ramp_rows(weights, rows, columns, Style()),
    ):
        assert ["".join(s.text for s in row).__len__() for row in drawn] == [columns] * rows


def test_a_diagonal_stays_a_diagonal():
    drawn = ramp_rows(np.eye(180, dtype=np.float32), 20, 20, Style())
    for place, row in enumerate(drawn):
        text = row[0].text
        assert text.index(RAMP[-1]) == place
        assert text.count(" ") == 19


def test_what_is_no_weight_is_no_attention():
    strange = np.array([[np.nan, np.inf, -np.inf, 2.0, -1.0]], np.float32)
    assert levels(strange, 10).tolist() == [[0, 9, 0, 9, 0]]
