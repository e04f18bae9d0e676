"""What importing the engine's front doors brings in: nothing heavy before it is needed."""

import subprocess
import sys

import pytest
from paths import ROOT

pytestmark = pytest.mark.slow

FRONT = ("session", "preflight", "run.commands", "run.options", "run.stop", "run.snapshot")
HEAVY = {"numpy", "torch", "librosa", "numba", "scipy", "safetensors", "google_crc32c"}


def test_first_screen_needs_nothing_heavy():
    modules = [*FRONT, "voice.folder", "jobs.demo", "jobs.info"]
    code = "\n".join(f"import engine.{module}" for module in modules)
    code += "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert not set(found.stdout.decode().split()) & HEAVY
