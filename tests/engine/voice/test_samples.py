"""Names of samples, and the list of them."""

import json

import pytest

from engine.run.evaluation import Misreading
from engine.run.sample import Sample
from engine.voice.samples import append_sample, read_samples, sample_name, slug, unused_path


def test_names_of_samples_are_safe_and_free(tmp_path):
    assert slug("Ça va? / ../x") == "ça-va-x"
    assert slug("e\u0301te\u0301") == "été"
    assert slug("नमस्ते, दुनिया!") == "नमस्ते-दुनिया"
    assert slug("‮מה שלומך?‬\x00") == "מה-שלומך"
    assert slug("a\ufe0f\u200d\u3164b") == "ab"
    assert slug("???") == "sample"
    assert len(slug("long " * 40)) <= 40
    assert 70 < len(slug("가" * 200).encode()) <= 80
    assert sample_name(5, None, "Go.") == "text2mel-5_no-ssrn_go.wav"
    assert sample_name(5, 3, "Go.") == "text2mel-5_ssrn-3_go.wav"
    path = tmp_path / "a.wav"
    assert unused_path(path) == path
    path.touch()
    (tmp_path / "a-2.wav").touch()
    assert unused_path(path).name == "a-3.wav"


def test_samples_whose_files_are_there_are_listed(make_voice):
    voice = make_voice(text2mel=None)
    assert read_samples(voice) == []
    voice.make_samples()
    (voice.samples / "a.wav").touch()
    kept = Sample(
        5, "Ça va?", voice.samples / "a.wav", 1.25, "base", voice.samples / "b.wav",
        misreadings=(Misreading("stuck", "va", 3, 5, 0.4, 1.2),),
    )  # fmt: skip
    for sample in (kept, Sample(6, "Gone.", voice.samples / "gone.wav", 1.0, "")):
        append_sample(voice, sample)
    with (voice.samples / "samples.jsonl").open("a") as file:
        file.write('[]\n{"step": 1}\n{"step": 4, "sen')
    assert read_samples(voice) == [kept]


@pytest.mark.parametrize("file", ["../voice.toml", "/etc/passwd", 5, "a\0b", "..", ""])
def test_a_list_from_elsewhere_leads_nowhere(make_voice, file):
    voice = make_voice(text2mel=None)
    voice.make_samples()
    line = {"step": 1, "sentence": "", "seconds": 1, "note": "", "original": None, "file": file}
    (voice.samples / "samples.jsonl").write_text(json.dumps(line))
    assert read_samples(voice) == []
