"""Work beside the steps: nobody waits for it who does not want to, and no fault ends it."""

import threading

import pytest

from engine.errors import EngineError
from engine.machine.background import BackgroundThread
from engine.machine.lock import FolderLostError


@pytest.fixture
def reports() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def make(reports):
    """Make a thread, and stop it when the test ends."""
    made = []

    def make(work, name="writing it", **options):
        made.append(BackgroundThread(name, work, lambda *report: reports.append(report), **options))
        return made[-1]

    yield make
    for thread in made:
        thread.stop()


def test_requests_do_not_wait_for_a_hanging_disk(make):
    began, go_on, written = threading.Event(), threading.Event(), []

    def write():
        began.set()
        assert go_on.wait(60)
        written.append(threading.current_thread().name)

    writer = make(write)
    writer.start()
    assert writer.seconds == 0
    writer.request()
    assert began.wait(60)
    for _ in range(5):
        writer.request()
    assert writer.seconds > 0
    assert not writer.wait(0.01)
    assert written == []
    go_on.set()
    writer.wait()
    # The five requests made meanwhile are one.
    assert written == ["writing it"] * 2
    assert writer.seconds == 0


def test_stop_waits_for_what_was_requested(make):
    written = []
    writer = make(lambda: written.append(threading.current_thread().name))
    writer.start()
    writer.request()
    writer.stop()
    assert written == ["writing it"]
    assert "writing it" not in [one.name for one in threading.enumerate()]
    # From then on, whoever requests it does it.
    writer.request()
    assert written[1:] == [threading.current_thread().name]


NO_ROOM = EngineError("No space left.")


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([ZeroDivisionError("by nought")] * 3, [("writing it failed: ZeroDivisionError: by nought",
                                                  "error")]),
        ([NO_ROOM, NO_ROOM], [("No space left.", "warning")]),
        ([NO_ROOM, None, NO_ROOM], [("No space left.", "warning")] * 2),
        ([FolderLostError("It was deleted.")], []),
    ],
)  # fmt: skip
def test_a_failure_is_reported_once_and_work_goes_on(make, reports, failures, expected):
    left = [*failures, None]

    def write():
        if failure := left.pop(0):
            raise failure

    writer = make(write)
    writer.start()
    while left:
        writer.request()
        writer.wait()
    assert reports == expected


def test_without_a_thread_a_request_does_the_work(make, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    done = []
    writer = make(lambda: done.append(threading.current_thread()))
    # What is checked again and again is left out: it may hang.
    check = make(lambda: done.append("checked"), every=0.0)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        writer.start()
        check.start()
    writer.request()
    check.request()
    assert writer.wait()
    assert check.wait()
    assert done == [threading.current_thread()]


def test_a_thread_out_of_memory_tries_again(make, reports, monkeypatch):
    class Condition(threading.Condition):
        failures = 3

        def wait(self, timeout=None):
            if threading.current_thread().name == "writing it" and self.failures:
                self.failures -= 1
                raise MemoryError
            return super().wait(timeout)

    monkeypatch.setattr("engine.machine.background._RETRY_SECONDS", 0.001)
    monkeypatch.setattr("threading.Condition", Condition)
    written = []
    writer = make(lambda: written.append(1))
    writer.start()
    writer.request()
    assert writer.wait(60)
    writer.stop()
    assert (written, reports) == ([1], [])


def test_a_check_that_fails_is_reported_once_and_repeated(make, reports):
    done, checks = threading.Event(), []

    def check():
        checks.append(1)
        if len(checks) == 4:
            done.set()
        if len(checks) in (2, 3):
            raise ZeroDivisionError("by nought")

    thread = make(check, "cost tracking", every=0.0)
    thread.start()
    assert done.wait(60)
    thread.stop()
    assert reports == [("cost tracking failed: ZeroDivisionError: by nought", "error")]


def test_a_check_may_set_its_own_pause_and_be_requested(make):
    began, checks = threading.Event(), []

    def check():
        checks.append(1)
        began.set()
        return 3600.0

    thread = make(check, every=0.0)
    thread.start()
    assert began.wait(60)
    for count in (2, 3):
        thread.request()
        assert thread.wait(60)
        assert len(checks) == count


def test_a_check_that_hangs_is_not_waited_for(make):
    began, go_on = threading.Event(), threading.Event()

    def check():
        began.set()
        assert go_on.wait(60)

    thread = make(check, every=0.0)
    thread.start()
    assert began.wait(60)
    thread.request()
    assert not thread.wait(0.01)
    thread.stop(wait=False)
    assert thread.stopped
    go_on.set()
