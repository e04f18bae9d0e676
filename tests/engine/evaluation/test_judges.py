"""Models that listen tell good sounds from bad ones; what is not installed is not needed."""

import sys

import numpy as np
import pytest
import soundfile

from engine.data.clips import find_recording
from engine.evaluation.judges import Recording, open_judges
from tests.paths import SLT, SPEECH


def recordings(corpus):
    rows = [line.split("|") for line in (corpus / "metadata.csv").read_text("utf-8").splitlines()]
    return [
        Recording(*soundfile.read(find_recording(corpus, row[0]), dtype="float32"), row[-1])
        for row in rows
    ]


@pytest.mark.slow
def test_each_model_hears_what_is_wrong():
    first, second = known = recordings(SLT)[:2]
    judges = open_judges(known)
    assert [name.split()[0] for name in judges.names] == [
        "resemblyzer", "distillmos", "pocketsphinx"
    ]  # fmt: skip
    assert not judges.absent
    good = judges.ceilings
    assert good["error_rate"] < 30

    noise = np.random.default_rng(0).normal(0, 0.02, first.sound.shape).astype(np.float32)
    spoiled = judges.measure(first.sound + noise, first.rate, second.text)
    assert spoiled["error_rate"] > 60
    assert spoiled["naturalness"] < good["naturalness"] - 0.2

    other = recordings(SPEECH)[1]
    assert judges.measure(other.sound, other.rate, other.text)["similarity"] < (
        good["similarity"] - 0.1
    )
    worst = {"error_rate": 100.0, "naturalness": 1.0, "similarity": 0.0}
    assert judges.measure(0 * first.sound, first.rate, first.text) == worst


def test_what_is_not_installed_is_said(monkeypatch):
    for package in ("pocketsphinx", "distillmos.sqa"):
        monkeypatch.setitem(sys.modules, package, None)
    judges = open_judges(recordings(SLT)[:1])
    assert judges.absent == ("voicecoach[judge] is not installed: pip install 'voicecoach[judge]'")
    assert [*judges.ceilings] == ["similarity"]
    assert open_judges([]).models == {}
