"""`voicecoach import` on the command line."""

from pathlib import Path

import pytest
from dc_tts_files import write_models
from typer.testing import CliRunner

from engine.voice.folder import Voice
from tui.cli import app


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return write_models(tmp_path / "[red]models")


@pytest.mark.slow
def test_what_was_found_and_what_to_type_next_is_told(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "my voice"
    told = CliRunner().invoke(app, ["import", str(models), "--voice", str(folder)])
    assert told.exit_code == 0, told.stderr
    assert told.stderr == ""
    assert "Text2Mel  step 1,000" in told.stdout
    assert "SSRN  step 1,001" in told.stdout
    assert "e = 4, d = 4, 6 mel bands, 34 symbols; optimizer state of 3 steps" in told.stdout
    assert "c = 4, 6 mel bands, 9 bins" in told.stdout
    assert "[red]models/LJ01-1/model_gs_001k" in told.stdout
    assert "the BBC's 34 symbols" in told.stdout
    assert f"voicecoach say \"It is good to talk.\" --voice '{folder}'" in told.stdout
    assert f"voicecoach train RECORDINGS --voice '{folder}' --network ssrn" in told.stdout
    assert Voice.open(folder).checkpoints("text2mel")


def test_a_lone_network_says_what_is_missing(models: Path, tmp_path: Path) -> None:
    prefix = models / "LJ01-2" / "model_gs_001k"
    told = CliRunner().invoke(app, ["import", str(prefix), "--voice", str(tmp_path / "v")])
    assert told.exit_code == 0, told.stderr
    assert "cannot speak without Text2Mel" in told.stdout
    assert "voicecoach say" not in told.stdout
    prefix, folder = models / "LJ01-1" / "model_gs_001k", str(tmp_path / "w")
    told = CliRunner().invoke(app, ["import", str(prefix), "--voice", folder])
    assert "without SSRN it sounds muffled" in told.stdout
    assert f'voicecoach say "It is good to talk." --voice {folder}' in told.stdout


def test_a_vocabulary_that_does_not_fit_is_one_sentence(models: Path, tmp_path: Path) -> None:
    told = CliRunner().invoke(
        app, ["import", str(models), "--voice", str(tmp_path / "v"), "--vocabulary", "PE ab"]
    )
    assert told.exit_code == 2
    assert len(told.stderr.splitlines()) == 1
    assert "--vocabulary has 5 symbols, but the models have 34" in told.stderr
    assert not (tmp_path / "v").exists()
