"""A screen on which nothing changed sends nothing; one on which little changed, little."""

import gc

from check_reports import BROKEN
from fake_session import FakePlayer, FakeSession, at_noon, curve, preparing, training
from seeing import lines_of, look
from textual._compositor import ChopsUpdate
from textual.widgets._footer import FooterKey

from engine.run.snapshot import Phase
from tui.app import VoicecoachApp


class Watched(VoicecoachApp):
    """Keeps every update that would go to the terminal."""

    def __init__(self, session: FakeSession) -> None:
        super().__init__(session, FakePlayer(), now=at_noon, address="ubuntu@gpu-1")
        self.updates = []

    def _display(self, screen, renderable):
        if renderable is not None:
            self.updates.append(renderable)
        super()._display(screen, renderable)


async def settled(app: Watched, pilot) -> None:
    for _ in range(3):
        await look(app, pilot)
    app.updates.clear()


async def test_nothing_is_drawn_while_nothing_changes():
    session = FakeSession(training(phase=Phase.PAUSED))
    app = Watched(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        for _ in range(5):
            session.change()
            await look(app, pilot)
        assert app.updates == []


async def test_a_step_touches_one_line_alone():
    session = FakeSession(training())
    app = Watched(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        session.change(step=871_205)
        await look(app, pilot)
        assert app.updates
        assert all(isinstance(update, ChopsUpdate) for update in app.updates)
        assert {y for update in app.updates for y, _, _ in update.spans} == {1}


async def test_a_curve_that_grew_too_little_to_be_seen_is_not_drawn():
    session = FakeSession(training(curve=curve(855_000, 871_000)))
    app = Watched(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        session.change(curve=curve(855_000, 871_020))
        await look(app, pilot)
        assert app.updates == []
        session.change(curve=curve(855_000, 885_000))
        await look(app, pilot)
        assert app.updates


async def test_a_countdown_draws_its_notice_once_a_second():
    session = FakeSession(preparing(phase=Phase.CHECKED, check=BROKEN, seconds_to_start=47))
    app = Watched(session)
    async with app.run_test(size=(80, 24)) as pilot:
        await settled(app, pilot)
        for _ in range(3):
            session.change()
            await look(app, pilot)
        assert app.updates == []
        session.change(seconds_to_start=46)
        await look(app, pilot)
        assert app.updates
        assert all(isinstance(update, ChopsUpdate) for update in app.updates)
        drawn = {y for update in app.updates for y, _, _ in update.spans}
        # The notice takes two lines.
        assert len(drawn) <= 2
        assert "46 s" in lines_of(app)[min(drawn)]


def keys_in_memory() -> int:
    gc.collect()
    # By its type alone: to ask a weak proxy what it is would ask what it stands for.
    return sum(issubclass(type(thing), FooterKey) for thing in gc.get_objects())


async def test_a_bottom_line_that_was_made_anew_is_forgotten():
    app = Watched(FakeSession(training()))
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("s", "escape", "s", "escape")
        before = keys_in_memory()
        await pilot.press(*("s", "escape") * 4)
        assert keys_in_memory() <= before + 20
