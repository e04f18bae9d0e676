"""A whole corpus with planted faults: each is found in its place and hides no other."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from paths import DEMO_CORPUS, SPEECH
from planted_sound import CHANGES, RATE, Samples, to_rate

from engine.check.report import CheckReport
from engine.check.survey import Survey, judge, measure_corpus
from engine.data.audio import AudioSpec
from engine.data.clips import Limits, scan_corpus
from engine.errors import Cancelled
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary


@dataclass
class Line:
    """A line of `metadata.csv`."""

    clip_id: str
    text: str
    content: bytes = b""
    """The whole line, where it is damaged."""


@dataclass
class Corpus:
    folder: Path
    lines: list[Line]
    expected: set[tuple[int | None, str]] = field(default_factory=set)
    """Planted faults: line and kind."""

    def recording(self, line: Line) -> Path:
        return self.folder / "wavs" / f"{line.clip_id}.wav"

    def sound(self, line: Line) -> Samples:
        return soundfile.read(self.recording(line))[0]

    def write(self, line: Line, samples: Samples, rate: int = RATE) -> None:
        soundfile.write(self.recording(line), samples, rate)

    def report(self) -> CheckReport:
        lines = [line.content or f"{line.clip_id}|{line.text}".encode() for line in self.lines]
        (self.folder / "metadata.csv").write_bytes(b"\n".join(lines))
        return check(self.folder).report


def check(folder: Path, **how: Callable) -> Survey:
    watching = {"on_progress": lambda done, total: None, "cancelled": lambda: False}
    vocabulary = Vocabulary(BBC_SYMBOLS)
    given = (scan_corpus(folder), vocabulary, Limits(), AudioSpec())
    return judge(measure_corpus(*given, **(watching | how)))


def speech_corpus(folder: Path, demo_clips: int) -> Path:
    """Three clips of real speech, and so many of the demo's speaker, in 16-bit WAV."""
    (folder / "wavs").mkdir()
    rows = []
    for source, count in ((SPEECH, 3), (DEMO_CORPUS, demo_clips)):
        for line in (source / "metadata.csv").read_text().splitlines()[:count]:
            clip_id, *_, text = line.split("|")
            rows.append(f"{clip_id}|{text}")
            samples, rate = soundfile.read(source / "wavs" / f"{clip_id}.flac")
            samples = soxr.resample(samples, rate, RATE)
            soundfile.write(folder / "wavs" / f"{clip_id}.wav", samples, RATE)
    (folder / "metadata.csv").write_text("\n".join(rows))
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return speech_corpus(tmp_path_factory.mktemp("good"), 4)


def opened(folder: Path) -> Corpus:
    rows = (folder / "metadata.csv").read_text().splitlines()
    return Corpus(folder, [Line(*row.split("|")) for row in rows])


@pytest.fixture
def corpus(good: Path, tmp_path: Path) -> Corpus:
    return opened(shutil.copytree(good, tmp_path / "corpus"))


Plant = Callable[[Corpus, Line], object]


def sound(change: Callable[[Samples], Samples], rate: int = RATE) -> Plant:
    def plant(corpus: Corpus, line: Line) -> None:
        corpus.write(line, change(corpus.sound(line)), rate)

    return plant


def file(change: Callable[[Path], object]) -> Plant:
    return lambda corpus, line: change(corpus.recording(line))


def text(new: str) -> Plant:
    return lambda corpus, line: setattr(line, "text", new)


def content(change: Callable[[Line], bytes]) -> Plant:
    return lambda corpus, line: setattr(line, "content", change(line))


def copied_and_converted(corpus: Corpus, line: Line) -> None:
    samples = to_rate(32_000)(corpus.sound(corpus.lines[0]))
    corpus.write(line, 0.7 * samples, 32_000)


HURRIED = (
    "this is much more than anybody, however hurried, could ever have said before such a "
    "short recording has ended, for he would have to speak five times as fast as usual."
)
SOUNDS = ["zeros", "clipped", "far offset", "in noise", "late", "pause", "far too long", "stereo"]
PLANTS: dict[str, tuple[str, Plant]] = {
    **{name: (CHANGES[name][1], sound(CHANGES[name][0])) for name in SOUNDS},
    "quieter": ("loudness-outlier", sound(lambda x: 0.2 * x)),
    "louder": ("loudness-outlier", sound(lambda x: np.clip(3.5 * x, -1, 1))),
    "other rate": ("mixed-rates", sound(to_rate(44_100), 44_100)),
    "low rate": ("low-rate", sound(to_rate(8_000), 8_000)),
    "copy": (  # of two that are alike the later one is reported
        "duplicate-recording",
        lambda corpus, line: shutil.copy(corpus.recording(corpus.lines[0]), corpus.recording(line)),
    ),
    "converted copy": ("duplicate-recording", copied_and_converted),
    "half a file": ("truncated", file(lambda p: p.write_bytes(p.read_bytes()[:-30_000]))),
    "missing": ("missing-recording", file(Path.unlink)),
    "orphan": (
        "orphaned-recording",
        file(lambda p: shutil.copy(p, p.with_name(f"nobody-{p.name}"))),
    ),
    "many fields": (
        "field-count",
        content(lambda line: f"{line.clip_id}|{line.text}|more|and more".encode()),
    ),
    "same id": ("duplicate-id", content(lambda line: b"LJ001-0002|once more.")),
    "no text": ("no-text", text(" ")),
    "endless text": ("text-too-long", text("and so on, " * 20)),
    "wrong text": ("spoken-too-fast", text(HURRIED)),
    "Latin-1": ("not-utf-8", content(lambda line: line.clip_id.encode() + b"| caf\xe9.")),
}


