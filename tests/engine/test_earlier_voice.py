"""A voice that version 0.1 made: it resumes, speaks, is described, exports and attaches."""

import shutil
from pathlib import Path

import pytest
import soundfile
from paths import EARLIER_VOICE, SPEECH

from engine.attach.client import RemoteSession
from engine.jobs.export import export_voice
from engine.jobs.info import describe
from engine.jobs.say import say
from engine.run.commands import Finish, StopAt
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow

STEPS = {"text2mel": 130, "ssrn": 52}


@pytest.fixture
def earlier(tmp_path):
    """The voice beside its recordings, as it stood on another machine."""
    shutil.copytree(SPEECH, tmp_path / SPEECH.name)
    voice = Path(shutil.copytree(EARLIER_VOICE, tmp_path / "voice"))
    for path in voice.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)  # as it was made; git keeps no permissions
    return voice


@pytest.mark.parametrize("network", STEPS)
def test_earlier_voice_resumes(earlier, training, network):
    before = Voice.open(earlier).spend.usd
    last = training.end(training.start(earlier, "+3", network=network))
    assert last.phase is Phase.STOPPED
    assert last.step == last.checkpoint_step == STEPS[network] + 3
    # Neither that the corpus changed, nor that a file is damaged.
    assert [event.text for event in last.events if event.severity != "information"] == []
    assert last.warnings == ()
    assert last.spent > before > 0


def test_earlier_voice_speaks(earlier, tmp_path):
    spoken = say(earlier, "Printing, in the only sense.", out=tmp_path / "spoken.wav")
    assert (spoken.step, spoken.ssrn_step) == (130, 52)
    sound, rate = soundfile.read(spoken.path)
    assert (rate, len(sound) > 0) == (22_050, True)


def test_earlier_voice_is_described_with_the_same_keys(earlier):
    described = describe(earlier)
    assert described.keys() == {
        *("voice", "folder", "preset", "recipe", "vocabulary", "cleaner", "corpus", "networks"),
        *("samples", "newest_samples", "spend", "dropout", "comparisons"),
        *("evaluations", "recommended", "next"),
    }
    assert described["corpus"].keys() == {
        *("clips", "dataset", "held_out", "hours", "left_out", "training_clips"),
        "unknown_characters",
    }
    assert described["spend"].keys() == {
        *("budget_usd", "hours", "idle_hours", "idle_usd", "price", "training_usd", "usd"),
    }
    for network, step in STEPS.items():
        part = described["networks"][network]
        assert part.keys() == {"step", "base_step", "checkpoints", "parameters", "size"}
        assert (part["step"], part["checkpoints"]) == (step, [step])
    assert described["corpus"]["clips"] == 3
    assert described["spend"]["price"] == 0.99


def test_earlier_voice_exports(earlier, tmp_path):
    exported = tmp_path / "exported"
    export_voice(earlier, exported)
    sounds = [
        soundfile.read(say(folder, "Printing.", out=tmp_path / f"{folder.name}.wav").path)[0]
        for folder in (earlier, exported)
    ]
    assert (sounds[0] == sounds[1]).all()


def test_earlier_voice_attaches(earlier, training):
    session = training.start(earlier, None, attended=True)
    remote = RemoteSession(earlier)
    training.until(session, lambda snapshot: snapshot.step > 131)
    remote.send(StopAt(parse_stop("+5")))
    training.until(session, lambda snapshot: snapshot.phase is Phase.AT_STOP)
    for _ in range(2000):
        if (seen := remote.snapshot()).phase is Phase.AT_STOP:
            break
        remote.join(0.01)
    assert (seen.voice, seen.network, seen.screens) == ("voice", "text2mel", 2)
    assert seen.step == session.snapshot().step
    remote.send(Finish())
    assert training.end(session).phase is Phase.STOPPED
