"""`voicecoach check`: what it prints, where, and the code it ends with."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import Result
from dc_tts_files import write_models
from paths import DEMO_VOICE, SPEECH
from typer.testing import CliRunner

from engine.check.report import CheckReport
from engine.jobs.import_models import import_voice
from engine.text.vocabulary import BBC_SYMBOLS
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings
from tui.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["check", *map(str, arguments)])


@pytest.fixture
def spoiled(tmp_path: Path) -> Path:
    """Real speech, one recording of it silent."""
    folder = Path(shutil.copytree(SPEECH, tmp_path / "spoiled"))
    soundfile.write(folder / "wavs" / "LJ001-0008.flac", np.zeros(22_050), 22_050)
    return folder


def test_good_speech_ends_with_0() -> None:
    result = run(SPEECH, "--no-estimate")
    assert result.exit_code == 0, result.output
    assert "3 of 3 usable" in result.stdout
    assert "steps/s" not in result.stdout
    assert result.stderr == ""


def test_what_would_harm_training_ends_with_1(spoiled: Path) -> None:
    result = run(spoiled, "--no-estimate")
    assert result.exit_code == 1
    assert "wavs/LJ001-0008.flac" in result.stdout
    assert "silent" in result.stdout

    result = run(spoiled, "--json", "--no-estimate")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert set(CheckReport.__dataclass_fields__) < set(report)
    assert report["harmful"] is True
    (silent,) = [found for found in report["findings"] if found["kind"] == "silent"]
    place = {"line": 2, "file": "wavs/LJ001-0008.flac", "severity": "error"}
    assert place.items() <= silent.items()
    assert report["counts"]["error"] >= 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nowhere", "--no-estimate"], "no corpus folder"),
        ([SPEECH, "--against", "nowhere"], "no voice"),
        ([SPEECH, "--deep"], "--voice"),
        ([SPEECH, "--deep", "--voice", "nowhere"], "no voice"),
        ([SPEECH, "--voice", "nowhere"], "--deep"),
        ([SPEECH, "--device", "banana"], "banana"),
        ([SPEECH, "--steps", "2h"], "--steps"),
        ([SPEECH, "--steps", "soon"], "--steps is 'soon'; give a number of steps, such as 20k or"),
        ([SPEECH / "metadata.csv"], "is a file; give the folder that holds metadata.csv"),
        ([SPEECH, "--against", SPEECH / "metadata.csv"], "is a file; give the folder of a voice"),
        ([SPEECH, "--price", "-1"], "--price"),
        ([SPEECH, "--price", "nan"], "--price"),
    ],
)
def test_bad_input_ends_with_2_and_one_sentence(arguments: list[object], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.slow
def test_estimates_of_this_machine_and_of_the_bbc() -> None:
    result = run(SPEECH, "--json", "--preset", "small", "--price", "2", "--steps", "4k")
    estimates = json.loads(result.stdout)["estimates"]
    assert [(e["network"], e["steps"]) for e in estimates] == [("text2mel", 4000), ("ssrn", 2000)]
    for estimate in estimates:
        assert estimate["machine"].startswith("this machine")
        assert estimate["batch_size"] == 3
        hours = estimate["steps"] / estimate["steps_per_second"] / 3600
        assert estimate["hours"] == pytest.approx(hours)
        assert estimate["usd"] == pytest.approx(2 * hours)


def test_the_published_figures_are_of_the_full_size() -> None:
    from engine.training.throughput import EstimateRequest, published_training

    steps = {"text2mel": 670_000, "ssrn": 49_000}
    full, small = (
        published_training(EstimateRequest(VoiceSettings(preset=preset), steps))
        for preset in ("bbc", "small")
    )
    assert [estimate.hours for estimate in full] == pytest.approx([27.9, 5.35], rel=0.01)
    assert {estimate.usd for estimate in full} == {None}
    assert small == ()


def test_a_voice_brings_its_symbols_and_limits(tmp_path: Path) -> None:
    from engine.data.clips import Limits

    symbols = BBC_SYMBOLS.replace("b", "")
    Voice.create(tmp_path / "voice", VoiceSettings(symbols=symbols, limits=Limits(180, 45)))
    result = run(SPEECH, "--against", tmp_path / "voice", "--json", "--no-estimate")
    report = json.loads(result.stdout)
    assert [unknown["character"] for unknown in report["unknown"]] == ["b"]
    long = [found["line"] for found in report["findings"] if found["kind"] == "too-long"]
    assert long == [3]
    assert result.exit_code == 1


def test_a_voice_that_cannot_judge_costs_no_report(tmp_path: Path) -> None:
    Voice.create(tmp_path / "voice", VoiceSettings())
    result = run(SPEECH, "--deep", "--against", tmp_path / "voice", "--no-estimate")
    assert result.exit_code == 2
    assert "3 of 3 usable" in result.stdout
    assert "no checkpoint" in result.stderr


@pytest.mark.slow
def test_the_estimate_is_of_the_networks_that_the_voice_has(tmp_path: Path) -> None:
    folder = tmp_path / "own"
    import_voice(write_models(tmp_path / "models", n_mels=80, n_bins=1025), folder)
    result = run(SPEECH, "--against", folder, "--json")
    sizes = {one["network"]: one["preset"] for one in json.loads(result.stdout)["estimates"]}
    assert sizes == {"text2mel": "own size (e = 4, d = 4)", "ssrn": "own size (c = 4)"}
    said = CliRunner().invoke(app, ["info", str(folder)]).stdout
    assert "own size (e = 4, d = 4)" in said


def test_a_voice_that_judges_lends_the_estimate_its_preset(tmp_path: Path) -> None:
    from engine.jobs.check import CheckOptions

    Voice.create(tmp_path / "voice", VoiceSettings(preset="small"))
    assert CheckOptions(SPEECH, deep=True, voice=tmp_path / "voice").sizes() == ("small", {})


def test_a_damaged_spec_is_reported_before_the_check(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEMO_VOICE, tmp_path / "voice"))
    (path,) = folder.glob("ssrn/checkpoints/*/state.json")
    path.write_text(path.read_text().replace('"hidden"', '"hiden"'))
    result = run(SPEECH, "--against", folder)
    assert result.exit_code == 2
    assert str(path.parent) in result.stderr
    assert result.stdout == ""


def test_a_language_without_a_voice_is_checked_and_cleaned(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SPEECH, tmp_path / "russian"))
    texts = ["Большой дом стоит на горе.", "Съешь же ещё этих булок.", "Чай и мёд."]
    rows = zip(sorted(path.stem for path in (folder / "wavs").iterdir()), texts, strict=True)
    (folder / "metadata.csv").write_text("".join(f"{name}|{text}\n" for name, text in rows))
    told = run(folder, "--no-estimate")
    assert told.exit_code == 1
    *_, line = told.stdout.splitlines()
    options = shlex.split(line[line.index("--cleaner") :].removesuffix("."))
    report = json.loads(run(folder, "--no-estimate", "--json", *options).stdout)
    kinds = {found["kind"] for found in report["findings"]}
    assert not kinds & {"other-language", "other-script", "unread-text", "unknown-character"}
    assert report["unknown"] == []
    out = tmp_path / "clean"
    cleaned = CliRunner().invoke(app, ["clean", str(folder), "--out", str(out), *options])
    assert set(options) <= set(shlex.split(cleaned.stdout.splitlines()[-1]))


@pytest.mark.parametrize("command", ["check", "clean", "train"])
def test_a_symbol_that_is_never_read_is_refused(command: str, tmp_path: Path) -> None:
    place = [] if command == "check" else ["--out" if command == "clean" else "--voice"]
    place += [str(tmp_path / "new")] * len(place)
    told = CliRunner().invoke(app, [command, str(SPEECH), *place, "--vocabulary", "PE abcß"])
    assert told.exit_code == 2
    assert "never reads 'ß'" in told.stderr
    assert "--cleaner plain" in told.stderr
    assert not (tmp_path / "new").exists()
