"""Loss curves as text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.geometry import Size

from engine.run.snapshot import LossCurve
from tui.widgets.axes import linear_ticks, log_ticks, step_labels, value_labels
from tui.widgets.loss_plot import draw_curve, grew_visibly

COLOURS = ((90, 200, 170), (230, 180, 80), (130, 140, 150))
values = st.floats(width=32)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(values, max_size=60), st.lists(values, max_size=20), st.booleans())
def test_any_losses_can_be_drawn(losses, held_out, ascii_only):
    curve = LossCurve(
        tuple(range(len(losses))), tuple(losses), tuple(range(len(held_out))), tuple(held_out)
    )
    drawn = draw_curve(curve, Size(38, 9), COLOURS, ascii_only).plain.split("\n")
    assert len(drawn) <= 9
    assert all(len(line) <= 38 for line in drawn)
    assert not ascii_only or all(line.replace("•", "o").isascii() for line in drawn)


def test_a_falling_loss_is_drawn_falling():
    steps = tuple(range(0, 1000, 10))
    curve = LossCurve(steps, tuple(0.4 - 0.0003 * step for step in steps))
    rows = draw_curve(curve, Size(40, 10), COLOURS, True).plain.split("\n")
    marks = [row.rstrip().rfind("*") for row in rows if "*" in row]
    assert marks == sorted(marks)
    assert marks[-1] > 35
    assert "0.40" in rows[0] or "0.35" in "".join(rows)


def test_growth_shows_when_the_end_moves_by_half_a_cell():
    def upto(last):
        return LossCurve((0, last), (1.0, 1.0))

    assert not grew_visibly(upto(1000), upto(1010), 40)
    assert grew_visibly(upto(1000), upto(1020), 40)
    assert grew_visibly(LossCurve(), upto(5), 40)


@given(st.floats(-1e6, 1e6), st.floats(0.001, 1e6), st.integers(1, 8))
def test_ticks_are_round_few_and_inside(low, span, most):
    ticks = linear_ticks(low, low + span, most)
    assert 1 <= len(ticks) <= most + 1
    assert all(low - span * 1e-6 <= tick <= low + span * (1 + 1e-6) for tick in ticks)


@given(st.floats(1e-4, 1e3), st.floats(8, 1e5), st.integers(2, 8))
def test_logarithmic_ticks_are_few_and_inside(low, factor, most):
    ticks = log_ticks(low, low * factor, most)
    assert 1 <= len(ticks) <= most
    assert all(low <= tick <= low * factor for tick in ticks)


def test_labels_tell_ticks_apart():
    assert value_labels([0.1, 0.2]) == ["0.10", "0.20"]
    assert value_labels([0.0912, 0.0913]) == ["0.0912", "0.0913"]
    assert step_labels([855_000, 860_000]) == ["855k", "860k"]
    assert step_labels([855_010, 855_020]) == ["855,010", "855,020"]
    assert step_labels([4_050]) == ["4,050"]
    assert step_labels([4_050, 4_100]) == ["4,050", "4,100"]
    assert step_labels([0, 500, 1_000]) == ["0", "500", "1k"]
