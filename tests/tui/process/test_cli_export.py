"""`voicecoach export`, and `info` and `say` with what it makes."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.jobs.demo import demo_assets
from tui.cli import app


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exports") / "demo"
    voice = str(demo_assets() / "voice")
    told = CliRunner().invoke(app, ["export", voice, "--out", str(folder), "--half"])
    assert told.exit_code == 0, told.output
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert told.output.startswith(f"{folder}  Text2Mel at step ")
    assert told.output.endswith(f"{size / 1e6:.1f} MB\n")
    return folder


def test_info_describes_an_export(exported: Path) -> None:
    told = CliRunner().invoke(app, ["info", str(exported)])
    assert told.exit_code == 0, told.output
    assert "text2mel" in told.stdout
    told = CliRunner().invoke(app, ["info", str(exported), "--json"])
    said = json.loads(told.stdout)
    voice = CliRunner().invoke(app, ["info", str(demo_assets() / "voice"), "--json"])
    for network, of_voice in json.loads(voice.stdout)["networks"].items():
        assert said["networks"][network]["step"] == of_voice["step"]
        assert said["networks"][network]["parameters"] == of_voice["parameters"]


def test_info_of_an_export_needs_nothing_heavy(exported: Path) -> None:
    program = (
        "import sys\nfrom tui.cli import app\n"
        f"try:\n    app(['info', {str(exported)!r}])\nexcept SystemExit as end:\n"
        "    assert not end.code\n"
        "print(sorted({'torch', 'librosa', 'scipy', 'safetensors'} & sys.modules.keys()))"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("synthesis", ["standard", "bbc"])
def test_say_speaks_with_an_export(exported: Path, tmp_path: Path, synthesis: str) -> None:
    out = tmp_path / "hello.wav"
    arguments = ["say", "Go.", "--voice", str(exported), "--out", str(out), "--device", "cpu"]
    told = CliRunner().invoke(app, [*arguments, "--synthesis", synthesis])
    assert told.exit_code == 0, told.output
    assert told.stdout.startswith(f"{out}  ")
    assert out.stat().st_size > 10_000


def test_a_card_with_a_trap_in_it_is_one_sentence(exported: Path, tmp_path: Path) -> None:
    card = json.loads((exported / "voice.json").read_text())
    card["networks"]["text2mel"]["spec"]["hidden"] = 10**9
    (tmp_path / "voice.json").write_text(json.dumps(card))
    for arguments in (["say", "Go.", "--voice", str(tmp_path)], ["info", str(tmp_path)]):
        told = CliRunner().invoke(app, arguments)
        assert told.exit_code == 2
        assert "networks.text2mel.spec.hidden is 1000000000" in told.stderr
        assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["info", "say hello --voice", "check . --against"])
def test_an_export_that_lost_its_card_is_told_as_such(
    command: str, exported: Path, tmp_path: Path
) -> None:
    shutil.copy(exported / "text2mel.safetensors", tmp_path)
    told = CliRunner().invoke(app, [*command.split(), str(tmp_path)])
    assert told.exit_code == 2
    assert "an export of a voice without its card, voice.json" in told.stderr
    assert len(told.stderr.splitlines()) == 1
