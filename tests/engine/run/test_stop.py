"""When to stop: what can be said, what it means, and what is refused."""

import math
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.run.stop import (
    MAX_STEPS,
    AlreadyThereError,
    StopPoint,
    StopRule,
    StoredStop,
    parse_budget,
    parse_stop,
    read_stored_stop,
    store_stop,
)


@pytest.mark.parametrize(
    ("text", "kind", "amount"),
    [
        ("900k", "step", 900_000),
        ("900000", "step", 900_000),
        ("900,000", "step", 900_000),
        ("1.5M", "step", 1_500_000),
        ("0.0015M", "step", 1_500),
        (" 900 k ", "step", 900_000),
        ("+20k", "more steps", 20_000),
        ("+ 1", "more steps", 1),
        ("2h", "time", 7200),
        ("90m", "time", 5400),
        ("90min", "time", 5400),
        ("1h30m", "time", 5400),
        ("1h 30m", "time", 5400),
        (".5h".replace(".", "0."), "time", 1800),
        ("$10", "money", 10),
        ("$ 0.50", "money", 0.5),
        ("$.5", "money", 0.5),
        ("$1,250", "money", 1250),
    ],
)
def test_every_form_is_read(text, kind, amount):
    rule = parse_stop(text)
    assert (rule.kind, rule.amount) == (kind, amount)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "k", "+", "$", "h", "m", "soon", "10x", "10kk", "--5", "-5", "+-5", "$-1"),
        *("1e5", "0x10", "1_000", "inf", "nan", "$inf", "2h$3", "900k+20k", "30m1h", "10$", "\0"),
        # Other scripts' digits, superscripts and fullwidth forms are not steps.
        *("٣", "²", "+٣k", "٣h", "$٣", "９００", "1²", "Ⅷ"),
        # Nothing at all.
        *("0", "0k", "+0", "0h", "0m", "0h0m", "$0", "$0.00", "0.4"),
        # No time of day, or not written as one.
        *("24:00", "19:60", "7:5", "19:", ":30", "7pm", "+19:00", "19:00:00", "１９:００"),
        # No whole number of steps.
        *("900.5", "+1.0005k"),
        # A decimal comma is not a separator of thousands.
        *("1,5h", "$1,5", "1,00", ",5", "1 5h", "900 000"),
        # More than anyone can train.
        *("9" * 400, "+" + "9" * 400, "9" * 400 + "h", "$" + "9" * 400, "99999M", "1000000h"),
    ],
)
def test_other_texts_are_refused_in_one_sentence(text):
    with pytest.raises(InputError) as caught:
        parse_stop(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 270
    assert "900k" in str(caught.value)


@given(st.text(max_size=20) | st.text("0123456789+$kKMhm., ٣²", max_size=12))
def test_any_text_is_read_or_refused(text):
    try:
        rule = parse_stop(text)
    except InputError:
        return
    assert math.isfinite(rule.amount)
    assert rule.amount > 0
    assert text.isascii() or text.strip().isascii()


@settings(max_examples=30)
@given(st.integers(1, MAX_STEPS))
def test_steps_come_back_as_they_were_written(steps):
    assert parse_stop(str(steps)) == StopRule("step", steps, str(steps))
    assert parse_stop(f"+{steps:,}").amount == steps


@settings(max_examples=30)
@given(st.integers(0, 99), st.integers(0, 59))
def test_hours_and_minutes_add_up(hours, minutes):
    text = f"{hours}h{minutes}m"
    if hours == minutes == 0:
        with pytest.raises(InputError):
            parse_stop(text)
    else:
        assert parse_stop(text).amount == 3600 * hours + 60 * minutes


def test_relative_forms_count_from_now_and_others_do_not():
    def point(text):
        return parse_stop(text).resolve(step=1000, training_seconds=60, usd=3, price=0.99)

    assert point("+500") == StopPoint(step=1500)
    assert point("1500") == StopPoint(step=1500)
    assert point("1m") == StopPoint(training_seconds=120)
    assert point("$10") == StopPoint(usd=10)


@settings(max_examples=60)
@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.integers(0, 23),
    st.integers(0, 59),
)
def test_a_time_of_day_is_the_next_one(now, hour, minute):
    rule = parse_stop(f"{hour}:{minute:02d}", now=now)
    assert rule.text == f"{hour:02d}:{minute:02d}"
    assert 0 < rule.amount - now.timestamp() <= 24 * 3600
    assert f"{datetime.fromtimestamp(rule.amount, UTC):%H:%M}" == rule.text
    assert rule.resolve(1000, 60, 3, 0) == StopPoint(at=rule.amount)


