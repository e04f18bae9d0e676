"""The whole command on a machine that its cloud takes away, with a screen and without."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fake_metadata import FakeMetadata
from paths import SPEECH

pytestmark = [pytest.mark.process, pytest.mark.slow]

SPOT_RUN = Path(__file__).with_name("spot_run.py")


@pytest.fixture
def fake(tmp_path: Path):
    with FakeMetadata() as serving:
        yield serving


@pytest.fixture
def command(runs, tmp_path: Path, fake):
    dataset = shutil.copytree(SPEECH, tmp_path / "recordings")
    return [
        *(sys.executable, str(SPOT_RUN), "train", str(dataset), "--voice", str(runs.voice)),
        *("--preset", "small", "--device", "cpu", "--precision", "fp32"),
        *("--cloud", "aws", "--metadata-url", fake.url),
        *("--on-interrupt", f'ls "$VOICECOACH_VOICE"/text2mel/checkpoints > {tmp_path}/hook'),
    ]


def checkpoints(runs) -> list[int]:
    folder = runs.voice / "text2mel" / "checkpoints"
    return sorted(int(entry.name.removeprefix("step-")) for entry in folder.glob("step-*"))


def test_a_notice_without_a_screen_ends_with_75(runs, fake, command, tmp_path: Path) -> None:
    run = subprocess.Popen(
        [*command, "--headless"],
        env=runs.environment(AWS_EC2_METADATA_DISABLED="true"),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    lines = []
    for line in run.stdout:
        lines.append(line)
        if "started at step" in line:
            fake.take_away(8)
    assert run.wait(30) == 75
    said = "".join(lines)
    assert "machine: AWS g5.xlarge us-east-1b spot" in said
    assert "warning: AWS terminates this machine at " in said
    assert "the last safe second" in said
    assert lines[-1].startswith("interrupted (AWS terminates this machine): saved at step ")
    first, last = checkpoints(runs)[-2:]
    assert 0 < first < last
    # The command was run while there was one of the two.
    assert str(first) in (tmp_path / "hook").read_text()
    assert f"step-{last:09d}" not in (tmp_path / "hook").read_text()


def test_a_notice_on_the_screen_counts_down_and_ends_with_75(runs, fake, command) -> None:
    terminal = runs.start(command)
    terminal.wait_for_screen()
    history = runs.voice / "text2mel" / "history.jsonl"
    runs.wait_until(history.exists, "the first steps", deadline=60)
    fake.take_away(4)
    terminal.wait_for("AWS terminates this machine in")
    assert terminal.wait() == 75
    terminal.wait_for("interrupted (AWS")
    terminal.wait_until_restored()
    assert len(checkpoints(runs)) >= 1
