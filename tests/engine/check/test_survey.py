"""A whole corpus with faults planted in it: each is found where it is, and hides no other."""

import itertools
import json
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from engine.check.report import CheckReport
from engine.check.survey import survey
from engine.data.audio import AudioSpec
from engine.data.clips import Limits, scan_corpus
from engine.errors import Cancelled, InputError
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ljspeech-3"
DEMO = Path(__file__).parents[3] / "assets" / "demo" / "corpus"
RATE = 22_050


@dataclass
class Line:
    """A line of the list; the parts of one that is damaged are written as they are."""

    clip_id: str
    text: str
    whole: bytes | None = None
    expected: list[str] = field(default_factory=list)
    """Kinds that must be found at this line."""

    def content(self) -> bytes:
        return f"{self.clip_id}|{self.text}".encode() if self.whole is None else self.whole


@dataclass
class Corpus:
    folder: Path
    lines: list[Line]
    expected_files: list[tuple[str, str]] = field(default_factory=list)
    """Kinds that must be found, and the files that they are about."""

    def recording(self, line: Line) -> Path:
        return self.folder / "wavs" / f"{line.clip_id}.wav"

    def sound(self, line: Line) -> np.ndarray:
        return soundfile.read(self.recording(line))[0]

    def write(self, line: Line, samples: np.ndarray, rate: int = RATE, **how: str) -> None:
        soundfile.write(self.recording(line), samples, rate, **how)

    def save(self) -> None:
        data = b"\n".join(line.content() for line in self.lines)
        (self.folder / "metadata.csv").write_bytes(data)


