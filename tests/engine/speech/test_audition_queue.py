"""What is spoken when several samples are asked for, by which checkpoint, and as it grows."""

import os
import threading
from dataclasses import replace

import pytest
from waiting import wait_until

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.audio import HEADER_BYTES
from engine.run.commands import Audition
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.speech.audition import Auditions
from engine.speech.growing import growing_path
from engine.voice.samples import read_samples
from tui.audio.listening import Listening

pytestmark = pytest.mark.slow


class Run:
    """Auditions of a voice that is not being trained, and who watches them."""

    def __init__(self, voice):
        first = Snapshot(Phase.STOPPED, voice.name, voice.folder, "text2mel", "", "standard")
        self.publisher = Publisher(replace(first, sentences=voice.settings.sentences))
        self.seen = []
        self.heard = threading.Event()
        self.publisher.on_speaking = self.look
        self.auditions = Auditions(voice, self.publisher)

    def look(self):
        """Note which sample begins to be heard, and what there is of it."""
        speaking = self.publisher.snapshot.speaking
        if speaking is not None:
            self.seen.append((speaking, growing_path(speaking.path).read_bytes()))
            self.heard.set()

    def end(self):
        """Wait until all is spoken, and return the samples."""
        wait_until(lambda: self.auditions.idle and not self.publisher.snapshot.auditioning)
        return self.publisher.snapshot.samples


@pytest.fixture
def begin():
    runs = []

    def run(voice):
        runs.append(Run(voice))
        return runs[-1]

    yield run
    for one in runs:
        one.auditions.close()


@pytest.fixture
def voice(make_voice):
    """A voice with two checkpoints of each network."""
    voice = make_voice(text2mel=40, ssrn=7, sentences=("Hello.",))
    for network, step, later in (("text2mel", 40, 60), ("ssrn", 7, 9)):
        good = load_checkpoint(voice.checkpoint_folder(network, step))
        save_checkpoint(replace(good, step=later), voice.checkpoint_folder(network, later))
    return voice


def test_each_request_is_spoken_by_its_checkpoints_in_turn(voice, begin):
    run = begin(voice)
    run.auditions.request(Audition("One.", step=40))
    run.auditions.request(Audition("Two.", 40, 7))
    run.auditions.request(Audition())
    made = [(one.sentence, one.step, one.ssrn_step) for one in run.end()]
    assert made == [("One.", 40, 9), ("Two.", 40, 7), ("Hello.", 60, 9)]
    assert all(one.time > 0 and not one.automatic for one in run.end())
    run.auditions.request(Audition("Three.", step=50))
    assert len(run.end()) == 3
    assert "no Text2Mel checkpoint of step 50; there are 40, 60" in (
        run.publisher.snapshot.events[-1].text
    )


def test_what_would_sound_the_same_is_heard_again(voice, begin):
    run = begin(voice)
    run.auditions.request(Audition("One.", automatic=True))
    run.auditions.request(Audition("One.", 40))
    first, by_another = sorted(run.end(), key=lambda one: -one.step)
    awaited = Listening(player=None, page=None)
    awaited.request(run.publisher.snapshot)
    run.auditions.request(Audition("One.", 60))
    again = run.end()[-1]
    assert awaited.requested(run.publisher.snapshot) == again
    assert (again.path, again.automatic) == (first.path, False)
    assert again.time > first.time
    listed = [(one.path, one.automatic) for one in read_samples(voice)]
    assert listed == [(by_another.path, False), (again.path, False)]
    # Another SSRN sounds different, and so does a checkpoint that was saved anew.
    run.auditions.request(Audition("One.", 60, 7))
    assert len(run.end()) == 3
    later = again.time + 10
    os.utime(voice.checkpoint_folder("text2mel", 60) / "state.json", (later, later))
    run.auditions.request(Audition("One."))
    assert len({one.path for one in run.end()}) == 4


def test_a_sample_grows_from_its_first_chunk_into_the_very_file(voice, begin):
    run = begin(voice)
    run.auditions.request(Audition("Two birds sat on a wall, and one of them flew away."))
    (sample,) = run.end()
    ((speaking, growing),) = run.seen
    assert (speaking.path, speaking.step) == (sample.path, 60)
    assert run.publisher.snapshot.speaking is None
    final = sample.path.read_bytes()
    assert 1_000 < len(growing) < len(final)
    assert final[HEADER_BYTES : len(growing)] == growing[HEADER_BYTES:]
    assert not growing_path(sample.path).exists()


def test_an_automatic_sample_gives_way_and_is_begun_anew(voice, begin):
    run = begin(voice)
    run.auditions.request(Audition("la " * 60, automatic=True))
    assert run.heard.wait(30)
    run.auditions.request(Audition("Me first."))
    for _ in range(20):
        run.auditions.request(Audition("Me next."))
    first, second, third = run.end()
    assert (first.sentence, second.sentence) == ("Me first.", "Me next.")
    assert third.automatic
    assert third.seconds > 8
    assert [one.path.name for one in voice.samples.glob("*.part")] == []
    texts = [event.text for event in run.publisher.snapshot.events]
    assert texts.count("this sentence is being spoken already") == 1


def test_closing_gives_up_what_is_under_way_and_leaves_nothing_of_it(voice, begin):
    run = begin(voice)
    run.auditions.request(Audition("la " * 60))
    run.auditions.request(Audition("Too late."))
    assert run.heard.wait(30)
    run.auditions.close()
    assert run.publisher.snapshot.samples == ()
    assert list(voice.samples.iterdir()) == []
