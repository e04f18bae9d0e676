"""The bundled demo: small enough, and understood."""

import json
from pathlib import Path

import intelligibility
import pytest
from paths import DEMO_CORPUS, DEMO_VOICE

from engine.choices import NETWORKS
from engine.jobs.info import describe
from engine.speech.speaker import open_speaker
from engine.voice.folder import Voice


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_the_bundled_voice_and_corpus_are_small() -> None:
    assert size_of(DEMO_VOICE) <= 24_000_000
    assert size_of(DEMO_CORPUS) <= 6_000_000


def test_the_bundled_voice_has_both_networks_of_the_small_preset() -> None:
    about = describe(DEMO_VOICE)
    assert about["preset"] == "small"
    for network in NETWORKS:
        [step] = about["networks"][network]["checkpoints"]
        assert step == about["networks"][network]["step"] > 1000
    json.dumps(about)


@pytest.mark.slow
def test_a_recogniser_understands_the_bundled_voice() -> None:
    sentences = intelligibility.read_sentences()
    assert len(sentences) == 40
    speaker = open_speaker(Voice.open(DEMO_VOICE))
    wrong = []
    # Every fourth one, heard among all.
    for index in range(0, 40, 4):
        said = speaker.speak(sentences[index])
        assert not speaker.note(said, sentences[index])
        heard = intelligibility.recognise(said.waveform, said.sample_rate, sentences)
        wrong += [sentences[index]] if heard != index else []
    assert len(wrong) <= 1, wrong
