"""`say --synthesis bbc` with models that the BBC's code wrote gives the numbers of that code."""

from pathlib import Path

import numpy as np
import pytest
from paths import BBC_REFERENCE

from engine.jobs.export import export_voice
from engine.jobs.import_models import import_voice
from engine.jobs.say import say

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> tuple[Path, Path]:
    """The reference's models as a voice, and that voice exported."""
    folder = tmp_path_factory.mktemp("reference")
    import_voice(BBC_REFERENCE / "models.tar.gz", folder / "voice")
    export_voice(folder / "voice", folder / "export")
    return folder / "voice", folder / "export"


@pytest.mark.parametrize("number", [0, 1])
def test_a_voice_and_its_export_say_what_the_original_says(folders, tmp_path, number):
    with np.load(BBC_REFERENCE / "synthesis.npz") as theirs:
        text, mel, magnitude = (theirs[name][number] for name in ("texts", "Y", "Z"))
    out, arrays = tmp_path / "said.wav", tmp_path / "said.npz"
    said = say(folders[number], str(text), synthesis="bbc", out=out, arrays=arrays)
    assert "--synthesis" not in said.note
    with np.load(arrays) as ours:
        np.testing.assert_allclose(ours["mel"], mel, rtol=1e-4, atol=1e-5)
        assert len(ours["magnitude"]) == 840
        # The fixture keeps every eighth frame.
        np.testing.assert_allclose(ours["magnitude"][::8], magnitude, rtol=1e-4, atol=1e-5)
        assert ours["alignment"].shape == (180, 210)