def rows_of(folder: Path, ids: list[str] | None = None) -> list[tuple[str, str]]:
    rows = [line.split("|") for line in (folder / "metadata.csv").read_text().splitlines()]
    return [(row[0], row[-1]) for row in rows if ids is None or row[0] in ids]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine clips of speech in 16-bit WAV."""
    folder = tmp_path_factory.mktemp("good")
    (folder / "wavs").mkdir()
    rows = rows_of(FIXTURES) + rows_of(DEMO, [f"demo-0{i}" for i in range(1, 7)])
    for clip_id, _ in rows:
        source = FIXTURES if clip_id.startswith("LJ") else DEMO
        samples, rate = soundfile.read(source / "wavs" / f"{clip_id}.flac")
        soundfile.write(folder / "wavs" / f"{clip_id}.wav", samples, rate)
    (folder / "metadata.csv").write_text("\n".join("|".join(row) for row in rows))
    return folder


def copied(good: Path, folder: Path) -> Corpus:
    shutil.copytree(good, folder)
    return Corpus(folder, [Line(*row) for row in rows_of(good)])


def checked(folder: Path) -> CheckReport:
    return survey(
        scan_corpus(folder),
        Vocabulary(BBC_SYMBOLS),
        Limits(),
        AudioSpec(),
        on_progress=lambda done, total: None,
        cancelled=lambda: False,
    ).report


Plant = Callable[[Corpus, Line], None]
PLANTS: dict[str, tuple[Plant, str]] = {}


def plants(kind: str) -> Callable[[Plant], Plant]:
    """Register a way to spoil a line, and the kind that it must be found as."""

    def register(plant: Plant) -> Plant:
        PLANTS[plant.__name__] = (plant, kind)
        return plant

    return register


def changes_sound(kind: str, name: str, change: Callable[[np.ndarray], np.ndarray]) -> None:
    def plant(corpus: Corpus, line: Line) -> None:
        corpus.write(line, change(corpus.sound(line)))

    PLANTS[name] = (plant, kind)


def room(seconds: float) -> np.ndarray:
    return 0.0003 * np.random.default_rng(4).standard_normal(int(seconds * RATE))


def noise(x: np.ndarray, below: float) -> np.ndarray:
    level = np.sqrt(np.mean(x**2)) * 10 ** (-below / 20)
    return level * np.random.default_rng(3).standard_normal(len(x))


def gap(x: np.ndarray, seconds: float) -> np.ndarray:
    count = int(seconds * RATE)
    place = int(np.convolve(x**2, np.ones(count), "valid").argmax())
    return np.concatenate([x[:place], np.zeros(count), x[place + count :]])


changes_sound("silent", "silence", np.zeros_like)
changes_sound("nearly-silent", "hardly a sound", lambda x: 0.004 * x)
changes_sound("loudness-outlier", "quieter", lambda x: 0.2 * x)
changes_sound("loudness-outlier", "louder", lambda x: np.clip(3.5 * x, -1, 1))
changes_sound("clipped", "clipped", lambda x: np.clip(6 * x, -1, 1))
changes_sound("clipped", "flat tops", lambda x: np.clip(x, -0.1, 0.1))
changes_sound("upsampled", "telephone", lambda x: soxr.resample(soxr.resample(x, 22, 8), 8, 22))
changes_sound("dc-offset", "offset", lambda x: x + 0.1)
changes_sound("noisy", "noise", lambda x: x + noise(x, 10))
changes_sound("hum", "hum", lambda x: x + 0.01 * np.sin(100 * np.pi * np.arange(len(x)) / RATE))
changes_sound("leading-pause", "late", lambda x: np.concatenate([room(1), x]))
changes_sound("trailing-pause", "long after", lambda x: np.concatenate([x, room(1)]))
changes_sound("inner-pause", "pause", lambda x: np.concatenate([x[:RATE], room(1), x[RATE:]]))
changes_sound("too-long", "too long", lambda x: np.tile(x, 7))
changes_sound("too-short", "too short", lambda x: x[RATE // 2 : RATE // 2 + 3_000])
changes_sound("dropout", "dropout", lambda x: gap(x, 0.06))
changes_sound("stereo", "stereo", lambda x: np.stack([x, x], axis=1))
changes_sound("opposed-channels", "turned", lambda x: np.stack([x, -x], axis=1))
changes_sound("dead-channel", "dead channel", lambda x: np.stack([x, 0 * x], axis=1))
changes_sound("different-channels", "two sounds", lambda x: np.stack([x, x[::-1]], axis=1))


@plants("mixed-rates")
def other_rate(corpus: Corpus, line: Line) -> None:
    corpus.write(line, soxr.resample(corpus.sound(line), RATE, 44_100), 44_100)


@plants("low-rate")
def low_rate(corpus: Corpus, line: Line) -> None:
    corpus.write(line, soxr.resample(corpus.sound(line), RATE, 8_000), 8_000)


@plants("8-bit")
def eight_bits(corpus: Corpus, line: Line) -> None:
    corpus.write(line, corpus.sound(line), subtype="PCM_U8")


@plants("lossy-coding")
def lossy(corpus: Corpus, line: Line) -> None:
    corpus.write(line, corpus.sound(line), subtype="ULAW")


@plants("absurd-samples")
def not_numbers(corpus: Corpus, line: Line) -> None:
    corpus.write(line, corpus.sound(line) * np.nan, subtype="FLOAT")


@plants("truncated")
def truncated(corpus: Corpus, line: Line) -> None:
    path = corpus.recording(line)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@plants("empty")
def empty(corpus: Corpus, line: Line) -> None:
    corpus.recording(line).write_bytes(b"")


@plants("not-wav-or-flac")
def another_format(corpus: Corpus, line: Line) -> None:
    corpus.recording(line).write_bytes(b"ID3\x04" + bytes(5_000))


@plants("unreadable")
def damaged(corpus: Corpus, line: Line) -> None:
    corpus.recording(line).write_bytes(b"RIFF\xff\x10\0\0WAVEfmt " + bytes(5_000))


@plants("duplicate-recording")
def copied_recording(corpus: Corpus, line: Line) -> None:
    # Of two alike the later one is told.
    shutil.copy(corpus.recording(corpus.lines[0]), corpus.recording(line))


@plants("duplicate-recording")
def copied_recording_converted(corpus: Corpus, line: Line) -> None:
    samples = soxr.resample(corpus.sound(corpus.lines[0]), RATE, 32_000)
    corpus.write(line, 0.7 * samples, 32_000)


@plants("missing-recording")
def missing(corpus: Corpus, line: Line) -> None:
    corpus.recording(line).unlink()


@plants("not-a-file")
def link_to_nowhere(corpus: Corpus, line: Line) -> None:
    corpus.recording(line).unlink()
    corpus.recording(line).symlink_to("nowhere.wav")


@plants("orphaned-recording")
def orphan(corpus: Corpus, line: Line) -> None:
    name = f"nobody-{line.clip_id}.wav"
    shutil.copy(corpus.recording(line), corpus.folder / "wavs" / name)
    corpus.expected_files.append(("orphaned-recording", f"wavs/{name}"))
    line.expected.remove("orphaned-recording")


@plants("field-count")
def no_field(corpus: Corpus, line: Line) -> None:
    line.whole = line.clip_id.encode()


@plants("field-count")
def many_fields(corpus: Corpus, line: Line) -> None:
    line.whole = line.content() + b"|more|and more"


@plants("duplicate-id")
def again(corpus: Corpus, line: Line) -> None:
    line.whole = corpus.lines[0].content()


@plants("no-text")
def no_text(corpus: Corpus, line: Line) -> None:
    line.text = " "


@plants("no-id")
def no_id(corpus: Corpus, line: Line) -> None:
    line.whole = b"|" + line.text.encode()


@plants("outside-wavs")
def outside(corpus: Corpus, line: Line) -> None:
    line.whole = b"../../etc/passwd|" + line.text.encode()


@plants("text-too-long")
def endless_text(corpus: Corpus, line: Line) -> None:
    line.text = "and so on, " * 20


@plants("spoken-too-fast")
def wrong_text(corpus: Corpus, line: Line) -> None:
    line.text = (
        "this is much more than anybody, however hurried, could ever have said before such a "
        "short recording has ended, for he would have to speak five times as fast as usual."
    )


@plants("not-utf-8")
def latin(corpus: Corpus, line: Line) -> None:
    line.whole = line.content() + b" caf\xe9."


def spoil(corpus: Corpus, name: str, place: int) -> Line:
    line = corpus.lines[place]
    plant, kind = PLANTS[name]
    line.expected.append(kind)
    plant(corpus, line)
    return line


def require_found(corpus: Corpus, spoiled: list[Line]) -> None:
    corpus.save()
    report = checked(corpus.folder)
    found = {(finding.line, finding.kind) for finding in report.findings}
    for number, line in enumerate(corpus.lines, start=1):
        assert {(number, kind) for kind in line.expected} <= found, report.findings
    about = {(finding.kind, finding.file) for finding in report.findings}
    assert set(corpus.expected_files) <= about
    innocent = {n for n, line in enumerate(corpus.lines, start=1) if line not in spoiled}
    blamed = [f for f in report.findings if f.severity == "error" and f.line in innocent]
    assert not blamed
    assert all(finding.figure and finding.advice for finding in report.findings)
    json.dumps(report.as_json(), allow_nan=False)


def test_a_good_corpus_has_no_error(good: Path) -> None:
    report = checked(good)
    assert not report.harmful
    assert report.usable == report.rows == 9
    assert {f.kind for f in report.findings if f.line} <= {"upsampled"}
    assert report.hours == pytest.approx(
        sum(soundfile.info(path).duration for path in (good / "wavs").iterdir()) / 3600, rel=0.03
    )
    assert sum(report.lengths.counts) == 9
    assert report.loudness is not None
    assert report.noise is not None
    assert report.speaking_rate is not None
    assert report.noise.low > 30


@pytest.mark.parametrize("name", PLANTS)
def test_each_fault_alone(name: str, good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    require_found(corpus, [spoil(corpus, name, 4)])


def chosen_pairs() -> list[tuple[str, str]]:
    """Every fault in some pairs, the same ones in every run."""
    rng = random.Random(8)
    names = list(PLANTS)
    pairs = []
    for shift in range(2):
        others = names[:]
        rng.shuffle(others)
        pairs += [(a, b) for a, b in zip(names, others, strict=True) if a != b or shift]
    return pairs


@pytest.mark.parametrize(("one", "other"), chosen_pairs())
def test_two_faults_in_different_lines(one: str, other: str, good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    spoiled = [spoil(corpus, one, 5), spoil(corpus, other, 2)]
    require_found(corpus, spoiled)


OF_THE_TEXT = ["endless_text", "wrong_text", "many_fields", "no_text", "latin"]
OF_THE_SOUND = ["clipped", "noise", "late", "offset", "low_rate", "truncated", "stereo", "pause"]


@pytest.mark.parametrize(("text", "sound"), itertools.product(OF_THE_TEXT, OF_THE_SOUND))
def test_two_faults_in_one_line(text: str, sound: str, good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    spoil(corpus, sound, 4)
    require_found(corpus, [spoil(corpus, text, 4)])


def test_the_same_corpus_gives_the_same_report(good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    for place, name in enumerate(["clipped", "late", "missing", "no_text", "noise", "orphan"]):
        spoil(corpus, name, place)
    corpus.save()
    first, second = (checked(corpus.folder) for _ in range(2))
    assert first == second
    assert first.usable == 9 - 2
    ranks = [("error", "warning", "note").index(f.severity) for f in first.findings]
    assert ranks == sorted(ranks)


def test_copies_with_one_text_are_a_warning(good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    line = spoil(corpus, "copied_recording", 3)
    line.text = corpus.lines[0].text
    corpus.save()
    (found,) = [f for f in checked(corpus.folder).findings if f.kind == "duplicate-recording"]
    assert (found.severity, found.line) == ("warning", 4)
    assert corpus.lines[0].clip_id in found.figure


def test_what_all_recordings_share_is_told_once(good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    extra = Line("extra", "Keep the receipt.")
    corpus.write(extra, corpus.sound(corpus.lines[3])[::-1])
    corpus.lines.append(extra)
    for line in corpus.lines:
        corpus.write(line, soxr.resample(corpus.sound(line), RATE, 44_100), 44_100)
    corpus.save()
    (found,) = [f for f in checked(corpus.folder).findings if f.kind == "other-rate"]
    assert found.line is None
    assert "all 10 recordings" in found.figure
    assert "44,100 Hz" in found.figure


def test_shapes_and_files_are_of_the_usable_clips(good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    spoil(corpus, "silence", 2)
    spoil(corpus, "no_text", 3)
    corpus.save()
    found = survey(
        scan_corpus(corpus.folder),
        Vocabulary(BBC_SYMBOLS),
        Limits(),
        AudioSpec(),
        on_progress=lambda done, total: None,
        cancelled=lambda: False,
    )
    assert len(found.shapes) == found.report.usable == 7
    assert found.shapes[0].characters == len("in being comparatively modern.") + 1
    assert found.shapes[0].frames == pytest.approx(1.9 * RATE / 1_100, abs=2)
    assert found.files[1] == "wavs/LJ001-0002.wav"


def test_nothing_usable_is_a_report_and_no_error(good: Path, tmp_path: Path) -> None:
    corpus = copied(good, tmp_path / "corpus")
    for line in corpus.lines:
        corpus.recording(line).write_bytes(b"")
    corpus.save()
    report = checked(corpus.folder)
    assert report.usable == 0
    assert report.harmful
    assert "too-few-clips" in {f.kind for f in report.findings}


def test_progress_and_cancelling(good: Path) -> None:
    told: list[tuple[int, int]] = []

    def run(limit: int) -> None:
        told.clear()
        survey(
            scan_corpus(good),
            Vocabulary(BBC_SYMBOLS),
            Limits(),
            AudioSpec(),
            on_progress=lambda done, total: told.append((done, total)),
            cancelled=lambda: len(told) > limit,
        )

    run(100)
    assert told == [(done, 9) for done in range(10)]
    with pytest.raises(Cancelled):
        run(3)
    assert len(told) == 4


def test_no_corpus_at_all(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no corpus folder"):
        checked(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"metadata\.csv"):
        checked(tmp_path)
