"""Who writes to a mirror: one run, until another takes over."""

import hashlib

import pytest

from engine.mirror.address import MARKER
from engine.mirror.layout import Marker, encoded, read_index, read_marker
from engine.mirror.store import open_store


def test_a_mirror_of_another_voice_is_left_alone(make, memory, send, steps):
    theirs = make.voice("theirs", id="f" * 32)
    make.save(theirs, 100)
    send(theirs, memory).safe(100)
    before = memory.read(MARKER, 10**6)
    ours = make.voice("ours")
    make.save(ours, 900)
    run = send(ours, memory, sequence=None)
    run.until(lambda state: "another voice" in state.trouble)
    assert not run.uploader.finish(30)
    assert memory.read(MARKER, 10**6) == before
    assert steps() == [100]


def test_later_steps_of_another_machine_are_not_overwritten(make, memory, send, steps):
    voice = make.voice()
    make.save(voice, 200)
    send(voice, memory).safe(200)
    behind = make.voice("behind")
    make.save(behind, 100)
    run = send(behind, memory, sequence=None)
    run.until(lambda state: "has later steps of this voice" in state.trouble)
    assert steps() == [200]


def test_of_two_writers_the_later_wins_and_the_earlier_stops(make, memory, send, steps):
    voice = make.voice()
    make.save(voice, 100)
    first = send(voice, memory)
    first.safe(100)
    second = Marker(make.ID, "alice", "other", "process 7 on elsewhere")
    memory.write(MARKER, encoded(second))
    make.save(voice, 200)
    state = first.until(lambda state: state.trouble)
    assert "process 7 on elsewhere has taken over the mirror" in state.trouble
    assert steps() == [100]


def test_an_unmounted_disk_is_not_an_empty_mirror(make, address, send):
    voice = make.voice()
    make.save(voice, 100)
    store = open_store(address)
    run = send(voice, store)
    run.safe(100)
    (store.read(MARKER, 10**6), store._files.rm(f"{address}/{MARKER}"))
    make.save(voice, 200)
    state = run.until(lambda state: state.trouble)
    assert "has lost its mirror.json" in state.trouble


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
        memory._files._files.pipe_file(f"{memory._root}/{MARKER}", b'{"format": 1, "id"')
    else:
        memory._files.rm(f"{memory._root}/{MARKER}")
    memory._files.written.clear()
    make.save(voice, 200)
    run.safe(200)
    assert steps() == [100, 200]
    assert read_index(memory).sequence == before + 1
    assert not [path for path in memory._files.written if "step-000000100" in path]
    assert read_marker(memory).id == make.ID


def test_other_content_without_a_marker_stays(make, memory, send):
    theirs = make.voice("theirs", id="f" * 32)
    make.save(theirs, 900)
    run = send(theirs, memory)
    run.safe(900)
    run.close()
    memory._files.rm(f"{memory._root}/{MARKER}")
    ours = make.voice("ours")
    make.save(ours, 100)
    run = send(ours, memory)
    run.safe(100)
    assert run.uploader.finish(30)
    assert sorted(name[:14] for name in memory.names("text2mel")) == [
        "step-000000100",
        "step-000000900",
    ]


def test_a_later_step_damaged_there_is_sent_again(make, memory, send, steps):
    voice = make.voice()
    make.save(voice, 100)
    doomed = make.save(voice, 200)
    run = send(voice, memory)
    run.safe(200)
    run.close()
    newest = read_index(memory).checkpoints["text2mel"][0]
    memory._files._files.pipe_file(f"{memory._root}/{newest.key}/weights.safetensors", b"x" * 1250)
    # As on a fresh machine, which fetched the one before.
    for file in doomed.iterdir():
        file.unlink()
    doomed.rmdir()
    run = send(voice, memory, sequence=read_index(memory).sequence)
    run.safe(100)
    make.save(voice, 150)
    run.safe(150)
    assert run.uploader.finish(30)
    assert steps() == [100, 150]
    # The same steps, made again, are the same to the byte.
    make.save(voice, 200)
    run.safe(200)
    again = read_index(memory).checkpoints["text2mel"][0]
    assert again.files == newest.files
    assert again.sequence > newest.sequence
    content = memory.read(f"{again.key}/weights.safetensors", 10**6)
    assert hashlib.sha256(content).hexdigest() == newest.files["weights.safetensors"].sha256


def test_no_spend_is_sent_to_a_mirror_of_another_run(make, memory, send, until):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory, interval=0)
    run.safe(100)
    until(lambda: read_index(memory).latest is not None)
    second = Marker(make.ID, "alice", "other", "process 7 on elsewhere")
    memory.write(MARKER, encoded(second))
    before = memory.read("latest.json", 10**6)
    make.pay(voice, "a")
    run.until(lambda state: "process 7 on elsewhere has taken over" in state.trouble)
    assert memory.read("latest.json", 10**6) == before
