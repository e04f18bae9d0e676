"""Commands on their way to the trainer."""

import threading

from engine.run.commands import Continue, Finish, Hold, Inbox, Pause, ScreenDetached, SetSentence


def test_commands_come_out_in_the_order_in_which_they_were_sent():
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


def test_waiting_returns_at_once_when_something_is_there_already():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.finish_requested()
    inbox.wait(60)
    assert inbox.take() == Pause()


def test_a_kind_of_command_is_found_among_others_which_stay_in_order():
    inbox = Inbox()
    for command in (Pause(), Continue(), Hold()):
        inbox.send(command)
    found = inbox.next_of((Hold, Continue), 60)
    assert found == Continue()
    inbox.take_out(found)
    assert inbox.next_of((Finish,), 0) is None
    assert [inbox.take() for _ in range(3)] == [Pause(), Hold(), None]


def test_waiting_for_a_kind_of_command_lasts_over_others():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.finish_requested()

    def send() -> None:
        inbox.send(Continue())
        inbox.send(ScreenDetached())

    sender = threading.Thread(target=send)
    sender.start()
    assert inbox.next_of((ScreenDetached,), 60) == ScreenDetached()
    sender.join()
    assert [inbox.take() for _ in range(3)] == [Pause(), Continue(), ScreenDetached()]


def test_a_sentence_holds_nothing_that_a_terminal_obeys_or_a_file_cannot_hold():
    said = SetSentence("\x1b]0;title\x07 Two\r\nbirds\t\ud800sat.\x9b ")
    assert said.sentence == "]0;title Two birds sat."
    assert SetSentence("Zoë’s [red] 猫").sentence == "Zoë’s [red] 猫"
    assert len(SetSentence("la " * 50_000).sentence) < 2_001
