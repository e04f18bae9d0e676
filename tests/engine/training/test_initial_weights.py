"""Starting from another voice: rows go by symbol, the optimizer with them, and it is reported."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.checkpoints.checkpoint import inference_network, load_checkpoint, save_checkpoint
from engine.checkpoints.state import sealed
from engine.errors import InputError
from engine.jobs.info import describe
from engine.run.commands import Finish
from engine.run.snapshot import Phase
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
from engine.voice.folder import Voice

KYUBYONG = "PE abcdefghijklmnopqrstuvwxyz'.?"
BACKWARDS = BBC_SYMBOLS[:2] + BBC_SYMBOLS[:1:-1]
GERMAN = "PE aäbcdefghijklmnoöpqrsßtuüvwxyz.,;?!-:"
MINIMAL = "PE abcdefghijklmnopqrstuvwxyz"
SHARED = "two birds sat on the old wall"
ROWS = "text_encoder.embedding.weight"

pytestmark = pytest.mark.slow


@pytest.fixture
def take_over(training, tmp_path, speech):
    """Make a voice from another, without a step; return it and what was told."""

    def make(source: Voice, name: str = "mine", **changes) -> tuple[Voice, list[str]]:
        session = training.start(
            tmp_path / name, None, Finish(), dataset=speech, source=source.folder, **changes
        )
        snapshot = training.end(session)
        assert snapshot.failure == ""
        return Voice.open(tmp_path / name), training.texts(snapshot)

    return make


def newest(voice):
    return load_checkpoint(voice.newest("text2mel").path)


def row(table, symbols, symbol):
    return table[symbols.index(symbol)]


def said_of(voice, text):
    """What a voice's newest Text2Mel says of a text, teacher-forced."""
    checkpoint = newest(voice)
    ids = torch.tensor([Vocabulary(checkpoint.symbols, "plain").encode(text)])
    mel = torch.linspace(0, 1, 7 * checkpoint.spec.n_mels).reshape(1, 7, -1)
    with torch.inference_mode():
        return inference_network(checkpoint)(ids, mel)


@pytest.mark.parametrize(
    ("theirs", "ours", "cleaner"),
    [
        (KYUBYONG, BBC_SYMBOLS, "english"),
        (BBC_SYMBOLS, GERMAN, "plain"),
        (BBC_SYMBOLS, MINIMAL, "english"),
    ],
)
def test_rows_go_by_symbol_and_shared_text_sounds_the_same(
    make_voice, take_over, theirs, ours, cleaner
):
    source = make_voice("theirs", text2mel=871, ssrn=767, symbols=theirs)
    mine, told = take_over(source, vocabulary=ours, cleaner=cleaner)
    assert (mine.settings.symbols, mine.settings.cleaner) == (ours, cleaner)
    before, after = newest(source).weights, newest(mine).weights
    assert after[ROWS].shape == (len(ours), 16)
    for symbol in set(theirs) & set(ours):
        assert torch.equal(row(after[ROWS], ours, symbol), row(before[ROWS], theirs, symbol))
    for name in before.keys() - {ROWS}:
        assert torch.equal(after[name], before[name])
    for ours_said, theirs_said in zip(said_of(mine, SHARED), said_of(source, SHARED), strict=True):
        assert torch.equal(ours_said, theirs_said)
    assert any(text.startswith("text2mel: ") for text in told)
    assert newest(mine).base_step == 871
    # SSRN never sees text.
    theirs_ssrn = load_checkpoint(source.newest("ssrn").path)
    ours_ssrn = load_checkpoint(mine.newest("ssrn").path)
    assert all(torch.equal(ours_ssrn.weights[k], v) for k, v in theirs_ssrn.weights.items())


def test_new_symbols_start_where_it_is_said(make_voice, take_over):
    source = make_voice("theirs", text2mel=5)
    mine, told = take_over(source, vocabulary=GERMAN + "中", cleaner="plain")
    before, after = newest(source).weights[ROWS], newest(mine).weights[ROWS]
    for new, old in (("ä", "a"), ("ß", "s"), (":", ";"), ("!", "."), ("-", " ")):
        assert torch.equal(row(after, GERMAN, new), row(before, BBC_SYMBOLS, old))
        assert any(f"'{new}' from '{old}'" in text for text in told)
    letters = [BBC_SYMBOLS.index(letter) for letter in "abcdefghijklmnopqrstuvwxyz"]
    torch.testing.assert_close(after[-1], before[letters].mean(dim=0))
    assert any("mean of the letters: '中'" in text for text in told)
    assert any('this voice lacks: "\'"' in text for text in told)


