"""Starting a run: what is refused, what a new voice takes over, who may train."""

import json
import shutil
from pathlib import Path

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.errors import EngineError, InputError
from engine.run.commands import Continue, Finish, StopAt
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop
from engine.session import Session
from engine.training.cost import CostMeter
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

pytestmark = pytest.mark.slow


def test_a_new_voice_is_made_trained_and_described(tmp_path, training, speech):
    folder = tmp_path / "voices" / "alice"
    session = training.start(folder, "+1", dataset=speech, preset="small", price=0.5)
    assert session.snapshot().phase is Phase.PREPARING
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.step, snapshot.base_step) == (Phase.STOPPED, 1, 0)
    assert (snapshot.voice, snapshot.preset, snapshot.price) == ("alice", "small", 0.5)
    settings = Voice.open(folder).settings
    assert (settings.preset, settings.price, settings.dataset) == ("small", 0.5, speech)
    report = json.loads((folder / "corpus.json").read_text())
    assert (report["clips"], report["training_clips"], len(report["held_out"])) == (3, 2, 1)


def test_left_out_clips_are_logged_with_their_lines(make_voice, training, tones):
    voice = make_voice(dataset=tones)
    # A screen shows what the check found; the log has every row that is left out.
    session = training.start(voice, "+1", Continue(), attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    training.end(session)
    told = [event.text for event in snapshot.events if event.severity == "warning"]
    told = told[[text.startswith("left out 3 of 26 clips") for text in told].index(True) + 1 :]
    assert told[0].startswith("line 1: tone-lost missing recording")
    assert told[1].startswith("line 4: still silent")
    assert told[2].startswith("line 26: only an id field count: 1 field")
    report = json.loads(voice.corpus_report.read_text())
    assert [clip["line"] for clip in report["left_out"]] == [1, 4, 26]


def test_without_a_screen_each_fault_is_logged_once(make_voice, training, tones):
    snapshot = training.end(training.start(make_voice(dataset=tones), "+1"))
    for line in ("line 1: tone-lost", "line 4: still", "line 26: only an id"):
        assert sum(text.startswith(line) for text in training.texts(snapshot)) == 1


@pytest.mark.parametrize(
    ("rows", "device"),
    [
        ("", "cpu"),
        ("gone|nobody recorded this\n", "cpu"),
        ("LJ001-0002|a single clip\n", "cpu"),
        (None, "cuda:99"),
    ],
)
def test_what_is_of_no_use_leaves_no_voice_behind(tmp_path, speech, rows, device):
    dataset = Path(shutil.copytree(speech, tmp_path / "recordings"))
    if rows is not None:
        (dataset / "metadata.csv").write_text(rows)
    session = Session(TrainOptions(tmp_path / "voice", dataset=dataset, device=device))
    session.start()
    assert session.join(60)
    assert isinstance(session.error, InputError)
    assert session.snapshot().phase is Phase.FAILED
    assert session.snapshot().failure == str(session.error)
    assert rows is not None or "--device" in str(session.error)
    assert not (tmp_path / "voice").exists()


def test_a_refused_voice_named_lock_leaves_nothing(tmp_path, training):
    missing = tmp_path / "nothing"
    assert str(missing) in training.refused(tmp_path / "voices" / "lock", dataset=missing)
    assert list(tmp_path.iterdir()) == []


def test_refused_options_remove_nothing(tmp_path, training):
    folder = tmp_path / "voice"
    dataset = folder / "corpus"
    (dataset / "wavs").mkdir(parents=True)
    (dataset / "metadata.csv").write_text("gone|nobody recorded this\n")
    (folder / "voicecoach.log").write_text("of an earlier try")
    assert training.end(training.start(folder, "+1", dataset=dataset)).phase is Phase.FAILED
    assert sorted(path.name for path in folder.iterdir()) == ["corpus", "voicecoach.log"]
    assert (dataset / "metadata.csv").is_file()


@pytest.mark.parametrize("place", ["recordings", "home"])
def test_no_voice_is_made_among_other_files(tmp_path, training, speech, place):
    dataset = Path(shutil.copytree(speech, tmp_path / "home" / "recordings"))
    (tmp_path / "home" / "letter.txt").write_text("dear")
    folder = dataset if place == "recordings" else tmp_path / "home"
    before = sorted(path.name for path in folder.iterdir())
    said = training.refused(folder, "+1", dataset=dataset)
    assert "not a voice folder" in said
    assert sorted(path.name for path in folder.iterdir()) == before


def test_a_dataset_inside_the_voice_folder_moves_with_it(tmp_path, training, speech):
    shutil.copytree(speech, tmp_path / "old" / "corpus")
    given = {"dataset": tmp_path / "old" / "corpus", "preset": "small"}
    training.end(training.start(tmp_path / "old", None, Finish(), **given))
    assert Voice.open(tmp_path / "old").settings.dataset == Path("corpus")
    (tmp_path / "old").rename(tmp_path / "new")
    snapshot = training.end(training.start(tmp_path / "new", "+1"))
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 1)


