"""What is found in one recording: every fault by its kind, with good speech as the measure."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import DEMO_CORPUS, SPEECH
from planted_sound import (
    CHANGES,
    RATE,
    Samples,
    examined,
    noise,
    room,
    speech,
    to_rate,
    with_clicks,
)

from engine.check.recordings import Recording
from engine.data.audio import AudioSpec
from engine.data.clips import Clip, Corpus, Limits
from engine.data.features import FeatureStore

FIXTURES = SPEECH / "wavs"
DEMO = DEMO_CORPUS / "wavs"


def kinds(recording: Recording, *severities: str) -> set[str]:
    wanted = severities or ("error", "warning", "note")
    return {found.kind for found in recording.findings if found.severity in wanted}


def written(
    folder: Path, samples: Samples, rate: int = RATE, name: str = "a.wav", **how: str
) -> Path:
    soundfile.write(folder / name, samples, rate, **how)
    return folder / name


@pytest.mark.parametrize("name", CHANGES)
def test_changed_sound(name: str, tmp_path: Path) -> None:
    change, kind, severity = CHANGES[name]
    found = examined(written(tmp_path, change(speech())))
    assert kind in kinds(found, severity), found.findings
    assert all(one.figure and one.advice for one in found.findings)


def good_recordings() -> list[Path]:
    return [*sorted(FIXTURES.glob("*.flac")), *sorted(DEMO.glob("demo-?[05]5.flac"))]


@pytest.mark.parametrize("path", good_recordings(), ids=lambda path: path.stem)
def test_good_speech_has_no_fault(path: Path) -> None:
    found = examined(path)
    assert found.usable
    # The demo's speaker comes at 16 kHz.
    assert kinds(found) <= ({"low-rate"} if "demo" in path.name else set()), found.findings


@pytest.mark.parametrize("below", [10, 20, 30])
def test_noise_estimate_is_close(below: int, tmp_path: Path) -> None:
    x = speech()
    found = examined(written(tmp_path, x + noise(x, below)))
    assert found.signal_to_noise == pytest.approx(below, abs=2)


@pytest.mark.parametrize(
    ("places", "start", "end"),
    [((0.7,), "1 click of ", "at 0.70 s"), ((0.7, 1.3, 2.0), "3 clicks, the highest of ", " s")],
)
def test_clicks_are_counted_and_located(tmp_path: Path, places, start: str, end: str) -> None:
    found = examined(written(tmp_path, with_clicks(speech(), *places)))
    (figure,) = [one.figure for one in found.findings if one.kind == "click"]
    assert figure.startswith(start)
    assert figure.endswith(end)


def test_pause_is_located(tmp_path: Path) -> None:
    x = speech()
    pause = np.concatenate([x, room(0.9), x])
    (one,) = [f for f in examined(written(tmp_path, pause)).findings if f.kind == "inner-pause"]
    place = float(one.figure.split(" at ")[1].split()[0])
    assert place == pytest.approx(len(x) / RATE, abs=0.15)
    assert one.value == pytest.approx(0.95, abs=0.15)


def test_rates(tmp_path: Path) -> None:
    x = speech()
    found_kinds = {}
    for rate in (8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000):
        found = examined(written(tmp_path, to_rate(rate)(x), rate))
        found_kinds[rate] = [(f.kind, f.severity) for f in found.findings]
        assert found.seconds == pytest.approx(len(x) / RATE, abs=0.05)
    assert found_kinds == {
        8_000: [("low-rate", "warning")],
        11_025: [("low-rate", "warning")],
        16_000: [("low-rate", "warning")],
        22_050: [],
        24_000: [("other-rate", "note")],
        44_100: [("other-rate", "note")],
        48_000: [("other-rate", "note")],
    }


@pytest.mark.parametrize(
    ("subtype", "kind"),
    [("PCM_U8", "8-bit"), ("ULAW", "lossy-coding"), ("IMA_ADPCM", "lossy-coding"), ("PCM_24", "")],
)
def test_codings(subtype: str, kind: str, tmp_path: Path) -> None:
    found = examined(written(tmp_path, speech(), subtype=subtype))
    found_kinds = [one.kind for one in found.findings if one.severity == "warning"]
    assert found_kinds == ([kind] if kind else [])
    assert found.usable


def test_samples_of_no_real_level(tmp_path: Path) -> None:
    x = speech()
    broken = x.copy()
    broken[1000:1010] = np.nan
    for samples, usable, kind in (
        (broken, False, "absurd-samples"),
        (x * 32_767, True, "absurd-samples"),
        (x * 1e9, False, "absurd-samples"),
        (x / np.abs(x).max() * 1.5, True, "over-full-scale"),
    ):
        found = examined(written(tmp_path, samples, subtype="FLOAT"))
        assert kind in kinds(found, "error", "warning")
        assert found.usable == usable


def flac_bytes() -> bytes:
    return (FIXTURES / "LJ001-0002.flac").read_bytes()


def bytes_of(container: str) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, speech("LJ001-0002"), RATE, format=container)
    return buffer.getvalue()


def wav_bytes() -> bytes:
    return bytes_of("WAV")


def with_size(place: int, size: int) -> bytes:
    """A WAV whose header has another size at this place."""
    return wav_bytes()[:place] + size.to_bytes(4, "little") + wav_bytes()[place + 4 :]


FILES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "nothing": (lambda: b"", "empty", "error"),
    "a header alone": (lambda: wav_bytes()[:44], "truncated", "error"),
    "no samples": (lambda: wav_bytes()[:40] + bytes(4), "empty", "error"),
    "half a WAV": (lambda: wav_bytes()[: len(wav_bytes()) // 2], "truncated", "error"),
    "a WAV's end missing": (lambda: wav_bytes()[:-3_000], "truncated", "error"),
    "a wrong size of all": (lambda: with_size(4, 10**6), "unfinished-header", "warning"),
    "a header that tells of less": (lambda: with_size(40, 30_000), "unfinished-header", "warning"),
    "half a FLAC": (lambda: flac_bytes()[: len(flac_bytes()) // 2], "unreadable", "error"),
    "a damaged FLAC": (
        lambda: flac_bytes()[:20_000] + bytes(500) + flac_bytes()[20_500:],
        "unreadable",
        "error",
    ),
    "MP3": (lambda: b"ID3\x04" + bytes(4_000), "not-wav-or-flac", "error"),
    "MP3 without a tag": (lambda: b"\xff\xfb\x90\x64" + bytes(4_000), "not-wav-or-flac", "error"),
    "M4A": (lambda: b"\0\0\0\x20ftypM4A " + bytes(4_000), "not-wav-or-flac", "error"),
    "Ogg": (lambda: bytes_of("OGG"), "not-wav-or-flac", "error"),
    "AIFF": (lambda: bytes_of("AIFF"), "not-wav-or-flac", "error"),
    "a web page": (lambda: b"<!DOCTYPE html><html>404", "not-wav-or-flac", "error"),
    "Git LFS": (lambda: b"version https://git-lfs.github.com/spec", "not-wav-or-flac", "error"),
    "zeros": (lambda: bytes(9_000), "not-wav-or-flac", "error"),
    "another RIFF": (lambda: b"RIFF\x10\0\0\0WEBPVP8 " + bytes(99), "not-wav-or-flac", "error"),
    "FLAC in a WAV's name": (flac_bytes, "misnamed", "note"),
}


@pytest.mark.parametrize("name", FILES)
def test_damaged_file(name: str, tmp_path: Path) -> None:
    content, kind, severity = FILES[name]
    path = tmp_path / "a.wav"
    path.write_bytes(content())
    found = examined(path)
    assert kind in kinds(found, severity), found.findings
    # Of a few bytes that are missing training takes the rest.
    assert found.usable == (severity != "error" or "end missing" in name)


def test_not_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.wav").symlink_to(tmp_path / "round.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    for name in ("folder", "link", "round", "pipe", "missing"):
        found = examined(tmp_path / f"{name}.wav")
        assert kinds(found, "error") == {"not-a-file"}
        assert not found.usable


def test_a_recording_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, speech())
    opened, really_open = [], io.open
    monkeypatch.setattr("io.open", lambda *a, **k: opened.append(a[0]) or really_open(*a, **k))
    assert examined(path).usable
    assert opened == [path]


# Pairs that can be told apart: the second change is made to the result of the first.
TOGETHER = [
    ("clipped, then lowered", "offset"), ("clipped, then lowered", "late"),
    ("clipped, then lowered", "one dead"), ("clipped, then lowered", "cut in a word"),
    ("by telephone", "silent pause"), ("with noise", "offset"), ("with noise", "a gap"),
    ("pause", "with noise"), ("late", "in noise"), ("late", "long after"), ("pause", "late"),
    ("too quiet", "silent pause"), ("too quiet", "one dead"), ("offset", "few bits"),
    ("offset", "turned"), ("a gap", "offset"), ("a click", "pause"), ("late", "clicks"),
    ("a gap", "pause"), ("few bits", "one dead"), ("hum of 60 Hz", "with noise"),
    ("clipped", "too long"), ("a word", "offset"), ("pause", "few bits"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), TOGETHER)
def test_faults_do_not_hide_each_other(first: str, second: str, tmp_path: Path) -> None:
    (one, kind, _), (other, other_kind, _) = CHANGES[first], CHANGES[second]
    found = examined(written(tmp_path, other(one(speech()))))
    assert {kind, other_kind} <= kinds(found, "error", "warning"), found.findings


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["wav", "flac"])
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_any_bytes_raise_nothing(kind: str, data: st.DataObject, tmp_path: Path) -> None:
    whole = wav_bytes()[:12_000] if kind == "wav" else flac_bytes()
    content = bytearray(whole)
    # Most of what can go wrong is in the headers.
    place = st.one_of(st.integers(0, 60), st.integers(0, len(content) - 1))
    for at, value in data.draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=8)):
        content[at] = value
    path = tmp_path / f"a.{kind}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    found = examined(path)
    assert found.usable or kinds(found, "error"), found.findings
    assert found.seconds is None or np.isfinite(found.seconds)


@pytest.mark.slow
def test_usable_clips_are_those_with_features(tmp_path: Path) -> None:
    made: list[Path] = []
    for number, (change, _, _) in enumerate(CHANGES.values()):
        made.append(written(tmp_path, change(speech()), name=f"{number}.wav"))
    for number, (content, _, _) in enumerate(FILES.values()):
        path = tmp_path / f"f{number}.wav"
        path.write_bytes(content())
        made.append(path)
    clips = tuple(Clip(i, path.stem, path, "text") for i, path in enumerate(made, start=1))
    store = FeatureStore.open(
        Corpus(tmp_path, clips, ()),
        AudioSpec(),
        Limits(),
        tmp_path / "features",
        on_progress=lambda done, total: None,
        cancelled=lambda: False,
    )
    assert {path.stem for path in made if examined(path).usable} == {
        clip.clip_id for clip in store.clips
    }