def test_where_rows_came_from_is_kept_with_the_base(make_voice, take_over, training):
    source = make_voice("theirs", text2mel=5, symbols=KYUBYONG)
    mine, _ = take_over(source, vocabulary=BBC_SYMBOLS)
    training.end(training.start(mine, "+1"))
    said = describe(mine.folder)["networks"]["text2mel"]
    assert (said["step"], said["base_step"]) == (6, 5)
    assert said["symbols_from"] == {
        "source": KYUBYONG,
        "from_neighbour": {",": " ", ";": " "},
        "from_mean_of_letters": "",
        "dropped": "",
    }
    state = json.loads((mine.checkpoint_folder("text2mel", 5) / "state.json").read_text())
    assert (state["symbols_from"], state["symbols"]) == (said["symbols_from"], BBC_SYMBOLS)
    # A voice made from this one with its symbols has a history of its own.
    heir, told = take_over(mine, "heir")
    assert "symbols_from" not in describe(heir.folder)["networks"]["text2mel"]
    assert not any(text.startswith("text2mel: ") for text in told)


def test_without_a_vocabulary_the_sources_is_taken(make_voice, take_over):
    mine, _ = take_over(make_voice("theirs", text2mel=5, symbols=GERMAN, cleaner="plain"))
    assert (mine.settings.symbols, mine.settings.cleaner) == (GERMAN, "plain")


def test_the_optimizer_comes_along_and_training_continues_exactly(
    make_voice, copy_voice, take_over, training
):
    source = make_voice("theirs", text2mel=10, recipe="bbc")
    training.end(training.start(source, "+2"))
    mine, told = take_over(source, vocabulary=GERMAN, cleaner="plain", recipe="bbc")
    before, after = newest(source).optimizer, newest(mine).optimizer
    assert any("with its optimizer state" in text for text in told)
    assert before.keys() == after.keys()
    for moment in ("exp_avg", "exp_avg_sq"):
        name = f"{moment}/{ROWS}"
        assert before[name].any()
        for symbol in GERMAN:
            moved = row(after[name], GERMAN, symbol)
            if symbol in BBC_SYMBOLS:
                assert torch.equal(moved, row(before[name], BBC_SYMBOLS, symbol))
            else:
                assert not moved.any()
        before.pop(name), after.pop(name)
    assert all(torch.equal(after[name], value) for name, value in before.items())
    assert newest(mine).optimizer_start_step == newest(source).optimizer_start_step == 10
    # With the same symbols in another order, the next steps are the same.
    other_order, _ = take_over(source, "other", vocabulary=BACKWARDS, recipe="bbc")
    straight = copy_voice(source, "straight")
    for voice in (straight, other_order):
        training.end(training.start(voice, "+2"))
    one, other = newest(straight), newest(other_order)
    assert one.step == other.step == 14
    order = [BACKWARDS.index(symbol) for symbol in BBC_SYMBOLS]
    for name, tensor in {**one.weights, **one.optimizer}.items():
        ours = {**other.weights, **other.optimizer}[name]
        assert torch.equal(ours[order] if name.endswith(ROWS) and ours.ndim else ours, tensor), name


def test_from_ema_weights_the_optimizer_is_reset(make_voice, take_over, training):
    source = make_voice("theirs", text2mel=871)
    training.end(training.start(source, "+1"))
    mine, told = take_over(source, vocabulary=BACKWARDS)
    assert any("optimizer reset, 50-step warm-up" in text for text in told)
    base = newest(mine)
    assert base.optimizer == {}
    theirs = newest(source)
    for symbol in BBC_SYMBOLS:
        ours = row(base.weights[ROWS], BACKWARDS, symbol)
        assert torch.equal(ours, row(theirs.ema[ROWS], BBC_SYMBOLS, symbol))
    training.end(training.start(mine, "+1"))
    assert newest(mine).optimizer_start_step == 872


def test_a_voice_keeps_its_symbols(make_voice, training, speech, tmp_path):
    said = training.refused(tmp_path / "new", dataset=speech, vocabulary="abc")
    assert said.endswith("type --vocabulary 'PE abc'.")
    assert not (tmp_path / "new").exists()
    voice = make_voice()
    said = training.refused(voice, vocabulary=KYUBYONG)
    assert f"--from {voice.folder} --vocabulary" in said
    assert BBC_SYMBOLS in said
    assert "--cleaner plain" in training.refused(voice, cleaner="plain")
    same = training.start(voice, "+1", vocabulary=BBC_SYMBOLS, cleaner="english")
    assert training.end(same).step == 1


