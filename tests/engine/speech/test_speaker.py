"""What a listener is told, and that networks fit each other (more in `jobs/test_say.py`)."""

import threading

import numpy as np
import pytest

from engine.data.clips import Limits
from engine.errors import Cancelled
from engine.speech import speaker as speaker_module
from engine.speech.speaker import NO_SSRN, Speaker
from engine.speech.synthesizer import Spoken
from engine.speech.utterance import Utterance
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
from engine.voice.settings import VoiceSettings

LONG = "It has never been surpassed by anyone. Nor will it be."


def spoken(*, finished=True, ssrn=True):
    empty = np.zeros((0, 1), np.float32)
    part = Spoken("x", empty, empty, finished)
    return Utterance(np.zeros(0, np.float32), 22_050, empty, empty, empty, (part,), ssrn)


def speaker(cleaner="english", damaged=""):
    vocabulary = Vocabulary(BBC_SYMBOLS, cleaner)
    return Speaker(None, 5, None, None, vocabulary, VoiceSettings(), damaged)


@pytest.mark.parametrize(
    ("cleaner", "text", "note"),
    [
        (
            "english",
            "“Well-known” (5 %) — Привет! 🎈",
            "not spoken, no symbol for: '🎈'; not English: 'Привет' is read as 'privet'",
        ),
        ("english", "It’s $5.", ""),
        ("plain", "5%", "not spoken, no symbol for: '5', '%'"),
        ("english", "你好 Rob", "not English: '你好' is read as 'nihao'"),
        ("plain", "‘«You», (he) said…’", ""),
    ],
)
def test_the_note_names_what_is_lost_to_the_listener(cleaner, text, note):
    assert speaker(cleaner).note(spoken(), text) == note


def test_the_note_says_what_spoke():
    note = speaker(damaged="7 is damaged").note(spoken(finished=False, ssrn=False), "Go.")
    assert note == f"{NO_SSRN}; cut short: it never reached the end of a sentence; 7 is damaged"


@pytest.fixture
def beside(text2mel, ssrn, vocabulary, monkeypatch):
    """A speaker with two cores, of sentences that are cut short after 60 frames."""
    monkeypatch.setattr(speaker_module, "usable_cores", lambda: 2.0)
    settings = VoiceSettings(limits=Limits(max_coarse_frames=60))
    return Speaker(text2mel, 1, ssrn, 1, vocabulary, settings)


def test_sound_made_on_another_core_is_the_same(beside):
    pieces = {False: [], True: []}
    threads = set()

    def hear(samples):
        pieces[all_cores].append(samples)
        threads.add((all_cores, threading.current_thread() is threading.main_thread()))

    for all_cores in pieces:
        said = beside.speak(LONG, on_sound=hear, all_cores=all_cores)
        np.testing.assert_array_equal(np.concatenate(pieces[all_cores]), said.waveform)
    np.testing.assert_array_equal(*map(np.concatenate, pieces.values()))
    assert threads == {(False, True), (True, False)}


def test_what_fails_or_ends_on_another_core_reaches_the_caller(beside):
    def full(samples):
        raise OSError("disk full")

    threads = threading.active_count()
    with pytest.raises(OSError, match="disk full"):
        beside.speak(LONG, on_sound=full, all_cores=True)
    frames = iter([False] * 10)
    with pytest.raises(Cancelled):
        beside.speak(LONG, cancelled=lambda: next(frames, True), all_cores=True)
    assert threading.active_count() == threads