def test_without_a_dataset_there_is_no_new_voice(tmp_path, training, speech):
    assert "voicecoach train DATASET" in training.refused(tmp_path / "voice")
    missing = tmp_path / "nothing"
    assert str(missing) in training.refused(tmp_path / "voice", dataset=missing)
    assert "metadata.csv" in training.refused(tmp_path / "voice", dataset=speech / "wavs")
    (tmp_path / "file").touch()
    assert "file" in training.refused(tmp_path / "file", dataset=speech)
    assert not (tmp_path / "voice").exists()


def test_options_that_contradict_the_voice_are_refused(make_voice, training, tones):
    voice = make_voice()
    settings = (voice.folder / "voice.toml").read_bytes()
    assert "vocabulary" in training.refused(voice, dataset=tones, vocabulary="PEab ")
    assert "preset" in training.refused(voice, preset="bbc")
    assert "already" in training.refused(voice, source=voice.folder)
    assert (voice.folder / "voice.toml").read_bytes() == settings
    assert training.end(training.start(voice, "+1", dataset=voice.dataset)).step == 1


def test_a_stop_behind_is_refused_before_the_corpus_is_read(make_voice, tmp_path, training, speech):
    voice = make_voice(text2mel=100)
    assert "100" in training.refused(voice, "100")
    assert "100" in training.refused(tmp_path / "new", "99", dataset=speech, source=voice.folder)
    assert not (tmp_path / "new").exists()
    assert not voice.features.exists()


def test_one_process_trains_a_voice(make_voice, training):
    voice = make_voice(price=0.25)
    session = training.start(voice, "+1", attended=True)
    training.until(session, lambda s: s.phase is Phase.AT_STOP)
    before = (voice.folder / "voice.toml").read_bytes()
    assert "being trained" in training.refused(voice, "+5", price=9.0, recipe="bbc")
    assert (voice.folder / "voice.toml").read_bytes() == before
    session.send(StopAt(parse_stop("+1")))
    training.until(session, lambda s: s.phase is Phase.AT_STOP and s.step == 2)
    session.send(Finish())
    training.end(session)
    assert training.end(training.start(voice, "+1")).step == 3


def test_a_voice_from_another_keeps_steps_and_settings(
    make_voice, tmp_path, training, speech, small_audio
):
    given = {"sentences": ("Hello you.",), "dropout": 0.0}
    theirs = make_voice("theirs", text2mel=871, base_step=855, ssrn=767, **given)
    training.end(training.start(theirs, "880"))
    folder = tmp_path / "mine"
    snapshot = training.end(
        training.start(folder, "+2", dataset=speech, source=theirs.folder, price=2.0)
    )
    assert snapshot.failure == ""
    assert (snapshot.step, snapshot.base_step, snapshot.first_step) == (882, 880, 880)
    mine = Voice.open(folder)
    assert [entry.step for entry in mine.checkpoints("text2mel")][:2] == [880, 882]
    assert [entry.step for entry in mine.checkpoints("ssrn")] == [767]
    assert (mine.settings.preset, mine.settings.audio) == ("small", small_audio)
    # It may speak another language: auditions begin with a text of its own.
    [held_out] = mine.settings.held_out
    lines = (speech / "metadata.csv").read_text().splitlines()
    [sentence] = mine.settings.sentences
    assert sentence in [line.split("|")[2] for line in lines if held_out in line]
    assert snapshot.sentences == (sentence,)
    assert mine.settings.price == 2.0
    dropout = f"dropout 0, as in {theirs.folder} (default 0.05); --dropout sets another"
    assert dropout in training.texts(snapshot)
    again = training.end(training.start(folder, "883"))
    assert (mine.settings.dropout, dropout in training.texts(again)) == (0, False)
    base = load_checkpoint(mine.checkpoint_folder("text2mel", 880))
    source = load_checkpoint(theirs.checkpoint_folder("text2mel", 880))
    # What speaks is what is taken over, without the moments that belong to other weights.
    assert base.optimizer == {}
    for name, weight in source.ema.items():
        assert base.weights[name].equal(weight)
    assert base.optimizer_start_step == 0
    assert load_checkpoint(mine.checkpoint_folder("text2mel", 882)).optimizer_start_step == 880


