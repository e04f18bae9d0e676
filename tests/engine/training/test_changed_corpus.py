"""A corpus that changes between two runs, or under one."""

import json
import os
import re
import shutil
from pathlib import Path
from threading import Event

import pytest
import soundfile
import torch

from engine.checkpoints.checkpoint import load_checkpoint
from engine.data.corpus_changes import CorpusContent, load_content
from engine.errors import InputError
from engine.run.commands import Finish
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.training.learner import Learner
from engine.training.training_data import watch_corpus
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


@pytest.fixture
def corpus(tones, tmp_path):
    return shutil.copytree(tones, tmp_path / "corpus")


def reported(training, snapshot):
    return [text for text in training.texts(snapshot) if text.startswith("Recordings changed")]


def test_changes_since_the_checkpoint_are_reported(make_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    for stop in ("2", "4"):
        snapshot = training.end(training.start(voice, stop))
        assert reported(training, snapshot) == []
    before = load_checkpoint(voice.newest("text2mel").path).corpus

    wavs = corpus / "wavs"
    for source, target in (("tone-06", "tone-05"), ("tone-03", "tone-30")):
        samples, rate = soundfile.read(wavs / f"{source}.wav")
        soundfile.write(wavs / f"{target}.wav", samples[::-1], rate)
    (wavs / "tone-08.wav").unlink()
    metadata = corpus / "metadata.csv"
    text = metadata.read_text().replace("tone-02|la la la la.", "tone-02|字 lo lo lo.")
    metadata.write_text(text + "\ntone-30|la la la la la.")

    snapshot = training.end(training.start(voice, "6"))
    assert snapshot.phase is Phase.STOPPED
    [sentence] = reported(training, snapshot)
    changes = "1 added (tone-30), 1 removed (tone-08), 2 changed (tone-02, tone-05)"
    assert (
        f"{changes}; 33s of speech, 33s before; the voice has no symbol for '字' (U+5B57)"
        in sentence
    )
    [warning] = snapshot.warnings
    assert warning.text.startswith("Recordings changed since text2mel was last trained")
    after = load_checkpoint(voice.newest("text2mel").path).corpus
    assert len(after) == 32
    assert after != before
    # The next run begins from a checkpoint that knows it, and so does the history.
    assert reported(training, training.end(training.start(voice, "13"))) == []
    lines = [json.loads(line) for line in voice.history("text2mel").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == [10]
    assert {path.stem for path in (voice.folder / "text2mel" / "corpora").iterdir()} == {after}
    # Without the old list, that something changed is known all the same.
    shutil.rmtree(voice.folder / "text2mel" / "corpora")
    (wavs / "tone-09.wav").unlink()
    [sentence] = reported(training, training.end(training.start(voice, "14")))
    assert "which clips is not known here" in sentence


def test_change_is_reported_until_a_checkpoint_has_it(make_voice, training, corpus, monkeypatch):
    voice = make_voice(dataset=corpus)
    training.end(training.start(voice, "2"))
    (corpus / "wavs" / "tone-08.wav").unlink()

    def fail(*_):
        raise RuntimeError("the device fell off")

    with monkeypatch.context() as patch:
        patch.setattr(Learner, "step", fail)
        assert reported(training, training.end(training.start(voice, "4"))) != []
    assert reported(training, training.end(training.start(voice, "4"))) != []
    assert reported(training, training.end(training.start(voice, "5"))) == []


def test_moved_recordings_are_used_and_noted(make_voice, copy_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    training.end(training.start(voice, "1"))
    features = {path.name: path.stat().st_mtime_ns for path in voice.features.iterdir()}
    unmoved = copy_voice(voice, "unmoved")
    training.end(training.start(unmoved, "2"))
    other = corpus.rename(corpus.with_name("other"))

    with pytest.raises(InputError, match=r"no longer in .*corpus; .*train DATASET --voice"):
        training.start(voice, "2")
    for wrong in (other / "metadata.csv", other / "wavs", other / "tpyo"):
        with pytest.raises(InputError, match=re.escape(str(wrong))):
            training.start(voice, "2", dataset=wrong)
    assert Voice.open(voice.folder).dataset == corpus
    snapshot = training.end(training.start(voice, "2", dataset=other))
    assert (snapshot.step, reported(training, snapshot)) == (2, [])
    [noted] = [text for text in training.texts(snapshot) if text.startswith("recordings now")]
    assert f"{other} (before: {corpus})" in noted
    assert Voice.open(voice.folder).dataset == other
    kept = {name: time for name, time in features.items() if name != "recordings.json"}
    found = {path.name: path.stat().st_mtime_ns for path in voice.features.iterdir()}
    assert kept.items() <= found.items()

    # The other network follows, and another way to write the same place is none.
    link = corpus.with_name("link")
    link.symlink_to(os.path.relpath(other, link.parent))
    for place in (None, link):
        snapshot = training.end(training.start(voice, "+1", network="ssrn", dataset=place))
        assert (snapshot.phase, reported(training, snapshot)) == (Phase.STOPPED, [])
        assert not [text for text in training.texts(snapshot) if text.startswith("recordings now")]

    # The same steps as if nothing had been moved.
    weights = [load_checkpoint(one.newest("text2mel").path).weights for one in (voice, unmoved)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_unusable_recordings_in_a_new_place_are_not_noted(make_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    training.end(training.start(voice, "1"))
    other = Path(shutil.copytree(corpus, corpus.with_name("other")))
    (other / "metadata.csv").write_text("tone-02|la la la.\n")
    assert training.end(training.start(voice, "2", dataset=other)).phase is Phase.FAILED
    assert Voice.open(voice.folder).dataset == corpus
    shutil.copy(corpus / "metadata.csv", other)
    snapshot = training.end(training.start(voice, "2", Finish(), dataset=other))
    assert "ended before the first step" in training.texts(snapshot)
    assert Voice.open(voice.folder).dataset == corpus
    assert training.end(training.start(voice, "2")).step == 2


def test_many_changes_are_counted_and_a_few_named():
    old = CorpusContent({f"{i:02d}": "a" for i in range(20)})
    new = CorpusContent({f"{i:02d}": "b" for i in range(15)})
    sentence = new.changes_since(old)
    assert sentence == "5 removed (15, 16, 17, …), 15 changed (00, 01, 02, …)"


@pytest.mark.parametrize("damage", ["[1]", '{"a": "other"}', "[" * 100_000])
def test_damaged_list_counts_as_none(tmp_path, damage):
    content = CorpusContent({"a": "1"})
    content.save(tmp_path)
    assert load_content(tmp_path, content.key) == content
    (tmp_path / f"{content.key}.json").write_text(damage)
    assert load_content(tmp_path, content.key) is None
    content.save(tmp_path)
    assert load_content(tmp_path, content.key) == content


# Under a run.


def test_files_changed_during_training_are_reported_once(corpus):
    publisher = Publisher(Snapshot(Phase.TRAINING, "v", corpus, "text2mel", "small", "standard"))
    watch = watch_corpus(corpus, sorted((corpus / "wavs").iterdir()), publisher)
    watch.request()
    watch.wait()
    assert publisher.snapshot.events == ()
    (corpus / "wavs" / "tone-01.wav").unlink()
    os.utime(corpus / "metadata.csv", (1, 1))
    watch.request()
    watch.wait()
    [event] = publisher.snapshot.events
    assert "1 gone (tone-01.wav), 1 changed (metadata.csv)" in event.text
    assert watch.stopped


def test_recordings_deleted_during_training_do_no_harm(make_voice, training, corpus, monkeypatch):
    voice = make_voice(dataset=corpus)
    make_step = Learner.step
    go_on = Event()

    def step(learner, batch, number):
        if number == 2:
            shutil.rmtree(corpus / "wavs")
        if number == 3:
            assert go_on.wait(60)
        return make_step(learner, batch, number)

    monkeypatch.setattr(Learner, "step", step)
    monkeypatch.setattr("engine.training.training_data._WATCH_SECONDS", 0.01)
    session = training.start(voice, "5")
    training.until(
        session, lambda s: any("Files of the corpus" in text for text in training.texts(s))
    )
    go_on.set()
    snapshot = training.end(session)
    assert snapshot.phase is Phase.STOPPED
    assert snapshot.step == 5
    assert sum("Files of the corpus" in text for text in training.texts(snapshot)) == 1
