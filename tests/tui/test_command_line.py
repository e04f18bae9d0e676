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

from engine.attach.registry import Registration
from engine.voice.folder import Voice, VoiceSettings
from tui.cli import app

INFO_KEYS = {"voice", "vocabulary", "networks", "spend"}


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    folder = tmp_path / "[bold]voice"
    Voice.create(folder, VoiceSettings(dataset=tmp_path / "[red]recordings"))
    return folder


def test_demo_and_train_take_the_same_options_of_a_run(tmp_path, monkeypatch) -> None:
    asked = []
    for command in ("demo", "train"):
        monkeypatch.setattr(
            f"tui.commands.{command}.run_training", lambda make, **_: asked.append(make()) or 0
        )
        words = ["--stop-when", "flat", "--tensorboard", "--budget", "3", "--price", "1", "--hold"]
        voice = ["--voice", str(tmp_path / command)]
        assert CliRunner().invoke(app, [command, *voice, *words]).exit_code == 0
    for one in asked:
        assert (one.stop_when, one.tensorboard, one.budget, one.hold) == ("flat", True, 3, True)


@pytest.mark.parametrize("command", ["demo", "train", "import", "say", "export", "info"])
def test_every_command_explains_itself_with_an_example(command: str) -> None:
    told = CliRunner().invoke(app, [command, "--help"])
    assert told.exit_code == 0
    assert f"Example: voicecoach {command}" in told.stdout


def test_voicecoach_alone_shows_the_runs_or_how_to_begin(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = CliRunner().invoke(app, [])
    assert told.exit_code == 0
    heading, *lines = told.stdout.splitlines()
    assert heading == "You have no run on this host. To begin:"
    commands = ("voicecoach demo", "voicecoach check RECORDINGS", "voicecoach --help")
    for line, command in zip(lines, commands, strict=True):
        assert command in line

    run = Registration(Path("/data/voices/alice"), "alice", "text2mel")
    told = CliRunner().invoke(app, [])
    run.remove()
    assert told.exit_code == 0
    assert "voicecoach attach /data/voices/alice" in told.stdout


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
        (["train", "nowhere", "--stop-at", "soon"], "--stop-at: cannot read 'soon' as a stop"),
        (
            ["train", "nowhere", "--network", "both", "--ssrn-stop-at", "soon"],
            "--ssrn-stop-at: cannot read 'soon'",
        ),
        (["train", "nowhere", "--ssrn-stop-at", "5k"], "--ssrn-stop-at goes with --network both"),
        (["train", "nowhere", "--device", "cuda:0,cuda:1"], "two with --network both"),
        *(
            (["train", "nowhere", "--network", "both", "--device", wrong], "name one device, or")
            for wrong in ("cuda:0,", ",", "", "cuda,cuda:0", "auto,cpu", "cpu,cuda:0,cuda:1")
        ),
        *(
            (["train", "nowhere", "--price", wrong], f"--price is {wrong!r};")
            for wrong in ("-1", "nan", "1e9")
        ),
        (["train", "nowhere", "--checkpoint-every", "0"], "--checkpoint-every is 0"),
        (["train", "nowhere", "--stop-at", "24:00"], "'24:00' is not a time of day"),
        (["train", "nowhere", "--dropout", "x"], "for '--dropout': 'x' is not a number"),
        (
            ["bench", "--rounds", "x"],
            "Invalid value for '--rounds': 'x' is not a whole number (see",
        ),
        (["train", "x", "--checkpoint-every", "x"], "every': 'x' is not a whole number (see"),
        (["check", "nowhere", "--price", "x"], "--price is 'x'; give US dollars an hour"),
        (["say", "hi", "--voice", "x", "--show-text", "--out", "y"], "--show-text only prints"),
        (["demo", "--stop-at", "0"], "must be more than 0"),
        (["info", "nowhere"], "nowhere"),
        (["say", "hello", "--voice", "nowhere"], "nowhere"),
        (["say", "hi", "--voice", "x", "--step", "last"], "--step is 'last'; write a step"),
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
    wanted = "'text2mel', 'ssrn', 'both'"
    sentence = f"Invalid value for '--network': '{network}' is not one of {wanted} (see"
    assert sentence in told.stderr
    assert len(told.stderr.splitlines()) == 1


FAULTY = """
import engine.jobs.info
from tui.cli import app
engine.jobs.info.describe = lambda folder: [][0]
app(["info", "anything"])
"""


@pytest.mark.process
@pytest.mark.slow
def test_an_unexpected_error_is_one_sentence_that_names_the_log(tmp_path: Path) -> None:
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
    assert "[red]recordings" in "".join(told.stdout.split())
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


LIGHT = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
from tui.cli import app
def run(*arguments):
    try:
        app(arguments)
    except SystemExit as end:
        assert not end.code, end.code
run("train", "--help")
import tui.process.run, tui.process.headless, tui.app
assert not {"numpy", "http.client", "engine.text.english", "pydantic"} & sys.modules.keys()
run("info", sys.argv[2])
from fake_session import preparing
from seeing import opened

async def show():
    async with opened(preparing()) as run:
        assert "alice" in run.text

asyncio.run(show())
heavy = {"torch", "librosa", "numba", "scipy", "plotext", "sounddevice", "soundfile"}
assert not heavy & sys.modules.keys(), heavy & sys.modules.keys()
"""


@pytest.mark.process
@pytest.mark.slow
def test_nothing_heavy_is_imported_before_the_first_screen(voice: Path) -> None:
    program = [sys.executable, "-c", LIGHT, str(Path(__file__).parent), str(voice)]
    done = subprocess.run(program, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


OUTPUTS = {
    "full": ">/dev/full",
    "no reader": "| true",
    "closed": ">&-",
    "all closed": "<&- >&- 2>&-",
    "errors full": ">/dev/null 2>/dev/full",
}


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(
    ("output", "command", "code"),
    [
        # Long output and short, and that of the command line itself.
        ("full", "info VOICE --json", 1),
        ("full", "--version", 1),
        ("no reader", "info VOICE --json", 0),
        ("closed", "ps", 0),
        ("all closed", "check nowhere --no-estimate", 2),
        ("errors full", "check nowhere --no-estimate", 2),
    ],
)
def test_no_output_leads_to_a_traceback(output: str, command: str, code: int, voice: Path) -> None:
    command = command.replace("VOICE", f"'{voice}'")
    shell = f"set -o pipefail; {sys.executable} -m tui {command} {OUTPUTS[output]}"
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, timeout=60)
    assert done.returncode == code
    assert done.stderr == (
        "voicecoach: standard output cannot be written (No space left on device); free some "
        "space there, or redirect it elsewhere.\n"
        if output == "full"
        else ""
    )