def test_unknown_characters_are_reported_before_training(make_voice, training, speech, tmp_path):
    dataset = Path(shutil.copytree(speech, tmp_path / "recordings"))
    first, *others = (dataset / "metadata.csv").read_text().splitlines()
    (dataset / "metadata.csv").write_text("\n".join([first, *(row + " ☃ Жук" for row in others)]))
    voice = make_voice(dataset=dataset, cleaner="plain")
    snapshot = training.end(training.start(voice, "+1"))
    told = training.texts(snapshot)
    [snowman] = [n for n, text in enumerate(told) if "'☃' (U+2603) 2 times" in text]
    assert "first in line 2 (" in told[snowman]
    [letter] = [event for event in snapshot.events if "'ж' (U+0436)" in event.text]
    assert letter.severity == "warning"
    assert snowman < next(n for n, text in enumerate(told) if "started at" in text)
    listed = json.loads(voice.corpus_report.read_text())["unknown_characters"]
    [one] = [entry for entry in listed if entry["character"] == "☃"]
    assert (one["count"], one["line"], one["becomes"]) == (2, 2, " ")
    # Once: not at each resume.
    again = training.texts(training.end(training.start(voice, "+1")))
    assert not any("without a symbol" in text for text in again)


def edit(path: Path, **changes) -> None:
    path.write_text(sealed({**json.loads(path.read_text()), **changes}))


def test_a_source_whose_symbols_cannot_be_right_is_refused(make_voice, tmp_path, training, speech):
    source = make_voice("theirs", text2mel=5)
    path = source.newest("text2mel").path
    new = {"dataset": speech, "vocabulary": KYUBYONG}
    edit(path / "state.json", symbols=KYUBYONG)
    said = training.refused(tmp_path / "new", source=source.folder, **new)
    assert str(path) in said
    assert str(source.folder) in said
    edit(path / "state.json", symbols="abc")
    said = training.refused(tmp_path / "new", source=source.folder, **new)
    assert str(path) in said
    # The voice agrees, but there are not as many symbols as rows.
    edit(path / "state.json", symbols=KYUBYONG)
    source.save(replace(source.settings, symbols=KYUBYONG))
    session = training.start(tmp_path / "new", "+1", source=source.folder, **new)
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert str(path) in snapshot.failure
    assert "(34, 16)" in snapshot.failure
    assert not (tmp_path / "new").exists()


def test_a_lone_checkpoint_of_another_sound_is_refused(make_voice, tmp_path, training, speech):
    alone = make_voice("theirs").newest("text2mel").path.rename(tmp_path / "alone")
    session = training.start(tmp_path / "new", "+1", source=alone, dataset=speech)
    snapshot = training.end(session)
    assert isinstance(session.error, InputError)
    assert "n_mels = 20" in snapshot.failure
    assert "--from" in snapshot.failure
    assert not (tmp_path / "new").exists()


def imported(make_voice, training):
    """A voice as it is after an import: moments at the base, and no recordings."""
    donor = make_voice("donor", text2mel=40, recipe="bbc")
    training.end(training.start(donor, "+2"))
    theirs = newest(donor)
    voice = make_voice("imported", dataset=None, text2mel=None)
    base = replace(theirs, base_step=theirs.step, optimizer_start_step=0)
    save_checkpoint(base, voice.checkpoint_folder("text2mel", theirs.step))
    return voice


def contents(folder):
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_an_imported_voice_takes_its_first_recordings(make_voice, training, speech):
    voice = imported(make_voice, training)
    assert "train DATASET" in training.refused(voice, "+1")
    snapshot = training.end(training.start(voice, "+1", dataset=speech))
    assert (snapshot.step, snapshot.base_step, snapshot.failure) == (43, 42, "")
    assert Voice.open(voice.folder).dataset == speech
    assert newest(voice).optimizer_start_step == 0
    assert not any("optimizer reset" in text for text in training.texts(snapshot))
    # Its Text2Mel is of a size of its own; its SSRN is the preset's.
    snapshot = training.end(training.start(voice, "+1", network="ssrn"))
    assert (snapshot.step, snapshot.failure) == (1, "")
    assert load_checkpoint(voice.newest("ssrn").path).spec.hidden == 128


@pytest.mark.parametrize(
    ("rows", "given"), [("gone|nobody recorded this\n", {"price": 3.0}), ("", {"network": "ssrn"})]
)
def test_useless_recordings_leave_no_trace(make_voice, training, tmp_path, rows, given):
    voice = imported(make_voice, training)
    if given.get("network"):
        given = {**given, "source": make_voice("theirs", text2mel=None, ssrn=9).folder}
    dataset = tmp_path / "recordings"
    (dataset / "wavs").mkdir(parents=True)
    (dataset / "metadata.csv").write_text(rows)
    before = contents(voice.folder)
    snapshot = training.end(training.start(voice, "+1", dataset=dataset, **given))
    assert snapshot.phase is Phase.FAILED
    assert contents(voice.folder) == before
