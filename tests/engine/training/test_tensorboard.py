"""Event files, read back by TensorBoard: a run's curve, across resumes, kills and full disks."""

import errno
import os
import shutil
from types import SimpleNamespace

import pytest
from saved import in_tensorboard

from engine.errors import InputError
from engine.run.commands import Finish
from engine.voice import event_files
from engine.voice.event_files import EventFile

pytestmark = pytest.mark.slow


def logged(voice, tag="loss/total"):
    return [one.step for one in in_tensorboard(voice).Scalars(tag)]


@pytest.fixture
def full(monkeypatch):
    """A disk that takes half of an event, and nothing more, while this list has an item."""
    write, full = os.write, []

    def write_half(file, content):
        if full:
            write(file, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    of_this_disk = SimpleNamespace(**vars(os) | {"write": write_half})
    monkeypatch.setattr(event_files, "os", of_this_disk)
    monkeypatch.setattr("engine.training.tensorboard._WRITE_SECONDS", 0.05)
    return full


def test_a_resumed_run_goes_on_in_the_same_curve(make_voice, copy_voice, training, full):
    voice = make_voice(checkpoint_every=10, series=True, text2mel=5, base_step=5)
    training.end(training.start(voice, "25", tensorboard=True, price=1.0))
    full.append(True)
    session = training.start(voice, "40", attended=True)  # voice.toml keeps the option
    training.until(session, lambda s: any("No space" in text for text in training.texts(s)))
    full.clear()
    training.until(session, lambda s: any(one.step == 40 for one in s.samples))
    session.send(Finish())
    training.end(session)
    assert logged(voice) == [10, 20, 30, 40]
    shown = in_tensorboard(voice)
    for tag in ("loss/attention", "training/learning_rate", "training/spend_usd"):
        assert tag in shown.Tags()["scalars"]
    [pictures] = shown.Tags()["images"]
    assert [one.step for one in shown.Images(pictures)] == [5, 10, 20, 25, 30, 40]
    assert shown.Images(pictures)[0].encoded_image_string.startswith(b"\x89PNG")
    [sounds] = shown.Tags()["audio"]
    assert shown.Audio(sounds)[-1].step == 40
    assert shown.Audio(sounds)[-1].sample_rate == 22_050
    assert "_hparams_/session_start_info" in shown.summary_metadata
    # What a killed run had not saved is made again: its events were written, the last in part.
    killed = copy_voice(voice, "killed")
    for step in (30, 40):
        shutil.rmtree(killed.checkpoint_folder("text2mel", step))
    newest = max(killed.events("text2mel").iterdir())
    os.truncate(newest, newest.stat().st_size - 5)
    training.end(training.start(killed, "30"))
    assert logged(killed) == [10, 20, 30]
    assert oct(newest.stat().st_mode & 0o777) == "0o600"
    # A mirror has no event files: the first one gets the history.
    shutil.rmtree(voice.folder / "tensorboard")
    training.end(training.start(voice, "50"))
    assert logged(voice) == [10, 20, 30, 40, 50]


def test_files_follow_one_another_whatever_the_clock(tmp_path, monkeypatch):
    (tmp_path / "events.out.tfevents.9999999998.other.1").write_bytes(b"")
    file = EventFile(tmp_path, tmp_path)
    assert max(path.name for path in tmp_path.iterdir()).startswith(
        "events.out.tfevents.9999999999"
    )
    file.close()


def test_without_its_library_the_option_is_refused(make_voice, training, monkeypatch):
    monkeypatch.setattr("engine.voice.event_files.can_write_events", lambda: False)
    with pytest.raises(InputError, match=r"pip install 'voicecoach\[tensorboard\]'"):
        training.start(make_voice(), "+1", tensorboard=True)