def test_a_voice_taken_from_one_checkpoint(make_voice, tmp_path, training, speech):
    theirs = make_voice("theirs", text2mel=871, ssrn=767)
    one = theirs.newest("text2mel").path
    assert "ssrn" in training.refused(tmp_path / "mine", dataset=speech, source=one, network="ssrn")
    snapshot = training.end(training.start(tmp_path / "mine", "+1", dataset=speech, source=one))
    assert (snapshot.step, snapshot.base_step) == (872, 871)
    assert snapshot.preset.startswith("own size")
    # A Text2Mel is heard through the SSRN of the voice that it came from.
    [ssrn] = Voice.open(tmp_path / "mine").checkpoints("ssrn")
    assert ssrn.step == 767


def test_options_that_contradict_the_source_are_refused(
    make_voice, tmp_path, training, speech, tones
):
    theirs = make_voice("theirs", text2mel=871)
    new = {"dataset": speech, "source": theirs.folder}
    assert "preset" in training.refused(tmp_path / "mine", preset="bbc", **new)
    assert "no voice" in training.refused(tmp_path / "mine", dataset=speech, source=tones)
    empty = Voice.create(tmp_path / "empty", VoiceSettings(speech))
    assert "checkpoint" in training.refused(tmp_path / "mine", dataset=speech, source=empty.folder)
    assert not (tmp_path / "mine").exists()


def test_a_source_without_the_network_is_logged(make_voice, tmp_path, training, speech):
    theirs = make_voice("theirs", text2mel=871)
    snapshot = training.end(
        training.start(
            tmp_path / "mine", "+1", dataset=speech, source=theirs.folder, network="ssrn"
        )
    )
    assert snapshot.step == 1
    assert any("has no ssrn" in text for text in training.texts(snapshot))


def test_ending_before_the_first_step_keeps_the_source(make_voice, tmp_path, training, speech):
    theirs = make_voice("theirs", text2mel=871)
    mine = tmp_path / "mine"
    given = {"dataset": speech, "source": theirs.folder}
    snapshot = training.end(training.start(mine, "+1", Finish(), **given))
    assert (snapshot.phase, snapshot.step) == (Phase.STOPPED, 871)
    assert "ended before the first step" in training.texts(snapshot)
    snapshot = training.end(training.start(mine, "+1"))
    assert (snapshot.step, snapshot.base_step) == (872, 871)


def test_the_corpus_of_a_voice_may_grow(make_voice, tmp_path, training, speech):
    dataset = Path(shutil.copytree(speech, tmp_path / "recordings"))
    metadata = dataset / "metadata.csv"
    rows = metadata.read_text().splitlines()
    metadata.write_text("\n".join(rows[:2]))
    voice = make_voice(dataset=dataset)
    training.end(training.start(voice, "+1"))
    metadata.write_text("\n".join(rows))
    assert training.end(training.start(voice, "+1")).step == 2
    assert json.loads(voice.corpus_report.read_text())["clips"] == 3
    shutil.rmtree(dataset)
    assert str(dataset) in training.refused(voice)


def test_a_spend_log_error_hides_no_failure(make_voice, training, monkeypatch):
    def fail(*_, **__):
        raise ZeroDivisionError("by nought")

    def refuse(*_):
        raise EngineError("The device is gone.")

    monkeypatch.setattr(CostMeter, "end", fail)
    monkeypatch.setattr("engine.training.setup.prepare", refuse)
    session = training.start(make_voice(), "+1")
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.failure) == (Phase.FAILED, "The device is gone.")
    assert str(session.error) == "The device is gone."
    told = training.texts(snapshot)
    assert "the spend log cannot be closed: ZeroDivisionError: by nought" in told


def test_a_failed_start_leaves_neither_voice_nor_lock(tmp_path, training, speech, monkeypatch):
    def fail(*_, **__):
        raise InputError("no such metadata service")

    with monkeypatch.context() as patch:
        patch.setattr("engine.session.SpotWatch", fail)
        given = {"dataset": speech, "preset": "small"}
        assert training.refused(tmp_path / "voice", "+1", **given) == "no such metadata service"
    assert not (tmp_path / "voice").exists()
    assert training.end(training.start(tmp_path / "voice", "+1", **given)).step == 1


def test_the_size_of_a_network_is_shown_once_known(make_voice, training):
    session = training.start(make_voice(), "1")
    assert session.snapshot().preset in ("", "own size (e = 16, d = 16)")
    assert training.end(session).preset == "own size (e = 16, d = 16)"
