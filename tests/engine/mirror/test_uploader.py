"""What goes to a mirror, in what order, and what happens when it does not arrive."""

import hashlib
import json
import threading

import pytest

from engine.mirror import outgoing
from engine.mirror.fingerprint import fingerprint
from engine.mirror.index import read_index
from engine.mirror.layout import MANIFEST, MARKER, Marker, encoded
from engine.mirror.store import Store, backoff, open_store


def steps(store: Store, network="text2mel") -> list[int]:
    return sorted(manifest.step for manifest in read_index(store).checkpoints[network])


def test_all_that_is_kept_goes_there_the_newest_of_the_run_first(make, memory, send):
    voice = make.voice()
    for step, network in ((100, "text2mel"), (50, "ssrn"), (200, "text2mel")):
        make.save(voice, step, network)
    run = send(voice, memory)
    run.safe(200)
    assert steps(memory) == [100, 200]
    assert steps(memory, "ssrn") == [50]
    order = [path.split("/")[-2][:14] for path in memory._files.written if MANIFEST in path]
    assert order == ["step-000000200", "step-000000100", "step-000000050"]
    held = read_index(memory)
    newest = held.checkpoints["text2mel"][0]
    for name, mark in newest.voice_files.items():
        content = memory.read(f"{newest.key}/{name}", 10**6)
        assert hashlib.sha256(content).hexdigest() == mark.sha256
    assert {"voice.toml", "text2mel-history.jsonl", "ssrn-history.jsonl"} <= set(newest.voice_files)
    assert held.marker.newest["text2mel"] == newest.key


def test_a_later_checkpoint_goes_there_too_and_then_what_is_superseded_goes(make, memory, send):
    voice = make.voice(keep_newest=2, keep_every=500)
    make.save(voice, 100)
    run = send(voice, memory)
    for step in (200, 300, 500, 600):
        run.safe(step - 100 if step != 500 else 300)
        make.save(voice, step)
    run.safe(600)
    make.save(voice, 700)
    run.safe(700)
    run.uploader.finish(30)
    # The newest two, and the first from 500 on.
    assert steps(memory) == [500, 600, 700]
    names = {path.split("/")[2] for path in memory._files._files.find(memory._root)}
    assert {name[:14] for name in memory.names("text2mel")} == {
        "step-000000500",
        "step-000000600",
        "step-000000700",
    }, names


def test_a_checkpoint_counts_only_once_its_manifest_is_there(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)

    def no_manifest(what, path):
        if what == "pipe" and path.endswith(MANIFEST):
            raise OSError("the connection was cut off")

    memory._files.before = no_manifest
    make.save(voice, 200)
    run.until(lambda state: state.trouble)
    assert steps(memory) == [100]
    assert run.state.safe_step == 100
    assert "the connection was cut off" in run.state.trouble
    memory._files.before = lambda what, path: None
    run.safe(200)
    assert steps(memory) == [100, 200]
    # What was cut off is cleared away once a whole one is there.
    run.until(lambda state: len(memory.names("text2mel")) == 2 or state is None)


@pytest.mark.parametrize("what", ["cut off", "changed"])
def test_what_did_not_arrive_as_it_was_sent_is_sent_again(make, memory, send, what):
    voice = make.voice()
    make.save(voice, 100)
    tries = []

    def spoil(path):
        tries.append(path)
        if what == "changed":
            # The size is right, the bytes are not.
            memory._files._files.pipe_file(path, b"x" * 2000)
        return len(tries) < 4

    memory._files.cut_off = spoil
    run = send(voice, memory)
    run.safe(100)
    assert any("did not arrive" in event for event in run.events)
    assert any("is safe at memory://mirror again" in event for event in run.events)
    assert len(tries) > 4


def test_a_listing_that_is_late_hides_nothing_that_the_marker_names(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)
    make.save(voice, 200)
    run.safe(200)
    newest = read_index(memory).checkpoints["text2mel"][0].key
    memory._files.hidden = {newest.split("/")[1]}
    assert steps(memory) == [100, 200]


