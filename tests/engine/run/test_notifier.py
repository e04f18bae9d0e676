"""What a service is sent: text alone, together what waited, and again what did not arrive."""

import threading

from engine.run import notifier
from engine.run.notifier import Notifier
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot


def test_what_failed_is_tried_again_and_sent_with_the_next(tmp_path, monkeypatch):
    import apprise.decorators

    messages, failing, tried = [], [True], threading.Semaphore(0)

    @apprise.decorators.notify(on="kept")
    def keep(body, title, notify_type, *_, **__):
        messages.append((title, body.splitlines()[:-1], notify_type))
        tried.release()
        return not failing

    monkeypatch.setattr(notifier, "_RETRY_SECONDS", (0.01, 600.0))
    publisher = Publisher(Snapshot(Phase.TRAINING, "a<b>", tmp_path, "ssrn", "small", "standard"))
    made = Notifier(("kept://",), publisher)
    made.start()
    publisher.notify("stop", "reached the\n<i>stop")
    for _ in range(2):
        assert tried.acquire(timeout=30)
    failing.clear()
    publisher.notify("diverged", "diverged at step 7")
    assert tried.acquire(timeout=30)
    made.close(threading.Event())
    title, told = "voicecoach: a‹b›, SSRN", ["Reached the ‹i›stop."]
    assert messages[:2] == [(title, told, "success")] * 2
    assert messages[2:] == [(title, [*told, "Diverged at step 7."], "warning")]
    [event] = publisher.snapshot.events
    assert event.text == "notification 1 (Custom - kept) was not sent: the service refused it"
