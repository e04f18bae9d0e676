"""The thread that uploads: what it reports, and how long the end of a run waits for it."""

import threading
from pathlib import Path

import pytest

from engine.mirror.fetch import FetchOptions
from engine.mirror.restore import restore_from_mirror
from engine.mirror.store import backoff
from engine.mirror.uploader import Uploader, report_unused_mirror
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot


def test_trouble_is_reported_once_and_ends_by_itself(make, memory, send):
    tries = []

    def refuse(what, path):
        tries.append(what)
        if len(tries) < 30:
            raise ConnectionError("Could not connect")

    memory._files.before = refuse
    run = send(make.voice(steps=[100]))
    state = run.trouble("Could not connect")
    assert state.since is not None
    assert (state.pending, state.safe_step) == (1, None)
    assert run.safe(100).state.since is None
    [trouble] = [event for event in run.events if "Could not connect" in event]
    assert trouble.startswith("warning: mirror: cannot read mirror.json")


def test_the_end_waits_for_the_last_checkpoint_within_limits(make, memory, send, steps):
    voice = make.voice(steps=[100])
    run = send(voice)
    assert run.uploader.finish(30)
    assert steps() == [100]
    assert run.events[-1] == "information: mirror: step 100 is safe at memory://mirror"
    memory._files.refuse()
    make.save(voice, 200)
    run = send(voice, sequence=1)
    assert not run.uploader.finish(0.1)
    [told] = [event for event in run.events if "is not in the mirror" in event]
    assert told.endswith("the next run sends it")


def test_a_run_without_a_thread_to_upload_says_so(make, send, monkeypatch):
    def refuse(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        run = send(make.voice(steps=[100]))
    assert "error: mirror: not uploading: the system refused a thread" in run.events
    assert not run.uploader.finish(30)


def test_the_wait_for_a_mirror_can_be_ended(make, memory, send):
    waits = threading.Event()
    memory._files.before = lambda what, path: waits.wait(60)
    run = send(make.voice(steps=[100]))
    done = []
    end = threading.Thread(target=lambda: done.append(run.uploader.finish(3600)))
    end.start()
    run.uploader.hurry()
    end.join(60)
    waits.set()
    assert done == [False]
    assert any("the wait was ended" in event for event in run.events)


def test_the_spend_is_sent_once_an_interval_and_at_the_end(make, memory, send, spend_lines):
    voice = make.voice(steps=[100])
    run = send(voice, interval=10**6).safe(100)
    assert run.uploader.finish(30)
    first = memory.read("latest.json", 10**6)
    make.pay(voice, "a")
    make.save(voice, 200)
    run.safe(200)
    # The checkpoint took the spend with it; by itself it does not go yet.
    assert memory.read("latest.json", 10**6) == first
    make.pay(voice, "b")
    run.uploader.close(30)
    assert spend_lines() == ['{"start": "a"}', '{"start": "b"}']
    assert not [event for event in run.events if "spend" in event]


def test_a_spend_that_was_not_sent_at_the_end_is_reported(mirrored, memory, make):
    voice, run = mirrored
    assert run.uploader.finish(30)
    make.pay(voice, "a")
    memory._files.refuse()
    run.uploader.close(0.1)
    assert any("last lines of the spend are not in the mirror" in text for text in run.events)


def test_retry_waits_double_up_to_a_limit_with_jitter():
    for failures in (1, 2, 3, 10, 2000):
        limit = min(300.0, 2.0 ** min(failures - 1, 60))
        waits = {backoff(failures) for _ in range(50)}
        assert all(limit / 2 <= wait <= limit for wait in waits)
        assert len(waits) > 1


@pytest.mark.slow
def test_a_mirror_that_only_the_voice_names_gets_nothing(make_voice, training, address):
    voice = make_voice(mirror=address, id="ab" * 16)
    options = restore_from_mirror(TrainOptions(voice.folder), FetchOptions(open=None))
    assert options.mirror is None
    last = training.end(training.start(voice, "2", mirror=options.mirror))
    assert (last.phase, last.step) == (Phase.STOPPED, 2)
    assert list(Path(address).parent.iterdir()) == []
    assert (last.mirror.unused, last.mirror.address) == (True, address)
    # Before the corpus is read, which may take an hour.
    assert last.events[0].severity == "warning"
    assert f"names the mirror {address}; add --mirror {address} to copy" in last.events[0].text


def unused(voice) -> Publisher:
    """What a run shows of the mirror that its voice names."""
    publisher = Publisher(Snapshot(Phase.PREPARING, "a", voice.folder, "text2mel", "", ""))
    report_unused_mirror(voice, publisher)
    return publisher


@pytest.mark.parametrize("stored", ["s3://user:geheim@bucket/a", "s3:/half", "\x1b[2J", "-", "a b"])
def test_a_foreign_address_is_shown_safely(make, stored):
    snapshot = unused(make.voice(mirror=stored)).snapshot
    shown = snapshot.mirror.address + snapshot.mirror.trouble + snapshot.events[0].text
    assert "geheim" not in shown
    assert shown.isprintable()


def test_commands_name_the_whole_address(make):
    address = "sftp://me@host/" + "alice/" * 40 + "voice"
    voice = make.voice(mirror=address)
    publisher = unused(voice)
    assert f"; add --mirror {address} to copy" in publisher.snapshot.events[0].text
    uploader = Uploader(voice, TrainOptions(voice.folder, mirror=address), publisher)
    publisher.update(mirror=uploader._state)
    assert publisher.snapshot.command_to_continue.endswith(f" --mirror {address}")
    # Where it is only shown, it is without the name, and short.
    assert "me@" not in uploader._shown
    assert len(uploader._shown) <= 200
