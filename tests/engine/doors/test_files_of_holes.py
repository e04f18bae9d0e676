"""Files of a terabyte that take no room on the disk: a sentence, soon, and little memory."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from paths import ROOT

from engine.errors import InputError
from engine.mirror.sync import checkpoint_files, small_files
from engine.voice.history import History

TERABYTE = 2**40
# All of them in one process, whose memory is then looked at.
PROGRAM = r"""
import json, re, sys
from pathlib import Path
from typer.testing import CliRunner
from tui.cli import app
told = []
for arguments in json.load(sys.stdin):
    done = CliRunner().invoke(app, arguments)
    told.append([done.exit_code, done.output])
# Not ru_maxrss, which begins with that of the process that started this one.
most = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
print(json.dumps([told, int(most[1]) / 1024]))
"""


def holes(path):
    """Let a file have a terabyte, what it has being its beginning."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(TERABYTE)


@pytest.fixture
def make(make_voice, speech, tmp_path):
    """Copies of a voice and of recordings, one file of each being of holes."""
    voice = make_voice(text2mel=5)

    def copy(what: str, name: str) -> str:
        source = {"voice": voice.folder, "recordings": speech}[what]
        target = tmp_path / f"{what} {name.replace('/', ' ')}"
        shutil.copytree(source, target)
        holes(target / name)
        return str(target)

    return copy


@pytest.mark.slow
def test_each_is_told_in_a_sentence_and_takes_little_memory(make, tmp_path):
    checkpoint = "text2mel/checkpoints/step-000000005"
    (tmp_path / "models").mkdir()
    for name in ("m.index", "m.data-00000-of-00001", "checkpoint"):
        holes(tmp_path / "models" / name)
    out = str(tmp_path / "out")
    cases = [
        (["check", make("recordings", "metadata.csv")], 2, "too large (maximum 67,108,864 bytes)"),
        (["clean", str(tmp_path / "recordings metadata.csv"), "--out", out], 2, "maximum 67,108"),
        (["info", make("voice", "voice.toml")], 2, "too large (maximum 1,048,576 bytes)"),
        (["train", "--voice", str(tmp_path / "voice voice.toml"), "--headless"], 2, "1,048,576"),
        (["info", make("voice", "spend.jsonl")], 2, "too large (maximum 134,217,728 bytes)"),
        (["train", "--voice", str(tmp_path / "voice spend.jsonl"), "--headless"], 2, "134,217,728"),
        (["info", make("voice", "comparisons.jsonl")], 2, "move the file away to begin anew"),
        (["info", make("voice", "corpus.json")], 0, "cannot be read"),
        (["info", make("voice", f"{checkpoint}/state.json")], 0, "step-000000005"),
        (
            ["say", "la", "--voice", make("voice", f"{checkpoint}/weights.safetensors")],
            2,
            "damaged",
        ),
        (["import", str(tmp_path / "models"), "--voice", out], 2, "too large for the index"),
    ]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([arguments for arguments, _, _ in cases]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    told, megabytes = json.loads(done.stdout)
    for (arguments, code, sentence), (exit_code, output) in zip(cases, told, strict=True):
        assert exit_code == code, (arguments, output)
        assert sentence in " ".join(output.split()), (arguments, output)
    assert megabytes < 1000


def test_a_history_of_holes_is_refused(tmp_path):
    holes(tmp_path / "history.jsonl")
    with pytest.raises(InputError, match=r"too large \(maximum 1,073,741,824 bytes\); move it"):
        History(tmp_path / "history.jsonl", up_to=5)


@pytest.mark.slow
def test_a_recording_of_holes_is_left_out(make, training, tmp_path, small_audio):
    recording = next((ROOT / "tests/fixtures/ljspeech-3/wavs").iterdir())
    dataset = Path(make("recordings", f"wavs/{recording.name}"))
    session = training.start(tmp_path / "new", "+1", dataset=dataset, preset="small")
    snapshot = training.end(session)
    assert (session.error, snapshot.step) == (None, 1)
    assert any(
        "too large, 1,099,511,627,776 bytes; the limit is 1,073,741,824" in one
        for one in training.texts(snapshot)
    )


@pytest.mark.slow
def test_a_checkpoint_with_holes_is_not_sent_to_a_mirror(make_voice):
    voice = make_voice(text2mel=5)
    entry = voice.newest("text2mel")
    holes(entry.path / "optimizer.safetensors")
    assert checkpoint_files(entry.path) == {}
    os.truncate(voice.folder / "voice.toml", TERABYTE)
    with pytest.raises(OSError, match="too large"):
        small_files(voice, voice.folder.parent)
