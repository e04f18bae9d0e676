"""Commands on their way to the trainer."""

import threading

from engine.control import Finish, GoOn, Inbox, Pause


def test_commands_come_out_in_the_order_in_which_they_were_sent():
    inbox = Inbox()
    for command in (Pause(), GoOn(), Finish()):
        inbox.send(command)
    assert [inbox.take() for _ in range(4)] == [Pause(), GoOn(), Finish(), None]


def test_looking_for_finish_takes_nothing_out():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.asks_to_finish()
    inbox.send(Finish())
    assert inbox.asks_to_finish()
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
    assert not inbox.asks_to_finish()
    inbox.wait(60)
    assert inbox.take() == Pause()
