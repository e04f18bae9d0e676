"""The time and the money of a run, by a clock that the test moves."""

import json
import math
import time as real_time
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.errors import InputError
from engine.jobs.info import describe
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
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import AlreadyThereError, parse_budget, parse_stop
from engine.training import clock as clocks
from engine.training import ledger_keeper
from engine.training.cost import CostMeter
from engine.voice.folder import Voice


class Time:
    """A clock that goes on only where the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


class Late:
    """The machine's clock, and what the test adds to it."""

    def __init__(self) -> None:
        self.added = 0.0

    def monotonic(self) -> float:
        return real_time.monotonic() + self.added


@pytest.fixture
def time(monkeypatch) -> Time:
    time = Time()
    monkeypatch.setattr(clocks, "time", time)
    return time


@pytest.fixture
def late(monkeypatch) -> Late:
    late = Late()
    monkeypatch.setattr(clocks, "time", late)
    # What is added is time that passes, and no stopped process.
    monkeypatch.setattr(clocks, "_STOPPED_SECONDS", math.inf)
    return late


def board_of(voice: Voice, phase: Phase = Phase.PREPARING) -> Publisher:
    return Publisher(Snapshot(phase, voice.name, voice.folder, "text2mel", "small", "standard"))


def texts(publisher: Publisher) -> list[str]:
    return [event.text for event in publisher.snapshot.events]


def pass_seconds(time: Time, paid: CostMeter, seconds: int) -> None:
    for _ in range(seconds):
        time.now += 1
        paid.look()
        paid.settle()


