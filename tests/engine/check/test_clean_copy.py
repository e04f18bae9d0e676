"""Where the clean copy of a corpus is made."""

from pathlib import Path

from engine.check.clean_copy import clean_command


def test_copy_lies_beside_a_corpus_that_is_given_by_its_place(tmp_path, monkeypatch):
    corpus = tmp_path / "rc"
    (corpus / "wavs").mkdir(parents=True)
    monkeypatch.chdir(corpus)
    assert clean_command(Path()) == f"voicecoach clean . --out {tmp_path}/rc-clean"
    monkeypatch.chdir(corpus / "wavs")
    assert clean_command(Path("..")) == f"voicecoach clean .. --out {tmp_path}/rc-clean"
    (tmp_path / "rc-clean").mkdir()
    assert clean_command(corpus).endswith("rc-clean-2")