def test_a_time_of_day_when_clocks_change(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        # 02:30 is left out on the first day, and shown twice on the other.
        for now, hours in (
            ("2026-03-29 01:00", 1.5),
            ("2026-03-29 03:45", 22.75),
            ("2026-10-25 01:00", 1.5),
            ("2026-10-25 04:00", 22.5),
        ):
            moment = datetime.fromisoformat(now)
            assert parse_stop("2:30", now=moment).amount - moment.timestamp() == 3600 * hours
        between = datetime.fromisoformat("2026-10-25 02:45")
        assert parse_stop("2:30", now=between).amount - between.timestamp() == 2700
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "price", "word", "is_there"),
    [
        ("1000", 1, "1,000", True),
        ("999", 1, "already", False),
        ("$3", 1, r"\$3.00", True),
        ("$10", 0, "--price", False),
    ],
)
def test_a_stop_behind_or_without_a_price_is_refused(text, price, word, is_there):
    with pytest.raises(InputError, match=word) as caught:
        parse_stop(text).resolve(step=1000, training_seconds=60, usd=3, price=price)
    assert isinstance(caught.value, AlreadyThereError) == is_there


@pytest.mark.parametrize(
    "point",
    [StopPoint(step=5), StopPoint(training_seconds=7.5), StopPoint(usd=0.25), StopPoint(at=2e9)],
)
def test_stored_stop_is_read_back(tmp_path, point):
    folder = tmp_path / "text2mel"
    store_stop(folder, None)
    assert read_stored_stop(folder) is None
    store_stop(folder, StoredStop(point, "as asked"))
    assert read_stored_stop(folder) == StoredStop(point, "as asked")
    store_stop(folder, None)
    assert read_stored_stop(folder) is None
    assert (folder / "stop.json").read_bytes() == b"{}\n"


def test_a_point_is_reached_on_its_own_counter_only():
    assert StopPoint(step=10).reached(10, 0, 0)
    assert not StopPoint(step=10).reached(9, 1e9, 1e9)
    assert StopPoint(training_seconds=5).reached(0, 5.0, 0)
    assert not StopPoint(training_seconds=5).reached(10**9, 4.9, 1e9)
    assert StopPoint(usd=1).reached(0, 0, 1.0)
    assert not StopPoint(usd=1).reached(10**9, 1e9, 0.99)
    assert StopPoint(at=time.time()).reached(0, 0, 0)
    assert not StopPoint(at=time.time() + 600).reached(10**9, 1e9, 1e9)


def test_a_stored_time_of_day_that_passed_is_not_tomorrows():
    stop = StoredStop(StopPoint(at=time.time() - 60), "19:00")
    assert stop.matches(parse_stop("19:00"))
    with pytest.raises(AlreadyThereError, match=r"to stop at .*, which has passed; give another"):
        stop.resolve(1000, 60, 3, 0)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "7", "null", "{", '{"text": "+2"}', '{"step": 5000}', "[" * 900,
        '{"text": "+2", "step": true}', '{"text": "+2", "step": 5.5}', '{"text": "+2", "step": -1}',
        '{"text": "+2", "step": ' + "9" * 800 + "}", '{"text": "", "step": 5000}',
        '{"text": "\\u001b[2J", "step": 5000}', '{"text": "' + "+" * 300 + '", "step": 5000}',
        '{"text": "$9", "usd": NaN}', '{"text": "$9", "usd": Infinity}', '{"text": "2h"}',
        '{"text": "19:00", "at": 1e300}', '{"text": "9:00", "at": 2e9, "step": 5}',
        '{"text": "2h", "training_seconds": 1e300}', '{"text": "2h", "training_seconds": "1"}',
        '{"text": "+2", "step": 5000, "more": 1}', '{"text": "+2", "step": 5000}' + " " * 2000,
    ],
)  # fmt: skip
def test_an_impossible_stop_file_is_refused_in_a_sentence(tmp_path, content):
    (tmp_path / "stop.json").write_text(content)
    with pytest.raises(InputError, match=r"stop\.json, where .* --stop-at none$") as refused:
        read_stored_stop(tmp_path)
    assert len(str(refused.value)) < 400


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
    with pytest.raises(InputError, match=r" is not a budget; "):
        parse_budget(text)
