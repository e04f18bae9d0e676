"""What goes over the wire comes out as it went in; anything else is refused in a sentence."""

import contextlib
import dataclasses
import json
import math
import typing
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.attach.arrays import decode_array, encode_array
from engine.attach.codec import dump, hints_of, load
from engine.attach.deltas import apply, changes
from engine.attach.messages import (
    Alive,
    Ask,
    Glance,
    Hello,
    Part,
    Refusal,
    Welcome,
    read_from_client,
    read_from_server,
    write,
)
from engine.errors import InputError
from engine.run.commands import Command, Finish, Pause, SetBudget, StopAt
from engine.run.snapshot import AttentionPlot, Event, Phase, Snapshot
from engine.run.stop import StopRule, parse_stop

TEXT = st.text(max_size=30)
WEIGHTS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8),
    elements=st.floats(0, 1, width=32),
)
# A path may hold bytes that are no text.
PATHS = st.binary(min_size=1, max_size=20).map(
    lambda name: Path("/", name.replace(b"\0", b"x").decode(errors="surrogateescape"))
)
RULES = st.sampled_from(["900k", "+20k", "2h", "1h30m", "$10", "0.107k", "90m"]).map(parse_stop)
st.register_type_strategy(Path, PATHS)
st.register_type_strategy(StopRule, RULES)
st.register_type_strategy(int, st.integers(-(2**60), 2**60))


def values_of(hint) -> st.SearchStrategy:
    """Values of a type as dataclasses name it, arrays among them."""
    if typing.get_origin(hint) is np.ndarray:
        return WEIGHTS
    is_struct = isinstance(hint, type) and issubclass(hint, msgspec.Struct)
    if is_struct or (dataclasses.is_dataclass(hint) and hint is not StopRule):
        fields = {name: values_of(part) for name, part in hints_of(hint).items()}
        return st.builds(hint, **fields)
    if typing.get_origin(hint) is tuple and typing.get_args(hint)[1:] == (Ellipsis,):
        return st.lists(values_of(typing.get_args(hint)[0]), max_size=3).map(tuple)
    if isinstance(None, hint) if not typing.get_args(hint) else type(None) in typing.get_args(hint):
        others = [part for part in typing.get_args(hint) if part is not type(None)]
        return st.none() | st.one_of([values_of(part) for part in others])
    return st.from_type(hint)


COUNTS, AMOUNTS = st.integers(0, 10**9), st.floats(0, 1e9)
WITHIN_REASON = {
    int: COUNTS,
    float: AMOUNTS,
    int | None: st.none() | COUNTS,
    float | None: st.none() | AMOUNTS,
}


SNAPSHOTS = values_of(Snapshot)
COMMANDS = st.one_of(
    st.builds(SetBudget, st.floats(0, 1e9)),
    *(values_of(command) for command in typing.get_args(Command) if command is not SetBudget),
)
GLANCES = st.builds(
    Glance,
    **{
        name: WITHIN_REASON[hint] if hint in WITHIN_REASON else values_of(hint)
        for name, hint in hints_of(Glance).items()
    },
)


def equal(one: object, other: object) -> bool:
    """Whether two values are the same, nan to nan, arrays to what a screen can tell apart."""
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and np.allclose(one, other, atol=1 / 400)
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(equal, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[name], other[name]) for name in one)
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return type(one) is type(other) and all(
            equal(getattr(one, name), getattr(other, name)) for name in names
        )
    return type(one) is type(other) and one == other


def sent(parts) -> list[Part]:
    """Parts as they come out at the other end."""
    return [read_from_server(write(part)) for part in parts]


