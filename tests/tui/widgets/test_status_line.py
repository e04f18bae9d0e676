"""Lines that leave out what does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.widgets.status_line import Part, line

words = st.text("abc 12", min_size=1, max_size=12)
optional = st.builds(Part, words, rank=st.integers(1, 5), label=st.sampled_from(["", "lr"]))


@pytest.mark.slow
@given(st.lists(optional, max_size=6), st.lists(optional, max_size=6), st.integers(0, 120))
def test_optional_parts_fit_and_what_must_stay_stays(left, right, width):
    assert line(left, right, width).cell_length <= width
    required = Part("871,204", label="step")
    assert "step 871,204" in line([required, *left], right, width).plain


def test_the_least_important_goes_first():
    parts = [Part("alice"), Part("bbc", rank=2), Part("H100", rank=1)]
    assert line(parts, [], 18).plain == "alice · bbc · H100"
    assert line(parts, [], 17).plain == "alice · H100"
    assert line(parts, [], 11).plain == "alice"
