"""Attention in words: planted faults are named, natural speech is not."""

import re

import numpy as np
import pytest

from engine.speech.misreadings import misreadings

TEXT = "the birch canoe slid on the smooth planks, and it was a fine day."
REST = re.findall(r"\w+", TEXT)[8:]
WORDS = ["birch", "canoe", "smooth", "planks", "day", "the", "was"]
FRAME = 0.05
places = pytest.mark.parametrize("pace", [0.9, 1.2, 3.0])
blur = pytest.mark.parametrize("width", [0.3, 1.0])


def read(pace, start=0, end=65):
    """The places of a text read evenly, with so many frames a character."""
    return list(np.arange(start, end, 1 / pace))


def found(path, width=0.7, text=TEXT):
    rows = np.arange(len(text) + 1)[:, None]
    weights = np.exp(-(((rows - np.array(path)[None]) / width) ** 2) / 2)
    attention = (weights / weights.sum(axis=0)).astype(np.float32)
    return [(one.kind, one.word, one) for one in misreadings(text + "E", attention, FRAME)]


def named(path, width=0.7):
    return [one[:2] for one in found(path, width)]


@blur
@places
def test_even_reading_and_pauses_are_natural(pace, width):
    comma = TEXT.index(",")
    assert named(read(pace), width) == []
    assert named(read(pace, 0, comma) + [comma] * 16 + read(pace, comma), width) == []
    vowel = [TEXT.index("oo")] * round(0.35 / FRAME)
    assert named(read(pace, 0, vowel[0]) + vowel + read(pace, vowel[0] + 1), width) == []


@blur
@places
@pytest.mark.parametrize("word", WORDS)
def test_a_word_passed_over_or_said_twice_is_named(word, pace, width):
    start, end = re.search(rf"\b{word}\b", TEXT).span()
    [(*what, one)] = found(read(pace, 0, max(0, start - 1)) + read(pace, end), width)
    assert (what, one.start, one.end) == (["skipped", word], start, end)
    assert one.seconds == pytest.approx(pace * max(0, start - 1) * FRAME, abs=2 * FRAME)
    [(*what, one)] = found(read(pace, 0, end) + read(pace, start), width)
    assert (what, one.start, one.end) == (["repeated", word], start, end)
    assert one.seconds == pytest.approx(pace * end * FRAME, abs=2 * FRAME)
    assert one.until == pytest.approx(pace * (2 * end - start) * FRAME, abs=3 * FRAME)


@places
def test_attention_that_stands_still_is_stuck_at_its_word(pace):
    place = TEXT.index("canoe") + 2
    path = read(pace, 0, place) + [place] * 30 + read(pace, place)
    [(*what, one)] = found(path)
    assert what == ["stuck", "canoe"]
    assert one.seconds == pytest.approx(pace * place * FRAME, abs=2 * FRAME)
    assert one.until - one.seconds == pytest.approx(30 * FRAME, abs=4 * FRAME)
    trembling = read(pace, 0, place) + [place, place + 1] * 15 + read(pace, place)
    assert named(trembling) == [("stuck", "canoe")]


def test_attention_that_never_moves_reads_nothing_else():
    first, *others = named([0] * 60)
    assert first == ("stuck", "the")
    assert others == [("skipped", word) for word in re.findall(r"\w+", TEXT)[1:]]


def test_words_after_a_cut_are_skipped_at_its_end():
    cut = found(read(1.2, 0, TEXT.index(" and")))
    assert [one[:2] for one in cut] == [("skipped", word) for word in REST]
    assert {one.seconds for *_, one in cut} == {round(len(read(1.2, 0, 42)) * FRAME, 3)}


def test_a_loop_names_its_words_once():
    start, end = TEXT.index("birch"), TEXT.index(" slid")
    looping = read(1.2, 0, end) + 3 * read(1.2, start, end) + read(1.2, end)
    (*birch, one), (*canoe, two) = found(looping)
    assert (birch, canoe) == (["repeated", "birch"], ["repeated", "canoe"])
    assert one.until - one.seconds > 1.5
    assert two.until <= (1.2 * (end + 3 * (end - start)) + 2) * FRAME


def test_what_is_no_reading_is_told_without_fault():
    nothing = np.empty((3, 0), np.float32)
    assert misreadings("abE", nothing, FRAME) == ()
    assert misreadings("", np.empty((0, 4), np.float32), FRAME) == ()
    assert misreadings("?!E", np.full((3, 90), np.nan, np.float32), FRAME) == ()
    padded = np.zeros((180, 40), np.float32)
    padded[np.arange(40) // 5, np.arange(40)] = 1
    assert misreadings("good dayE", padded, FRAME) == ()


def test_scripts_without_spaces_are_told_a_few_characters_at_a_time():
    text = "今日はとても良い天気です"
    path = [place for place in range(len(text)) if not 3 <= place < 6 for _ in range(3)]
    [(*what, one)] = found(path, 0.5, text)
    assert what == ["skipped", "とても"]
    assert (one.start, one.end) == (3, 6)