def plant(corpus: Corpus, name: str, place: int) -> Line:
    line = corpus.lines[place]
    kind, change = PLANTS[name]
    # A recording that no line names has no line.
    corpus.expected.add((None if name == "orphan" else place + 1, kind))
    change(corpus, line)
    return line


def test_good_corpus_has_no_error(good: Path) -> None:
    report = check(good).report
    assert not report.harmful
    assert report.usable == report.rows == sum(report.lengths.counts) == 7
    assert {f.kind for f in report.findings if f.line} <= {"upsampled"}
    seconds = sum(soundfile.info(path).duration for path in (good / "wavs").iterdir())
    assert report.hours == pytest.approx(seconds / 3600, rel=0.03)
    assert report.loudness is not None
    assert report.speaking_rate is not None
    assert report.noise is not None
    assert report.noise.low > 30


OF_TEXT = ["endless text", "wrong text", "many fields", "no text"]
OF_SOUND = ["clipped", "late", "low rate", "half a file"]


@pytest.mark.slow
def test_every_fault_is_found_where_it_is_and_hides_no_other(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Each planted in a line of its own, then those of texts and of sounds in one line."""
    corpus = opened(speech_corpus(tmp_path_factory.mktemp("planted"), 60))
    spoiled = [(name,) for name in PLANTS] + list(product(OF_TEXT, OF_SOUND))
    for place, names in enumerate(spoiled, start=4):
        for name in reversed(names):
            plant(corpus, name, place)
    report = corpus.report()
    found = {(one.line, one.kind) for one in report.findings}
    assert corpus.expected - found == set()
    # Of line 1 there are copies with other texts: which is right is not known.
    good = {*range(2, 5), *range(5 + len(spoiled), len(corpus.lines) + 1)}
    assert [one for one in report.findings if one.line in good and one.severity == "error"] == []
    assert all(one.figure and one.advice for one in report.findings)
    json.dumps(report.as_json(), allow_nan=False)


def test_same_corpus_gives_the_same_report(corpus: Corpus) -> None:
    for place, name in enumerate(["clipped", "late", "missing", "no text", "in noise", "orphan"]):
        plant(corpus, name, place)
    first = corpus.report()
    assert corpus.expected <= {(one.line, one.kind) for one in first.findings}
    assert corpus.report() == first
    assert [row.line for row in first.left_out] == [1, 3, 4, 5]
    assert first.usable == first.clips - first.with_errors == 3
    ranks = [("error", "warning", "note").index(f.severity) for f in first.findings]
    assert ranks == sorted(ranks)


def test_second_of_two_copies_with_the_same_words_is_left_out(corpus: Corpus) -> None:
    line = plant(corpus, "copy", 3)
    line.text = corpus.lines[0].text.upper().replace(".", "!")
    (found,) = [f for f in corpus.report().findings if f.kind == "duplicate-recording"]
    assert (found.severity, found.line) == ("error", 4)
    assert corpus.lines[0].clip_id in found.figure


def test_sound_that_most_recordings_have_leaves_none_out(corpus: Corpus) -> None:
    for place in range(4):
        plant(corpus, "in noise", place)
    report = corpus.report()
    assert (report.usable, report.left_out) == (7, ())
    assert {f.severity for f in report.findings if f.kind == "noisy"} == {"warning"}


def test_fault_of_all_recordings_is_reported_once(corpus: Corpus) -> None:
    for number in range(3):
        extra = Line(f"extra-{number}", "Keep the receipt.")
        corpus.write(extra, corpus.sound(corpus.lines[number])[::-1])
        corpus.lines.append(extra)
    for line in corpus.lines:
        corpus.write(line, to_rate(44_100)(corpus.sound(line)), 44_100)
    (found,) = [f for f in corpus.report().findings if f.kind == "other-rate"]
    assert found.line is None
    assert "all 10 recordings" in found.figure
    assert "44,100 Hz" in found.figure


def test_shapes_and_files_are_of_the_usable_clips(corpus: Corpus) -> None:
    plant(corpus, "zeros", 2)
    plant(corpus, "no text", 3)
    corpus.report()
    found = check(corpus.folder)
    assert len(found.shapes) == found.report.usable == 7 - 2
    assert found.shapes[0].characters == len("in being comparatively modern.") + 1
    assert found.shapes[0].frames == pytest.approx(1.9 * RATE / 1_100, abs=2)
    assert found.files[1] == "wavs/LJ001-0002.wav"


def test_nothing_usable_is_a_finding(corpus: Corpus) -> None:
    for line in corpus.lines:
        corpus.recording(line).write_bytes(b"")
    report = corpus.report()
    assert report.usable == 0
    assert report.harmful
    assert "too-few-clips" in {f.kind for f in report.findings}


def test_progress_and_cancelling(good: Path) -> None:
    steps: list[tuple[int, int]] = []

    def run(limit: int) -> None:
        steps.clear()
        check(
            good,
            on_progress=lambda done, total: steps.append((done, total)),
            cancelled=lambda: len(steps) > limit,
        )

    run(100)
    assert steps == [(done, 7) for done in range(8)]
    with pytest.raises(Cancelled):
        run(3)
    assert len(steps) == 4
