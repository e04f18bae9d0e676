"""`voicecoach bench`: hours and dollars on this machine, and ratios to other ways."""

import json
import re

import pytest
import torch
from paths import SPEECH
from typer.testing import CliRunner

from engine.jobs.bench import plain, run
from engine.jobs.bench.timing import Effort, in_turn
from engine.networks.build import weight_shapes
from engine.networks.specs import SSRNSpec, Text2MelSpec
from engine.voice.settings import VoiceSettings
from tui.cli import app
from tui.reports.bench import Printer

SPECS = {"text2mel": Text2MelSpec(34, 80, embedding=8, hidden=8), "ssrn": SSRNSpec(80, 1025, 8)}


@pytest.mark.slow
def test_hours_and_ratios_are_the_same_in_json_and_in_words(monkeypatch, capsys) -> None:
    monkeypatch.setattr(VoiceSettings, "fresh_spec", lambda _, network: SPECS[network])
    monkeypatch.setattr(run, "_QUICK", Effort(rounds=1, max_seconds=0.1))
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    parts, measure = [], run.Bench.run
    monkeypatch.setattr(
        run.Bench, "run", lambda bench, on_part, progress: measure(bench, parts.append, progress)
    )
    given = ["bench", str(SPEECH), "--device", "cpu", "--quick", "--price", "$2", "--json"]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    bbc, corpus = report["schedules"]
    steps = {one["network"]: (one["steps"], one["batch_size"]) for one in bbc["estimates"]}
    # As many clips as 670,000 and 49,000 batches of 32.
    assert steps == {"text2mel": (1_340_000, 16), "ssrn": (98_000, 16)}
    for one in bbc["estimates"]:
        assert one["hours"] == pytest.approx(one["steps"] / one["steps_per_second"] / 3600)
    assert bbc["usd"] == pytest.approx(2 * bbc["hours"])
    assert corpus["what"] == SPEECH.name
    measures = {one["what"]: one for one in report["measures"]}
    assert {*measures} >= {"text2mel step", "ssrn step", "features", "text2mel frame", "sentence"}
    step, frame = measures["text2mel step"], measures["text2mel frame"]
    assert (step["batch_size"], step["precision"]) == (16, "fp32")
    assert step["ratio_to_ceiling"] == pytest.approx(step["seconds"] / step["ceiling_seconds"])
    # Everything anew for each of 70 frames costs more than one frame at a time.
    assert frame["ratio_to_plain"] < 0.5
    assert 0 < measures["screen, 120×40"]["share_of_machine"] < 1
    assert any("batches of 32" in one for one in report["left_out"])
    printer = Printer(run.BenchOptions(price=2.0))
    for part in parts:
        printer.show(part)
    shown = capsys.readouterr().out
    first = r"preset bbc, the BBC's schedule on this machine: [\d.,]+ hours, \$[\d.,]+ at \$2\.00/h"
    assert re.fullmatch(first, shown.splitlines()[0])
    assert re.search(r"^ssrn step, batch 16, fp32 +[\d.,]+ steps/s", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("given", "word"),
    [
        (["--device", "banana"], "banana"),
        (["--price", "dear"], "--price"),
        (["--price", "nan"], "--price"),
        (["/nowhere"], "/nowhere"),
        (["corpus"], "neither WAV nor FLAC"),
    ],
)
def test_bad_input_is_one_sentence(given, word, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpus" / "wavs").mkdir(parents=True)
    (tmp_path / "corpus" / "metadata.csv").write_text("a|hello there\n")
    (tmp_path / "corpus" / "wavs" / "a.wav").write_text("no sound")
    result = CliRunner().invoke(app, ["bench", *given])
    assert result.exit_code == 2
    assert word in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


def test_the_plain_way_is_the_same_network() -> None:
    torch.manual_seed(1)
    for spec, network in (
        (SPECS["text2mel"], plain.PlainText2Mel),
        (SPECS["ssrn"], plain.PlainSSRN),
    ):
        weights = sum(one.numel() for one in network(spec).parameters())
        assert weights == sum(shape.numel() for shape in weight_shapes(spec).values())
    network = plain.PlainText2Mel(SPECS["text2mel"]).eval()
    text = torch.tensor([[5, 9, 3, 1]])
    mel = plain.speak_plainly(network, text, 6)
    assert mel.shape == (80, 6)
    # It says of its own frames what it said when it spoke them.
    torch.testing.assert_close(torch.sigmoid(network(text, mel[None])[0])[0], mel)
    lengths = []
    network.audio_encoder.register_forward_pre_hook(lambda _, x: lengths.append(x[0].shape[2]))
    assert plain.speak_plainly(network, text, 6, every=3).shape == (80, 6)
    assert lengths == [2, 5]  # the middle ones of three


def test_a_first_time_does_not_count_even_without_time_for_a_second_round() -> None:
    now, costs = [0.0], iter([9.0, 1.0, 1.0])

    def work() -> None:
        now[0] += next(costs)

    assert in_turn({"ours": work}, Effort(2, max_seconds=0.0), lambda: now[0]) == {"ours": [1.0]}
