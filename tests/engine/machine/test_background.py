"""Work beside the steps: nobody waits for it who does not want to, and no fault ends it."""

import threading

import pytest

from engine.machine.background import DiskWriter, Poller


@pytest.fixture
def reports() -> list[tuple[str, str]]:
    return []


@pytest.fixture
def report(reports):
    return lambda text, severity: reports.append((text, severity))


def test_requests_do_not_wait_for_a_hanging_disk(report):
    began, go_on, written = threading.Event(), threading.Event(), []

    def write():
        began.set()
        assert go_on.wait(60)
        written.append(threading.current_thread().name)

    writer = DiskWriter("the spend", write, report)
    writer.start()
    assert writer.seconds == 0
    writer.request()
    assert began.wait(60)
    for _ in range(5):
        writer.request()
    assert writer.seconds > 0
    assert written == []
    go_on.set()
    writer.wait()
    # The five requests made meanwhile are one.
    assert written == ["the spend"] * 2
    assert writer.seconds == 0
    writer.stop()


def test_stop_waits_for_what_was_requested(report):
    written = []
    writer = DiskWriter("the only one", lambda: written.append(1), report)
    for count in (1, 2):
        writer.start()
        writer.request()
        writer.stop()
        assert len(written) == count
    assert not [one for one in threading.enumerate() if one.name == "the only one"]


def test_an_unexpected_failure_is_reported_once_and_retried(report, reports):
    tries = []

    def write():
        tries.append(1)
        raise ZeroDivisionError("of all things")

    writer = DiskWriter("the spend", write, report)
    writer.start()
    for _ in range(3):
        writer.request()
        writer.wait()
    writer.stop()
    assert len(tries) == 3
    assert reports == [("the spend cannot be written: ZeroDivisionError: of all things", "error")]


def test_without_a_thread_a_request_writes_itself(report, monkeypatch):
    def refuse(_):
        raise RuntimeError("can't start new thread")

    written = []
    writer = DiskWriter("the spend", lambda: written.append(threading.current_thread()), report)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Thread.start", refuse)
        writer.start()
    writer.request()
    assert writer.wait()
    assert written == [threading.current_thread()]
    writer.stop()


def test_a_writer_out_of_memory_tries_again(report, reports, monkeypatch):
    class Condition(threading.Condition):
        failures = 3

        def wait(self, timeout=None):
            if threading.current_thread().name == "the spend" and self.failures:
                self.failures -= 1
                raise MemoryError
            return super().wait(timeout)

    monkeypatch.setattr("engine.machine.background._RETRY_SECONDS", 0.001)
    monkeypatch.setattr("threading.Condition", Condition)
    written = []
    writer = DiskWriter("the spend", lambda: written.append(1), report)
    writer.start()
    writer.request()
    assert writer.wait(60)
    writer.stop()
    assert (written, reports) == ([1], [])


def test_a_check_that_fails_is_reported_once_and_repeated(report, reports):
    done, checks = threading.Event(), []

    def check():
        checks.append(1)
        if len(checks) == 4:
            done.set()
        if len(checks) in (2, 3):
            raise ZeroDivisionError("by nought")

    poller = Poller("cost tracking", 0.0, check, report)
    poller.start()
    assert done.wait(60)
    poller.stop(wait=True)
    assert reports == [("cost tracking failed: ZeroDivisionError: by nought", "error")]


def test_a_check_may_set_its_own_pause_and_be_wanted_at_once(report):
    checks = []

    def check():
        checks.append(1)
        return 3600.0

    poller = Poller("spot notices", 0.0, check, report, first=3600.0)
    poller.start()
    for count in (1, 2, 3):
        poller.check_now(60)
        assert len(checks) == count
    poller.stop(wait=True)


def test_a_check_that_hangs_is_not_waited_for(report):
    began, go_on = threading.Event(), threading.Event()

    def check():
        began.set()
        assert go_on.wait(60)

    poller = Poller("spot notices", 3600.0, check, report, first=0.0)
    poller.start()
    assert began.wait(60)
    poller.check_now(0.01)
    go_on.set()
    poller.stop(wait=True)
