"""Opens the app on a fake run, and reads its screen as a person does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fake_session import FakePlayer, FakeSession, at_noon
from textual.pilot import Pilot

from engine.run.snapshot import Snapshot
from tui.app import VoicecoachApp

SIZES = [(80, 24), (120, 40)]


def app_on(session: FakeSession, player: FakePlayer | None = None, **options) -> VoicecoachApp:
    options = {"now": at_noon, "address": "ubuntu@gpu-1", **options}
    return VoicecoachApp(session, player or FakePlayer(), **options)


@asynccontextmanager
async def opened(
    snapshot: Snapshot,
    player: FakePlayer | None = None,
    size=(80, 24),
    attached=False,
    reading=False,
    **options,
) -> AsyncIterator[tuple[VoicecoachApp, FakeSession, Pilot]]:
    """Show a snapshot; give the app, its run, and what presses keys."""
    session = FakeSession(snapshot, attached=attached, reading=reading)
    app = app_on(session, player, **options)
    async with app.run_test(size=size) as pilot:
        yield app, session, pilot


def lines_of(app: VoicecoachApp) -> list[str]:
    return [strip.text.rstrip() for strip in app.screen._compositor.render_strips()]


def text_of(app: VoicecoachApp) -> str:
    return "\n".join(lines_of(app))


def log_of(app: VoicecoachApp) -> str:
    return " ".join(" ".join(app.run_screen.log_panel.lines).split())


async def look(app: VoicecoachApp, pilot) -> None:
    """Let the app look often enough to show numbers and plots."""
    for _ in range(4):
        app.poll()
    await pilot.pause()
