"""Clips that a person leaves out: at once before the first step, later from the next run on."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest

from engine.data.metadata import LEFT_OUT
from engine.jobs.check import CheckOptions, check
from engine.jobs.clean import clean
from engine.run.commands import CleanFirst, Continue, Finish, Hold, LeaveOut
from engine.run.snapshot import Phase
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


@pytest.fixture
def corpus(tones, tmp_path) -> Path:
    """Sounds, one of which is there a second time, under another text."""
    folder = Path(shutil.copytree(tones, tmp_path / "corpus"))
    shutil.copy(folder / "wavs" / "tone-10.wav", folder / "wavs" / "again.wav")
    with (folder / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("\nagain|Other words altogether.")
    return folder


def by_hand(report) -> list[str]:
    return [row.clip_id for row in report.left_out if row.kind == LEFT_OUT]


def checked(voice, corpus):
    options = CheckOptions(corpus, against=voice.folder, estimate=False)
    return check(options, lambda title: nullcontext(lambda done, total: None))[0]


def test_clips_left_out_at_the_check_are_left_out_by_all(make_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    session = training.start(voice, "+2", Hold(), attended=True)
    before = training.until(session, lambda s: s.phase is Phase.CHECKED).check
    assert {"tone-10", "again"} <= {row.clip_id for row in before.left_out}
    for clip_id in ("tone-07", "again", "tone-20", "nobody's [red]"):
        session.send(LeaveOut(clip_id))
    session.send(LeaveOut("tone-07", leave_out=False))
    last = ("again", "tone-20")
    snapshot = training.until(session, lambda s: s.left_out == last)
    snapshot = training.until(session, lambda s: by_hand(s.check) == ["tone-20", "again"])
    # Without its copy a clip is as good as any.
    assert "tone-10" not in {row.clip_id for row in snapshot.check.left_out}
    assert snapshot.check.usable == before.usable
    assert "nobody's [red] is not among the clips" in " ".join(training.texts(snapshot))
    session.send(Continue())
    training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    training.end(session)
    kept = json.loads(voice.corpus_report.read_text())
    assert kept["clips"] == before.usable
    reasons = {row["id"]: row["reason"] for row in kept["left_out"]}
    assert reasons["again"] == reasons["tone-20"] == "left out by you: listed in voice.toml"

    voice = Voice.open(voice.folder)
    assert voice.settings.left_out == last
    report = checked(voice, corpus)
    assert (report.usable, by_hand(report)) == (before.usable, ["tone-20", "again"])
    copy = clean(corpus, corpus.with_name("copy"), against=voice.folder)
    assert {row.clip_id for row in copy.left_out if row.kind == LEFT_OUT} == {*last}
    # The names of this voice's clips mean nothing in the corpus of another.
    assert by_hand(checked(voice, corpus.with_name("copy"))) == []
    # Who agreed once is not asked again, whatever is left out since.
    voice.leave_out("tone-20", False)
    session = training.start(voice, "+1", attended=True)
    training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    training.end(session)
    assert json.loads(voice.corpus_report.read_text())["clips"] == before.usable + 1


def test_training_is_that_of_a_corpus_without_the_clip(make_voice, training, corpus, tmp_path):
    other = Path(shutil.copytree(corpus, tmp_path / "other"))
    rows = (other / "metadata.csv").read_text().splitlines()
    (other / "metadata.csv").write_text("\n".join(row for row in rows if "tone-07" not in row))
    (other / "wavs" / "tone-07.wav").unlink()
    weights = []
    for name, dataset in (("left-out", corpus), ("removed", other)):
        voice = make_voice(name, dataset=dataset)
        commands = [LeaveOut("tone-07")] if dataset is corpus else []
        training.end(training.start(voice, "+3", *commands))
        weights.append((voice.newest("text2mel").path / "weights.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_clips_left_out_during_a_run_count_from_the_next_on(make_voice, training, corpus):
    voice = make_voice(dataset=corpus)
    session = training.start(voice, "+1", Continue(), attended=True)
    training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(LeaveOut("tone-07"))
    snapshot = training.until(session, lambda s: s.left_out)
    session.send(Finish())
    training.end(session)
    assert "tone-07 is left out from the next run on" in training.texts(snapshot)
    clips = json.loads(voice.corpus_report.read_text())["clips"]
    snapshot = training.end(training.start(voice, "+1"))
    [change] = [text for text in training.texts(snapshot) if "1 removed (tone-07)" in text]
    assert change.endswith("; 1 removed clip was left out by you.")
    assert json.loads(voice.corpus_report.read_text())["clips"] == clips - 1
    assert "tone-07" not in voice.settings.held_out


def test_clean_copy_made_first_lacks_what_was_left_out(make_voice, training, corpus):
    voices = [make_voice(name, dataset=corpus) for name in ("picky", "other")]
    for voice, unwanted in zip(voices, ("tone-07", "tone-08"), strict=True):
        commands = (LeaveOut(unwanted), CleanFirst())
        session = training.start(voice, "+1", *commands, attended=True)
        snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
        session.send(Finish())
        training.end(session)
        copy = Path(snapshot.check.dataset)
        assert copy.name == ("corpus-clean" if voice is voices[0] else "corpus-clean-2")
        assert not (copy / "wavs" / f"{unwanted}.wav").exists()
        # It is still the copy of what is given, though a clip was left out since.
        Voice.open(voice.folder).leave_out("tone-09", True)
        again = training.end(training.start(voice, "+1", dataset=corpus))
        assert again.check.dataset == str(copy)
