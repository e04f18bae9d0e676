"""A voice is its owner's alone, whatever the umask, and where no permission can be changed."""

import subprocess
import sys

import pytest
from paths import SPEECH

pytestmark = [pytest.mark.process, pytest.mark.slow]

# As on FAT, and on some network shares.
NO_CHMOD = """
import os
from tui.cli import main

def refuse(*_, **__):
    raise PermissionError(1, "Operation not permitted")

os.chmod = os.fchmod = refuse
main()
"""


def test_nobody_else_reaches_a_new_voice(runs) -> None:
    voice = runs.folder / "voices" / "alice"
    command = [sys.executable, "-c", NO_CHMOD, "train", SPEECH, "--voice", voice]
    command += ["--preset", "small", "--device", "cpu", "--stop-at", "+1", "--headless"]
    done = subprocess.run(
        command, env=runs.environment(), umask=0o022, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "other users" not in done.stdout
    made = [voice, *voice.rglob("*")]
    assert voice / "text2mel" / "checkpoints" / "step-000000001" / "state.json" in made
    # The socket is gone with the run; it lies in a folder that nobody else can enter.
    assert [path for path in made if path.stat().st_mode & 0o077] == []
    # The folder above was made too, and is not the voice's own.
    assert voice.parent.stat().st_mode & 0o777 == 0o755
