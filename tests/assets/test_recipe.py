"""The recipe that makes the demo corpus and measures the demo voice."""

import os
import re
import shutil
from itertools import combinations, pairwise
from pathlib import Path

import inflection
import intelligibility
import numpy as np
import pytest
import sentences
import soundfile
import speak
from paths import DEMO_CORPUS

SYMBOLS = set(" abcdefghijklmnopqrstuvwxyz'.?,;")
SPELLINGS = r"""
tion$ sion$ [^aeiou]ough$ ought$ tough though$ through cough drought aught ^kn ^wr ph igh ould
^ch ^chef chem tch dge [ai][^aeiou]e$ [ou][^aeiou]e$ pp tt mm nn rr ll ss ff zz [pks]ed$
[nrlv]ed$ [td]ed$ [pktf]s$ [bdgnrlv]s$ (?:ch|sh|s|x)es$ ^th[aeiou] [aeiou]th$ ^qu x [^aeiou]y$
ey$ [bcdfgkpst]le$ mb$ lk lf ^gh gn stle ture$ sure cial cian cious tious ous$ able$ ible$
ment$ ness$ ful$ less$ ance$ ence$ eigh ^wh ^hon ^rh ^sc ^gu ^sch eau ai ay au aw ea ee ei ew
ey ie oa oi oy oo ou ow ue ui oar eer air are$ ire$ ore$ ure$ ing$ nk ck [^i]gue$ que n't$ 'll$
've$ 're$ 's$ 'd$
"""


pytestmark = pytest.mark.slow
needs_flite = pytest.mark.skipif(
    shutil.which("flite") is None and "VOICECOACH_REQUIRE_PROGRAMS" not in os.environ,
    reason="flite is not installed: apt install flite",
)


@pytest.fixture(scope="module")
def held_out() -> list[str]:
    return sentences.read_sentences(sentences.HELD_OUT)


@pytest.fixture(scope="module")
def demo() -> list[str]:
    return sentences.read_sentences(sentences.DEMO)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    out = tmp_path_factory.mktemp("recipe") / "sentences.txt"
    assert sentences.main(["--out", str(out)]) == 0
    return sentences.read_sentences(out)


def test_a_seed_gives_the_same_sentences_and_another_others() -> None:
    grammar = sentences.Grammar.read(sentences.LANGUAGE)
    once = sentences.generate(grammar, 300, seed=7)
    assert sentences.generate(grammar, 300, seed=7) == once
    assert sentences.generate(grammar, 300, seed=8) != once


