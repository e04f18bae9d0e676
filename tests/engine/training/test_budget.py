"""The budget of a voice, through the front door, by a clock that the test moves."""

import math
from threading import Event

import pytest
from clocks import LateClock

from engine.data import features
from engine.data.spectrograms import analyse
from engine.errors import InputError
from engine.run.commands import (
    Continue,
    Finish,
    Hold,
    Pause,
    SaveCheckpoint,
    ScreenDetached,
    SetBudget,
    StopAt,
    TerminalStalled,
)
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import AlreadyThereError, parse_stop
from engine.training import cost as costs
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


@pytest.fixture
def clock(monkeypatch) -> LateClock:
    clock = LateClock()
    monkeypatch.setattr(costs, "time", clock)
    # What is added is time that passes, and no suspended process.
    monkeypatch.setattr(costs, "_SUSPENDED_SECONDS", math.inf)
    return clock


def at_stop(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.AT_STOP


def test_a_budget_needs_a_price_and_must_not_be_spent(make_voice, training):
    voice = make_voice()
    with pytest.raises(InputError, match=r"\$30\.00 cannot be enforced.*--price"):
        training.start(voice, "+1", budget=30.0)
    training.end(training.start(voice, "+1", price=1000.0))
    spent = voice.spend.usd
    with pytest.raises(InputError, match=rf"used up: \${spent:.2f} is spent, .*on idle time"):
        training.start(voice, "+1", budget=spent / 2)
    assert Voice.open(voice.folder).settings.budget == 0


def test_a_start_that_changes_the_budget_says_so(make_voice, training):
    voice = make_voice(price=1.0)
    for usd, change, severity in (
        (30.0, "$30.00 (was none)", "information"),
        (30.0, None, None),
        (None, None, None),
        (5.0, "$5.00 (was $30.00)", "warning"),
        (0.0, "none (was $5.00)", "warning"),
    ):
        last = training.end(training.start(voice, "+1", budget=usd))
        said = [(e.text, e.severity) for e in last.events if e.text.startswith("budget")]
        assert said == ([(f"budget is now {change}", severity)] if change else [])
        assert last.budget == Voice.open(voice.folder).settings.budget


def test_a_budget_warns_and_then_stops_with_a_checkpoint(make_voice, training, clock):
    voice = make_voice()
    session = training.start(voice, None, price=1.0, budget=30.0)
    training.until(session, lambda s: s.step > 2)
    clock.added += 24.5 * 3600
    warned = training.until(session, lambda s: any("of the budget" in t for t in training.texts(s)))
    assert any("81 % of the budget is spent: $24.5" in text for text in training.texts(warned))
    clock.added += 6 * 3600
    last = training.end(session)
    assert (last.phase, last.failure) == (Phase.STOPPED, "")
    assert last.checkpoint_step == last.step == voice.newest("text2mel").step
    assert last.budget_is_used_up
    assert sum("of the budget is spent" in text for text in training.texts(last)) == 1
    assert sum("budget of $30.00 is used up" in text for text in training.texts(last)) == 1
    at_80, at_100 = last.notices
    assert at_80.kind == at_100.kind == "budget"
    assert ("81 % of" in at_80.text, "is used up" in at_100.text) == (True, True)
    assert voice.spend.usd == pytest.approx(last.spent, abs=1e-9)
    # It is kept with the voice, for both networks, and a larger one goes on.
    with pytest.raises(AlreadyThereError, match="used up"):
        training.start(voice, "+1", network="ssrn")
    again = training.end(training.start(voice, "+1", budget=60.0))
    assert again.step == last.step + 1
    assert again.spent > 30


def test_the_spend_of_runs_before_counts_towards_the_budget(make_voice, training, clock):
    voice = make_voice(text2mel=0, ssrn=0)
    for network in ("text2mel", "ssrn"):
        session = training.start(voice, "+100000", price=1.0, budget=30.0, network=network)
        training.until(session, lambda s: s.step > 1)
        clock.added += 16 * 3600
        if network == "text2mel":
            session.send(Finish())
        last = training.end(session)
    assert last.budget_is_used_up
    assert {s.network for s in voice.spend.entries} == {"text2mel", "ssrn"}
    assert voice.spend.usd == pytest.approx(32, abs=0.1)


def test_beside_a_screen_a_used_up_budget_waits_to_be_raised(make_voice, training, clock):
    voice = make_voice()
    session = training.start(voice, None, price=1.0, budget=30.0, attended=True)
    training.until(session, lambda s: s.step > 1)
    clock.added += 31 * 3600
    stopped = training.until(session, at_stop)
    assert stopped.checkpoint_step == stopped.step
    for command in (Continue(), StopAt(parse_stop("+5")), SetBudget(5.0)):
        session.send(command)
    refused = training.until(session, lambda s: any("too small" in t for t in training.texts(s)))
    assert refused.step == stopped.step
    texts = training.texts(refused)
    assert sum("is used up" in text for text in texts) == 3
    assert any("a budget of $5.00 is too small" in text for text in texts)
    session.send(SetBudget(60.0))
    training.until(session, lambda s: s.step > stopped.step)
    assert Voice.open(voice.folder).settings.budget == 60
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED


@pytest.mark.parametrize("stalled", [False, True])
def test_a_pause_is_paid_for_and_ends_where_the_budget_does(make_voice, training, clock, stalled):
    voice = make_voice()
    commands = Pause(), TerminalStalled(stalled), SaveCheckpoint()
    session = training.start(voice, None, *commands, price=1.0, budget=30.0, attended=True)
    training.until(session, lambda s: any("nothing to save" in t for t in training.texts(s)))
    before = training.until(session, lambda s: s.phase is Phase.PAUSED)
    assert before.wait_ends_at is None
    clock.added += 31 * 3600
    if not stalled:
        assert training.until(session, at_stop).step == before.step
        session.send(ScreenDetached())
    last = training.end(session)
    assert (last.phase, last.budget_is_used_up) == (Phase.STOPPED, True)
    assert bool(last.ended_because) == stalled
    assert last.idle_usd == pytest.approx(31, abs=0.1)
    # The hours that were added are none of training.
    assert last.voice_seconds < 3600
    assert voice.spend.idle_usd == pytest.approx(last.idle_usd)


def test_the_budget_ends_a_preparation(make_voice, training, clock, tones, monkeypatch):
    voice, spent = make_voice(dataset=tones), Event()

    def analyse_late(*given):
        spent.wait(60)
        return analyse(*given)

    monkeypatch.setattr(features, "analyse", analyse_late)
    session = training.start(voice, "+1", price=1.0, budget=30.0)
    training.until(session, lambda s: s.progress and s.progress.what == "computing features")
    clock.added += 31 * 3600
    shown = training.until(session, lambda s: s.spent > 30)
    assert shown.phase is Phase.PREPARING
    spent.set()
    last = training.end(session)
    assert (last.phase, last.failure, last.step) == (Phase.STOPPED, "", 0)
    assert "the budget of $30.00 is used up: ended before the first step" in training.texts(last)
    assert voice.spend.idle_usd == pytest.approx(31, abs=0.1)


@pytest.mark.parametrize("raised", [False, True])
def test_the_budget_ends_a_wait_before_the_first_step(
    make_voice, training, clock, tones, monkeypatch, raised
):
    monkeypatch.setattr("engine.training.data_check._IDLE_SECONDS", 0.1)
    monkeypatch.setattr("engine.training.spend_recorder._FIRST_FIGURES_SECONDS", 0.1)
    voice = make_voice(dataset=tones)
    session = training.start(voice, "+1", Hold(), price=1.0, budget=30.0, attended=True)
    training.until(session, lambda s: s.phase is Phase.CHECKED and s.seconds_to_start is None)
    if raised:
        session.send(SetBudget(60.0))
    clock.added += 31 * 3600
    training.until(session, lambda s: s.spent > 30)
    if not raised:
        assert training.end(session).step == 0
        return
    # A budget that was raised meanwhile takes effect at the first step.
    session.send(Continue())
    assert training.until(session, at_stop).budget == 60
    session.send(Finish())
    assert training.end(session).step == 1


def test_a_stop_at_a_sum_that_the_preparation_used_up_is_a_stop(make_voice, training):
    voice = make_voice()
    last = training.end(training.start(voice, "$0.01", price=900_000.0))
    assert (last.phase, last.failure, last.step) == (Phase.STOPPED, "", 0)
