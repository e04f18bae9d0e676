"""What a listener is told, and that networks fit each other (more in `jobs/test_say.py`)."""

import numpy as np
import pytest

from engine.speech.speaker import NO_SSRN, Speaker
from engine.speech.synthesizer import Spoken
from engine.speech.utterance import Utterance
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary
from engine.voice.settings import VoiceSettings


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
