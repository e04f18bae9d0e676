"""Whatever is pressed, however the run and the terminal change meanwhile, the screen goes on."""

import asyncio
import random
from dataclasses import replace

import pytest
from check_reports import BROKEN, CLEAN
from seeing import opened
from test_pictures import SCENES

from engine.errors import EngineError
from tui.keys import KEYS

NAMED = [
    *("enter", "escape", "space", "tab", "shift+tab", "backspace", "delete", "f1"),
    *("up", "down", "left", "right", "pageup", "pagedown", "home", "end"),
    *("ctrl+p", "ctrl+q", "ctrl+s", "0", "9", "$", "+", ":"),
]
PRESSED = [*NAMED, *(name for key in KEYS for name in key.names.split(","))]
SIZES = [(80, 24), (120, 40), (53, 20), (40, 15), (200, 50), (10, 3)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 8))
async def test_nothing_that_is_pressed_ends_the_screen(seed, monkeypatch):
    def no_page():
        raise EngineError("no page in this test")

    monkeypatch.setattr("tui.screens.listen_dialog.start_page", no_page)
    chance = random.Random(seed)

    def scene():
        snapshot = SCENES[chance.choice(list(SCENES))]()
        return replace(snapshot, check=chance.choice([snapshot.check, BROKEN, CLEAN]))

    async with opened(scene(), chance.choice(SIZES)) as run:
        for _ in range(40):
            if not run.app.is_running:
                break  # it was left by its keys
            event = chance.choices(("press", "change", "resize"), (70, 15, 15))[0]
            if event == "press":
                press = asyncio.ensure_future(run.pilot.press(chance.choice(PRESSED)))
                # A look at the run may come at any turn of what the key does.
                for _ in range(chance.randrange(30)):
                    await asyncio.sleep(0)
                    run.app.poll()
                await press
            elif event == "change":
                run.session.current = scene()
                run.app.poll()
            else:
                await run.pilot.resize_terminal(*chance.choice(SIZES))
        assert run.app._exception is None
