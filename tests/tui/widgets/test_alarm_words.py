"""What a person reads of a run that is sick, or whose step hangs."""

from fake_session import FakeSession, training
from seeing import app_on, look, text_of

from engine.run.snapshot import Phase
from tui.process.headless import line_about
from tui.widgets.notice import phase_words


async def test_a_step_that_hangs_stands_on_the_screen_until_it_ends():
    session = FakeSession(training())
    app = app_on(session)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "hangs" not in text_of(app)
        session.change(alarm="step 871,205 hangs in [Learner.step]")
        await look(app, pilot)
        assert "step 871,205 hangs in [Learner.step]" in text_of(app)
        session.change(alarm="")
        await look(app, pilot)
        assert "hangs" not in text_of(app)


def test_a_run_that_waits_because_it_is_sick_says_why_and_how_to_go_on():
    words = phase_words(training(phase=Phase.PAUSED, alarm="it fell sick")).plain
    assert words.startswith("it fell sick")
    assert "p try again" in words
    assert "p go on" in phase_words(training(phase=Phase.PAUSED)).plain


async def test_a_lowered_rate_and_skipped_steps_are_on_the_status_and_on_every_line():
    snapshot = training(rate_factor=0.25, skipped=12)
    app = app_on(FakeSession(snapshot))
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        assert "12 skipped · lr 6.8e-5 (×0.25)" in text_of(app)
    assert "lr 6.8e-5 (×0.25)  12 steps skipped" in line_about(snapshot)
    assert "(×" not in line_about(training())
