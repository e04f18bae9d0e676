"""ASCII in as many cells."""

from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.ascii_filter import in_ascii


@given(st.text(st.characters(exclude_categories=("C", "M"))))
def test_any_text_becomes_ascii_of_the_same_width(text):
    written = in_ascii(text)
    assert written.isascii()
    assert len(written) == cell_len(text)


def test_the_nearest_letters_stand_in():
    assert in_ascii("Zoë – “été” · 57 × 133…") == 'Zoe - "ete" - 57 x 133~'
