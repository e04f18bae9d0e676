"""Messages and updates arrive as they were sent; anything else is refused in a sentence."""

import contextlib
import dataclasses
import math
import socket
import typing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec import Raw

from engine.attach.connection import GREETING, Connection, frame
from engine.attach.messages import (
    MAX_FROM_CLIENT,
    Alive,
    FromClient,
    FromServer,
    Growth,
    Hello,
    Refusal,
    Status,
    Update,
)
from engine.attach.updates import apply, update_between
from engine.errors import InputError
from engine.run.commands import Audition, Command, SetBudget
from engine.run.curves import AttentionPlot
from engine.run.sample import Sample
from engine.run.snapshot import Event, Phase, Snapshot
from engine.run.stop import MAX_STEPS, StopRule, parse_stop
from engine.serialization import MAX_NUMBER, Array, to_msgpack

# A path may hold bytes that are no text.
PATHS = st.binary(min_size=1, max_size=20).map(
    lambda name: Path("/", name.replace(b"\0", b"x").decode(errors="surrogateescape"))
)
RULES = st.sampled_from(["900k", "+20k", "2h", "1h30m", "$10", "0.107k", "90m"]).map(parse_stop)
WEIGHTS = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=8),
    elements=st.floats(0, 1, width=32),
)
st.register_type_strategy(Path, PATHS)
st.register_type_strategy(StopRule, RULES)
st.register_type_strategy(int, st.integers(-(2**60), 2**60))


SAMPLE = {
    "step": st.integers(0, MAX_STEPS),
    "ssrn_step": st.none() | st.integers(0, MAX_STEPS),
    "seconds": st.floats(0, 1e6),
    "time": st.floats(0, 1e11),
}


def values_of(hint) -> st.SearchStrategy:
    """Values of a type as dataclasses name it, arrays among them."""
    arguments = typing.get_args(hint)
    if hint is Array:
        return WEIGHTS
    if dataclasses.is_dataclass(hint) and hint is not StopRule:
        parts = {name: values_of(part) for name, part in typing.get_type_hints(hint).items()}
        return st.builds(hint, **parts | (SAMPLE if hint is Sample else {}))
    if typing.get_origin(hint) is tuple and arguments[1:] == (Ellipsis,):
        return st.lists(values_of(arguments[0]), max_size=3).map(tuple)
    if typing.get_origin(hint) is dict:
        return st.dictionaries(st.text(max_size=9), values_of(arguments[1]), max_size=2)
    if type(None) in arguments:
        others = [values_of(part) for part in arguments if part is not type(None)]
        return st.none() | st.one_of(others)
    return st.from_type(hint)


HINTS = {name: hint for name, hint in typing.get_type_hints(Snapshot).items() if name != "other"}
ONE = st.builds(Snapshot, **{name: values_of(hint) for name, hint in HINTS.items()})
SNAPSHOTS = st.builds(dataclasses.replace, ONE, other=st.none() | ONE)
STEPS = st.none() | st.sampled_from(["best", "base"]) | st.integers(0, MAX_NUMBER)
BOUNDED = {
    SetBudget: st.builds(SetBudget, st.floats(0, 1e9)),
    Audition: st.builds(Audition, st.text(), STEPS, STEPS),
}
COMMANDS = st.one_of(
    *(BOUNDED.get(one) or st.from_type(one) for one in typing.get_args(Command)),
)
SMALL = Snapshot(Phase.TRAINING, "a", Path("/v"), "ssrn", "small", "standard", step=9)


def equal(one: object, other: object) -> bool:
    """Whether two values are the same, nan to nan, arrays to what a screen can tell apart."""
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and np.allclose(one, other, atol=1 / 400)
    if isinstance(one, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(equal, one, other))
    if names := getattr(type(one), "__match_args__", ()):  # of a dataclass or a struct
        return all(equal(getattr(one, name), getattr(other, name)) for name in names)
    return type(one) is type(other) and one == other


def read(pieces, kind, max_bytes=10**8) -> list:
    """The messages in bytes that arrive in pieces, none larger than a socket takes at once."""
    near, far = socket.socketpair()
    connection = Connection(near, kind, "this screen", max_bytes)
    seen = []
    with near, far:
        for piece in pieces:
            for start in range(0, len(piece), 2**16):
                far.sendall(piece[start : start + 2**16])
                seen += connection.receive()
    return seen


def received(message, kind=FromServer):
    """A message as it arrives at the other end."""
    [arrived] = read([GREETING + frame(message)], kind)
    return arrived


@pytest.mark.slow
@settings(max_examples=25, deadline=None)
@given(st.data())
def test_updates_turn_one_snapshot_into_the_next(data):
    before = data.draw(SNAPSHOTS)
    names = data.draw(st.sets(st.sampled_from(list(HINTS))))
    fields = {name: data.draw(values_of(HINTS[name])) for name in names}
    events = (*before.events[data.draw(st.integers(0, 3)) :], Event(1, "x"))
    after = dataclasses.replace(before, **{"events": events, **fields})
    if before.other is not None:
        after = dataclasses.replace(after, other=dataclasses.replace(before.other, step=9))
    seen = apply(None, received(update_between(None, before)))
    assert equal(seen, before)
    assert equal(apply(seen, received(update_between(before, after))), after)


