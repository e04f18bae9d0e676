"""The voice folder: opening, describing, moving, locking."""

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from paths import ROOT

from engine.errors import EngineError, InputError
from engine.jobs.info import describe
from engine.machine.lock import acquire_lock, holder_of
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from engine.voice.spend import SpendEntry


def test_what_is_no_voice_is_told(tmp_path):
    with pytest.raises(InputError, match=r"check the path\. `voicecoach train"):
        Voice.open(tmp_path)
    (tmp_path / "voice.toml").write_bytes(b"dataset = '\xff'")
    with pytest.raises(InputError, match="UTF-8"):
        Voice.open(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError):
        Voice.open(tmp_path / "file")
    with pytest.raises(EngineError):
        Voice.create(tmp_path / "file", VoiceSettings(tmp_path))


def test_a_dataset_inside_the_folder_moves_with_it(tmp_path):
    voice = Voice.create(tmp_path / "old", VoiceSettings(Path("corpus")))
    assert voice.dataset == tmp_path / "old" / "corpus"
    (tmp_path / "old").rename(tmp_path / "new")
    assert Voice.open(tmp_path / "new").dataset == tmp_path / "new" / "corpus"


def test_a_relative_dataset_does_not_depend_on_where_one_stands(tmp_path, monkeypatch):
    Voice.create(tmp_path / "voice", VoiceSettings(Path("../recordings")))
    monkeypatch.chdir(tmp_path)
    assert Voice.open(Path("voice")).dataset == tmp_path / "recordings"


def test_saving_changes_the_file_and_the_settings(tmp_path):
    voice = Voice.create(tmp_path, VoiceSettings(Path("corpus")))
    voice.save(replace(voice.settings, price=0.5))
    assert voice.settings.price == 0.5
    assert Voice.open(tmp_path).settings == voice.settings


def test_a_description_of_a_voice_that_has_learned_nothing(tmp_path):
    Voice.create(tmp_path / "alice", VoiceSettings(Path("corpus")))
    said = describe(tmp_path / "alice")
    assert (said["voice"], said["vocabulary"]) == ("alice", VoiceSettings().symbols)
    nothing = {"step": None, "base_step": None, "parameters": None, "checkpoints": []}
    assert said["networks"] == {"text2mel": nothing, "ssrn": nothing}
    assert {key for key, value in said["spend"].items() if value} == set()
    json.dumps(said)


def test_a_description_of_a_voice_that_was_trained(make_voice):
    voice = make_voice(text2mel=871_000, base_step=855_000, ssrn=767_000)
    voice.spend.add(SpendEntry("a", "b", "text2mel", 855_000, 871_000, 7200.0, 0.99))
    voice.spend.add(SpendEntry("b", "c", "text2mel", 871_000, 871_000, 1800.0, 0.5, "idle"))
    voice.save(replace(voice.settings, budget=30.0))
    said = describe(voice.folder)
    text2mel = said["networks"]["text2mel"]
    assert (text2mel["step"], text2mel["base_step"]) == (871_000, 855_000)
    assert text2mel["checkpoints"] == [871_000]
    assert text2mel["parameters"] > 1000
    assert said["networks"]["ssrn"]["step"] == 767_000
    assert said["spend"] == {
        **{"usd": 2.23, "training_usd": 1.98, "idle_usd": 0.25, "hours": 2.0, "idle_hours": 0.5},
        **{"budget_usd": 30.0, "price": 0.0},
    }


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_report_of_the_corpus_is_told_and_no_more(make_voice, content):
    voice = make_voice()
    voice.corpus_report.write_bytes(content)
    said = describe(voice.folder)
    assert "corpus.json" in said["corpus"]["problem"]
    assert said["networks"]["text2mel"]["step"] == 0


@pytest.mark.parametrize(
    "state", ["", "[]", "{}", '{"network": "text2mel", "step": "1"}', '{"network": []}']
)
def test_a_damaged_checkpoint_is_named(make_voice, state):
    voice = make_voice()
    (voice.newest("text2mel").path / "state.json").write_text(state)
    said = describe(voice.folder)["networks"]["text2mel"]
    assert (said["step"], said["damaged"]) == (None, ["step-000000000"])


@pytest.mark.process
def test_a_process_that_was_killed_leaves_no_lock(tmp_path):
    code = (
        "import sys; from pathlib import Path; from engine.machine.lock import acquire_lock;"
        "acquire_lock(Path(sys.argv[1])); print('locked', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], cwd=ROOT, **pipes) as holder:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(InputError, match=f"process {holder.pid}"):
            acquire_lock(tmp_path)
        holder.kill()
    acquire_lock(tmp_path).release()


def test_a_folder_that_cannot_be_locked_is_told(tmp_path):
    (tmp_path / "lock").mkdir()
    with pytest.raises(InputError, match="lock cannot be made or written"):
        acquire_lock(tmp_path)


def test_a_held_voice_offers_to_attach_or_stop(tmp_path):
    lock = acquire_lock(tmp_path)
    with pytest.raises(InputError) as caught:
        acquire_lock(tmp_path)
    said = str(caught.value)
    assert f"process {os.getpid()} since 2" in said
    assert f"`voicecoach attach {tmp_path}`" in said
    assert f"`kill {os.getpid()}`" in said
    assert holder_of(tmp_path).startswith(f"process {os.getpid()} since 2")
    lock.release()
    assert holder_of(tmp_path) is None
    acquire_lock(tmp_path).release()


def test_a_lock_names_no_process_that_is_gone(tmp_path):
    gone = subprocess.Popen(["true"])
    gone.wait()
    (tmp_path / "lock").write_text(f"process {gone.pid} since 2026-03-14 14:02")
    assert holder_of(tmp_path) is None
    # Whoever has just taken it has yet to write its name over the dead one's.
    with (tmp_path / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(InputError, match="by another process; watch it") as caught:
            acquire_lock(tmp_path)
        assert str(gone.pid) not in str(caught.value)
        assert holder_of(tmp_path) == "another process"
    acquire_lock(tmp_path).release()
    assert holder_of(tmp_path) is None


def test_a_lock_that_leads_elsewhere_is_not_followed(tmp_path):
    (tmp_path / "treasure").write_text("gold")
    (tmp_path / "lock").symlink_to(tmp_path / "treasure")
    with pytest.raises(InputError, match="lock cannot be made or written"):
        acquire_lock(tmp_path)
    assert holder_of(tmp_path) is None
    assert (tmp_path / "treasure").read_text() == "gold"


def test_a_name_that_is_not_utf_8_is_refused_first(tmp_path, make_voice):
    name = os.fsdecode(b"recordings-\xff")
    with pytest.raises(InputError, match=r"can only hold UTF-8.*dataset = .*recordings-\\udcff"):
        Voice.create(tmp_path / "alice", VoiceSettings(dataset=tmp_path / name))
    assert not (tmp_path / "alice").exists()
    voice = make_voice()
    before = (voice.folder / "voice.toml").read_bytes()
    with pytest.raises(InputError, match="can only hold UTF-8"):
        voice.save(replace(voice.settings, mirror=name))
    assert (voice.folder / "voice.toml").read_bytes() == before
