"""Transcripts that the run before has read."""

import pytest

from engine.text import english
from engine.text.remembered import RememberingVocabulary
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

TEXTS = ("Dr. Smith paid £5 — twice!", "naïve café", "", "etc! (and so on)")


@pytest.fixture
def remembering(tmp_path):
    def begin(symbols=BBC_SYMBOLS):
        return RememberingVocabulary(symbols, "english", tmp_path / "texts.json")

    begin().remember(TEXTS)
    return begin


def test_a_text_is_read_once(remembering, monkeypatch):
    fresh = Vocabulary(BBC_SYMBOLS)
    expected = [(fresh.clean(text), fresh.unknown(text)) for text in TEXTS]
    monkeypatch.setattr(english, "spoken", lambda text: pytest.fail(f"read again: {text}"))
    again = remembering()
    assert [(again.clean(text), again.unknown(text)) for text in TEXTS] == expected
    again.remember(TEXTS[:2])
    assert "paid" in again.record.read_text()
    assert "so on" not in again.record.read_text()


@pytest.mark.parametrize("kept", ["other symbols", "damaged", "symbols that no voice has"])
def test_what_does_not_fit_counts_as_none(remembering, kept):
    vocabulary = remembering(BBC_SYMBOLS + "é" if kept == "other symbols" else BBC_SYMBOLS)
    content = vocabulary.record.read_text()
    if kept == "damaged":
        vocabulary.record.write_text(content.replace("doctor", "docter"))
    if kept == "symbols that no voice has":
        vocabulary._readings["naïve café"] = ("ñaïve", "")
        vocabulary.remember(TEXTS)
        vocabulary = remembering()
    fresh = Vocabulary(vocabulary.symbols)
    assert [vocabulary.clean(text) for text in TEXTS] == [fresh.clean(text) for text in TEXTS]
