"""What importing the engine brings in: no screen ever, and nothing heavy before it is needed."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCREEN = ("textual", "rich", "plotext", "textual_plotext", "sounddevice", "typer", "tui")


def loaded_after(imports: str) -> set[str]:
    """Top-level modules that a fresh interpreter has after some imports."""
    code = f"{imports}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(said.stdout.split())


def test_no_part_of_the_engine_loads_a_screen():
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / "engine").rglob("*.py"))
    ]
    assert len(modules) > 40
    loaded = loaded_after("\n".join(f"import {module}" for module in modules))
    assert "torch" in loaded
    assert not loaded & set(SCREEN)


def test_the_first_screen_and_info_need_nothing_heavy():
    front = ["session", "voice", "order", "stop", "snapshot", "control", "plan", "demo"]
    loaded = loaded_after("\n".join(f"import engine.{module}" for module in front))
    assert not loaded & {"torch", "librosa", "numba", "scipy", "safetensors", *SCREEN}
