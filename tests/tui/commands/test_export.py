"""`voicecoach export`, and `info` and `say` with what it makes."""

import json
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
    done = CliRunner().invoke(app, ["export", voice, "--out", str(folder), "--half"])
    assert done.exit_code == 0, done.output
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert done.output.startswith(f"{folder}  Text2Mel at step ")
    assert done.output.endswith(f"{size / 1e6:.1f} MB\n")
    return folder


def test_info_describes_an_export(exported: Path) -> None:
    done = CliRunner().invoke(app, ["info", str(exported)])
    assert done.exit_code == 0, done.output
    assert "text2mel" in done.stdout
    done = CliRunner().invoke(app, ["info", str(exported), "--json"])
    said = json.loads(done.stdout)
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
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("synthesis", ["standard", "bbc"])
def test_say_speaks_with_an_export(exported: Path, tmp_path: Path, synthesis: str) -> None:
    out = tmp_path / "hello.wav"
    arguments = ["say", "Go.", "--voice", str(exported), "--out", str(out), "--device", "cpu"]
    done = CliRunner().invoke(app, [*arguments, "--synthesis", synthesis])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{out}  ")
    assert out.stat().st_size > 10_000
