"""`voicecoach export`, and `info` and `say` with what it makes."""

import json
from pathlib import Path

import pytest
from paths import DEMO_VOICE
from typer.testing import CliRunner

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
