"""Loss curves as text."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.geometry import Size

from engine.run.curves import LossCurve
from tui.widgets.axes import linear_ticks, log_ticks, step_labels, value_labels
from tui.widgets.loss_plot import LAST_STEPS, draw_curve, grew_visibly, part

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


def test_parts_of_a_curve_end_where_it_ends():
    steps = tuple(range(0, 100_000, 1000))
    recent = tuple(range(98_500, 99_510, 10))
    curve = LossCurve(
        steps, (0.5,) * len(steps), (10_000, 60_000, 99_000), (0.6, 0.55, 0.54), 0.54, 99_000,
        recent, (0.4,) * len(recent),
    )  # fmt: skip
    half, last = part(curve, "last half"), part(curve, LAST_STEPS)
    assert (half.steps[0], half.steps[-1]) == (50_000, 99_000)
    assert half.held_out_steps == (60_000, 99_000)
    assert (last.steps[0], last.steps[-1]) == (98_500, 99_500)
    assert set(last.losses) == {0.4}
    assert last.held_out == (0.54,)
    assert part(curve, "") is curve
    assert part(LossCurve(), LAST_STEPS) == LossCurve()


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
    assert value_labels([0.58, 0.585, 0.59]) == ["0.580", "0.585", "0.590"]
    assert step_labels([855_000, 860_000]) == ["855k", "860k"]
    assert step_labels([855_010, 855_020]) == ["855,010", "855,020"]
    assert step_labels([4_050]) == ["4,050"]
    assert step_labels([4_050, 4_100]) == ["4,050", "4,100"]
    assert step_labels([0, 500, 1_000]) == ["0", "500", "1k"]