@settings(max_examples=40, deadline=None)
@given(SNAPSHOTS)
def test_a_snapshot_comes_out_as_it_went_in(snapshot):
    assert equal(apply(None, sent(changes(None, snapshot))), snapshot)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_changes_make_the_next_snapshot_of_the_one_before(data):
    before = data.draw(SNAPSHOTS)
    names = data.draw(st.sets(st.sampled_from(list(hints_of(Snapshot)))))
    fields = {name: data.draw(values_of(hints_of(Snapshot)[name])) for name in names}
    grown = (*before.events[data.draw(st.integers(0, 3)) :], *data.draw(st.just((Event(1, "x"),))))
    after = dataclasses.replace(before, **{"events": grown, **fields})
    seen = apply(None, sent(changes(None, before)))
    assert equal(apply(seen, sent(changes(before, after))), after)


@given(COMMANDS)
def test_a_command_comes_out_as_it_went_in(command):
    assert read_from_client(write(Ask(command))) == Ask(command)


@given(st.one_of([GLANCES, *(values_of(kind) for kind in (Welcome, Alive, Refusal))]))
def test_other_messages_come_out_as_they_went_in(message):
    assert equal(read_from_server(write(message)), message)


def test_a_message_is_one_line_of_json_with_its_version():
    line = write(Ask(StopAt(parse_stop("900k"))))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    asked = {"kind": "StopAt", "rule": "900k"}
    assert json.loads(line) == {"v": 3, "kind": "Ask", "command": asked}


def test_only_what_changed_is_sent_and_of_what_grew_only_the_new():
    events = tuple(Event(float(number), f"event {number}") for number in range(300))
    plots = tuple(
        AttentionPlot(step, "a", np.full((180, 210), 0.5, np.float32), "") for step in range(120)
    )
    before = Snapshot(
        Phase.TRAINING, "alice", Path("/v"), "text2mel", "bbc", "standard",
        events=events, attention=plots, learning_rate=math.nan,
    )  # fmt: skip
    assert [part.fields for part in changes(before, before)] == [{}]
    after = dataclasses.replace(
        before, step=7, events=(*events[1:], Event(300.0, "new")), attention=(*plots[1:], plots[0])
    )
    [part] = changes(before, after)
    assert set(part.fields) == {"step", "events", "attention"}
    assert part.fields["events"].kept_from == 1
    assert [event["text"] for event in part.fields["events"].said] == ["new"]
    assert len(write(part)) < 2000
    # The whole goes in helpings, so that no line grows beyond what the other side takes.
    parts = list(changes(None, before))
    assert [part.complete for part in parts] == [False] * (len(parts) - 1) + [True]
    assert len(parts) > 3
    assert equal(apply(None, sent(parts)), before)


def test_the_attention_is_sent_small_and_looks_the_same():
    rows = np.arange(180)[:, None]
    weights = np.exp(-((rows - np.arange(210)[None, :] * 0.85) ** 2) / 9).astype(np.float32)
    said = encode_array(weights)
    assert len(json.dumps(said)) < 12_000
    seen = decode_array(said)
    assert np.abs(seen - weights).max() < 1 / 400
    assert not seen.flags.writeable


@given(
    arrays.arrays(
        np.float32,
        arrays.array_shapes(max_dims=3, max_side=4),
        elements=st.floats(width=32),
    )
)
def test_any_array_can_be_sent(weights):
    seen = decode_array(json.loads(json.dumps(encode_array(weights), allow_nan=False)))
    assert seen.shape == weights.shape
    assert np.isfinite(seen).all()


GOOD_ARRAY = encode_array(np.eye(3, dtype=np.float32))


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [1 << 40, 1 << 40]},
        {"shape": [3, 4]},
        {"shape": [2, 3]},
        {"shape": [-3, -3]},
        {"shape": [3, True]},
        {"shape": 9},
        {"low": "0"},
        {"high": 1e300},
        {"levels": "!"},
        {"levels": 5},
        {"levels": "AAAA"},
        # A megabyte of nothing, in a few bytes.
        {"levels": encode_array(np.zeros((1024, 1024)))["levels"]},
        {"more": 1},
    ],
)
def test_an_array_that_lies_is_refused(change):
    with pytest.raises(InputError):
        decode_array({**GOOD_ARRAY, **change})


