"""Commands on their way to the trainer."""

import threading

from engine.control import Finish, GoOn, GoUnattended, Hold, Inbox, Pause


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


def test_a_kind_of_command_is_found_among_others_which_stay_in_order():
    inbox = Inbox()
    for command in (Pause(), GoOn(), Hold()):
        inbox.send(command)
    found = inbox.next_of((Hold, GoOn), 60)
    assert found == GoOn()
    inbox.take_out(found)
    assert inbox.next_of((Finish,), 0) is None
    assert [inbox.take() for _ in range(3)] == [Pause(), Hold(), None]


def test_waiting_for_a_kind_of_command_lasts_over_others():
    inbox = Inbox()
    inbox.send(Pause())
    assert not inbox.asks_to_finish()

    def send() -> None:
        inbox.send(GoOn())
        inbox.send(GoUnattended())

    sender = threading.Thread(target=send)
    sender.start()
    assert inbox.next_of((GoUnattended,), 60) == GoUnattended()
    sender.join()
    assert [inbox.take() for _ in range(3)] == [Pause(), GoOn(), GoUnattended()]
