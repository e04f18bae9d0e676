"""The study of the measures: planted checkpoints, and how well a measure orders them."""

import csv
import json

import plant
import pytest
import rank
import torch

from engine.checkpoints.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from engine.errors import InputError
from engine.networks.build import build_network
from engine.networks.specs import Text2MelSpec
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings


@pytest.fixture
def trained(tmp_path) -> Voice:
    voice = Voice.create(tmp_path / "trained", VoiceSettings())
    spec = Text2MelSpec(34, 4, embedding=4, hidden=4)
    for step in (0, 900):
        weights = {name: p.detach() for name, p in build_network(spec).named_parameters()}
        save_checkpoint(
            Checkpoint(
                network="text2mel", spec=spec, symbols=voice.settings.symbols, step=step,
                base_step=0, recipe="standard", seed=1, weights=weights,
                ema={name: weight + 1 for name, weight in weights.items()},
            ),
            voice.checkpoint_folder("text2mel", step),
        )  # fmt: skip
    return voice


@pytest.mark.parametrize("defect", [*plant.DEFECTS, plant.TOWARDS])
def test_planted_checkpoints_get_ever_further_from_the_good_one(trained, tmp_path, defect):
    good, bad = plant.load(trained, "text2mel", 900), plant.load(trained, "text2mel", 0)
    damaged = plant.series(good, defect, 3, bad)
    planted = plant.plant(trained, tmp_path / "planted", good, damaged, 3)
    order = json.loads((planted.folder / plant.ANSWERS).read_text())["best_to_worst"]
    assert order != sorted(order)
    assert order != sorted(order, reverse=True)
    found = [load_checkpoint(planted.checkpoint_folder("text2mel", step)) for step in order]
    far = [
        sum(float((one.weights[name] - good.ema[name]).norm()) for name in good.ema)
        for one in found
    ]
    assert far[0] == 0
    assert far == sorted(far)
    assert far[1] > 0
    if defect == plant.TOWARDS:
        assert torch.equal(found[-1].weights["audio_decoder.layers.0.norm.bias"],
                           bad.ema["audio_decoder.layers.0.norm.bias"])  # fmt: skip


def test_a_planted_voice_replaces_nothing(trained):
    good = plant.load(trained, "text2mel", 900)
    with pytest.raises(InputError, match="exists"):
        plant.plant(trained, trained.folder, good, [good.ema], 1)
    with pytest.raises(InputError, match="needs --bad"):
        plant.series(good, plant.TOWARDS, 1, None)


def test_a_measure_in_the_right_order_is_told_from_noise(tmp_path, monkeypatch, capsys):
    table, chance = tmp_path / "measures.csv", torch.Generator().manual_seed(1)
    rows = [
        {
            "series": "a", "place": place, "sentence": sentence,
            "finished": 0.9 - 0.1 * place + 0.01 * sentence, "stuck": 5 - place,
            "silence": float(torch.rand(1, generator=chance)),
        }
        for place in range(5) for sentence in range(8)
    ]  # fmt: skip
    with table.open("w") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    monkeypatch.setattr("sys.argv", ["rank.py", str(table), "--rank", "finished", "stuck"])
    assert rank.main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert "| finished | +1.00 (+1.00 to +1.00) | 100 % | 0 % | 100 % | 1 |" in lines
    assert "| stuck | -1.00 (-1.00 to -1.00) | 0 % | 100 % | 0 % | 1 |" in lines
    (silence,) = (line for line in lines if line.startswith("| silence |"))
    assert float(silence.split()[3]) < 0.8
    # One right and one wrong measure: the rank of both knows nothing.
    assert "| the judge's rank | +0.00 (+0.00 to +0.00) |" in lines
