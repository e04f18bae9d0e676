"""Ranges of sounds, and sounds that grow."""

from hypothesis import given
from hypothesis import strategies as st

from tui.page.sounds import range_of

SIZES = st.integers(0, 10_000)


@given(SIZES, st.integers(0, 20_000), st.integers(0, 20_000))
def test_range_is_what_the_header_names(size, first, length):
    found = range_of(f"bytes={first}-{first + length}", size)
    assert list(found) == [place for place in range(size) if first <= place <= first + length]


@given(SIZES, st.integers(0, 20_000))
def test_open_ranges_go_to_the_end(size, number):
    assert list(range_of(f"bytes={number}-", size)) == list(range(number, size))
    assert list(range_of(f"bytes=-{number}", size)) == list(range(max(0, size - number), size))


@given(st.text(), SIZES)
def test_any_header_gives_a_range_inside_or_none(header, size):
    found = range_of(header, size)
    assert found is None or all(0 <= place < size for place in found)
