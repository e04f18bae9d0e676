"""Transcripts that do not fit the length of their recording."""

import math
import random
from dataclasses import replace
from itertools import combinations

import pytest
from planted_sound import read_speech, timed

from engine.check.recordings import Recording
from engine.check.report import Finding
from engine.check.speaking_rate import rate_findings


def with_text_of(recording: Recording, other: Recording) -> Recording:
    return replace(recording, clip=replace(recording.clip, text=other.clip.text))


def found_at(recordings: list[Recording]) -> list[tuple[int, Finding]]:
    """The findings and their first lines."""
    return [(about[0].clip.line, found) for about, found in rate_findings(recordings)[0]]


def error_lines(recordings: list[Recording]) -> list[int]:
    return [line for line, found in found_at(recordings) if found.severity == "error"]


def test_real_speech_has_no_finding() -> None:
    findings, spread = rate_findings(read_speech())
    assert findings == []
    assert spread is not None
    assert 11 < spread.low < 13 < spread.median < 16 < spread.high < 19


@pytest.mark.slow
def test_swapped_texts_are_found_and_no_others() -> None:
    clips = read_speech()
    for a, b in combinations(clips, 2):
        changed = [
            with_text_of(clip, b if clip is a else a) if clip in (a, b) else clip for clip in clips
        ]
        assert {line for line, _ in found_at(changed)} <= {a.clip.line, b.clip.line}
        ratio = abs(math.log(len(a.clip.text) / len(b.clip.text)))
        if ratio > math.log(2.2):
            assert found_at(changed), (a, b)
        if ratio > math.log(3):
            assert error_lines(changed), (a, b)


def test_finding_names_usual_range_and_other_line() -> None:
    clips = read_speech()
    clips[1], clips[3] = with_text_of(clips[1], clips[3]), with_text_of(clips[3], clips[1])
    (fast_line, fast), (slow_line, slow) = found_at(clips)
    assert (fast.kind, fast_line) == ("spoken-too-fast", 2)
    assert fast.figure.startswith("46.8 characters/s over 1.9 s, where the corpus has ")
    assert fast.value == pytest.approx(89 / 1.9, abs=0.01)
    assert "line 4" in fast.advice
    assert (slow.kind, slow_line) == ("spoken-too-slowly", 4)
    assert "line 2" in slow.advice


def test_many_wrong_texts_do_not_become_the_norm() -> None:
    clips = read_speech()
    wrong = sorted(random.Random(3).sample(range(len(clips)), 10))
    for number in wrong:
        clips[number] = timed(number + 1, "x" * 30, 9.0 + 0.1 * number)
    assert error_lines(clips) == [number + 1 for number in wrong]


@pytest.mark.parametrize(("step", "fitting"), [(1, "next"), (-1, "previous")])
@pytest.mark.parametrize("first", [0, 16])
def test_texts_moved_by_a_line_are_one_finding(step: int, fitting: str, first: int) -> None:
    clips = read_speech()
    moved = [
        clip if n < first else with_text_of(clip, clips[(n + step) % len(clips)])
        for n, clip in enumerate(clips)
    ]
    ((about, shift),) = [
        pair for pair in rate_findings(moved)[0] if pair[1].kind == "shifted-texts"
    ]
    assert shift.severity == "error"
    assert f"the {fitting} clip's" in shift.figure
    assert len(about) == shift.value
    assert abs(about[0].clip.line - first) <= 4


@pytest.mark.parametrize(
    ("clips", "expected"),
    [
        (  # too few to know what is usual
            [timed(1, "x" * 40, 2.6), timed(2, "x" * 90, 1.0), timed(3, "x" * 5, 20.0)],
            [
                (2, "spoken-too-fast", "90.0 characters/s over 1.0 s, where speech has 3–35"),
                (3, "spoken-too-slowly", "0.2 characters/s over 20.0 s, where speech has 3–35"),
            ],
        ),
        (
            [*read_speech(), timed(90, "x" * 100, 0.3)],
            [(90, "spoken-too-fast", "333.3 characters/s over 0.3 s, where speech has 3–35")],
        ),
        ([timed(n, "漢字" * 5, 4.5) for n in range(4)], []),
    ],
)
def test_impossible_rates_are_compared_with_speech(clips, expected) -> None:
    found = found_at(clips)
    assert [(line, one.kind, one.figure) for line, one in found] == expected
    assert {one.severity for _, one in found} <= {"error"}


def test_clips_too_short_for_a_word_are_ignored() -> None:
    clicks = [timed(90 + n, "x" * 185, 0.1) for n in range(10)]
    assert rate_findings([*read_speech(), *clicks]) == rate_findings(read_speech())
    assert rate_findings([timed(1, "", 1.0), timed(2, "x" * 5, 0.0)]) == ([], None)
