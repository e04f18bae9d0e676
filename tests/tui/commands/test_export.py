"""`voicecoach export`, and `info` and `say` with what it makes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from paths import DEMO_VOICE
from typer.testing import CliRunner

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from tui.cli import app


def voicecoach(*arguments: object) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.mark.slow
def test_an_export_is_described_and_speaks(tmp_path: Path) -> None:
    folder, out = tmp_path / "demo", tmp_path / "hello.wav"
    told = voicecoach("export", DEMO_VOICE, "--out", folder, "--half")
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert told.startswith(f"{folder}  Text2Mel at step ")
    assert told.endswith(f"{size / 1e6:.1f} MB\n")

    assert "text2mel" in voicecoach("info", folder)
    ours, theirs = (json.loads(voicecoach("info", each, "--json")) for each in (folder, DEMO_VOICE))
    for network, of_voice in theirs["networks"].items():
        for key in ("step", "parameters"):
            assert ours["networks"][network][key] == of_voice[key]

    told = voicecoach("say", "Go.", "--voice", folder, "--out", out, "--device", "cpu")
    assert told.startswith(f"{out}  ")
    assert out.stat().st_size > 10_000


def test_best_is_exported_with_the_reason(make_voice, tmp_path):
    voice = make_voice(text2mel=100, ssrn=7)
    save = {100: 0.25, 200: 0.5}
    whole = load_checkpoint(voice.checkpoint_folder("text2mel", 100))
    save_checkpoint(replace(whole, step=200), voice.checkpoint_folder("text2mel", 200))
    lines = [f'{{"step":{step},"loss":1.0,"held_out":{loss}}}' for step, loss in save.items()]
    voice.history("text2mel").write_text("\n".join(lines))
    line, why = voicecoach(
        "export", voice.folder, "--out", tmp_path / "out", "--step", "best", "--ssrn-step", "7"
    ).splitlines()
    assert "Text2Mel at step 100, SSRN at step 7; " in line
    assert why.startswith("Text2Mel 100: lowest held-out loss (0.2500); ")
    done = CliRunner().invoke(
        app, ["export", str(voice.folder), "--out", "x", "--ssrn-step", "best"]
    )
    assert done.exit_code == 2
    assert "Which SSRN checkpoint" in done.stderr
