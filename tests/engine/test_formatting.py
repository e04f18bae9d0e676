"""Words for people."""

import pytest

from engine.formatting import (
    brief,
    dollars,
    duration,
    format_bytes,
    plural,
    printable,
    whole_minutes,
)


def test_counts_agree_with_their_nouns():
    assert [plural(n, "clip") for n in (0, 1, 1204)] == ["0 clips", "1 clip", "1,204 clips"]
    assert plural(1, "step was", "steps were") == "1 step was"
    assert plural(3, "step was", "steps were") == "3 steps were"


def test_printable_shows_what_a_terminal_would_obey():
    assert printable("\x1b[31mé\n\u202e") == "\ufffd[31mé\ufffd\ufffd"
    assert printable("abcdef", 3) == "abc…"
    assert printable("abc", 3) == "abc"


def test_brief_cuts_long_values():
    assert brief("a\n") == "'a\\n'"
    assert len(brief(list(range(100)))) == 60


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        (0, "$0.00"), (1234.5, "$1,234.50"), (0.0199, "$0.02"), (0.0095, "$0.01"),
        (0.0094, "$0.009"), (0.001, "$0.001"), (0.0004, "$0.0004"), (1e-9, "<$0.0001"),
    ],
)  # fmt: skip
def test_sums_below_a_cent_are_not_nothing(amount, words):
    assert dollars(amount) == words


def test_bytes_have_units():
    sizes = [format_bytes(n) for n in (1, 12_345, 38_100_000, 1_620_000_000)]
    assert sizes == ["1 kB", "13 kB", "38.1 MB", "1.62 GB"]


@pytest.mark.parametrize(
    ("seconds", "exact", "minutes"),
    [
        (45, "45s", "45s"),
        (136, "2m16s", "2m"),
        (3900, "1h05m", "1h05m"),
        (273_600, "3d04h", "3d04h"),
    ],
)
def test_durations(seconds, exact, minutes):
    assert duration(seconds) == exact
    assert whole_minutes(seconds) == minutes
