"""What is found in one recording: every fault by its kind, with good speech as the measure."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from paths import DEMO_CORPUS, SPEECH
from planted_sound import RATE, Samples, examined, noise, room, speech, to_rate

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


def inserted(samples: Samples, pause: Samples) -> Samples:
    """A pause at the quietest tenth of a second that is not near an end."""
    tenth = RATE // 10
    power = np.convolve(samples**2, np.ones(tenth), "same")[4 * tenth : -4 * tenth]
    place = 4 * tenth + int(power.argmin())
    return np.concatenate([samples[:place], pause, samples[place:]])


def squeezed(samples: Samples, share: float) -> Samples:
    peak = share * np.abs(samples).max()
    return np.clip(samples, -peak, peak)


def through(rate: int) -> Callable[[Samples], Samples]:
    return lambda x: soxr.resample(to_rate(rate)(x), rate, RATE)


def with_clicks(samples: Samples, *places: float) -> Samples:
    """Single samples at full scale, so many seconds from the start."""
    clicked = samples.copy()
    for place in (int(second * RATE) for second in places):
        clicked[place] = -0.99 if clicked[place] > 0 else 0.99
    return clicked


def with_gap(samples: Samples, seconds: float) -> Samples:
    """Zeros over the loudest part."""
    count = int(seconds * RATE)
    place = int(np.convolve(samples**2, np.ones(count), "valid").argmax())
    return np.concatenate([samples[:place], np.zeros(count), samples[place + count :]])


def cut_in_a_word(samples: Samples) -> Samples:
    power = np.convolve(samples**2, np.ones(400), "same")
    return samples[: RATE + int(power[RATE : -RATE // 4].argmax())]


def two(left: Samples, right: Samples) -> Samples:
    count = min(len(left), len(right))
    return np.stack([left[:count], right[:count]], axis=1)


def seconds_of(x: Samples) -> Samples:
    return np.arange(len(x)) / RATE


CHANGES: dict[str, tuple[Callable[[Samples], Samples], str, str]] = {
    "zeros": (np.zeros_like, "silent", "error"),
    "one value": (lambda x: np.full_like(x, 0.25), "silent", "error"),
    "far too quiet": (lambda x: 0.01 * x, "nearly-silent", "error"),
    "too quiet": (lambda x: 0.08 * x, "quiet", "warning"),
    "clipped": (lambda x: np.clip(4 * x, -1, 1), "clipped", "error"),
    "clipped a little": (lambda x: np.clip(2 * x, -1, 1), "clipped", "warning"),
    "clipped, then lowered": (lambda x: squeezed(x, 0.3), "clipped", "error"),
    "clipped, then converted": (lambda x: through(44_100)(squeezed(x, 0.2)), "clipped", "warning"),
    "driven, then converted": (
        lambda x: 0.7 * through(48_000)(np.clip(8 * x, -1, 1)),
        "clipped",
        "warning",
    ),
    "limited softly": (lambda x: 0.5 * np.tanh(12 * x), "clipped", "error"),
    "full-scale noise": (lambda x: noise(x, -14), "too-loud", "error"),
    "by telephone": (through(8_000), "upsampled", "error"),
    "from 16 kHz": (through(16_000), "upsampled", "warning"),
    "offset": (lambda x: x + 0.05, "dc-offset", "warning"),
    "far offset": (lambda x: 0.5 * x - 0.3, "dc-offset", "error"),
    "in noise": (lambda x: x + noise(x, 8), "noisy", "error"),
    "with noise": (lambda x: x + noise(x, 18), "noisy", "warning"),
    "noise alone": (lambda x: noise(x, 0), "noisy", "error"),
    "hum of 50 Hz": (lambda x: x + 0.01 * np.sin(100 * np.pi * seconds_of(x)), "hum", "warning"),
    "hum of 60 Hz": (lambda x: x + 0.01 * np.sin(120 * np.pi * seconds_of(x)), "hum", "warning"),
    "late": (lambda x: np.concatenate([room(0.8), x]), "leading-pause", "warning"),
    "late, in silence": (lambda x: np.concatenate([0 * room(0.8), x]), "leading-pause", "note"),
    "late, in another room": (
        lambda x: np.concatenate([6 * room(1.5), x]),
        "leading-pause",
        "warning",
    ),
    "very late": (lambda x: np.concatenate([room(2.5), x]), "leading-pause", "error"),
    "long after": (lambda x: np.concatenate([x, room(0.8)]), "trailing-pause", "warning"),
    "after, in silence": (lambda x: np.concatenate([x, 0 * room(0.8)]), "trailing-pause", "note"),
    "pause": (lambda x: inserted(x, room(0.7)), "inner-pause", "warning"),
    "silent pause": (lambda x: inserted(x, 0 * room(0.7)), "inner-pause", "warning"),
    "long pause": (lambda x: inserted(x, room(2.5)), "inner-pause", "error"),
    "too long": (lambda x: np.tile(x, 5), "too-long", "error"),
    "far too long": (lambda x: np.tile(x, 30), "too-long", "error"),
    "a blink": (lambda x: x[RATE : RATE + 4_000], "too-short", "error"),
    "a word": (lambda x: x[RATE : RATE + 9_000], "too-short", "warning"),
    "a gap": (lambda x: with_gap(x, 0.01), "dropout", "warning"),
    "a long gap": (lambda x: with_gap(x, 0.08), "dropout", "error"),
    "a click": (lambda x: with_clicks(x, 1.0), "click", "warning"),
    "clicks": (lambda x: with_clicks(x, 0.7, 1.3, 2.0), "click", "warning"),
    "cut in a word": (cut_in_a_word, "cut-off", "warning"),
    "cut in a word, then silence": (
        lambda x: np.concatenate([cut_in_a_word(x), 0 * room(0.4)]),
        "cut-off",
        "warning",
    ),
    "few bits": (lambda x: np.round(x * 128) / 128, "8-bit", "warning"),
    "stereo": (lambda x: two(x, x), "stereo", "note"),
    "turned": (lambda x: two(x, -x), "opposed-channels", "error"),
    "turned in part": (lambda x: two(x, -0.6 * x), "opposed-channels", "error"),
    "one dead": (lambda x: two(x, 0 * x), "dead-channel", "warning"),
    "two sounds": (lambda x: two(x, speech("LJ001-0002")), "different-channels", "error"),
    "two rooms": (lambda x: two(x, x + noise(x, 4)), "different-channels", "warning"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_sound(name: str, tmp_path: Path) -> None:
    change, kind, severity = CHANGES[name]
    found = examined(written(tmp_path, change(speech())))
    assert kind in kinds(found, severity), found.findings
    assert all(one.figure and one.advice for one in found.findings)


def good_recordings() -> list[Path]:
    return [*sorted(FIXTURES.glob("*.flac")), *sorted(DEMO.glob("demo-?[05].flac"))]


@pytest.mark.parametrize("path", good_recordings(), ids=lambda path: path.stem)
def test_good_speech_has_no_fault(path: Path) -> None:
    found = examined(path)
    assert found.usable
    # The demo's voice was made at 16 kHz.
    assert kinds(found) <= ({"upsampled"} if "demo" in path.name else set()), found.findings
    assert not kinds(found, "error")


@pytest.mark.parametrize("below", [10, 20, 30])
def test_noise_estimate_is_close(below: int, tmp_path: Path) -> None:
    x = speech()
    found = examined(written(tmp_path, x + noise(x, below)))
    assert found.signal_to_noise == pytest.approx(below, abs=2)


def test_clicks_are_counted_and_located(tmp_path: Path) -> None:
    found = examined(written(tmp_path, with_clicks(speech(), 0.7)))
    figure = next(one.figure for one in found.findings if one.kind == "click")
    assert figure.startswith("1 click of ")
    assert figure.endswith("at 0.70 s")
    found = examined(written(tmp_path, with_clicks(speech(), 0.7, 1.3, 2.0)))
    figure = next(one.figure for one in found.findings if one.kind == "click")
    assert figure.startswith("3 clicks, the highest of ")


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
        8_000: [("low-rate", "error")],
        11_025: [("low-rate", "error")],
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


FILES: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "nothing": (lambda: b"", "empty", "error"),
    "a header alone": (lambda: wav_bytes()[:44], "truncated", "error"),
    "no samples": (lambda: wav_bytes()[:40] + bytes(4), "empty", "error"),
    "half a WAV": (lambda: wav_bytes()[: len(wav_bytes()) // 2], "truncated", "error"),
    "a WAV's end missing": (lambda: wav_bytes()[:-3_000], "truncated", "error"),
    "a header that lies": (
        lambda: b"RIFF" + (10**6).to_bytes(4, "little") + wav_bytes()[8:],
        "truncated",
        "error",
    ),
    "a header that tells of less": (
        lambda: wav_bytes()[:40] + (30_000).to_bytes(4, "little") + wav_bytes()[44:],
        "unread-samples",
        "warning",
    ),
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
