import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.run.curves import AttentionPlot
from engine.serialization import to_msgpack
from engine.voice.attention_plots import read_plots, save_plots


def plot(step: int, rows: int = 3, source: str = "held-out a") -> AttentionPlot:
    weights = np.random.default_rng(step).random((rows, 5), np.float32)
    return AttentionPlot(step, "abE"[:rows], weights, source)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("plots") / "attention.plots"
    save_plots(path, [plot(10), plot(20, rows=2, source="\x1b[2J")])
    return path, path.read_bytes()


def test_plots_come_back_in_the_shades_of_a_screen(saved):
    first, second = read_plots(saved[0])
    assert (first.step, first.sentence, first.source) == (10, "abE", "held-out a")
    np.testing.assert_allclose(first.weights, plot(10).weights, atol=0.5 / 255 + 1e-6)
    assert not first.weights.flags.writeable
    assert (second.step, second.weights.shape) == (20, (2, 5))
    assert "\x1b" not in second.source


@pytest.mark.slow
@given(st.data())
def test_a_damaged_file_is_no_trouble(saved, data):
    path, content = saved
    place = data.draw(st.integers(0, len(content) - 1))
    cut = data.draw(st.booleans())
    changed = bytes([content[place] ^ data.draw(st.integers(1, 255))])
    other = path.with_name("other.plots")
    other.write_bytes(content[:place] if cut else content[:place] + changed + content[place + 1 :])
    assert len(read_plots(other)) in (0, 2)


@pytest.mark.parametrize(
    "content",
    [b"", b"\0" * 100, zlib.compress(b"\0" * 2**27), zlib.compress(to_msgpack([{"step": 1}]))],
    ids=["empty", "zeros", "bomb", "no plot"],
)
def test_what_is_no_file_of_plots_is_ignored(tmp_path, content):
    assert read_plots(tmp_path / "nothing") == []
    (tmp_path / "plots").write_bytes(content)
    assert read_plots(tmp_path / "plots") == []