def paused(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.PAUSED


def at_stop(snapshot: Snapshot) -> bool:
    return snapshot.phase is Phase.AT_STOP


def test_idle_time_costs_as_much_and_is_kept_apart(make_voice, time):
    voice = make_voice(price=3600.0)
    publisher = board_of(voice)
    paid = CostMeter(publisher, voice, "text2mel")
    pass_seconds(time, paid, 5)
    paid.clock.start()
    pass_seconds(time, paid, 3)
    paid.clock.pause()
    publisher.update(phase=Phase.PAUSED, step=10)
    pass_seconds(time, paid, 4)
    paid.end(10)
    ledger = Voice.open(voice.folder).ledger
    assert [(s.kind, s.seconds) for s in ledger.stretches] == [("idle", 9.0), ("training", 3.0)]
    assert (ledger.usd, ledger.idle_usd, ledger.seconds) == (12.0, 9.0, 3.0)
    assert (publisher.snapshot.spent, publisher.snapshot.idle_usd) == (12.0, 9.0)
    assert (publisher.snapshot.voice_seconds, publisher.snapshot.idle_seconds) == (3.0, 9.0)
    # Nothing is open any more, and the end comes once.
    paid.end(10)
    assert Voice.open(voice.folder).ledger.usd == 12.0


def test_the_spend_goes_on_while_a_step_hangs(make_voice, time):
    voice = make_voice(price=3600.0)
    publisher = board_of(voice, Phase.TRAINING)
    paid = CostMeter(publisher, voice, "text2mel")
    paid.clock.start()
    pass_seconds(time, paid, 30)
    assert publisher.snapshot.spent == pytest.approx(30)


def test_a_ledger_that_takes_nothing_is_not_tried_at_every_step(make_voice, time):
    voice = make_voice(price=3600.0)
    publisher = board_of(voice)
    paid = CostMeter(publisher, voice, "text2mel")
    ledger = paid.ledger
    (voice.folder / "spend.jsonl").mkdir()
    paid.clock.start()
    pass_seconds(time, paid, 60)
    assert ledger.due
    for step in (7, 8):
        paid.close_stretch(step)
        paid.settle()
        assert not ledger.due
        pass_seconds(time, paid, 59)
        assert not ledger.due
        pass_seconds(time, paid, 1)
        assert ledger.due
    (voice.folder / "spend.jsonl").rmdir()
    paid.close_stretch(9)
    paid.settle()
    assert not ledger.due
    pass_seconds(time, paid, 60)
    assert ledger.due
    # Nothing was lost meanwhile, and it was told once.
    assert Voice.open(voice.folder).ledger.seconds == 180
    assert sum("spend.jsonl cannot be written" in text for text in texts(publisher)) == 1


def test_a_wait_is_told_at_once_and_every_hour_and_its_figures_move(make_voice, time):
    voice = make_voice(price=1.0)
    publisher = board_of(voice, Phase.TRAINING)
    paid = CostMeter(publisher, voice, "text2mel")
    publisher.update(phase=Phase.PAUSED)
    pass_seconds(time, paid, 1)
    assert texts(publisher) == ["paused: this machine still costs $1.00/h"]
    pass_seconds(time, paid, 9)
    assert publisher.snapshot.wait_seconds == 0
    # Every ten seconds while somebody may look whether they move, then every minute.
    pass_seconds(time, paid, 15)
    assert publisher.snapshot.wait_seconds == pytest.approx(20)
    assert publisher.snapshot.spent == pytest.approx(21 / 3600)
    pass_seconds(time, paid, 275)
    assert publisher.snapshot.wait_seconds == pytest.approx(290)
    pass_seconds(time, paid, 40)
    assert publisher.snapshot.wait_seconds == pytest.approx(290)
    pass_seconds(time, paid, 80)
    assert publisher.snapshot.wait_seconds == pytest.approx(410)
    assert publisher.snapshot.wait_usd == pytest.approx(410 / 3600)
    assert len(texts(publisher)) == 1
    pass_seconds(time, paid, 3600)
    assert texts(publisher)[1:] == [
        "paused for 1h00m, which cost $1.00: this machine still costs $1.00/h"
    ]
    publisher.update(phase=Phase.TRAINING)
    pass_seconds(time, paid, 1)
    assert publisher.snapshot.idle_usd == pytest.approx(paid.ledger.idle_usd)
    paid.end(0)


def test_a_killed_process_hides_ten_seconds_at_most(make_voice, time):
    voice = make_voice(price=3600.0)
    publisher = board_of(voice, Phase.TRAINING)
    paid = CostMeter(publisher, voice, "text2mel")
    paid.clock.start()
    publisher.update(step=7)
    pass_seconds(time, paid, 39)
    # It is killed here; the next run finds what was open.
    again = CostMeter(board_of(voice), Voice.open(voice.folder), "text2mel")
    assert again.ledger.spent == pytest.approx(39, abs=10)
    assert again.ledger.voice_seconds == pytest.approx(again.ledger.spent)
    (stretch,) = voice.ledger.stretches
    assert (stretch.first_step, stretch.last_step, stretch.kind) == (0, 7, "training")
    third = CostMeter(board_of(voice), Voice.open(voice.folder), "text2mel")
    assert third.ledger.spent == again.ledger.spent


def test_what_the_ledger_has_already_is_not_taken_over_again(make_voice, time):
    voice = make_voice(price=3600.0)
    paid = CostMeter(board_of(voice), voice, "text2mel")
    paid.clock.start()
    pass_seconds(time, paid, 20)
    paid.close_stretch(5)
    paid.settle()
    # Killed before the file of open stretches is written anew.
    assert (voice.folder / "spend.open").exists()
    again = CostMeter(board_of(voice), Voice.open(voice.folder), "text2mel")
    assert again.ledger.spent == 20.0


def test_a_line_of_the_ledger_hides_nothing_that_is_still_open(make_voice, time):
    voice = make_voice(price=3600.0)
    paid = CostMeter(board_of(voice), voice, "text2mel")
    pass_seconds(time, paid, 3)
    paid.clock.start()
    pass_seconds(time, paid, 20)
    # A step that hangs: what it takes stays open, and the idle time before it does not.
    paid.close_stretch(0)
    paid.settle()
    again = CostMeter(board_of(voice), Voice.open(voice.folder), "text2mel")
    assert (again.ledger.spent, again.ledger.idle_usd) == (23.0, 3.0)


@pytest.mark.parametrize("content", [b"", b"0\n{", b"\xff\xfe", b"0\n" + b"[" * 9000, b"x" * 99999])
def test_a_damaged_file_of_open_stretches_costs_nothing(make_voice, time, content):
    voice = make_voice(price=3600.0)
    (voice.folder / "spend.open").write_bytes(content)
    assert CostMeter(board_of(voice), voice, "text2mel").ledger.spent == 0


def test_a_process_that_was_stopped_paid_for_idle_time(make_voice, time):
    voice = make_voice(price=3600.0)
    publisher = board_of(voice, Phase.TRAINING)
    paid = CostMeter(publisher, voice, "text2mel")
    paid.clock.start()
    pass_seconds(time, paid, 5)
    time.now += 300
    paid.look()
    pass_seconds(time, paid, 5)
    assert paid.ledger.voice_seconds == 10
    assert (paid.ledger.idle_seconds, paid.ledger.spent) == (300, 310)
    assert "this process was stopped for 5m, which cost $300.00" in texts(publisher)
    paid.end(3)


def test_the_time_of_day_may_jump_without_changing_an_amount(make_voice, time, monkeypatch):
    days = iter(f"20{year}-01-01T00:00:00+00:00" for year in range(99, 10, -1))
    monkeypatch.setattr(ledger_keeper, "now", lambda: next(days))
    voice = make_voice(price=3600.0)
    paid = CostMeter(board_of(voice), voice, "text2mel")
    paid.clock.start()
    for step in (5, 9):
        pass_seconds(time, paid, 4)
        paid.close_stretch(step)
        paid.settle()
    paid.end(9)
    ledger = Voice.open(voice.folder).ledger
    assert ledger.usd == 8.0
    assert all(stretch.end < stretch.start for stretch in ledger.stretches)


def test_every_stretch_of_training_and_of_idle_time_keeps_its_price(make_voice, time):
    voice = make_voice(price=3600.0)
    paid = CostMeter(board_of(voice), voice, "text2mel")
    pass_seconds(time, paid, 2)
    paid.clock.start()
    pass_seconds(time, paid, 3)
    paid.change_price(7200.0, 5)
    pass_seconds(time, paid, 4)
    paid.clock.pause()
    pass_seconds(time, paid, 1)
    paid.end(9)
    kept = [(s.kind, s.seconds, s.price) for s in Voice.open(voice.folder).ledger.stretches]
    assert sorted(kept) == [
        ("idle", 1.0, 7200.0), ("idle", 2.0, 3600.0),
        ("training", 3.0, 3600.0), ("training", 4.0, 7200.0),
    ]  # fmt: skip
    assert paid.ledger.spent == voice.ledger.usd == 5 + 10


def test_old_ledgers_are_read_as_training_and_damaged_lines_are_passed_over(make_voice):
    voice = make_voice()
    old = {"start": "a", "end": "b", "network": "text2mel", "first_step": 0, "last_step": 9}
    lines = [json.dumps({**old, "seconds": 3600.0, "price": 0.5}), '{"start": "2026', "[" * 9000]
    lines.append(json.dumps({**old, "seconds": 10**400, "price": 0.5}))
    lines.append(json.dumps({**old, "seconds": 1.0, "price": 0.5, "kind": "leisure"}))
    lines.append(json.dumps({**old, "network": "ssrn", "seconds": 7200.0, "price": 0.5}))
    (voice.folder / "spend.jsonl").write_text("\n".join(lines) + "\n")
    spend = describe(voice.folder)["spend"]
    assert (spend["usd"], spend["idle_usd"], spend["hours"]) == (1.5, 0, 3.0)


# The budget, through the front door.


@pytest.mark.parametrize(
    ("text", "usd"),
    [("$30", 30), ("30", 30), ("30.50", 30.5), (" $ 1,250 ", 1250), ("0", 0), ("none", 0)],
)
def test_a_budget_is_read(text, usd):
    assert parse_budget(text) == usd


@pytest.mark.parametrize("text", ["", "$", "30 $", "-1", "much", "1e3", "nan", "9" * 40, "30k"])
def test_what_is_no_budget_is_refused_in_a_sentence(text):
    with pytest.raises(InputError, match=r"cannot read .* as a budget"):
        parse_budget(text)


def test_a_budget_needs_a_price_and_must_not_be_spent(make_voice, training):
    voice = make_voice()
    with pytest.raises(InputError, match=r"\$30\.00 cannot be enforced.*--price"):
        training.start(voice, "+1", budget=30.0)
    training.end(training.start(voice, "+1", price=1000.0))
    spent = voice.ledger.usd
    with pytest.raises(InputError, match=rf"used up: \${spent:.2f} is spent, .*on idle time"):
        training.start(voice, "+1", budget=spent / 2)
    assert Voice.open(voice.folder).settings.budget == 0


def test_a_start_that_changes_the_budget_says_so(make_voice, training):
    voice = make_voice(price=1.0)
    told = {}
    for usd in (30.0, 30.0, None, 5.0, 0.0):
        last = training.end(training.start(voice, "+1", budget=usd))
        told[usd] = [(e.text, e.severity) for e in last.events if e.text.startswith("budget")]
        assert last.budget == Voice.open(voice.folder).settings.budget
    assert told == {
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


def test_a_budget_warns_and_then_stops_with_a_checkpoint(make_voice, training, late):
    voice = make_voice()
    session = training.start(voice, None, price=1.0, budget=30.0)
    training.until(session, lambda s: s.step > 2)
    late.added += 24.5 * 3600
    warned = training.until(session, lambda s: any("of the budget" in t for t in training.texts(s)))
    assert any("81 % of the budget is spent: $24.5" in text for text in training.texts(warned))
    late.added += 6 * 3600
    last = training.end(session)
    assert (last.phase, last.failure) == (Phase.STOPPED, "")
    assert last.checkpoint_step == last.step == voice.newest("text2mel").step
    assert last.budget_is_used_up
    assert sum("of the budget is spent" in text for text in training.texts(last)) == 1
    assert sum("budget of $30.00 is used up" in text for text in training.texts(last)) == 1
    assert voice.ledger.usd == pytest.approx(last.spent, abs=1e-9)
    # It is kept with the voice, for both networks, and a larger one goes on.
    with pytest.raises(AlreadyThereError, match="used up"):
        training.start(voice, "+1", network="ssrn")
    again = training.end(training.start(voice, "+1", budget=60.0))
    assert again.step == last.step + 1
    assert again.spent > 30


def test_the_spend_of_runs_before_counts_towards_the_budget(make_voice, training, late):
    voice = make_voice(text2mel=0, ssrn=0)
    for network in ("text2mel", "ssrn"):
        session = training.start(voice, "+100000", price=1.0, budget=30.0, network=network)
        training.until(session, lambda s: s.step > 1)
        late.added += 16 * 3600
        if network == "text2mel":
            session.send(Finish())
        last = training.end(session)
    assert last.budget_is_used_up
    assert {s.network for s in voice.ledger.stretches} == {"text2mel", "ssrn"}
    assert voice.ledger.usd == pytest.approx(32, abs=0.1)


def test_beside_a_screen_a_used_up_budget_waits_to_be_raised(make_voice, training, late):
    voice = make_voice()
    session = training.start(voice, None, price=1.0, budget=30.0, attended=True)
    training.until(session, lambda s: s.step > 1)
    late.added += 31 * 3600
    stopped = training.until(session, at_stop)
    assert stopped.checkpoint_step == stopped.step
    for command in (Continue(), StopAt(parse_stop("+5")), SetBudget(5.0)):
        session.send(command)
    refused = training.until(session, lambda s: any("too small" in t for t in training.texts(s)))
    assert refused.step == stopped.step
    told = training.texts(refused)
    assert sum("is used up" in text for text in told) == 3
    assert any("a budget of $5.00 is too small" in text for text in told)
    session.send(SetBudget(60.0))
    training.until(session, lambda s: s.step > stopped.step)
    assert Voice.open(voice.folder).settings.budget == 60
    session.send(Finish())
    assert training.end(session).phase is Phase.STOPPED


def test_a_pause_is_paid_for_and_ends_where_the_budget_does(make_voice, training, late):
    voice = make_voice()
    session = training.start(voice, None, Pause(), price=1.0, budget=30.0, attended=True)
    before = training.until(session, paused)
    late.added += 31 * 3600
    snapshot = training.until(session, at_stop)
    assert snapshot.step == before.step
    session.send(ScreenDetached())
    last = training.end(session)
    assert last.idle_usd == pytest.approx(31, abs=0.1)
    # The hours that were added are none of training.
    assert last.voice_seconds < 3600
    assert voice.ledger.idle_usd == pytest.approx(last.idle_usd)


def test_an_unread_pause_is_held_until_it_reaches_the_budget(make_voice, training, late):
    voice = make_voice()
    commands = Pause(), TerminalStalled(stalled=True), SaveCheckpoint()
    session = training.start(voice, None, *commands, price=1.0, budget=30.0, attended=True)
    training.until(session, lambda s: any("could be saved" in t for t in training.texts(s)))
    assert training.until(session, paused).wait_ends_at is None
    late.added += 31 * 3600
    last = training.end(session)
    assert (last.phase, last.budget_is_used_up) == (Phase.STOPPED, True)
    assert last.ended_because == "no terminal takes the screen's output"


def test_a_stop_at_a_sum_that_the_preparation_used_up_is_a_stop(make_voice, training):
    voice = make_voice()
    last = training.end(training.start(voice, "$0.01", price=900_000.0))
    assert (last.phase, last.failure, last.step) == (Phase.STOPPED, "", 0)


def test_the_ledger_reads_as_the_days_went(make_voice, training):
    voice = make_voice()
    training.end(training.start(voice, "+3"))
    stretches = voice.ledger.stretches
    assert [s.start for s in stretches] == sorted(s.start for s in stretches)
    assert datetime.fromisoformat(stretches[-1].end) <= datetime.now(UTC)
    assert {s.kind for s in stretches} == {"training", "idle"}


@pytest.mark.parametrize(
    ("damaged", "told"), [([0], "line 1 cannot be read"), ([0, 2], "2 lines cannot be read")]
)
def test_damage_of_the_ledger_is_told_where_a_run_begins(make_voice, training, damaged, told):
    voice = make_voice()
    for stop in ("1", "2"):
        training.end(training.start(voice, stop, price=1.0))
    path = voice.folder / "spend.jsonl"
    lines = path.read_text().splitlines()
    for number in damaged:
        lines[number] = "\x00 of a disk"
    path.write_text("\n".join(lines) + "\n")
    last = training.end(training.start(voice, "3", price=1.0))
    [warning] = [text for text in training.texts(last) if "spend.jsonl is damaged" in text]
    assert told in warning
    assert [one.text for one in last.warnings] == [warning]


def test_a_voice_that_is_taken_away_again_leaves_no_ledger(tmp_path, training):
    dataset = tmp_path / "recordings"
    (dataset / "wavs").mkdir(parents=True)
    (dataset / "metadata.csv").write_text("gone|nobody recorded this\n")
    last = training.end(training.start(tmp_path / "voice", "+1", dataset=dataset, price=1.0))
    assert last.phase is Phase.FAILED
    assert not (tmp_path / "voice").exists()
    assert not any("cannot be written" in text for text in training.texts(last))


def test_without_a_budget_none_is_used_up(make_voice):
    snapshot = board_of(make_voice()).snapshot
    assert not replace(snapshot, budget=0.0, spent=9.0).budget_is_used_up
