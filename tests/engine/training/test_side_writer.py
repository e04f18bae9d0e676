"""What is written beside the steps: nobody waits for it who does not want to."""

import threading

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.training.side_writer import SideWriter


def board_of(folder):
    return Publisher(Snapshot(Phase.TRAINING, "voice", folder, "text2mel", "small", "standard"))


def texts(publisher):
    return [event.text for event in publisher.snapshot.events]


def test_whoever_asks_goes_on_while_the_disk_hangs(tmp_path):
    begun, go_on, written = threading.Event(), threading.Event(), []

    def write():
        begun.set()
        assert go_on.wait(60)
        written.append(threading.current_thread().name)

    writer = SideWriter("the account", write, board_of(tmp_path).event)
    writer.start()
    assert writer.seconds == 0
    writer.ask()
    assert begun.wait(60)
    for _ in range(5):
        writer.ask()
    assert writer.seconds > 0
    assert written == []
    go_on.set()
    writer.settle()
    # The five that were asked for meanwhile are one.
    assert written == ["the account"] * 2
    assert writer.seconds == 0
    writer.end()


def test_the_end_waits_for_what_was_asked_for(tmp_path):
    written = []
    writer = SideWriter("the only one", lambda: written.append(1), board_of(tmp_path).event)
    for count in (1, 2):
        writer.start()
        writer.ask()
        writer.end()
        assert len(written) == count
    assert not [one for one in threading.enumerate() if one.name == "the only one"]


def test_what_nobody_foresaw_is_told_once_and_tried_again(tmp_path):
    publisher, tries = board_of(tmp_path), []

    def write():
        tries.append(1)
        raise ZeroDivisionError("of all things")

    writer = SideWriter("the account", write, publisher.event)
    writer.start()
    for _ in range(3):
        writer.ask()
        writer.settle()
    writer.end()
    assert len(tries) == 3
    assert texts(publisher) == ["the account cannot be written: ZeroDivisionError: of all things"]


def test_where_no_thread_can_begin_it_is_written_by_whoever_asks(tmp_path, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    written = []
    writer = SideWriter(
        "the account", lambda: written.append(threading.current_thread()), board_of(tmp_path).event
    )
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        writer.start()
    writer.ask()
    assert writer.settle()
    assert written == [threading.current_thread()]
    writer.end()


def test_a_thread_short_of_memory_goes_on_writing(tmp_path, monkeypatch):
    class Condition(threading.Condition):
        failures = 3

        def wait(self, timeout=None):
            if threading.current_thread().name == "the account" and self.failures:
                self.failures -= 1
                raise MemoryError
            return super().wait(timeout)

    monkeypatch.setattr("engine.training.side_writer._RETRY_SECONDS", 0.001)
    monkeypatch.setattr("threading.Condition", Condition)
    told, written = [], []
    writer = SideWriter("the account", lambda: written.append(1), told.append)
    writer.start()
    writer.ask()
    assert writer.settle(60)
    writer.end()
    assert (written, told) == ([1], [])
