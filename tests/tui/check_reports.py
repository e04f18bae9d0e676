"""Reports of checks as they come from the engine, for the screen's tests."""

from dataclasses import replace

from engine.check.report import (
    CheckReport,
    Coverage,
    Estimate,
    Finding,
    Histogram,
    Spread,
    TranscriptScore,
    UnknownCharacter,
)
from engine.data.metadata import Rejected

CLEAN = CheckReport(
    dataset="/data/recordings/alice",
    rows=1240,
    usable=1240,
    hours=2.14,
    findings=(),
    lengths=Histogram(tuple(range(12)), (0, 12, 55, 130, 201, 260, 233, 180, 101, 55, 13)),
    speaking_rate=Spread(11.9, 14.3, 17.2),
    loudness=Spread(-26.04, -23.1, -20.4),
    noise=Spread(30.2, 41.0, 52.1),
    unknown=(),
    coverage=Coverage(
        characters={"a": 5012, "b": 903},
        absent_characters=("q", ";"),
        absent_pairs=("ex", "gn"),
        pairs=0.87,
    ),
    estimates=(
        Estimate("text2mel", "bbc", "this machine (cpu)", 32, 20_000, 0.52, 10.68, 10.58),
        Estimate("ssrn", "bbc", "a V100, as the BBC measured it", 32, 49_000, 2.54, 5.36, None),
    ),
)
"""A corpus with nothing wrong."""


def missing(line: int) -> Finding:
    name = f"alice-{line:04d}"
    return Finding(
        "missing-recording", "error", line, name, f"wavs/{name}.wav",
        "there is no such file", "record it, or delete its line from metadata.csv",
    )  # fmt: skip


def pause(line: int, seconds: float) -> Finding:
    name = f"alice-{line:04d}"
    return Finding(
        "inner-pause", "warning", line, name, f"wavs/{name}.wav",
        f"a pause of {seconds:.2f} s at 2.1 s", "cut pauses to 0.5 s; `voicecoach clean` does",
        seconds,
    )  # fmt: skip


BROKEN = replace(
    CLEAN,
    usable=1237,
    left_out=tuple(Rejected(line, f"alice-{line:04}", "of no use") for line in (12, 407, 700)),
    with_errors=3,
    findings=(
        missing(12),
        missing(407),
        Finding(
            "malformed-row", "error", 700, "[red]alice-0700[/red]", "metadata.csv",
            "1 field, but a row needs 2", "write it as id|text",
        ),
        *(pause(20 + 9 * n, 0.61 + n / 10) for n in range(12)),
        Finding(
            "orphaned-recording", "note", None, "", "wavs/old/take [bad] 2.wav",
            "no row of metadata.csv names it", "add its transcript, or leave it",
        ),
    ),
    unknown=(
        UnknownCharacter("é", 14, 31, "the café on the corner", "e"),
        UnknownCharacter("—", 3, 88, "and then — nothing", " "),
        UnknownCharacter("\x07", 1, 90, "a bell \x07 rings", ""),
    ),
)  # fmt: skip
"""A corpus with some of everything."""

DOUBTED = replace(
    CLEAN,
    doubts=(
        TranscriptScore(
            88, "alice-0088", "we shall meet again in the spring, she said, and left",
            1.31, 0.21, 0.19, 0.31, 0.4,
        ),
        TranscriptScore(
            412, "alice-0412", "two birds sat on the old wall", 0.52, 0.11, 0.2, 0.8, 0.1
        ),
    ),
)  # fmt: skip
"""After a check with `--deep`."""
