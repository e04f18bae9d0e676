"""`voicecoach bench`: a table of this machine's figures."""

import re

import pytest
from typer.testing import CliRunner

from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.voice.settings import VoiceSettings
from tui.cli import app


@pytest.mark.slow
def test_the_first_row_says_how_long_training_takes(monkeypatch) -> None:
    specs = {"text2mel": Text2MelSpec(34, 80, embedding=8, hidden=8), "ssrn": SSRNSpec(80, 1025, 8)}
    monkeypatch.setattr(VoiceSettings, "fresh_spec", lambda _, network: specs[network])
    result = CliRunner().invoke(app, ["bench", "--device", "cpu", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    first, *_, last = result.output.splitlines()
    assert re.search(r"^text2mel step, \w+ +[\d.]+ steps/s: 20,000 steps take \w+ ", first)
    assert last == "cpu, preset small; medians of 1 pair, timed in turn"
    for row in (
        "ssrn step",
        "text2mel checkpoint",
        "ssrn checkpoint",
        "text2mel synthesis",
        "first sound",
    ):
        assert f"\n{row}" in result.output


@pytest.mark.slow
def test_a_device_that_is_not_there_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["bench", "--device", "banana"])
    assert result.exit_code == 2
    assert "banana" in result.stderr