@pytest.mark.parametrize(
    "message",
    [
        Status("a", "ssrn", Phase.PAUSED, 5, None, "", 1.0, 0.5, 4, 0.5, math.inf, 9, 1, 0, 1e9),
        Alive(),
        Refusal("no"),
    ],
)
def test_other_messages_arrive_as_they_were_sent(message):
    assert received(message) == message


def test_only_changes_are_sent_and_of_growing_tuples_the_end():
    events = tuple(Event(float(number), f"event {number}") for number in range(300))
    plots = tuple(
        AttentionPlot(step, "a", np.full((180, 210), 0.5, np.float32), "") for step in range(20)
    )
    before = dataclasses.replace(SMALL, events=events, attention=plots, learning_rate=math.nan)
    assert update_between(before, before) == Update({}, {})
    after = dataclasses.replace(
        before, step=7, events=(*events[1:], Event(300.0, "new")), attention=(*plots[1:], plots[0])
    )
    update = update_between(before, after)
    assert (set(update.values), set(update.growths)) == ({"step"}, {"events", "attention"})
    assert update.growths["events"].dropped == 1
    assert len(frame(update)) < 180 * 210 + 1000
    seen = apply(None, received(update_between(None, before)))
    assert equal(apply(seen, received(update)), after)
    assert not seen.attention[0].weights.flags.writeable


def test_a_path_means_the_same_wherever_the_other_side_is(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    snapshot = dataclasses.replace(SMALL, voice_folder=Path("voices/a"))
    seen = apply(None, received(update_between(None, snapshot)))
    assert seen.voice_folder == tmp_path / "voices" / "a"


@pytest.mark.parametrize(
    "update",
    [
        Update({"step": Raw(to_msgpack(1))}, {}),
        Update({"colour": Raw(to_msgpack(1))}, {}),
        Update({}, {"events": Growth(0, Raw(to_msgpack([1])))}),
    ],
)
def test_an_update_of_another_version_is_refused(update):
    with pytest.raises(InputError, match=r"the voicecoach that trains|\$"):
        apply(None, update)


# Frames.


@settings(max_examples=25, deadline=None)
@given(st.lists(COMMANDS, max_size=4), st.data())
def test_frames_arrive_however_they_are_cut(commands, data):
    messages = [Hello("screen"), *commands]
    sent, pieces = GREETING + b"".join(map(frame, messages)), []
    while sent:
        size = data.draw(st.integers(1, len(sent)))
        pieces.append(sent[:size])
        sent = sent[size:]
    assert read(pieces, FromClient) == messages


@given(st.binary(max_size=300), st.booleans())
def test_noise_is_refused_or_waited_for(noise, greeted):
    for kind in (FromClient, FromServer):
        found = []
        with contextlib.suppress(InputError):
            found = read([GREETING * greeted + noise or b"\0"], kind, MAX_FROM_CLIENT)
        assert all(isinstance(message, kind) for message in found)


NO_GREETINGS = [b"\n", b"GET / HTTP/1.1\r\n", b"null\n", b"{}\n", b"a" * 5000, b"[" * 4000 + b"\n"]


def refused(sent: bytes, kind=FromClient) -> str:
    with pytest.raises(InputError) as caught:
        read([sent], kind, MAX_FROM_CLIENT)
    return str(caught.value)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"v":3,"kind":"Hello","role":"screen"}\n', "uses version 3 of the protocol, not 9"),
        (b'{"v": 8}\n', "uses version 8 of the protocol, not 9"),
        *((line, "does not speak voicecoach's protocol") for line in NO_GREETINGS),
    ],
)
def test_another_version_or_protocol_is_refused(line, words):
    assert words in refused(line)


def packed(value) -> bytes:
    body = to_msgpack(value)
    return GREETING + len(body).to_bytes(4, "big") + body


@pytest.mark.parametrize(
    "sent",
    [
        packed(None),
        packed({"type": "Hello", "role": "king"}),
        packed({"type": "Hello"}),
        packed({"type": "Alive"}),
        packed({"type": "__import__"}),
        packed({"type": "SetSentences", "sentences": [5]}),
        packed({"type": "SetBudget", "usd": math.nan}),
        packed({"type": "StopAt", "rule": "900k"}),
        GREETING + (4).to_bytes(4, "big") + b"\x91\x91\x91\xc1",
        GREETING + (60_000).to_bytes(4, "big") + b"\x91" * 60_000,
        GREETING + (MAX_FROM_CLIENT + 1).to_bytes(4, "big"),
    ],
    ids=lambda sent: repr(sent[10:50]),
)
def test_what_is_no_message_is_refused_in_a_sentence(sent):
    text = refused(sent)
    assert "\n" not in text
    assert len(text) < 300
