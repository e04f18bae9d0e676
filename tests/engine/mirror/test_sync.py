"""What is sent to a mirror, in what order, and what is removed there."""

import hashlib
import json
import shutil

import pytest

from engine.mirror import sync
from engine.mirror.layout import MANIFEST, read_index
from engine.mirror.store import file_fingerprint


def order(memory) -> list[str]:
    """The checkpoints in the order in which they were sent."""
    return [path.split("/")[-2][:14] for path in memory._files.written if MANIFEST in path]


def test_everything_is_sent_the_newest_of_the_run_first(make, memory, send, steps):
    voice = make.voice()
    for step, network in ((100, "text2mel"), (50, "ssrn"), (200, "text2mel")):
        make.save(voice, step, network)
    send(voice).safe(200)
    assert (steps(), steps("ssrn")) == ([100, 200], [50])
    assert order(memory) == ["step-000000200", "step-000000050", "step-000000100"]
    newest = read_index(memory).checkpoints["text2mel"][0]
    for name, mark in newest.voice_files.items():
        content = memory.read(f"{newest.key}/{name}", 10**6)
        assert hashlib.sha256(content).hexdigest() == mark.sha256
    assert {"voice.toml", "text2mel-history.jsonl", "ssrn-history.jsonl"} <= set(newest.voice_files)


def test_later_checkpoints_are_sent_and_superseded_ones_removed(make, memory, send, steps):
    voice = make.voice(steps=[100], keep_newest=2, keep_every=500)
    run = send(voice).safe(100)
    for step in (200, 300, 500, 600, 700):
        make.save(voice, step)
        run.safe(step)
    run.uploader.finish(30)
    # The newest two, and the first from 500 on.
    assert steps() == [500, 600, 700]
    assert {name[:14] for name in memory.names("text2mel")} == {
        "step-000000500",
        "step-000000600",
        "step-000000700",
    }


def test_a_checkpoint_counts_once_its_manifest_is_there(mirrored, make, memory, steps, until):
    voice, run = mirrored
    memory._files.refuse(OSError("the connection was cut off"), "pipe", MANIFEST)
    make.save(voice, 200)
    run.trouble("the connection was cut off")
    assert steps() == [100]
    assert run.state.safe_step == 100
    memory._files.work()
    run.safe(200)
    assert steps() == [100, 200]
    # What was cut off is cleared away once a whole one is there.
    until(lambda: len(memory.names("text2mel")) == 2)


@pytest.mark.parametrize("what", ["cut off", "changed"])
def test_what_arrives_damaged_is_sent_again(make, memory, send, what):
    tries = []

    def spoil(path):
        tries.append(path)
        if what == "changed":
            # The size is right, the bytes are not.
            memory._files._files.pipe_file(path, b"x" * 2000)
        return len(tries) < 4

    memory._files.cut_off = spoil
    run = send(make.voice(steps=[100])).safe(100)
    assert any("did not arrive" in event for event in run.events)
    assert any("is safe at memory://mirror again" in event for event in run.events)
    assert len(tries) > 4


def test_a_checkpoint_pruned_meanwhile_is_skipped(make, memory, send, steps):
    voice = make.voice(steps=[90, 100])

    def prune(what, path):
        if what == "put" and "step-000000100" in path:
            shutil.rmtree(voice.checkpoint_folder("text2mel", 100), ignore_errors=True)

    memory._files.before = prune
    run = send(voice).safe(90)
    assert steps() == [90]
    assert not run.events


def test_a_checkpoint_damaged_here_is_not_sent(make, send, steps):
    voice = make.voice(steps=[100, 200])
    bad = voice.checkpoint_folder("text2mel", 200)
    with (bad / "weights.safetensors").open("r+b") as file:
        file.write(b"?")
    run = send(voice).safe(100)
    assert steps() == [100]
    assert f"warning: {bad} is damaged and not sent to the mirror" in run.events


@pytest.mark.parametrize("when", ["it was sent", "its files are read", "its files are sent"])
def test_a_step_saved_again_is_sent_again(make, memory, send, monkeypatch, when):
    voice, content = make.voice(steps=[100]), b"other weights" * 100
    weights = voice.checkpoint_folder("text2mel", 100) / "weights.safetensors"

    def save_again_at(path):
        if path.endswith("weights.safetensors") and weights.read_bytes() != content:
            make.save(voice, 100, content=content)

    def read(path):
        found = file_fingerprint(path)
        save_again_at(str(path))
        return found

    if when == "its files are read":
        monkeypatch.setattr(sync, "file_fingerprint", read)
    elif when == "its files are sent":
        memory._files.before = lambda what, path: save_again_at(path) if what == "put" else None
    run = send(voice).safe(100)
    save_again_at(str(weights))
    assert run.uploader.finish(30)
    (held,) = read_index(memory).checkpoints["text2mel"]
    assert held.files["weights.safetensors"].sha256 == hashlib.sha256(content).hexdigest()
    assert not [event for event in run.events if event.startswith("warning")]


def test_a_voice_without_a_checkpoint_leaves_no_trace(make, memory, send):
    assert send(make.voice()).uploader.finish(30)
    assert read_index(memory) is None


def test_half_a_line_of_the_history_is_not_sent(make, memory, send):
    voice = make.voice(steps=[100])
    with voice.history("text2mel").open("a") as file:
        file.write('{"step": 110, "lo')
    send(voice).safe(100)
    key = read_index(memory).checkpoints["text2mel"][0].key
    lines = memory.read(f"{key}/text2mel-history.jsonl", 10**6).splitlines()
    assert [json.loads(line)["step"] for line in lines] == [100]


def test_the_spend_is_sent_between_checkpoints(make, memory, send, until, steps, spend_lines):
    voice = make.voice(steps=[100])
    make.pay(voice, "0")
    send(voice, interval=0).safe(100)
    for number in range(1, 4):
        make.pay(voice, str(number))
        until(lambda number=number: len(spend_lines()) == number + 1)
    until(lambda: len(memory.names("voice")) == 2)
    names = {name.rpartition(".")[0] for name in memory.names("voice")}
    assert names == {"voice.toml", "spend.jsonl"}
    assert steps() == [100]


def test_what_cannot_be_removed_keeps_nothing_else(make, memory, send, steps):
    voice = make.voice(steps=[100], keep_newest=1)
    run = send(voice).safe(100)
    memory._files.refuse(PermissionError(13, "Access Denied"), "rm", "step-000000100")
    for step in (200, 300, 400):
        make.save(voice, step)
        run.safe(step)
    assert run.uploader.finish(30)
    # What is left of it is told once.
    names = {name[:14] for name in memory.names("text2mel")}
    assert names == {"step-000000100", "step-000000400"}
    [told] = [event for event in run.events if "cannot remove" in event]
    assert "step-000000100" in told
    assert "delete it by hand" in told
    assert run.state.trouble == ""
    memory._files.work()
    make.save(voice, 500)
    run.safe(500)
    assert run.uploader.finish(30)
    assert steps() == [500]
    assert {name[:14] for name in memory.names("text2mel")} == {"step-000000500"}


def test_an_old_checkpoint_that_stays_here_is_sent_once(make, memory, send, steps):
    voice = make.voice(steps=[100], keep_newest=1)
    run = send(voice).safe(100)
    for step in (200, 300):
        make.save(voice, step)
        run.safe(step)
    # The run looks again, more than once, and finds nothing to send.
    for _ in range(3):
        assert run.uploader.finish(30)
    assert order(memory) == ["step-000000100", "step-000000200", "step-000000300"]
    assert steps() == [300]
