"""`voicecoach evaluate`: what it measures, prints and keeps."""

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace

import pytest
from paths import DEMO_VOICE, SLT
from programs import clean_environment
from typer.testing import CliRunner

from engine.evaluation import evaluate, material
from engine.evaluation.judges import Judges
from engine.jobs.evaluate import Evaluated
from engine.run.evaluation import Evaluation, Recommendation, SentenceMeasures
from engine.voice.evaluations import LIST, read_evaluations
from engine.voice.folder import Voice
from tui.cli import app
from tui.reports.evaluation import print_evaluated


@pytest.fixture
def voice(tmp_path, monkeypatch):
    """The demo's voice with one held-out recording; it speaks two sentences."""
    monkeypatch.setattr(material, "_SENTENCES", 2)
    absent = Judges({}, (), "voicecoach[judge] is not installed", ())
    monkeypatch.setattr(evaluate, "open_judges", lambda *_, **__: absent)
    folder = tmp_path / "it's"
    shutil.copytree(DEMO_VOICE, folder)
    opened = Voice.open(folder)
    opened.save(replace(opened.settings, dataset=SLT, held_out=("slt-01",)))
    return opened


def run(*words):
    return CliRunner().invoke(app, ["evaluate", *map(str, words)])


@pytest.mark.slow
def test_checkpoints_are_measured_once_and_shown(voice):
    ran = run(voice.folder, "--step", "10k")
    assert ran.exit_code == 0, ran.output
    assert ran.stderr == "step 10,000, 1 of 1\n"
    assert "10,000 (best by" in ran.stdout
    assert "held-out loss" in ran.stdout
    assert "0 of 2 sentences" in " ".join(ran.stdout.split())
    assert "not measured: voicecoach[judge] is not installed" in ran.stdout
    [kept] = read_evaluations(voice, "text2mel")
    again = run(voice.folder, "--json")
    assert len((voice.folder / LIST).read_text().splitlines()) == 1
    found = json.loads(again.stdout)
    [one] = found["checkpoints"]
    assert one["scores"]["held_out"]["mean"] == pytest.approx(kept.held_out)
    assert one["best_by"] == ["held-out"]
    assert (found["ranking"], one["won"]) == ([], None)  # there is no other
    assert found["recommended"]["step"] == one["step"] == 10_000
    assert found["measures"]["skipped"]["unit"] == "%"
    info = CliRunner().invoke(app, ["info", str(voice.folder), "--json"])
    [summary] = json.loads(info.stdout)["evaluations"]["text2mel"]
    assert summary["scores"] == one["scores"]


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_it_and_says_what_is_lost(voice, number, code):
    command = [sys.executable, "-m", "tui", "evaluate", str(voice.folder)]
    environment = clean_environment()
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        # A shell's background job would pass on that it ignores Ctrl+C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as run:
        try:
            assert run.stderr.readline() == "step 10,000, 1 of 1\n"
            run.send_signal(number)
            assert run.stderr.read() == (
                "voicecoach: interrupted: the checkpoint in work is lost, those before it are "
                "kept; the same command measures the rest\n"
            )
        finally:
            run.kill()
    assert run.returncode == code
    assert not read_evaluations(voice, "text2mel")


def test_what_is_asked_wrongly_is_said_in_a_sentence(voice):
    for words, said in (
        (("--step", "5k"), "no Text2Mel checkpoint of step 5,000"),
        (("--step", "worst"), "--step is 'worst'"),
        (("--network", "ssrn", "--step", "7"), "no SSRN checkpoint of step 7"),
    ):
        ran = run(voice.folder, *words)
        assert ran.exit_code == 2
        assert said in " ".join(ran.stderr.split())
        assert ran.stderr.count("\n") == 1
    assert not (voice.folder / LIST).exists()


def test_checkpoints_are_ranked_by_what_was_measured(voice, capsys):
    def measured(step, figure):
        measures = {"held_out": figure, "mel_distortion": 5 * figure, "focus": figure}
        sentences = tuple(SentenceMeasures(each, measures=measures) for each in "abcd")
        return Evaluation("text2mel", step, 1.0, sentences)

    evaluations = measured(1, 0.7), measured(2, 0.5), measured(3, 0.6)
    best = Recommendation("text2mel", 4, ("lowest held-out loss (0.4)",), "not measured yet")
    done = Evaluated(voice, "text2mel", evaluations, frozenset({1, 2, 3}), (), best, "", ())
    assert done.won == {2: pytest.approx(1), 3: pytest.approx(0.5), 1: pytest.approx(0)}
    assert list(done.won) == [2, 3, 1]
    print_evaluated(done)
    printed = capsys.readouterr().out
    assert "1 of 3 (100 % won)" in printed
    # What is recommended by its loss alone is measured before it is exported.
    assert "next: voicecoach evaluate" in printed
    alone = Evaluated(voice, "text2mel", evaluations[:1], frozenset({1}), (), None, "", ())
    assert alone.won == {}
