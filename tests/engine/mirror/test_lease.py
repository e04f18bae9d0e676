"""Who writes to a mirror: one run, until another takes over."""

import hashlib
import shutil

import pytest

from engine.mirror.address import MARKER
from engine.mirror.layout import Marker, encoded, read_index, read_marker
from engine.mirror.store import open_store

OTHER_RUN = Marker("0123456789abcdef" * 2, "alice", "other", "process 7 on elsewhere")


def test_a_mirror_of_another_voice_is_left_alone(make, memory, send, steps):
    send(make.voice("theirs", [100], id="f" * 32)).safe(100)
    before = memory.read(MARKER, 10**6)
    run = send(make.voice("ours", [900]), sequence=None)
    run.trouble("another voice")
    assert not run.uploader.finish(30)
    assert memory.read(MARKER, 10**6) == before
    assert steps() == [100]


def test_later_steps_of_another_machine_are_not_overwritten(make, send, steps):
    send(make.voice(steps=[200])).safe(200)
    send(make.voice("behind", [100]), sequence=None).trouble("has later steps of this voice")
    assert steps() == [200]


def test_of_two_writers_the_later_wins_and_the_earlier_stops(mirrored, make, memory, steps):
    voice, run = mirrored
    memory.write(MARKER, encoded(OTHER_RUN))
    make.save(voice, 200)
    run.trouble("process 7 on elsewhere has taken over the mirror")
    assert steps() == [100]


def test_no_spend_is_sent_to_a_mirror_of_another_run(make, memory, send, until):
    voice = make.voice(steps=[100])
    run = send(voice, interval=0).safe(100)
    until(lambda: read_index(memory).latest is not None)
    memory.write(MARKER, encoded(OTHER_RUN))
    before = memory.read("latest.json", 10**6)
    make.pay(voice, "a")
    run.trouble("process 7 on elsewhere has taken over")
    assert memory.read("latest.json", 10**6) == before


def test_an_unmounted_disk_is_not_an_empty_mirror(make, address, send):
    voice, store = make.voice(steps=[100]), open_store(address)
    run = send(voice, store).safe(100)
    store.remove(MARKER)
    make.save(voice, 200)
    run.trouble("has lost its mirror.json: check that its disk is mounted")


def test_an_emptied_store_is_filled_again(mirrored, make, memory, steps):
    voice, run = mirrored
    make.save(voice, 50, "ssrn")
    run.until(lambda state: not state.pending)
    memory._files.rm(memory._root, recursive=True)
    make.save(voice, 200)
    run.safe(200)
    assert (steps(), steps("ssrn")) == ([100, 200], [50])
    lost = "warning: mirror: memory://mirror has lost its mirror.json: everything is sent again"
    assert lost in run.events


@pytest.mark.parametrize("what", ["damaged", "gone"])
def test_a_lost_marker_is_written_again(mirrored, make, memory, steps, what):
    voice, run = mirrored
    before = read_index(memory).sequence
    if what == "damaged":
        memory.write(MARKER, b'{"format": 1, "id"')
    else:
        memory.remove(MARKER)
    memory._files.written.clear()
    make.save(voice, 200)
    run.safe(200)
    assert steps() == [100, 200]
    assert read_index(memory).sequence == before + 1
    assert not [path for path in memory._files.written if "step-000000100" in path]
    assert read_marker(memory).id == make.ID


def test_other_content_without_a_marker_stays(make, memory, send):
    send(make.voice("theirs", [900], id="f" * 32)).safe(900).close()
    memory.remove(MARKER)
    run = send(make.voice("ours", [100])).safe(100)
    assert run.uploader.finish(30)
    names = sorted(name[:14] for name in memory.names("text2mel"))
    assert names == ["step-000000100", "step-000000900"]


def test_a_later_step_damaged_there_is_sent_again(alice, make, memory, send, steps):
    newest = read_index(memory).checkpoints["text2mel"][0]
    memory.write(f"{newest.key}/weights.safetensors", b"x" * 1250)
    # As on a fresh machine, which fetched the one before.
    shutil.rmtree(alice.checkpoint_folder("text2mel", 200))
    run = send(alice, sequence=3).safe(100)
    make.save(alice, 150)
    run.safe(150)
    assert run.uploader.finish(30)
    assert steps() == [100, 150]
    # The same steps, made again, are the same to the byte.
    make.save(alice, 200)
    run.safe(200)
    again = read_index(memory).checkpoints["text2mel"][0]
    assert again.files == newest.files
    assert again.sequence > newest.sequence
    content = memory.read(f"{again.key}/weights.safetensors", 10**6)
    assert hashlib.sha256(content).hexdigest() == newest.files["weights.safetensors"].sha256
