"""The screen is there before anything heavy is loaded."""

import subprocess
import sys

HEAVY = ("torch", "librosa", "numba", "scipy", "plotext", "sounddevice", "soundfile")

PROGRAM = """
import asyncio, sys
from seeing import opened
from fake_session import preparing

async def show():
    async with opened(preparing()) as run:
        assert "alice" in run.text

asyncio.run(show())
print(*[name for name in sys.argv[2:] if name in sys.modules])
"""


def test_the_first_screen_loads_nothing_heavy(request):
    folder = str(request.path.parent)
    program = "import sys; sys.path.insert(0, sys.argv[1])\n" + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program, folder, *HEAVY], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
