"""Numbers in words."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui import formatting as wording

NOW = datetime(2026, 3, 14, 14, 2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (136, "2m16s"), (3599.7, "1h00m"),
     (3900, "1h05m"), (47 * 3600, "47h00m"), (75 * 3600, "3d03h")],
)  # fmt: skip
def test_a_duration_has_two_units(seconds, words):
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0s"), (59.9, "59s"), (60, "1m"), (479, "7m"), (7500, "2h05m"), (75 * 3600, "3d03h")],
)
def test_what_nobody_follows_by_the_second_has_whole_minutes(seconds, words):
    assert wording.whole_minutes(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(136, "14:04"), (9 * 3600, "23:02"), (13 * 3600, "Sun 03:02"), (8 * 86400, "22 Mar"),
     (300 * 86400, "8 Jan 2027"), (1e15, "years from now")],
)  # fmt: skip
def test_an_arrival_names_the_day_where_it_is_another(seconds, words):
    assert wording.arrival(NOW, seconds) == words


@pytest.mark.parametrize(
    ("per_second", "words"),
    [
        (212.4, "212 steps/s"),
        (25.43, "25.4 steps/s"),
        (2.543, "2.54 steps/s"),
        (0.125, "8.0 s/step"),
    ],
)
def test_a_speed_is_said_the_way_that_reads_best(per_second, words):
    assert wording.speed(per_second) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.09123, "0.0912"), (float("nan"), "nan"), (float("inf"), "inf"), (123456.0, "1.23e+05")],
)
def test_a_loss_is_written_whatever_it_is(value, words):
    assert wording.loss(value) == words


def test_small_words():
    assert wording.learning_rate(6.8e-5) == "6.8e-5"
    assert wording.learning_rate(0.001) == "1.0e-3"
    assert wording.price(0) == "no price given"
    assert wording.price(0.99) == "$0.99/h"
    assert wording.gigabytes(3_100_000_000, 80_000_000_000) == "3.1/80 GB"
    assert [wording.short_steps(n) for n in (0, 850, 1500, 871_000)] == ["0", "850", "1.5k", "871k"]


@given(st.text())
def test_printable_text_keeps_its_length_and_has_nothing_a_terminal_obeys(text):
    safe = wording.printable(text)
    assert len(safe) == len(text)
    assert safe.isprintable()
