"""The budget of a voice, through the front door, by a clock that the test moves."""

import math

import pytest
from clocks import LateClock

from engine.errors import InputError
from engine.run.commands import (
    Continue,
    Finish,
    Pause,
    SaveCheckpoint,
    ScreenDetached,
    SetBudget,
    StopAt,
    TerminalStalled,
)
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import AlreadyThereError, parse_budget, parse_stop
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


def paused(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.PAUSED


def at_stop(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.AT_STOP


@pytest.mark.parametrize(
    ("text", "usd"),
    [("$30", 30), ("30", 30), ("30.50", 30.5), (" $ 1,250 ", 1250), ("none", 0)],
)
def test_a_budget_is_read(text, usd):
    assert parse_budget(text) == usd


@pytest.mark.parametrize(
    "text", ["", "$", "30 $", "-1", "0", "05", "$0.00", "much", "1e3", "nan", "9" * 40, "30k"]
)
def test_what_is_no_budget_is_refused_in_a_sentence(text):
    with pytest.raises(InputError, match=r"cannot read .* as a budget"):
        parse_budget(text)


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
    texts = {}
    for usd in (30.0, 30.0, None, 5.0, 0.0):
        last = training.end(training.start(voice, "+1", budget=usd))
        texts[usd] = [(e.text, e.severity) for e in last.events if e.text.startswith("budget")]
        assert last.budget == Voice.open(voice.folder).settings.budget
    assert texts == {
        30.0: [],
        None: [],
        5.0: [("budget is now $5.00 (was $30.00)", "warning")],
        0.0: [("budget is now none (was $5.00)", "warning")],
    }
    last = training.end(training.start(voice, "+1", budget=0.05))
    assert "budget is now $0.05 (was none)" in training.texts(last)
    assert not last.warnings
    last = training.end(training.start(voice, "+1", budget=60.0))
    assert "budget is now $60.00 (was $0.05)" in training.texts(last)
    assert not last.warnings


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


def test_a_pause_is_paid_for_and_ends_where_the_budget_does(make_voice, training, clock):
    voice = make_voice()
    session = training.start(voice, None, Pause(), price=1.0, budget=30.0, attended=True)
    before = training.until(session, paused)
    clock.added += 31 * 3600
    snapshot = training.until(session, at_stop)
    assert snapshot.step == before.step
    session.send(ScreenDetached())
    last = training.end(session)
    assert last.idle_usd == pytest.approx(31, abs=0.1)
    # The hours that were added are none of training.
    assert last.voice_seconds < 3600
    assert voice.spend.idle_usd == pytest.approx(last.idle_usd)


def test_an_unread_pause_is_held_until_it_reaches_the_budget(make_voice, training, clock):
    voice = make_voice()
    commands = Pause(), TerminalStalled(stalled=True), SaveCheckpoint()
    session = training.start(voice, None, *commands, price=1.0, budget=30.0, attended=True)
    training.until(session, lambda s: any("nothing to save" in t for t in training.texts(s)))
    assert training.until(session, paused).wait_ends_at is None
    clock.added += 31 * 3600
    last = training.end(session)
    assert (last.phase, last.budget_is_used_up) == (Phase.STOPPED, True)
    assert last.ended_because == "no terminal takes the screen's output"


def test_a_stop_at_a_sum_that_the_preparation_used_up_is_a_stop(make_voice, training):
    voice = make_voice()
    last = training.end(training.start(voice, "$0.01", price=900_000.0))
    assert (last.phase, last.failure, last.step) == (Phase.STOPPED, "", 0)
