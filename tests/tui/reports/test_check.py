"""A check's report on the terminal."""

import contextlib
import io
from dataclasses import replace

import pytest
from check_reports import BROKEN, CLEAN, DOUBTED, missing
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.check.report import Finding, UnknownCharacter
from engine.data.metadata import LEFT_OUT, Rejected
from tui.reports.check import print_check


def printed(report, width: int = 80, encoding: str = "utf-8") -> str:
    """What comes out of a pipe that is so wide."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding=encoding, errors="strict")
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setenv("COLUMNS", str(width))
        print_check(report)
        out.flush()
    return raw.getvalue().decode(encoding)


@pytest.mark.parametrize(
    ("report", "answer"),
    [
        (BROKEN, "3 of 1,240 clips have errors. Training leaves them out and uses 1,237 clips."),
        (CLEAN, "Ready to train: 1,240 clips, no errors."),
        (
            replace(CLEAN, findings=BROKEN.findings[3:4]),
            "Ready to train: 1,240 clips, no errors, warnings in 1 clip.",
        ),
        (
            replace(BROKEN, rows=1, usable=0, with_errors=1, hours=0.0, findings=(missing(1),)),
            "No clip can be used: errors in 1 clip. Fix the errors first.",
        ),
    ],
)
def test_the_answer_comes_before_everything_else(report, answer):
    assert printed(report).splitlines()[1] == answer


def test_figures_carry_their_units():
    said = printed(CLEAN)
    for figure in (
        "1,240 of 1,240 usable",
        "2h08m, 6.2 s a clip on average",
        "14.3 characters/s (11.9 to 17.2)",
        "−23.1 dBFS (−26.0 to −20.4)",
        "41 dB (30 to 52)",
        "87 % of English",
    ):
        assert figure in said
    assert "$10.58 at $0.99/h on this machine (cpu)" in " ".join(said.split())


def test_a_histogram_shows_how_long_clips_are():
    lines = printed(CLEAN).splitlines()
    bars = {line.split()[0]: line.count("█") for line in lines if "█" in line}
    assert bars["5–6"] == max(bars.values())
    assert bars["1–2"] < bars["3–4"] < bars["5–6"] > bars["8–9"] > bars["10–11"] > 0
    assert "0–1" not in bars


def test_clips_that_the_person_left_out_are_no_errors():
    by_hand = (Rejected(20, "alice-0020", "left out by you", LEFT_OUT),)
    said = printed(replace(CLEAN, left_out=by_hand))
    assert "Ready to train: 1,240 clips, no errors. You left out 1 clip." in said
    words = " ".join(printed(replace(BROKEN, left_out=(*BROKEN.left_out, *by_hand))).split())
    assert "Training leaves them out and uses 1,237 clips. You left out 1 clip." in words


def test_findings_are_listed_by_severity_above_their_advice():
    said = printed(BROKEN)
    kinds = ["missing recording", "malformed row", "inner pause", "orphaned recording"]
    assert sorted(kinds, key=said.index) == kinds
    assert "line 12  wavs/alice-0012.wav  there is no such file" in said
    assert said.count("Record it, or delete its line from metadata.csv.") == 1
    other = [replace(missing(line), advice="look for it") for line in (7, 30)]
    found = (missing(3), other[0], missing(12), other[1])
    said = printed(replace(CLEAN, findings=found)).splitlines()
    start = next(n for n, text in enumerate(said) if "missing recording" in text)
    assert [" ".join(text.split()[:3]) for text in said[start + 1 : start + 7]] == [
        "line 3 wavs/alice-0003.wav",
        "line 12 wavs/alice-0012.wav",
        "→ Record it,",
        "line 7 wavs/alice-0007.wav",
        "line 30 wavs/alice-0030.wav",
        "→ Look for",
    ]


def test_of_many_findings_each_advice_has_its_share():
    many = [missing(line) for line in range(1, 31)]
    many += [replace(missing(line), advice="look for it") for line in range(31, 40)]
    said = printed(replace(CLEAN, findings=tuple(many)))
    block = said[said.index("missing recording") : said.index("English coverage")]
    assert block.count("wavs/alice") == 10
    assert block.index("and 25 more") < block.index("Record it") < block.index("line 31")
    assert block.index("line 35") < block.index("and 4 more") < block.index("Look for it.")


def test_unknown_characters_are_listed_once_with_advice():
    said = [" ".join(line.split()) for line in printed(BROKEN).splitlines()]
    assert "é 14× read as e line 31 the café on the corner" in said
    assert "— 3× read as a space line 88 and then — nothing" in said
    assert "U+0007 1× left out line 90 a bell \N{REPLACEMENT CHARACTER} rings" in said
    lost = Finding(
        "unknown-character", "warning", 88, "", "metadata.csv", "'—' 3 times", "write it otherwise"
    )
    report = replace(BROKEN, findings=(*BROKEN.findings, lost))
    said = [" ".join(line.split()) for line in printed(report).splitlines()]
    assert "'—' 3 times" not in "\n".join(said)
    title = next(line for line in said if "outside the vocabulary" in line)
    assert title.startswith("warning characters")
    assert "→ Write it otherwise." in said[said.index(title) :]


def test_transcript_scores_are_ranked():
    lines = [line.split() for line in printed(DOUBTED, 120).splitlines()]
    assert ["1.", "1.31", "88", "alice-0088", "0.2100", "0.1900", "0.31"] in [
        line[:7] for line in lines
    ]
    assert "2." in [line[0] for line in lines if line]


@pytest.mark.parametrize("width", [40, 80, 120, 300])
@pytest.mark.parametrize("report", [BROKEN, DOUBTED])
def test_no_line_is_wider_than_the_terminal(report, width):
    lines = printed(report, width).splitlines()
    assert max(map(len, lines)) <= min(width, 120)


def test_a_pipe_gets_neither_colours_nor_what_it_cannot_write():
    assert "\x1b" not in printed(BROKEN)
    assert "[red]alice-0700[/red]" in printed(BROKEN)
    for report in (BROKEN, DOUBTED):
        in_ascii = printed(report, encoding="ascii")
        assert "-23.1 dBFS" in in_ascii
        assert "##" in in_ascii


TEXT = st.text(max_size=60)
FINDINGS = st.builds(
    Finding,
    kind=TEXT,
    severity=st.sampled_from(["error", "warning", "note"]),
    line=st.none() | st.integers(1, 10**6),
    clip_id=TEXT,
    file=TEXT,
    figure=TEXT,
    advice=TEXT,
)
UNKNOWN = st.builds(
    UnknownCharacter,
    character=st.characters(),
    count=st.integers(1, 10**9),
    line=st.integers(1, 10**6),
    example=TEXT,
    becomes=st.text(max_size=2),
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.lists(FINDINGS, max_size=4), st.lists(UNKNOWN, max_size=3), st.sampled_from([40, 80, 120])
)
def test_whatever_the_data_hold_is_shown_as_text(findings, unknown, width):
    report = replace(CLEAN, dataset="d", findings=tuple(findings), unknown=tuple(unknown))
    said = printed(report, width)
    assert all(letter.isprintable() or letter == "\n" for letter in said)
    assert max(cell_len(line) for line in said.split("\n")) <= width
