"""Numbers in words."""

from datetime import datetime

import pytest

from tui import formatting

NOW = datetime(2026, 3, 14, 14, 2)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(136, "14:04"), (9 * 3600, "23:02"), (13 * 3600, "Sun 03:02"), (8 * 86400, "22 Mar"),
     (300 * 86400, "8 Jan 2027"), (1e15, "years from now")],
)  # fmt: skip
def test_an_arrival_names_another_day(seconds, words):
    assert formatting.arrival(NOW, seconds) == words


@pytest.mark.parametrize(
    ("function", "value", "words"),
    [
        ("speed", 212.4, "212 steps/s"),
        ("speed", 25.43, "25.4 steps/s"),
        ("speed", 2.543, "2.54 steps/s"),
        ("speed", 0.125, "8.0 s/step"),
        ("loss", 0.09123, "0.0912"),
        ("loss", float("nan"), "nan"),
        ("loss", float("inf"), "inf"),
        ("loss", 123456.0, "1.23e+05"),
        ("learning_rate", 6.8e-5, "6.8e-5"),
        ("learning_rate", 0.001, "1.0e-3"),
        ("price", 0, "no price given"),
        ("price", 0.99, "$0.99/h"),
        ("countdown", 7.9, " 7s"),
        ("countdown", 67, "1m07s"),
        ("short_steps", 850, "850"),
        ("short_steps", 1500, "1.5k"),
        ("short_steps", 871_000, "871k"),
        # A short form would make one of two neighbours.
        ("short_steps", 4_050, "4,050"),
        ("short_steps", 10_020, "10,020"),
    ],
)
def test_numbers_are_short_and_have_units(function, value, words):
    assert getattr(formatting, function)(value) == words


def test_memory_is_written_out_of_what_there_is():
    assert formatting.gigabytes(3_100_000_000, 80_000_000_000) == "3.1/80 GB"