def test_training_sentences_are_many_and_of_common_words(training: list[str]) -> None:
    assert len(training) == 9060
    words = [sentences.words_of(sentence) for sentence in training]
    assert len(set(map(tuple, words))) == 9060
    assert training[9000:] == sentences.read_sentences(sentences.VARIED)
    assert all(sentence[0].isupper() and sentence[-1] in ".?" for sentence in training)
    lengths = [len(each) for each in words[:9000]]
    assert set(lengths) == set(range(4, 13))
    assert 7 <= sum(lengths) / 9000 <= 8
    assert max(map(len, training[:9000])) <= 80
    counts = sorted(sentences.count_words(training[:9000]).values())
    assert 3000 <= len(counts) <= 3500
    assert counts[0] >= 7
    assert counts[len(counts) // 2] >= 10


def test_every_common_spelling_comes_in_several_sentences(training: list[str]) -> None:
    counts = sentences.count_words(training[:9000])
    times = {
        pattern: sum(counts[word] for word in counts if re.search(pattern, word))
        for pattern in SPELLINGS.split()
    }
    assert not {pattern: number for pattern, number in times.items() if number < 7}


def test_an_comes_before_a_vowel_sound_and_only_there(training: list[str]) -> None:
    sounds_else = {"hour", "honest", "useful", "useless"}
    for sentence in training:
        words = sentences.words_of(sentence)
        for word, following in pairwise(words):
            if word in ("a", "an"):
                vowel = (following[0] in "aeiou") != (following in sounds_else)
                assert (word == "an") == vowel, sentence


@pytest.mark.parametrize(
    ("word", "forms"),
    [
        ("bake", "bake bakes baked baked baking"),
        ("stop", "stop stops stopped stopped stopping"),
        ("carry", "carry carries carried carried carrying"),
        ("enjoy", "enjoy enjoys enjoyed enjoyed enjoying"),
        ("open", "open opens opened opened opening"),
        ("prefer*", "prefer prefers preferred preferred preferring"),
        ("quit/quit/quit", "quit quits quit quit quitting"),
        ("agree", "agree agrees agreed agreed agreeing"),
        ("go/went/gone", "go goes went gone going"),
        ("lie/lay/lain/lying", "lie lies lay lain lying"),
        ("watch", "watch watches watched watched watching"),
        ("fix", "fix fixes fixed fixed fixing"),
    ],
)
def test_verbs_are_inflected(word: str, forms: str) -> None:
    assert list(inflection.verb_forms(word).values()) == forms.split()


def test_nouns_and_adjectives_are_inflected() -> None:
    nouns = ["cat", "box", "city", "day", "potato", "piano", "child/children"]
    plurals = [inflection.noun_forms(noun)[".s"] for noun in nouns]
    assert plurals == ["cats", "boxes", "cities", "days", "potatoes", "pianos", "children"]
    adjectives = ["big", "large", "happy", "cold", "good/better/best"]
    grades = [" ".join(inflection.adjective_grades(word).values()) for word in adjectives]
    assert grades == [
        "big bigger biggest",
        "large larger largest",
        "happy happier happiest",
        "cold colder coldest",
        "good better best",
    ]


def test_a_phrase_is_inflected_at_its_head_a_slot_by_its_rule() -> None:
    deed = inflection.verb_phrase_forms("take/took/taken the {vehicle.s}")
    assert deed[".en"] == "taken the {vehicle.s}"
    assert inflection.verb_phrase_forms("{cook} the soup")[".ing"] == "{cook.ing} the soup"
    assert inflection.noun_phrase_forms("post office")[".s"] == "post offices"


def test_held_out_sentences_are_new_and_of_trained_words(
    training: list[str], held_out: list[str], demo: list[str]
) -> None:
    assert set("".join(training + held_out).lower()) <= SYMBOLS
    trained = [sentences.words_of(sentence) for sentence in training]
    assert not {tuple(sentences.words_of(one)) for one in demo} & set(map(tuple, trained))
    words = [sentences.words_of(sentence) for sentence in held_out]
    assert min(sentences.nearness(sentences.words_of(one), words) for one in demo) >= 3
    assert len(words) == 40
    assert all(5 <= len(each) <= 8 for each in words)
    assert max(len(set(a) & set(b)) for a, b in combinations(words, 2)) <= 3
    assert min(sentences.nearness(each, trained) for each in words) >= 3
    counts = sentences.count_words(training)
    assert min(counts[word] for word in sentences.count_words(held_out)) >= 8


def test_a_sentence_without_and_those_near_it_are_skipped() -> None:
    grammar = sentences.Grammar(
        {
            "sentence": ["{one} {two} {three} {four}."],
            "one": ["Anna", "Tom"],
            "two": ["sees", "hears"],
            "three": ["red", "blue"],
            "four": ["birds", "cars"],
        }
    )
    assert len(sentences.generate(grammar, 15, 3, without=["Tom sees red cars."])) == 15
    far = sentences.generate(grammar, 5, 3, far_from=["Tom sees red cars."])
    assert len(far) == 5
    with pytest.raises(ValueError, match="only 5 of 6"):
        sentences.generate(grammar, 6, 3, far_from=["Tom sees red cars."])


def test_a_grammar_with_a_hole_or_a_loop_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no line"):
        sentences.Grammar({"sentence": ["The {ghost} sleeps."]})
    with pytest.raises(ValueError, match="back to itself"):
        sentences.Grammar({"sentence": ["{sentence}"]})
    (tmp_path / "bad.txt").write_text("sentence: A cat.\nno colon here\n")
    with pytest.raises(ValueError, match="line 2"):
        sentences.Grammar.read([tmp_path / "bad.txt"])


def test_a_grammar_too_small_says_so() -> None:
    grammar = sentences.Grammar({"sentence": ["The cat is here.", "The dog is here."]})
    with pytest.raises(ValueError, match="only 2 of 3"):
        sentences.generate(grammar, 3, seed=1)


@needs_flite
def test_flite_speaks_a_corpus_that_the_recogniser_understands(
    tmp_path: Path, held_out: list[str]
) -> None:
    chosen = [4, 17, 31]
    spoken = [held_out[index] for index in chosen]
    speak.write_corpus(spoken, tmp_path, "clip", speak.Recording(suffix="flac"))
    rows = [line.split("|") for line in (tmp_path / "metadata.csv").read_text().splitlines()]
    assert [row[1] for row in rows] == spoken
    for index, row in zip(chosen, rows, strict=True):
        sound, rate = soundfile.read(tmp_path / "wavs" / f"{row[0]}.flac")
        assert rate == 22050
        assert np.abs(sound).max() < 1.0
        assert np.sqrt(np.mean(sound**2)) == pytest.approx(0.1, rel=0.01)
        assert intelligibility.recognise(sound, rate, held_out) == index


@needs_flite
def test_the_same_sentence_is_spoken_in_the_same_bytes(tmp_path: Path, demo: list[str]) -> None:
    for folder in ("first", "second"):
        speak.write_corpus(demo[:2], tmp_path / folder, "clip", speak.Recording())
    for name in ("clip-01.wav", "clip-02.wav"):
        first, second = (tmp_path / folder / "wavs" / name for folder in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


@needs_flite
def test_silence_at_the_ends_is_short() -> None:
    sound = np.abs(speak.speak("Put the pan on the table."))
    loud = np.flatnonzero(sound > 0.03 * sound.max())
    assert loud[0] < 0.15 * 22050
    assert len(sound) - loud[-1] < 0.15 * 22050


def test_missing_flite_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert speak.main([str(sentences.DEMO), "--out", str(tmp_path / "out")]) == 2
    assert "apt install flite" in capsys.readouterr().err


def test_noise_and_silence_are_not_taken_for_a_sentence(held_out: list[str]) -> None:
    noise = np.random.default_rng(1).normal(0.0, 0.1, 44100)
    assert intelligibility.recognise(noise, 22050, held_out) is None
    assert intelligibility.recognise(np.zeros(22050), 22050, held_out) is None
    assert intelligibility.recognise(np.zeros(0), 22050, held_out) is None


def test_the_exit_code_tells_whether_enough_was_understood(
    tmp_path: Path,
    held_out: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Hearing all forty takes long.
    few = held_out[:4]
    monkeypatch.setattr(intelligibility, "read_sentences", lambda: few)
    for index, sentence in enumerate(few):
        # The first says what the last says.
        sound = speak.speak(few[-1] if index == 0 else sentence)
        soundfile.write(intelligibility.clip_path(tmp_path, index + 1), sound, 22050)
    assert intelligibility.main(["--wavs", str(tmp_path), "--at-least", "3"]) == 0
    report = capsys.readouterr().out
    assert "3 of 4 understood" in report
    assert f"01.wav  WRONG  {few[0]}  heard: {few[-1]}" in report
    assert intelligibility.main(["--wavs", str(tmp_path), "--at-least", "4"]) == 1


def test_a_missing_clip_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert intelligibility.main(["--wavs", str(tmp_path)]) == 2
    assert "01.wav" in capsys.readouterr().err


def test_a_word_without_a_sound_is_named() -> None:
    with pytest.raises(ValueError, match="qwyjibo"):
        intelligibility.recognise(np.ones(1000), 22050, ["The qwyjibo sleeps."])


def test_the_bundled_corpus_speaks_the_demos_sentences(demo: list[str]) -> None:
    rows = [
        line.split("|") for line in (DEMO_CORPUS / "metadata.csv").read_text("utf-8").splitlines()
    ]
    assert [row[2] for row in rows] == demo
    assert len(set(demo)) == 155
    files = [DEMO_CORPUS / "wavs" / f"{row[0]}.flac" for row in rows]
    clips = [soundfile.info(path) for path in files]
    assert {(clip.samplerate, clip.channels, clip.subtype) for clip in clips} == {
        (16000, 1, "PCM_16")
    }
    assert 360 <= sum(clip.duration for clip in clips) <= 400
    assert all(1.8 <= clip.duration <= 3.5 for clip in clips)


@needs_flite
def test_the_demo_is_another_speaker_in_fourteen_bits(tmp_path: Path, demo: list[str]) -> None:
    recording = speak.Recording("rms", "flac", 16000, 14)
    speak.write_corpus(demo[:1], tmp_path, "demo", recording)
    ours = soundfile.read(tmp_path / "wavs" / "demo-01.flac", dtype="int16")[0]
    bundled = soundfile.read(DEMO_CORPUS / "wavs" / "demo-001.flac", dtype="int16")[0]
    assert np.array_equal(ours, bundled)
    assert not (ours % 4).any()
