"""Commands on their way to the trainer."""

import math
import threading

import pytest

from engine.errors import InputError
from engine.run.commands import (
    Audition,
    Command,
    Continue,
    Finish,
    Hold,
    Inbox,
    Pause,
    ScreenDetached,
    SetBudget,
    SetSentences,
    StopAt,
    clean_sentence,
)
from engine.run.stop import parse_stop
from engine.serialization import from_msgpack, to_msgpack


def test_commands_come_out_in_order():
    inbox = Inbox()
    for command in (Pause(), Continue(), Finish()):
        inbox.send(command)
    assert [inbox.take() for _ in range(4)] == [Pause(), Continue(), Finish(), None]


def test_looking_for_finish_takes_nothing_out():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.finish_requested()
    inbox.send(Finish())
    assert inbox.finish_requested()
    assert [inbox.take(), inbox.take()] == [Pause(), Finish()]


def test_waiting_ends_with_a_command_from_another_thread():
    inbox = Inbox()
    sender = threading.Thread(target=inbox.send, args=(Finish(),))
    sender.start()
    inbox.wait(60)
    sender.join()
    assert inbox.take() == Finish()


def test_waiting_returns_at_once_with_a_command_inside():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.finish_requested()
    inbox.wait(60)
    assert inbox.take() == Pause()


def test_find_returns_a_kind_and_keeps_the_others():
    inbox = Inbox()
    for command in (Pause(), Continue(), Hold()):
        inbox.send(command)
    found = inbox.find(Hold, Continue)
    assert found == Continue()
    inbox.remove(found)
    assert inbox.find(Finish) is None
    assert [inbox.take() for _ in range(3)] == [Pause(), Hold(), None]


def test_find_waits_while_others_arrive():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.finish_requested()

    def send() -> None:
        inbox.send(Continue())
        inbox.send(ScreenDetached())

    sender = threading.Thread(target=send)
    sender.start()
    assert inbox.find(ScreenDetached, seconds=60) == ScreenDetached()
    sender.join()
    assert [inbox.take() for _ in range(3)] == [Pause(), Continue(), ScreenDetached()]


def test_a_sentence_has_no_control_characters():
    assert clean_sentence("\x1b]0;title\x07 Two\r\nbirds\t\ud800sat.\x9b ") == (
        "]0;title Two birds sat."
    )
    assert clean_sentence("Zoë’s [red] 猫") == "Zoë’s [red] 猫"
    assert len(clean_sentence("la " * 50_000)) < 2_001
    assert Audition("two\nlines").sentence == "two lines"


def test_sentences_are_at_most_twelve_each_once():
    said = SetSentences((" One.", "\n", "Two.", "One.\t"))
    assert said.sentences == ("One.", "Two.")
    assert len(SetSentences(tuple(map(str, range(20)))).sentences) == 12


@pytest.mark.parametrize(
    "command",
    [StopAt(None), StopAt(parse_stop("+20k")), SetBudget(30.0), Finish(by_signal=True), Pause()],
)
def test_commands_survive_the_way_between_processes(command):
    assert from_msgpack(to_msgpack(command), Command, "a screen") == command


@pytest.mark.parametrize(
    ("command", "word"),
    [
        ({"type": "SetBudget", "usd": -1.0}, "a budget is from"),
        ({"type": "SetBudget", "usd": math.nan}, "a budget is from"),
        ({"type": "StopAt", "rule": {"kind": "step", "amount": 1e12, "text": "x"}}, "too large"),
        ({"type": "StopAt", "rule": {"kind": "step", "amount": 0, "text": "x"}}, "more than 0"),
        ({"type": "Explode"}, "Explode"),
    ],
)
def test_impossible_commands_are_refused(command, word):
    with pytest.raises(InputError, match=word):
        from_msgpack(to_msgpack(command), Command, "a screen")
