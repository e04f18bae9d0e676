"""`check --deep` on the bundled voice and clips of its speaker with planted faults."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
from paths import DEMO_VOICE, SLT

from engine.check.report import TranscriptScore
from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.clips import Clip
from engine.errors import EngineError, InputError
from engine.evaluation.teacher_forcing import Prediction
from engine.evaluation.transcript_scores import require_judgement, score_transcripts
from engine.text.vocabulary import BBC_SYMBOLS
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow
CORPUS, VOICE = SLT, DEMO_VOICE
TEXTS = {
    clip_id: text
    for clip_id, _, text in (
        line.split("|") for line in (CORPUS / "metadata.csv").read_text("utf-8").splitlines()
    )
}
DOZEN = [f"slt-{number:02d}" for number in range(1, 13)]


def plant(folder: Path, changes: Mapping[str, str], clips: list[str] = DOZEN) -> Path:
    """A corpus of the clips, some with other transcripts."""
    (folder / "wavs").mkdir(parents=True)
    for clip_id in clips:
        shutil.copy(CORPUS / "wavs" / f"{clip_id}.flac", folder / "wavs")
    rows = [f"{clip_id}|{changes.get(clip_id, TEXTS[clip_id])}\n" for clip_id in clips]
    (folder / "metadata.csv").write_text("".join(rows), encoding="utf-8")
    return folder


def rank(voice: Path, dataset: Path) -> tuple[TranscriptScore, ...]:
    return score_transcripts(voice, dataset, on_progress=lambda done, total: None)


def swapped(*pairs: tuple[str, str]) -> dict[str, str]:
    return {a: TEXTS[b] for pair in pairs for a, b in (pair, pair[::-1])}


PLANTED = swapped(("slt-01", "slt-02"), ("slt-04", "slt-08"))
"""One pair of nearly equal length, one of very different length."""


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> tuple[TranscriptScore, ...]:
    return rank(VOICE, plant(tmp_path_factory.mktemp("planted") / "corpus", PLANTED))


def test_swapped_transcripts_are_on_top_and_suspicious(planted):
    assert len(planted) == 12
    assert {score.clip_id for score in planted[:4]} == set(PLANTED)
    assert all(score.score >= 1 for score in planted[:4])
    assert all(score.score < 1 for score in planted[4:])
    assert list(planted) == sorted(planted, key=lambda score: -score.score)
    wrong = next(score for score in planted if score.clip_id == "slt-01")
    assert (wrong.line, wrong.text) == (1, TEXTS["slt-02"].lower())
    right = planted[-1]
    # Only the right transcript helps to predict a clip.
    assert wrong.loss > 0.8 * wrong.other_loss
    assert right.loss < 0.7 * right.other_loss
    assert wrong.focus < right.focus <= 1


def test_correct_corpus_has_nothing_suspicious(tmp_path):
    scores = rank(VOICE, plant(tmp_path / "corpus", {}))
    assert max(score.score for score in scores) < 1


def test_missing_and_extra_words_are_on_top(tmp_path):
    changes = {
        "slt-03": TEXTS["slt-03"] + " " + TEXTS["slt-05"],
        "slt-07": "We missed the last bus.",
    }
    scores = rank(VOICE, plant(tmp_path / "corpus", changes))
    assert {score.clip_id for score in scores[:2]} == {"slt-03", "slt-07"}
    assert [score.score >= 1 for score in scores].count(True) == 2
    # Attention cannot keep a steady pace through a text that is not what is spoken.
    paces = [score.off_diagonal for score in scores]
    assert min(paces[:2]) > max(paces[2:])


def test_same_corpus_is_ranked_the_same_and_unchanged(tmp_path, planted):
    corpus = plant(tmp_path / "corpus", PLANTED)
    before = sorted(corpus.rglob("*"))
    steps: list[tuple[int, int]] = []
    found = score_transcripts(VOICE, corpus, on_progress=lambda *step: steps.append(step))
    assert found == planted
    assert sorted(corpus.rglob("*")) == before
    assert (steps[0], steps[-1]) == ((0, 12), (12, 12))


def test_another_speaker_is_judged_too(tmp_path):
    """The same clips deeper and slower: a longer vocal tract, a lower voice."""
    changes = swapped(("slt-01", "slt-02"), ("slt-04", "slt-05"))
    corpus = plant(tmp_path / "corpus", changes)
    for path in sorted((corpus / "wavs").iterdir()):
        sound, rate = soundfile.read(path)
        soundfile.write(path, soxr.resample(sound, rate, rate * 1.2), rate)
    scores = rank(VOICE, corpus)
    assert {score.clip_id for score in scores[:4]} == set(changes)
    assert max(score.score for score in scores[4:]) < 1


def test_list_shifted_throughout_cannot_be_judged(tmp_path):
    clips = DOZEN[:6]
    texts = [TEXTS[clip_id] for clip_id in clips]
    shifted = dict(zip(clips, texts[1:] + texts[:1], strict=True))
    with pytest.raises(InputError, match=r"cannot judge .* shifted by a line"):
        rank(VOICE, plant(tmp_path / "corpus", shifted, clips))


def test_untrained_voice_does_not_judge(make_voice, tmp_path):
    # Of so few it may prefer enough by chance; then its attention gives it away.
    with pytest.raises(InputError, match=r"cannot judge .*(learned too little|does not follow)"):
        rank(make_voice().folder, plant(tmp_path / "corpus", {}))


def test_voice_that_cannot_judge_is_bad_input(make_voice, tmp_path):
    corpus = plant(tmp_path / "corpus", {}, DOZEN[:2])
    with pytest.raises(InputError, match="its Text2Mel has no checkpoint"):
        rank(make_voice("mute", text2mel=None).folder, corpus)
    voice = make_voice("other")
    toml = voice.folder / "voice.toml"
    toml.write_text(toml.read_text().replace("n_mels = 20", "n_mels = 40"))
    with pytest.raises(InputError, match=r"n_mels is 20, but there are 40"):
        rank(voice.folder, corpus)
    with pytest.raises(InputError, match="--device"):
        score_transcripts(VOICE, corpus, device="tape", on_progress=lambda *_: None)


@pytest.mark.parametrize(
    ("changes", "clips"),
    [({}, DOZEN[:1]), ({}, DOZEN[:3]), (dict.fromkeys(DOZEN, "The same again."), DOZEN)],
)
def test_too_few_different_transcripts_are_bad_input(tmp_path, changes, clips):
    with pytest.raises(InputError, match="at least 4 clips with different transcripts"):
        rank(VOICE, plant(tmp_path / "corpus", changes, clips))


def test_weights_that_are_not_finite_are_an_engine_error(make_voice, tmp_path):
    voice = make_voice()
    folder = voice.checkpoint_folder("text2mel", 0)
    checkpoint = load_checkpoint(folder)
    checkpoint.weights["audio_encoder.layers.0.convolution.bias"].fill_(float("nan"))
    save_checkpoint(checkpoint, folder)
    with pytest.raises(EngineError, match="not finite"):
        rank(voice.folder, plant(tmp_path / "corpus", {}, DOZEN[:4]))


def test_network_that_sees_padding_gets_full_length_texts(tmp_path):
    """Imported weights read texts padded to the limit; the same network then judges as well."""
    voice = Voice.open(Path(shutil.copytree(VOICE, tmp_path / "voice")))
    entry = voice.newest("text2mel")
    assert entry is not None
    checkpoint = load_checkpoint(entry.path)
    spec = dataclasses.replace(checkpoint.spec, mask_text=False)
    save_checkpoint(dataclasses.replace(checkpoint, spec=spec), entry.path)
    assert checkpoint.symbols == BBC_SYMBOLS
    scores = rank(voice.folder, plant(tmp_path / "corpus", swapped(("slt-01", "slt-02"))))
    assert {score.clip_id for score in scores[:2]} == {"slt-01", "slt-02"}


@pytest.mark.parametrize(("focus", "judges"), [(0.01, False), (0.09, False), (0.4, True)])
def test_attention_that_follows_no_text_does_not_judge(tmp_path, focus, judges):
    """With few clips some transcripts are preferred by chance, whatever is read."""
    clip = Clip(1, "a", tmp_path / "a.wav", "go")
    others = np.array([0.1, 0.101, 0.099])
    luck = [Prediction(clip, loss, others, focus, 0.02) for loss in [0.09] * 6]
    if judges:
        require_judgement(luck, VOICE)
        return
    with pytest.raises(InputError, match=rf"cannot judge .*does not follow .*focus {focus:.2f}"):
        require_judgement(luck, VOICE)