def test_an_array_too_large_for_a_screen_is_not_sent():
    with pytest.raises(InputError, match="too large"):
        encode_array(np.zeros((1 << 10, 1 << 11), np.float32))


HOSTILE = [
    b"",
    b"\x00\xff",
    b"null",
    b"[]",
    b"7",
    b"{}",
    b'{"v": 3}',
    b'{"v": 1, "kind": "Hello", "role": "screen"}',
    b'{"v": true, "kind": "Hello", "role": "screen"}',
    b'{"v": 3, "v": 3, "kind": "Hello", "role": "screen"}',
    b'{"v": 3, "kind": "Hello", "role": "king"}',
    b'{"v": 3, "kind": "Hello", "role": ["screen"]}',
    b'{"v": 3, "kind": "Hello"}',
    b'{"v": 3, "kind": "Hello", "role": "screen", "more": 1}',
    b'{"v": 3, "kind": "Path", "command": "/etc/passwd"}',
    b'{"v": 3, "kind": "Ask", "command": null}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "__import__"}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "Finish", "more": 1}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": {"kind": "Finish"}}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "StopAt", "rule": "never"}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "StopAt", "rule": "' + b"9" * 5000 + b'"}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "StopAt", "rule": {"kind": "step"}}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "SetSentence", "sentence": 5}}',
    b'{"v": 3, "kind": "Ask", "command": {"kind": "SetSentence", "sentence": NaN}}',
    b'{"v": ' + b"1" * 5000 + b"}",
    b"[" * 60_000,
    b'{"v":' * 10_000,
    b'{"v": 3, "kind": "Ask", "command": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
]


@pytest.mark.parametrize("line", HOSTILE, ids=lambda line: repr(line[:60]))
def test_what_is_no_message_is_refused_in_a_sentence(line):
    with pytest.raises(InputError) as caught:
        read_from_client(line)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


@given(st.binary(max_size=300))
def test_noise_is_refused(noise):
    for read in (read_from_client, read_from_server):
        with pytest.raises(InputError):
            read(noise)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
PARTS = st.dictionaries(
    st.sampled_from(list(hints_of(Snapshot))),
    st.builds(lambda said: {"is": said}, JSON)
    | st.builds(lambda start, said: {"from": start, "add": said}, st.integers(), JSON),
    max_size=3,
)


@settings(max_examples=100, deadline=None)
@given(PARTS)
def test_changes_that_do_not_fit_are_refused(fields):
    seen = Snapshot(Phase.TRAINING, "a", Path("/v"), "ssrn", "small", "standard")
    line = dump({"v": 3, "kind": "Part", "fields": fields, "complete": True})
    with contextlib.suppress(InputError):
        made = apply(seen, [read_from_server(line)])
        # What is not refused is a snapshot as any other.
        assert equal(apply(None, sent(changes(None, made))), made)


def test_a_screen_of_another_age_is_told_so():
    parts = sent(changes(None, Snapshot(Phase.PAUSED, "a", Path("/v"), "ssrn", "x", "y")))
    parts[0].fields["colour"] = parts[0].fields["step"]
    with pytest.raises(InputError, match=r"no field 'colour'.*voicecoach that trains"):
        apply(None, parts)
    del parts[0].fields["colour"], parts[0].fields["step"]
    with pytest.raises(InputError, match=r"lacks its field step.*voicecoach that trains"):
        apply(None, parts)


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(InputError):
        read_from_server(write(Refusal("a" * 100_001)))


def test_a_path_means_the_same_wherever_the_other_side_stands(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snapshot = Snapshot(Phase.PAUSED, "a", Path("voices/a"), "ssrn", "small", "standard")
    seen = apply(None, sent(changes(None, snapshot)))
    assert seen.voice_folder == tmp_path / "voices" / "a"


def test_every_command_has_a_name_of_its_own():
    kinds = [json.loads(write(Ask(command)))["command"]["kind"] for command in (Pause(), Finish())]
    assert kinds == ["Pause", "Finish"]
    assert load(write(Hello("glance")))["role"] == "glance"
