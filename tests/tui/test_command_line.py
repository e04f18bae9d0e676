"""The command line: help, version, errors, and what it does not import."""

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from paths import SPEECH
from typer.testing import CliRunner

from engine.voice.folder import Voice, VoiceSettings
from tui.cli import app

INFO_KEYS = {"voice", "vocabulary", "networks", "spend"}


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    folder = tmp_path / "[bold]voice"
    Voice.create(folder, VoiceSettings(dataset=tmp_path / "[red]recordings"))
    return folder


@pytest.mark.parametrize("command", ["demo", "train", "say", "export", "info"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0
    assert f"Example: voicecoach {command}" in told.stdout


def test_the_version_is_that_of_the_package() -> None:
    told = CliRunner().invoke(app, ["--version"])
    assert told.exit_code == 0
    assert told.stdout.split() == ["voicecoach", version("voicecoach")]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["demo", "--voice", "/proc/demo", "--headless"], "/proc/demo cannot be made or written"),
        (["train", str(SPEECH), "--voice", "/proc/x", "--headless"], "/proc/x cannot be made or"),
        (["train", str(SPEECH), "--voice", "/sys/x", "--headless"], "Choose another place."),
        (["train"], "nothing to train: give a dataset, or --voice"),
        (["train", "nowhere", "--headless"], "nowhere"),
        (["train", "nowhere", "--stop-at", "soon"], "cannot read 'soon' as a stop"),
        (["train", "nowhere", "--price", "-1"], "--price is -1;"),
        (["train", "nowhere", "--checkpoint-every", "0"], "--checkpoint-every is 0"),
        (["demo", "--stop-at", "0"], "must be more than 0"),
        (["info", "nowhere"], "nowhere"),
        (["say", "hello", "--voice", "nowhere"], "nowhere"),
        (["say", "-5°C", "--voice", "nowhere"], "no voice in nowhere"),
        (["export", "nowhere", "--out", "out"], "nowhere"),
    ],
)
def test_bad_input_gets_one_sentence_and_exit_code_2(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 2
    assert sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_an_option_that_there_is_not_is_no_text() -> None:
    told = CliRunner().invoke(app, ["say", "-v", "nowhere"])
    assert told.exit_code == 2
    assert "No such option: -v" in told.stderr


@pytest.mark.parametrize("network", ["ssrm", "Text2Mel-2"])
def test_an_option_that_names_nothing_is_a_usage_error(network: str) -> None:
    told = CliRunner().invoke(app, ["train", "recordings", "--network", network])
    assert told.exit_code == 2
    assert "ssrn" in told.stderr


FAULTY = """
import engine.voice.folder
from tui.cli import app
engine.voice.folder.describe = lambda folder: [][0]
app(["info", "anything"])
"""


def test_what_nobody_foresaw_is_one_sentence_that_names_the_log(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", FAULTY],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert told.returncode == 1
    (log,) = tmp_path.glob("voicecoach-*.log")
    assert len(told.stderr.splitlines()) == 1
    assert str(log) in told.stderr
    assert "Traceback" in log.read_text()


def test_info_is_readable_and_takes_nothing_for_markup(voice: Path) -> None:
    told = CliRunner().invoke(app, ["info", str(voice)])
    assert told.exit_code == 0
    assert "[bold]voice" in told.stdout
    assert "[red]recordings" in told.stdout.replace("\n", "")
    assert "text2mel" in told.stdout


def test_info_as_json_has_the_keys_that_scripts_rely_on(voice: Path) -> None:
    told = CliRunner().invoke(app, ["info", str(voice), "--json"])
    description = json.loads(told.stdout)
    assert description.keys() >= INFO_KEYS
    assert description["voice"] == "[bold]voice"
    for network in ("text2mel", "ssrn"):
        assert description["networks"][network].keys() >= {"step", "base_step", "checkpoints"}
    assert description["spend"].keys() >= {"usd", "hours"}
    assert list(description) == sorted(description)


IMPORTS = """
import sys
from tui.cli import app
{more}
try:
    app({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print("heavy:", sorted({{"torch", "librosa", "numba", "scipy"}} & sys.modules.keys()))
"""


@pytest.mark.parametrize(
    ("arguments", "more"),
    [
        (["--help"], ""),
        (["train", "--help"], "import tui.process.run, tui.process.headless, tui.app"),
        (["info", "VOICE"], ""),
    ],
    ids=["help", "first screen", "info"],
)
def test_nothing_heavy_is_imported_before_the_first_screen(
    arguments: list[str], more: str, voice: Path
) -> None:
    arguments = [str(voice) if argument == "VOICE" else argument for argument in arguments]
    program = IMPORTS.format(arguments=arguments, more=more)
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert told.stdout.splitlines()[-1] == "heavy: []"


OUTPUTS = {
    "full": ">/dev/full",
    "no reader": "| true",
    "closed": ">&-",
    "all closed": "<&- >&- 2>&-",
    "errors full": ">/dev/null 2>/dev/full",
}


@pytest.mark.parametrize("output", OUTPUTS)
def test_whatever_output_is_there_is_no_traceback(output: str, voice: Path) -> None:
    """As a shell redirects it; long output and short, and that of the command line itself."""
    commands = {
        f"info '{voice}' --json": 0,
        "check nowhere --no-estimate": 2,
        "ps": 0,
        "--version": 0,
    }
    for command, code in commands.items():
        shell = f"set -o pipefail; {sys.executable} -m tui {command} {OUTPUTS[output]}"
        told = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
        refused = output == "full" and code == 0
        assert told.returncode == (1 if refused else code), command
        if refused:
            assert told.stderr == (
                "voicecoach: standard output cannot be written (No space left on device); free "
                "some space there, or send it elsewhere.\n"
            )
        else:
            expected = code == 2 and output not in ("all closed", "errors full")
            assert len(told.stderr.splitlines()) == expected, command
