"""The check before training: what is asked, when nobody answers, and what is remembered."""

import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import DEMO_CORPUS
from planted_sound import CHANGES

from engine.check.report import CheckReport, Coverage, Histogram
from engine.check.survey import corpus_key, judge, measure_corpus
from engine.data.clips import ClipShape, scan_corpus
from engine.errors import InputError
from engine.jobs.check import CheckOptions, check
from engine.jobs.clean import clean
from engine.run.commands import CleanFirst, Continue, Finish, Hold, ScreenDetached, SetSentences
from engine.run.snapshot import Phase
from engine.training import data_check as checking
from engine.training.learner import Learner
from engine.training.throughput import EstimateRequest, with_estimates
from engine.voice.check_record import CheckRecord, load_record, save_record
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

pytestmark = pytest.mark.slow


def checked(snapshot) -> bool:
    return snapshot.phase is Phase.CHECKED


def summaries(training, snapshot) -> list[str]:
    return [text for text in training.texts(snapshot) if text.startswith("corpus checked:")]


@pytest.fixture
def broken(tmp_path, speech) -> Path:
    """Three good clips, and a row without its recording."""
    dataset = Path(shutil.copytree(speech, tmp_path / "recordings"))
    with (dataset / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-9999|nobody recorded this|nobody recorded this\n")
    return dataset


def test_good_corpus_is_trained_on_without_asking(make_voice, training):
    voice = make_voice()
    session = training.start(voice, "+1", attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    assert (snapshot.check.rows, snapshot.check.usable) == (3, 3)
    assert not snapshot.check.harmful
    assert summaries(training, snapshot)[0].startswith(
        "corpus checked: none of 3 clips has an error"
    )
    session.send(Finish())
    training.end(session)


def test_corpus_is_checked_once_and_its_errors_reported(make_voice, training, broken):
    voice = make_voice(dataset=broken)
    first = training.end(training.start(voice, "+1"))
    again = training.end(training.start(voice, "+1"))
    assert again.check == first.check
    [summary] = summaries(training, first)
    assert "voicecoach check" in summary
    assert summaries(training, again) == []
    # Without a screen they are told one by one.
    errors = [event.text for event in first.events if event.severity == "error"]
    assert len(errors) == first.check.counts()["error"]
    assert any(text.startswith("line 4: LJ001-9999") for text in errors)
    with (broken / "metadata.csv").open("a") as metadata:
        metadata.write("LJ001-9998|nor this|nor this\n")
    changed = training.end(training.start(voice, "+1"))
    assert changed.check.rows == first.check.rows + 1
    assert len(summaries(training, changed)) == 1


def test_at_a_screen_training_waits_for_the_answer(make_voice, training, broken):
    voice = make_voice(dataset=broken)
    session = training.start(voice, "+1", attended=True)
    snapshot = training.until(session, checked)
    assert snapshot.check.harmful
    assert 0 < snapshot.seconds_to_start <= checking.WAIT_SECONDS
    # Cheap first: nothing that takes long has been begun.
    assert not voice.features.exists()
    # What is asked for meanwhile waits its turn.
    session.send(SetSentences(("Hello you.",)))
    session.send(Continue())
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    assert (snapshot.step, snapshot.sentence, snapshot.seconds_to_start) == (1, "Hello you.", None)
    session.send(Finish())
    training.end(session)
    # Who once agreed is not asked again.
    session = training.start(voice, "+1", attended=True)
    assert training.until(session, lambda s: s.phase is Phase.AT_STOP).check.harmful
    session.send(Finish())
    training.end(session)


def test_clean_copy_is_made_beside_the_corpus_and_stays(make_voice, training, broken):
    voice, copy = make_voice(dataset=broken), broken.with_name("recordings-clean")
    copy.mkdir()
    (copy / "mine").write_text("of somebody")
    with (broken / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-0008|It was never surpassed.\n")
    session = training.start(voice, "+1", CleanFirst(), attended=True)
    training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    snapshot = training.end(session)
    copy = broken.with_name("recordings-clean-2")
    assert snapshot.check.dataset == str(copy)
    assert (snapshot.check.usable, snapshot.check.left_out) == (3, ())
    settings = Voice.open(voice.folder).settings
    assert settings.dataset == copy
    # Whoever gives the same command again does not fall back to the corpus with errors.
    session = training.start(voice, "+1", dataset=broken, attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    training.end(session)
    assert snapshot.check.dataset == str(copy)
    assert any("the clean copy of" in text for text in training.texts(snapshot))
    # Another voice uses the copy that is there; once the corpus has changed, it is another's.
    other = make_voice("other", dataset=broken)
    session = training.start(other, "+1", CleanFirst(), attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    training.end(session)
    assert snapshot.check.dataset == str(copy)
    with (broken / "metadata.csv").open("a", encoding="utf-8") as metadata:
        metadata.write("LJ001-9998|nobody recorded this, either\n")
    snapshot = training.end(training.start(voice, "+1", dataset=broken))
    assert snapshot.check.dataset == str(broken)


def spoilt_corpus(folder: Path) -> Path:
    """Clips of the demo, and one with each fault of a text or a recording."""
    (folder / "wavs").mkdir(parents=True)
    rows = [line.split("|") for line in (DEMO_CORPUS / "metadata.csv").read_text().splitlines()]
    texts = {row[0]: row[-1] for row in rows[:34]}
    for clip_id in texts:
        samples, _ = soundfile.read(DEMO_CORPUS / "wavs" / f"{clip_id}.flac")
        soundfile.write(folder / "wavs" / f"{clip_id}.wav", samples, 22_050)
    names = iter(list(texts)[10:])
    for fault in ("zeros", "far too quiet", "a beep", "two tones", "clipped", "in noise", "late",
                  "long pause", "far too long", "a blink", "turned", "far offset"):  # fmt: skip
        path = folder / "wavs" / f"{next(names)}.wav"
        soundfile.write(path, CHANGES[fault][0](soundfile.read(path)[0]), 22_050)
    for text in (
        "[noise] so it is",
        "(ten seconds of hiss)",
        "yes " * 60,
        "and so on " * 15,
        "x" * 90,
        "",
    ):
        texts[next(names)] = text
    (folder / "wavs" / f"{next(names)}.wav").write_bytes(b"RIFF")
    originals = list(texts)[:2]
    for original, copy in zip(originals, ("copy-1", "copy-2"), strict=True):
        shutil.copy(folder / "wavs" / f"{original}.wav", folder / "wavs" / f"{copy}.wav")
    texts |= {"copy-1": texts[originals[0]].upper(), "copy-2": "Another text altogether."}
    lines = [f"{clip_id}|{text}".encode() for clip_id, text in texts.items()]
    lines += [b"lost|nobody recorded this", b"bytes|caf\xe9", b"only some words"]
    (folder / "metadata.csv").write_bytes(b"id|text\n" + b"\n".join(lines))
    return folder


def test_check_clean_and_train_use_the_same_clips(tmp_path, make_voice, training):
    corpus = spoilt_corpus(tmp_path / "recordings")
    voice = make_voice(dataset=corpus)

    def checked_clips(folder):
        options = CheckOptions(folder, against=voice.folder, estimate=False)
        report, _ = check(options, lambda title: nullcontext(lambda done, total: None))
        assert report.clips == report.usable + len(report.left_out)
        return report

    def trained_clips(**given):
        training.end(training.start(voice, "+1", **given))
        kept = json.loads(voice.corpus_report.read_text())
        assert kept["clips"] == kept["training_clips"] + len(kept["held_out"])
        return kept["clips"], [row["line"] for row in kept["left_out"]]

    report = checked_clips(corpus)
    left_out = [row.line for row in report.left_out]
    # Every fault costs its clip, but for a late start; of copies with two texts both are lost.
    assert (report.usable, len(left_out)) == (39 - 11 - 6 - 1 - 1 - 2 - 3, 11 + 6 + 1 + 1 + 2 + 3)
    assert trained_clips() == (report.usable, left_out)

    copy = clean(corpus, tmp_path / "copy", against=voice.folder)
    assert len(copy.changes) >= report.usable
    mended = checked_clips(tmp_path / "copy")
    assert (mended.usable, mended.left_out) == (len(copy.changes), ())
    assert trained_clips(dataset=tmp_path / "copy") == (mended.usable, [])

    clips, still_out = trained_clips(dataset=corpus, keep_errors=True)
    assert Voice.open(voice.folder).settings.keep_errors
    assert clips + len(still_out) == report.clips
    assert set(still_out) < set(left_out)
    assert trained_clips(dataset=corpus) == (clips, still_out)


def test_training_is_timed_during_the_wait(make_voice, training, broken):
    """The order's network, steps and price; the weights come out as if nothing had been timed."""
    voices = [make_voice(name, dataset=broken, price=3.6) for name in ("timed", "untimed")]
    session = training.start(voices[0], "+2", Hold(), attended=True)
    waiting = training.until(session, lambda s: checked(s) and s.check.estimates)
    [estimate] = waiting.check.estimates
    assert (estimate.network, estimate.steps) == ("text2mel", 2)
    assert estimate.preset == "own size (e = 16, d = 16)"
    assert estimate.measured
    assert estimate.hours == pytest.approx(2 / estimate.steps_per_second / 3600)
    assert estimate.usd == pytest.approx(3.6 * estimate.hours)
    session.send(Continue())
    training.until(session, lambda s: s.phase is Phase.AT_STOP)
    session.send(Finish())
    training.end(session)
    training.end(training.start(voices[1], "+2"))
    timed, untimed = (voice.newest("text2mel").path for voice in voices)
    assert (timed / "weights.safetensors").read_bytes() == (
        untimed / "weights.safetensors"
    ).read_bytes()


@pytest.fixture(scope="module")
def timed(small_audio):
    """Time training on three clips; return the report with the estimates, or with findings."""
    nothing = Histogram((0.0,), ()), None, None, None, (), Coverage({}, (), (), None)
    report = CheckReport("recordings", 3, 3, 0.1, (), *nothing)
    settings = VoiceSettings(preset="small", audio=small_audio)

    def run(*networks, cancelled=lambda: False):
        request = EstimateRequest(settings, dict.fromkeys(networks, 10))
        shapes, ignored = [ClipShape(9, 8)] * 3, lambda done, total: None
        return with_estimates(report, shapes, request, on_progress=ignored, cancelled=cancelled)

    return run


@given(looks=st.integers(0, 400))
@settings(max_examples=10, deadline=None)
def test_timed_step_can_be_cancelled(timed, looks):
    """On a slow machine a step takes many seconds, for which nobody waits who wants to leave."""
    asked = iter(range(looks))
    report = timed("text2mel", "ssrn", cancelled=lambda: next(asked, None) is None)
    assert len(report.estimates) < 2
    assert next(asked, None) is None


@pytest.mark.parametrize("room", [0, 1])
def test_too_little_memory_for_one_clip_is_a_finding(timed, monkeypatch, room):
    losses = Learner.losses

    def lack(self, batch):
        if len(batch.text) > room:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return losses(self, batch)

    monkeypatch.setattr(Learner, "losses", lack)
    report = timed("text2mel")
    found = [(finding.kind, finding.severity, finding.figure) for finding in report.findings]
    told = "text2mel, small, does not fit the memory of cpu with the longest clips, not even one at"
    assert found == ([] if room else [("out-of-memory", "error", f"{told} a time")])
    assert bool(report.estimates) is bool(room)


def test_without_an_answer_training_begins(make_voice, training, broken, monkeypatch):
    monkeypatch.setattr(checking, "WAIT_SECONDS", 1)
    voice = make_voice(dataset=broken)
    session = training.start(voice, "+1", attended=True)
    snapshot = training.until(session, lambda s: s.phase is Phase.AT_STOP)
    assert any(text.startswith("no answer") for text in training.texts(snapshot))
    assert json.loads(voice.corpus_report.read_text())["clips"] == 3
    session.send(Finish())
    training.end(session)


@pytest.mark.parametrize("when", ["before", "during"])
def test_training_begins_when_the_screen_goes(make_voice, training, broken, when):
    voice = make_voice(dataset=broken)
    early = (ScreenDetached(),) if when == "before" else (Hold(),)
    session = training.start(voice, "+1", *early, attended=True)
    if when == "during":
        training.until(session, checked)
        session.send(ScreenDetached())
    # The trainer knows too that nobody is there: it ends at its stop.
    assert training.end(session).step == 1


def test_declining_leaves_no_new_voice(tmp_path, training, broken):
    folder = tmp_path / "voice"
    before = sorted(broken.iterdir())
    for _ in range(2):  # the very same command asks again
        session = training.start(folder, "+1", dataset=broken, preset="small", attended=True)
        training.until(session, checked)
        session.send(Finish())
        snapshot = training.end(session)
        assert (snapshot.phase, session.error) == (Phase.STOPPED, None)
        assert not folder.exists()
    assert sorted(broken.iterdir()) == before


def test_nothing_is_asked_where_nothing_can_be_trained(tmp_path, training, speech):
    dataset = Path(shutil.copytree(speech, tmp_path / "recordings"))
    rows = (dataset / "metadata.csv").read_text().splitlines()
    (dataset / "metadata.csv").write_text(f"{rows[0]}\ngone|nobody recorded this\n")
    session = training.start(tmp_path / "voice", "+1", dataset=dataset, attended=True)
    assert "at least two" in training.end(session).failure
    assert isinstance(session.error, InputError)
    assert not (tmp_path / "voice").exists()


def test_failed_check_does_not_prevent_training(make_voice, training, monkeypatch):
    def fail(*_given, **_options) -> CheckReport:
        raise ZeroDivisionError("no loudness")

    monkeypatch.setattr(checking, "measure_corpus", fail)
    snapshot = training.end(training.start(make_voice(), "+1"))
    assert (snapshot.step, snapshot.check) == (1, None)
    assert any("could not be checked (no loudness)" in text for text in training.texts(snapshot))


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: "no JSON",
        lambda kept: json.dumps({**kept, "report": {}}),
        lambda kept: json.dumps({**kept, "report": {**kept["report"], "rows": "many"}}),
        lambda kept: json.dumps({**kept, "report": {**kept["report"], "findings": [{"kind": 1}]}}),
        lambda kept: "[" * 100_000,
    ],
)
def test_damaged_record_counts_as_none(make_voice, broken, damage):
    voice = make_voice(dataset=broken)
    scan = scan_corpus(broken)
    given = (scan, voice.vocabulary, voice.settings.limits, voice.settings.audio)
    measured = measure_corpus(*given, on_progress=lambda done, total: None)
    key, report = corpus_key(*given), judge(measured).report
    save_record(voice, CheckRecord(key, report, accepted=False))
    assert load_record(voice, key).report == report
    kept = json.loads(voice.check_record.read_text())
    voice.check_record.write_text(damage(kept))
    assert load_record(voice, key) is None


def test_moved_corpus_is_not_checked_again(tmp_path, training, speech):
    shutil.copytree(speech, tmp_path / "old" / "corpus")
    given = {"dataset": tmp_path / "old" / "corpus", "preset": "small"}
    training.end(training.start(tmp_path / "old", "+1", **given))
    (tmp_path / "old").rename(tmp_path / "new")
    snapshot = training.end(training.start(tmp_path / "new", "+1"))
    assert summaries(training, snapshot) == []
    assert Path(snapshot.check.dataset) == Voice.open(tmp_path / "new").dataset
