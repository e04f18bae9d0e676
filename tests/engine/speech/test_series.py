"""The series at checkpoints: what is spoken, when, and what it costs."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.jobs.say import say
from engine.run.commands import Continue, Finish, MarkHeard, Pause
from engine.run.publisher import Publisher
from engine.run.sample import Sample
from engine.run.snapshot import Phase, Snapshot
from engine.speech.series import SHARE, Series
from engine.voice.samples import read_samples

SENTENCES = ("Two birds.", "One wall.", "A morning.")


class Speaking:
    """Auditions that take as long as they are told to, on a clock of their own."""

    def __init__(self, seconds):
        self.seconds = seconds
        self.idle, self.automatic_seconds, self.requests = True, 0.0, []

    def request(self, command):
        assert command.automatic
        ssrn = command.ssrn_step
        self.requests.append((command.sentence, command.step if ssrn is None else ("ssrn", ssrn)))
        self.idle = False

    def end(self):
        self.automatic_seconds += 0 if self.idle else self.seconds
        self.idle = True

    def drop_automatic(self):
        pass


@pytest.fixture
def series_of(make_voice):
    """Make a series of stated sentences, whose checkpoints take a stated time a sentence."""

    def make(seconds=1.0, sentences=SENTENCES, network="text2mel", samples=()):
        voice = make_voice(text2mel=5, ssrn=7, series=True)
        publisher = Publisher(
            Snapshot(
                Phase.TRAINING, "voice", voice.folder, network, "small", "standard",
                sentences=sentences, samples=samples,
            )
        )  # fmt: skip
        speaking = Speaking(seconds)
        series = Series(voice, network, speaking, publisher, "a held-out text")
        series.publisher, series.speaking, series.voice = publisher, speaking, voice
        return series

    return make


def train(series, seconds, since=0.0):
    """Poll as a run of so many seconds does; each sentence ends before the next poll but one."""
    for number in range(int(since * 10), int(seconds * 10)):
        series.poll(number / 10, waiting=False)
        if number % 10 == 0:
            series.speaking.end()


def saved(series, step):
    series.checkpoint_saved(series.voice.checkpoint_folder("text2mel", step))


def test_speaking_takes_at_most_its_share_of_training(series_of):
    series = series_of(seconds=1.5)
    for number in range(1, 21):
        saved(series, 1_000 * number)
        train(series, 60 * number, since=60 * (number - 1))
        assert series.speaking.automatic_seconds <= SHARE * 60 * number
    # Each step has time for less than one: they take turns, and each speaks at its newest step.
    sentences = [sentence for sentence, _ in series.speaking.requests]
    assert len(sentences) >= 14
    assert sentences == [SENTENCES[number % 3] for number in range(len(sentences))]
    steps = [step for _, step in series.speaking.requests]
    assert steps == sorted(steps)


def test_while_the_run_waits_all_sentences_are_spoken_by_the_newest(series_of):
    series = series_of(seconds=50.0)
    saved(series, 1_000)
    saved(series, 2_000)
    for _ in range(5):
        series.poll(0.0, waiting=True)
        series.speaking.end()
    assert series.speaking.requests[:3] == [(sentence, 2_000) for sentence in SENTENCES]
    series.speaking.requests[3:] = []  # by the older ones
    # What was spoken meanwhile took no time of training, and a new sentence is spoken, too.
    series.publisher.update(sentences=("New.", *SENTENCES))
    series.poll(5_000.0, waiting=False)
    assert series.speaking.requests[3:] == [("New.", 2_000)]


def test_the_base_and_older_ones_follow_where_there_is_time(series_of):
    spoken = Sample(9, "One wall.", Path("text2mel-9.wav"), 1.0, "", time=9.0)
    series = series_of(samples=(spoken,))
    shutil.copytree(*(series.voice.checkpoint_folder("text2mel", step) for step in (5, 9)))
    shutil.copytree(*(series.voice.checkpoint_folder("text2mel", step) for step in (5, 12)))
    saved(series, 12)
    kept = series.publisher.snapshot.checkpoints
    based = tuple(replace(one, base=one.step == 5) for one in kept)
    series.publisher.update(checkpoints=based)

    def go_on():
        series.speaking.end()
        return True

    series.speak_last(300.0, go_on)
    assert [step for _, step in series.speaking.requests] == [12, 12, 12]
    for _ in range(9):
        series.poll(0.0, waiting=True)
        series.speaking.end()
    assert [step for _, step in series.speaking.requests[3:]] == [5, 5, 5, 9, 9]
    assert ("One wall.", 9) not in series.speaking.requests


def test_what_a_checkpoint_has_spoken_is_not_spoken_again(series_of, tmp_path):
    path = tmp_path / "text2mel-5.wav"
    series = series_of(samples=(Sample(5, "One wall.", path, 1.0, "", automatic=True),))
    series.begin(5)
    assert [(one.network, one.step) for one in series.publisher.snapshot.checkpoints] == [
        ("text2mel", 5),
        ("ssrn", 7),
    ]
    train(series, 500)
    assert series.speaking.requests == [("Two birds.", 5), ("A morning.", 5)]


def test_an_ssrn_makes_the_held_out_recording_sound_again(series_of):
    series = series_of(network="ssrn")
    series.begin(7)
    train(series, 500)
    assert series.speaking.requests == [("a held-out text", ("ssrn", 7))]


@pytest.mark.parametrize(("trained", "spoken"), [(30.0, 0), (300.0, 3)])
def test_the_end_of_a_run_waits_for_the_last_series_if_it_is_short(series_of, trained, spoken):
    series = series_of()
    saved(series, 9)

    def go_on():
        series.speaking.end()
        return True

    series.speak_last(trained, go_on)
    assert len(series.speaking.requests) == spoken
    other = series_of()
    saved(other, 9)
    other.speak_last(300.0, lambda: False)
    assert len(other.speaking.requests) == 1


@pytest.mark.slow
def test_a_checkpoint_speaks_as_itself_and_training_does_not_notice(make_voice, training, tmp_path):
    weights = []
    for count in (1, 0):
        voice = make_voice(f"{count}", series=bool(count), sentences=SENTENCES[:1])
        session = training.start(voice, "+4", Pause(), attended=True)

        def spoken(phase, samples, session=session):
            return training.until(
                session,
                lambda s: s.phase is phase and len(s.samples) == samples and not s.auditioning,
            )

        spoken(Phase.PAUSED, count)
        session.send(Continue())
        samples = spoken(Phase.AT_STOP, 2 * count).samples
        for file in ("../voice.toml", *(one.path.name for one in samples[:1])):
            session.send(MarkHeard(file))
        session.send(Finish())
        snapshot = training.end(session)
        assert ("text2mel", 4) in [(one.network, one.step) for one in snapshot.checkpoints]
        folder = voice.checkpoint_folder("text2mel", 4)
        weights.append((folder / "weights.safetensors").read_bytes())
        if count:
            assert [(one.step, one.sentence, one.automatic, one.heard) for one in samples] == [
                (0, SENTENCES[0], True, False),
                (4, SENTENCES[0], True, False),
            ]
            for listed in (snapshot.samples, read_samples(voice)):
                assert [(one.path, one.heard) for one in listed] == [
                    (samples[0].path, True),
                    (samples[1].path, False),
                ]
            say(voice.folder, SENTENCES[0], out=tmp_path / "said.wav")
            assert samples[1].path.read_bytes() == (tmp_path / "said.wav").read_bytes()
    assert weights[0] == weights[1]
