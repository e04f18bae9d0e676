"""Transcripts that do not fit the length of their recording."""

import math
import random
from itertools import combinations

import pytest

from engine.check.speaking_rate import TimedText, rate_findings

# Characters and seconds of the first 32 clips of LJ Speech.
READ_SPEECH = """
151/9.66  30/1.90  155/9.67  89/5.14  143/8.11  74/5.68  114/8.39  25/1.78  104/7.55  116/8.82
74/4.51  108/8.24  43/2.58  168/9.95  166/9.24  79/5.27  137/7.02  124/7.48  110/6.42  63/4.67
126/8.61  110/7.05  132/8.45  117/7.86  110/8.87  86/6.09  139/9.64  69/5.93  75/5.32  95/6.92
99/7.86  105/7.08
"""


def timed(line: int, characters: int, seconds: float) -> TimedText:
    return TimedText(line, f"clip-{line}", f"wavs/clip-{line}.wav", "x" * characters, seconds)


def read_speech() -> list[TimedText]:
    clips = [clip.split("/") for clip in READ_SPEECH.split()]
    return [timed(n, int(text), float(long)) for n, (text, long) in enumerate(clips, start=1)]


def with_text_of(clip: TimedText, other: TimedText) -> TimedText:
    return TimedText(clip.line, clip.clip_id, clip.file, other.text, clip.seconds)


def test_real_speech_has_no_finding() -> None:
    findings, spread = rate_findings(read_speech())
    assert findings == []
    assert spread is not None
    assert 11 < spread.low < 13 < spread.median < 16 < spread.high < 19


def test_swapped_texts_are_found_and_no_others() -> None:
    clips = read_speech()
    for a, b in combinations(range(len(clips)), 2):
        changed = list(clips)
        changed[a] = with_text_of(clips[a], clips[b])
        changed[b] = with_text_of(clips[b], clips[a])
        findings, _ = rate_findings(changed)
        assert {finding.line for finding in findings} <= {clips[a].line, clips[b].line}
        ratio = len(clips[a].text) / len(clips[b].text)
        if abs(math.log(ratio)) > math.log(2.2):
            assert findings, (a, b)
        if abs(math.log(ratio)) > math.log(3):
            assert any(finding.severity == "error" for finding in findings), (a, b)


def test_finding_names_usual_range_and_other_line() -> None:
    clips = read_speech()
    clips[1], clips[3] = with_text_of(clips[1], clips[3]), with_text_of(clips[3], clips[1])
    fast, slow = rate_findings(clips)[0]
    assert (fast.kind, fast.line, fast.clip_id) == ("spoken-too-fast", 2, "clip-2")
    assert fast.file == "wavs/clip-2.wav"
    assert fast.figure.startswith("46.8 characters/s over 1.9 s, where the corpus has ")
    assert fast.value == pytest.approx(89 / 1.9, abs=0.01)
    assert "line 4" in fast.advice
    assert (slow.kind, slow.line) == ("spoken-too-slowly", 4)
    assert "line 2" in slow.advice


def test_many_wrong_texts_do_not_become_the_norm() -> None:
    clips = read_speech()
    wrong = random.Random(3).sample(range(len(clips)), 10)
    for number in wrong:
        clips[number] = timed(clips[number].line, 30, 9.0 + 0.1 * number)
    findings, _ = rate_findings(clips)
    found = {finding.line for finding in findings if finding.severity == "error"}
    assert found == {number + 1 for number in wrong}


@pytest.mark.parametrize(("step", "fitting"), [(1, "next"), (-1, "previous")])
@pytest.mark.parametrize("first", [0, 16])
def test_texts_moved_by_a_line_are_one_finding(step: int, fitting: str, first: int) -> None:
    clips = read_speech()
    moved = [
        clip if n < first else with_text_of(clip, clips[(n + step) % len(clips)])
        for n, clip in enumerate(clips)
    ]
    shifts = [f for f in rate_findings(moved)[0] if f.kind == "shifted-texts"]
    assert [finding.severity for finding in shifts] == ["error"]
    assert f"the {fitting} clip's" in shifts[0].figure
    assert abs((shifts[0].line or 0) - first) <= 4


def test_impossible_rates_are_found_in_two_clips() -> None:
    findings, _ = rate_findings([timed(1, 40, 2.6), timed(2, 90, 1.0), timed(3, 5, 20.0)])
    assert [(f.line, f.kind, f.severity) for f in findings] == [
        (2, "spoken-too-fast", "error"),
        (3, "spoken-too-slowly", "error"),
    ]


def test_clips_too_short_for_a_word_are_ignored() -> None:
    clips = read_speech()
    clicks = [timed(90 + n, 185, 0.1) for n in range(10)]
    assert rate_findings([*clips, *clicks]) == rate_findings(clips)
    assert rate_findings([timed(1, 0, 1.0), timed(2, 5, 0.0)]) == ([], None)


def test_short_clip_is_compared_with_speech() -> None:
    [finding] = rate_findings([*read_speech(), timed(90, 100, 0.3)])[0]
    assert finding.severity == "error"
    assert finding.figure == "333.3 characters/s over 0.3 s, where speech has 3–35"


def test_script_of_syllables_is_slow() -> None:
    clips = [TimedText(n, "a", "wavs/a.wav", "漢字" * 5, 4.5) for n in range(4)]
    assert rate_findings(clips)[0] == []
