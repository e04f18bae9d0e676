"""The bundled demo: small enough, and understood."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from engine.choices import NETWORKS
from engine.jobs.demo import demo_assets
from engine.jobs.info import describe
from engine.jobs.say import say

RECIPE = Path(__file__).resolve().parents[2] / "assets" / "recipe"


def load_intelligibility() -> ModuleType:
    path = RECIPE / "intelligibility.py"
    spec = importlib.util.spec_from_file_location("demo_intelligibility", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_bundled_voice_and_corpus_are_small() -> None:
    assets = demo_assets()
    assert size_of(assets / "voice") <= 24_000_000
    assert size_of(assets / "corpus") <= 5_000_000
    assert len(list((assets / "corpus" / "wavs").iterdir())) == 60


def test_the_bundled_voice_has_both_networks_of_the_small_preset() -> None:
    about = describe(demo_assets() / "voice")
    assert about["preset"] == "small"
    for network in NETWORKS:
        [step] = about["networks"][network]["checkpoints"]
        assert step == about["networks"][network]["step"] > 1000
    json.dumps(about)


def test_a_recogniser_understands_the_bundled_voice(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = load_intelligibility()
    sentences = judge.read_sentences()
    assert len(sentences) == 40
    for number, sentence in enumerate(sentences, start=1):
        said = say(demo_assets() / "voice", sentence, out=judge.clip_path(tmp_path, number))
        assert not said.note
    understood = judge.measure(tmp_path, sentences)
    assert understood >= 36, capsys.readouterr().out
