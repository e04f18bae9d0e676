"""A screen on which nothing changed sends nothing; one on which little changed, little."""

import gc
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from check_reports import BROKEN
from fake_session import curve, preparing, training
from seeing import opened
from textual._compositor import ChopsUpdate
from textual.widgets._footer import FooterKey

from engine.run.snapshot import Phase
from tui.app import VoicecoachApp


class Watched(VoicecoachApp):
    """Keeps every update that would go to the terminal."""

    def __init__(self, *arguments, **options) -> None:
        super().__init__(*arguments, **options)
        self.updates = []
        self.first = []
        """The lines of the first picture."""

    def _display(self, screen, renderable):
        if renderable is not None:
            self.updates.append(renderable)
            self.first = self.first or [s.text for s in screen._compositor.render_strips()]
        super()._display(screen, renderable)

    @property
    def drawn(self) -> set[int]:
        """The lines that were drawn anew; no update was of the whole screen."""
        assert all(isinstance(update, ChopsUpdate) for update in self.updates)
        return {y for update in self.updates for y, _, _ in update.spans}


@asynccontextmanager
async def settled(snapshot):
    async with opened(snapshot, kind=Watched) as run:
        await run.look()
        await run.look()
        run.app.updates.clear()
        yield run


async def test_the_first_picture_shows_the_run():
    async with opened(training(), size=(120, 40), kind=Watched) as run:
        first = "\n".join(run.app.first)
        # The step above, the axis of the plot, a sample and the log.
        assert all(words in first for words in ("871,204", "855k", "● new", "871,000 saved"))


@pytest.mark.slow
async def test_only_what_a_person_could_see_is_drawn():
    before = curve(855_000, 871_000)
    async with settled(training(curve=before)) as run:
        for _ in range(5):
            await run.change()
        longer = curve(855_000, 871_020)
        await run.change(curve=replace(before, steps=longer.steps, losses=longer.losses))
        assert run.app.updates == []
        await run.change(step=871_205)
        assert run.app.drawn == {1}
        run.app.updates.clear()
        await run.change(curve=curve(855_000, 885_000))
        assert run.app.updates


@pytest.mark.slow
async def test_a_countdown_draws_its_notice_once_a_second():
    waiting = preparing(phase=Phase.CHECKED, check=BROKEN, seconds_to_start=47)
    async with settled(waiting) as run:
        for _ in range(3):
            await run.change()
        assert run.app.updates == []
        await run.change(seconds_to_start=46)
        # The notice takes two lines.
        assert 1 <= len(run.app.drawn) <= 2
        assert "46 s" in run.lines[min(run.app.drawn)]


def keys_in_memory() -> int:
    gc.collect()
    # By its type alone: to ask a weak proxy what it is would ask what it stands for.
    return sum(issubclass(type(thing), FooterKey) for thing in gc.get_objects())


@pytest.mark.slow
async def test_a_bottom_line_that_was_made_anew_is_forgotten():
    async with settled(training()) as run:
        shown = list(run.app.query(FooterKey))
        await run.press("s", "escape")
        assert list(run.app.query(FooterKey)) == shown  # a dialog changes no key
        await run.change(phase=Phase.PAUSED)
        assert not {*run.app.query(FooterKey)} & {*shown}
        del shown
        before = keys_in_memory()
        for _ in range(2):
            await run.change(phase=Phase.TRAINING)
            await run.change(phase=Phase.PAUSED)
        assert keys_in_memory() <= before + 20