def test_trouble_is_told_once_and_ends_by_itself(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    tries = []

    def refuse(what, path):
        tries.append(what)
        if len(tries) < 30:
            raise ConnectionError("Could not connect")

    memory._files.before = refuse
    run = send(voice, memory)
    run.until(lambda state: state.trouble)
    assert run.state.since is not None
    assert run.state.pending == 1
    assert run.state.safe_step is None
    state = run.safe(100)
    assert state.since is None
    troubles = [event for event in run.events if "Could not connect" in event]
    assert len(troubles) == 1
    assert troubles[0].startswith("warning: mirror: cannot read mirror.json")


def test_the_end_waits_for_the_last_checkpoint_and_no_longer_than_it_may(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    assert run.uploader.finish(30)
    assert steps(memory) == [100]
    assert run.events[-1] == "information: mirror: step 100 is safe at memory://mirror"

    def refuse(what, path):
        raise ConnectionError("Could not connect")

    memory._files.before = refuse
    make.save(voice, 200)
    run = send(voice, memory, sequence=sequence_of(memory))
    assert not run.uploader.finish(0.1)
    assert "is not in the mirror" in run.events[-1]
    assert "the next run sends it" in run.events[-1]


def test_a_mirror_can_be_left_behind(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    waits = threading.Event()

    def hang(what, path):
        waits.wait(60)

    memory._files.before = hang
    run = send(voice, memory)
    done = []
    end = threading.Thread(target=lambda: done.append(run.uploader.finish(3600)))
    end.start()
    run.uploader.hurry()
    end.join(60)
    waits.set()
    assert done == [False]
    assert any("the wait was ended" in event for event in run.events)


def sequence_of(store: Store) -> int:
    before, store._files.before = store._files.before, lambda what, path: None
    sequence = read_index(store).sequence
    store._files.before = before
    return sequence


def test_a_checkpoint_that_was_pruned_meanwhile_is_let_go(make, memory, send):
    voice = make.voice()
    doomed = make.save(voice, 100)
    make.save(voice, 90)

    def prune(what, path):
        if what == "put" and "step-000000100" in path and doomed.exists():
            for file in doomed.iterdir():
                file.unlink()
            doomed.rmdir()

    memory._files.before = prune
    run = send(voice, memory)
    run.safe(90)
    assert steps(memory) == [90]
    assert not run.events


def test_a_checkpoint_that_is_damaged_here_is_not_sent(make, memory, send):
    voice = make.voice()
    good = make.save(voice, 100)
    bad = make.save(voice, 200)
    with (bad / "weights.safetensors").open("r+b") as file:
        file.write(b"?")
    run = send(voice, memory)
    run.safe(100)
    assert steps(memory) == [100]
    assert f"warning: {bad} is damaged and not sent to the mirror" in run.events
    assert good.exists()


def test_a_step_that_was_made_anew_takes_the_place_of_the_first(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)
    before = read_index(memory).checkpoints["text2mel"][0]
    make.save(voice, 100, content=b"other weights" * 100)
    wanted = hashlib.sha256(b"other weights" * 100).hexdigest()
    assert run.uploader.finish(30)
    (after,) = read_index(memory).checkpoints["text2mel"]
    assert after.files["weights.safetensors"].sha256 == wanted
    assert after.sequence > before.sequence


@pytest.mark.parametrize("when", ["its files are read", "its files are sent"])
def test_a_step_that_is_made_anew_while_it_is_sent_is_no_damage(
    make, memory, send, monkeypatch, when
):
    voice = make.voice()
    folder = make.save(voice, 100)
    content = b"other weights" * 100

    def make_anew_at(path):
        if path.endswith("weights.safetensors") and content not in {
            file.read_bytes() for file in folder.iterdir()
        }:
            make.save(voice, 100, content=content)

    def read(path):
        found = fingerprint(path)
        make_anew_at(str(path))
        return found

    if when == "its files are read":
        monkeypatch.setattr(outgoing, "fingerprint", read)
    else:
        memory._files.before = lambda what, path: make_anew_at(path) if what == "put" else None
    run = send(voice, memory)
    run.safe(100)
    (held,) = read_index(memory).checkpoints["text2mel"]
    assert held.files["weights.safetensors"].sha256 == hashlib.sha256(content).hexdigest()
    assert not run.events


def test_a_mirror_of_another_voice_is_left_alone(make, memory, send):
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
    assert steps(memory) == [100]


def test_later_steps_that_another_machine_made_are_not_written_over(make, memory, send, tmp_path):
    voice = make.voice()
    make.save(voice, 200)
    send(voice, memory).safe(200)
    behind = make.voice("behind")
    make.save(behind, 100)
    run = send(behind, memory, sequence=None)
    run.until(lambda state: "has later steps of this voice" in state.trouble)
    assert steps(memory) == [200]


def test_who_wrote_last_has_the_mirror_and_the_other_stops(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    first = send(voice, memory)
    first.safe(100)
    held = read_index(memory)
    second = Marker(make.ID, "alice", "other", "process 7 on elsewhere", held.marker.newest)
    memory.write(MARKER, encoded(second))
    make.save(voice, 200)
    state = first.until(lambda state: state.trouble)
    assert "process 7 on elsewhere has taken over the mirror" in state.trouble
    assert steps(memory) == [100]


def test_a_disk_that_is_mounted_no_more_is_not_taken_for_an_empty_mirror(make, address, send):
    voice = make.voice()
    make.save(voice, 100)
    store = open_store(address)
    run = send(voice, store)
    run.safe(100)
    (store.read(MARKER, 10**6), store._files.rm(f"{address}/{MARKER}"))
    make.save(voice, 200)
    state = run.until(lambda state: state.trouble)
    assert "has lost its mirror.json" in state.trouble


def test_a_store_that_comes_back_without_what_it_held_is_filled_again(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    make.save(voice, 50, "ssrn")
    run = send(voice, memory)
    run.safe(100)
    memory._files.rm(memory._root, recursive=True)
    make.save(voice, 200)
    run.safe(200)
    assert (steps(memory), steps(memory, "ssrn")) == ([100, 200], [50])
    assert (
        "warning: mirror: memory://mirror has lost its mirror.json: everything is sent there again"
        in (run.events)
    )


@pytest.mark.parametrize("what", ["damaged", "gone"])
def test_a_marker_is_written_anew_over_checkpoints_that_stay(make, memory, send, what):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)
    before = read_index(memory).sequence
    if what == "damaged":
        memory._files._files.pipe_file(f"{memory._root}/{MARKER}", b'{"format": 1, "id"')
    else:
        memory._files.rm(f"{memory._root}/{MARKER}")
    memory._files.written.clear()
    make.save(voice, 200)
    run.safe(200)
    assert steps(memory) == [100, 200]
    assert read_index(memory).sequence == before + 1
    assert not [path for path in memory._files.written if "step-000000100" in path]


def test_what_else_lies_in_a_place_without_a_marker_stays(make, memory, send):
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


def test_a_later_step_that_was_found_damaged_there_is_not_called_safe_and_is_sent_anew(
    make, memory, send
):
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
    assert steps(memory) == [100, 150]
    # The same steps, made again, are the same to the byte.
    make.save(voice, 200)
    run.safe(200)
    again = read_index(memory).checkpoints["text2mel"][0]
    assert again.files == newest.files
    assert again.sequence > newest.sequence
    content = memory.read(f"{again.key}/weights.safetensors", 10**6)
    assert hashlib.sha256(content).hexdigest() == newest.files["weights.safetensors"].sha256


def test_a_voice_without_a_checkpoint_leaves_no_trace(make, memory, send):
    run = send(make.voice(), memory)
    assert run.uploader.finish(30)
    assert read_index(memory) is None


def test_the_last_line_of_a_growing_history_is_sent_whole_or_not_at_all(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    with voice.history("text2mel").open("a") as file:
        file.write('{"step": 110, "lo')
    run = send(voice, memory)
    run.safe(100)
    key = read_index(memory).checkpoints["text2mel"][0].key
    lines = memory.read(f"{key}/text2mel-history.jsonl", 10**6).splitlines()
    assert [json.loads(line)["step"] for line in lines] == [100]


def ledger_there(store: Store) -> list[str]:
    """The lines of the ledger in a mirror, where they went there after its last checkpoint."""
    latest = read_index(store).latest
    if latest is None:
        return []
    content = store.read(f"voice/{latest.names['spend.jsonl']}", 10**6)
    assert hashlib.sha256(content).hexdigest() == latest.voice_files["spend.jsonl"].sha256
    return content.decode().splitlines()


def pay(voice, what: str) -> None:
    with (voice.folder / "spend.jsonl").open("a") as file:
        file.write(f'{{"start": "{what}"}}\n')


def test_the_ledger_goes_there_between_checkpoints_and_nothing_else_piles_up(
    make, memory, send, until
):
    voice = make.voice()
    make.save(voice, 100)
    pay(voice, "a")
    run = send(voice, memory, interval=0)
    run.safe(100)
    until(lambda: len(ledger_there(memory)) == 1)
    for number in range(3):
        pay(voice, str(number))
        until(lambda number=number: len(ledger_there(memory)) == number + 2)
    until(lambda: len(memory.names("voice")) == 2)
    assert {name.rpartition(".")[0] for name in memory.names("voice")} == {
        "voice.toml",
        "spend.jsonl",
    }
    assert steps(memory) == [100]


def test_the_ledger_goes_there_no_more_often_than_it_may_and_at_the_end(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory, interval=10**6)
    run.safe(100)
    assert run.uploader.finish(30)
    first = memory.read("latest.json", 10**6)
    pay(voice, "a")
    make.save(voice, 200)
    run.safe(200)
    # The checkpoint took the ledger with it; by itself it does not go yet.
    assert memory.read("latest.json", 10**6) == first
    pay(voice, "b")
    run.uploader.close(30)
    assert ledger_there(memory) == ['{"start": "a"}', '{"start": "b"}']
    assert not [event for event in run.events if "spend" in event]


def test_a_ledger_that_did_not_arrive_at_the_end_is_told(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)
    assert run.uploader.finish(30)
    pay(voice, "a")

    def refuse(what, path):
        raise ConnectionError("Could not connect")

    memory._files.before = refuse
    run.uploader.close(0.1)
    assert any("last lines of the spend are not in the mirror" in text for text in run.events)


def test_a_ledger_is_not_sent_to_a_mirror_that_another_run_took(make, memory, send, until):
    voice = make.voice()
    make.save(voice, 100)
    run = send(voice, memory, interval=0)
    run.safe(100)
    until(lambda: read_index(memory).latest is not None)
    second = Marker(make.ID, "alice", "other", "process 7 on elsewhere", {})
    memory.write(MARKER, encoded(second))
    before = memory.read("latest.json", 10**6)
    pay(voice, "a")
    run.until(lambda state: "process 7 on elsewhere has taken over" in state.trouble)
    assert memory.read("latest.json", 10**6) == before


def test_retry_waits_double_up_to_a_limit_with_jitter():
    for failures in (1, 2, 3, 10, 2000):
        limit = min(300.0, 2.0 ** min(failures - 1, 60))
        waits = {backoff(failures) for _ in range(50)}
        assert all(limit / 2 <= wait <= limit for wait in waits)
        assert len(waits) > 1


def test_one_that_cannot_be_removed_there_keeps_no_other(make, memory, send):
    voice = make.voice(keep_newest=1)
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)

    def refuse(what, path):
        if what == "rm" and "step-000000100" in path:
            raise PermissionError(13, "Access Denied")

    memory._files.before = refuse
    for step in (200, 300, 400):
        make.save(voice, step)
        run.safe(step)
    assert run.uploader.finish(30)
    # What is left of it is no checkpoint, and is told once.
    assert steps(memory) == [400]
    names = {name[:14] for name in memory.names("text2mel")}
    assert names == {"step-000000100", "step-000000400"}
    told = [event for event in run.events if "cannot remove" in event]
    assert len(told) == 1
    assert "step-000000100" in told[0]
    assert "delete it by hand" in told[0]
    assert run.state.trouble == ""
    memory._files.before = lambda what, path: None
    make.save(voice, 500)
    run.safe(500)
    assert run.uploader.finish(30)
    assert {name[:14] for name in memory.names("text2mel")} == {"step-000000500"}


def test_an_old_one_that_stays_here_is_sent_once(make, memory, send):
    voice = make.voice(keep_newest=1)
    make.save(voice, 100)
    run = send(voice, memory)
    run.safe(100)
    for step in (200, 300):
        make.save(voice, step)
        run.safe(step)
    # The run looks again, more than once, and finds nothing to send.
    for _ in range(3):
        assert run.uploader.finish(30)
    sent = [path.split("/")[-2][:14] for path in memory._files.written if MANIFEST in path]
    assert sent == ["step-000000100", "step-000000200", "step-000000300"]
    assert steps(memory) == [300]
