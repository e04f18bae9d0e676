"""Looks beside a run: one that fails is told, and ends none of the others."""

from threading import Event

from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.training.lookout import look_every


def test_a_look_that_fails_is_told_once_and_the_next_one_is_made(tmp_path):
    publisher = Publisher(Snapshot(Phase.TRAINING, "v", tmp_path, "text2mel", "small", "standard"))
    ended = Event()
    looks = []

    def look():
        looks.append(1)
        if len(looks) == 4:
            ended.set()
        if len(looks) in (2, 3):
            raise ZeroDivisionError("by nought")

    look_every(0.0, ended, look, publisher)
    assert len(looks) == 4
    [event] = publisher.snapshot.events
    assert "failed: ZeroDivisionError: by nought" in event.text
    assert event.severity == "error"
