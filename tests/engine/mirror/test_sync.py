"""What is sent to a mirror, in what order, and what is removed there."""

import hashlib
import json

import pytest

from engine.mirror import sync
from engine.mirror.layout import MANIFEST, read_index
from engine.mirror.store import file_fingerprint as fingerprint


def test_everything_is_sent_the_newest_of_the_run_first(make, memory, send, steps):
    voice = make.voice()
    for step, network in ((100, "text2mel"), (50, "ssrn"), (200, "text2mel")):
        make.save(voice, step, network)
    run = send(voice, memory)
    run.safe(200)
    assert steps() == [100, 200]
    assert steps("ssrn") == [50]
    order = [path.split("/")[-2][:14] for path in memory._files.written if MANIFEST in path]
    assert order == ["step-000000200", "step-000000100", "step-000000050"]
    held = read_index(memory)
    newest = held.checkpoints["text2mel"][0]
    for name, mark in newest.voice_files.items():
        content = memory.read(f"{newest.key}/{name}", 10**6)
        assert hashlib.sha256(content).hexdigest() == mark.sha256
    assert {"voice.toml", "text2mel-history.jsonl", "ssrn-history.jsonl"} <= set(newest.voice_files)


def test_later_checkpoints_are_sent_and_superseded_ones_removed(make, memory, send, steps):
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
    assert steps() == [500, 600, 700]
    names = {path.split("/")[2] for path in memory._files._files.find(memory._root)}
    assert {name[:14] for name in memory.names("text2mel")} == {
        "step-000000500",
        "step-000000600",
        "step-000000700",
    }, names


def test_a_checkpoint_counts_once_its_manifest_is_there(mirrored, make, memory, steps):
    voice, run = mirrored

    def no_manifest(what, path):
        if what == "pipe" and path.endswith(MANIFEST):
            raise OSError("the connection was cut off")

    memory._files.before = no_manifest
    make.save(voice, 200)
    run.until(lambda state: state.trouble)
    assert steps() == [100]
    assert run.state.safe_step == 100
    assert "the connection was cut off" in run.state.trouble
    memory._files.before = lambda what, path: None
    run.safe(200)
    assert steps() == [100, 200]
    # What was cut off is cleared away once a whole one is there.
    run.until(lambda state: len(memory.names("text2mel")) == 2 or state is None)


@pytest.mark.parametrize("what", ["cut off", "changed"])
def test_what_arrives_damaged_is_sent_again(make, memory, send, what):
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


def test_a_checkpoint_pruned_meanwhile_is_skipped(make, memory, send, steps):
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
    assert steps() == [90]
    assert not run.events


def test_a_checkpoint_damaged_here_is_not_sent(make, memory, send, steps):
    voice = make.voice()
    good = make.save(voice, 100)
    bad = make.save(voice, 200)
    with (bad / "weights.safetensors").open("r+b") as file:
        file.write(b"?")
    run = send(voice, memory)
    run.safe(100)
    assert steps() == [100]
    assert f"warning: {bad} is damaged and not sent to the mirror" in run.events
    assert good.exists()


def test_a_step_saved_again_replaces_the_first(mirrored, make, memory):
    voice, run = mirrored
    before = read_index(memory).checkpoints["text2mel"][0]
    make.save(voice, 100, content=b"other weights" * 100)
    wanted = hashlib.sha256(b"other weights" * 100).hexdigest()
    assert run.uploader.finish(30)
    (after,) = read_index(memory).checkpoints["text2mel"]
    assert after.files["weights.safetensors"].sha256 == wanted
    assert after.sequence > before.sequence


@pytest.mark.parametrize("when", ["its files are read", "its files are sent"])
def test_a_step_saved_again_while_it_is_sent_is_no_damage(make, memory, send, monkeypatch, when):
    voice = make.voice()
    folder = make.save(voice, 100)
    content = b"other weights" * 100

    def save_again_at(path):
        if path.endswith("weights.safetensors") and content not in {
            file.read_bytes() for file in folder.iterdir()
        }:
            make.save(voice, 100, content=content)

    def read(path):
        found = fingerprint(path)
        save_again_at(str(path))
        return found

    if when == "its files are read":
        monkeypatch.setattr(sync, "file_fingerprint", read)
    else:
        memory._files.before = lambda what, path: save_again_at(path) if what == "put" else None
    run = send(voice, memory)
    run.safe(100)
    (held,) = read_index(memory).checkpoints["text2mel"]
    assert held.files["weights.safetensors"].sha256 == hashlib.sha256(content).hexdigest()
    assert not run.events


def test_a_voice_without_a_checkpoint_leaves_no_trace(make, memory, send):
    run = send(make.voice(), memory)
    assert run.uploader.finish(30)
    assert read_index(memory) is None


def test_half_a_line_of_the_history_is_not_sent(make, memory, send):
    voice = make.voice()
    make.save(voice, 100)
    with voice.history("text2mel").open("a") as file:
        file.write('{"step": 110, "lo')
    run = send(voice, memory)
    run.safe(100)
    key = read_index(memory).checkpoints["text2mel"][0].key
    lines = memory.read(f"{key}/text2mel-history.jsonl", 10**6).splitlines()
    assert [json.loads(line)["step"] for line in lines] == [100]


def test_the_spend_is_sent_between_checkpoints(make, memory, send, until, steps, spend_lines):
    voice = make.voice()
    make.save(voice, 100)
    make.pay(voice, "a")
    run = send(voice, memory, interval=0)
    run.safe(100)
    until(lambda: len(spend_lines()) == 1)
    for number in range(3):
        make.pay(voice, str(number))
        until(lambda number=number: len(spend_lines()) == number + 2)
    until(lambda: len(memory.names("voice")) == 2)
    assert {name.rpartition(".")[0] for name in memory.names("voice")} == {
        "voice.toml",
        "spend.jsonl",
    }
    assert steps() == [100]


def test_what_cannot_be_removed_keeps_nothing_else(make, memory, send, steps):
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
    assert steps() == [400]
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


def test_an_old_checkpoint_that_stays_here_is_sent_once(make, memory, send, steps):
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
    assert steps() == [300]
