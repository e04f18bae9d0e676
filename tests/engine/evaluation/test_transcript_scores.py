"""`check --deep` on the bundled voice and clips of its corpus with planted faults."""

import dataclasses
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from engine.check.report import TranscriptScore
from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.clips import Clip
from engine.errors import Cancelled, EngineError, InputError
from engine.evaluation.teacher_forcing import Prediction
from engine.evaluation.transcript_scores import _require_judgement, score_transcripts
from engine.jobs.demo import demo_assets
from engine.text.vocabulary import BBC_SYMBOLS
from engine.voice.folder import Voice

CORPUS = demo_assets() / "corpus"
VOICE = demo_assets() / "voice"
TEXTS = {
    clip_id: text
    for clip_id, _, text in (
        line.split("|") for line in (CORPUS / "metadata.csv").read_text("utf-8").splitlines()
    )
}
DOZEN = [f"demo-{number:02d}" for number in range(1, 13)]


def plant(folder: Path, changes: Mapping[str, str], clips: list[str] = DOZEN) -> Path:
    """A corpus of demo clips, some with other transcripts."""
    (folder / "wavs").mkdir(parents=True)
    for clip_id in clips:
        shutil.copy(CORPUS / "wavs" / f"{clip_id}.flac", folder / "wavs")
    rows = [f"{clip_id}|{changes.get(clip_id, TEXTS[clip_id])}\n" for clip_id in clips]
    (folder / "metadata.csv").write_text("".join(rows), encoding="utf-8")
    return folder


def rank(voice: Path, dataset: Path) -> tuple[TranscriptScore, ...]:
    return score_transcripts(
        voice, dataset, on_progress=lambda done, total: None, cancelled=lambda: False
    )


def swapped(*pairs: tuple[str, str]) -> dict[str, str]:
    return {a: TEXTS[b] for pair in pairs for a, b in (pair, pair[::-1])}


@pytest.fixture(scope="module")
def planted(tmp_path_factory) -> tuple[TranscriptScore, ...]:
    """Two pairs swapped: one of nearly equal length, one of very different length."""
    changes = swapped(("demo-01", "demo-02"), ("demo-04", "demo-08"))
    return rank(VOICE, plant(tmp_path_factory.mktemp("planted") / "corpus", changes))


def test_swapped_transcripts_come_out_on_top_and_are_suspicious(planted):
    assert len(planted) == 12
    assert {doubt.clip_id for doubt in planted[:4]} == {"demo-01", "demo-02", "demo-04", "demo-08"}
    assert all(doubt.score >= 1 for doubt in planted[:4])
    assert all(doubt.score < 1 for doubt in planted[4:])
    assert [doubt.score for doubt in planted] == sorted(
        (doubt.score for doubt in planted), reverse=True
    )


def test_a_doubt_says_what_it_is_about(planted):
    wrong = next(doubt for doubt in planted if doubt.clip_id == "demo-01")
    assert wrong.line == 1
    assert wrong.text == TEXTS["demo-02"].lower()
    right = planted[-1]
    # Its own transcript is worth something to a right clip alone.
    assert wrong.loss > 0.8 * wrong.other_loss
    assert right.loss < 0.7 * right.other_loss
    assert wrong.focus < right.focus <= 1


def test_no_clip_of_a_sound_corpus_is_suspicious(tmp_path):
    doubts = rank(VOICE, plant(tmp_path / "corpus", {}))
    assert max(doubt.score for doubt in doubts) < 1


def test_words_that_are_not_spoken_or_not_written_come_out_on_top(tmp_path):
    changes = {
        "demo-03": TEXTS["demo-03"] + " " + TEXTS["demo-05"],
        "demo-07": "We missed the last bus.",
    }
    doubts = rank(VOICE, plant(tmp_path / "corpus", changes))
    assert {doubt.clip_id for doubt in doubts[:2]} == {"demo-03", "demo-07"}
    assert [doubt.score >= 1 for doubt in doubts].count(True) == 2
    # Attention cannot keep a steady pace through a text that is not what is spoken.
    assert min(doubt.off_diagonal for doubt in doubts[:2]) > max(
        doubt.off_diagonal for doubt in doubts[2:]
    )


def test_the_same_corpus_is_ranked_the_same_and_left_as_it_was(tmp_path, planted):
    changes = swapped(("demo-01", "demo-02"), ("demo-04", "demo-08"))
    corpus = plant(tmp_path / "corpus", changes)
    before = sorted(corpus.rglob("*"))
    assert rank(VOICE, corpus) == planted
    assert sorted(corpus.rglob("*")) == before


def test_progress_counts_clips_up_to_all(tmp_path):
    told: list[tuple[int, int]] = []
    corpus = plant(tmp_path / "corpus", {})
    score_transcripts(
        VOICE, corpus, on_progress=lambda *said: told.append(said), cancelled=lambda: False
    )
    assert told[0] == (0, 12)
    assert told[-1] == (12, 12)


def test_it_can_be_cancelled(tmp_path):
    corpus = plant(tmp_path / "corpus", {})
    with pytest.raises(Cancelled):
        score_transcripts(VOICE, corpus, on_progress=lambda *_: None, cancelled=lambda: True)


def test_another_speaker_is_judged_too(tmp_path):
    """The same clips a fifth deeper and slower: a longer vocal tract, a lower voice."""
    changes = swapped(("demo-01", "demo-02"), ("demo-04", "demo-05"))
    corpus = plant(tmp_path / "corpus", changes)
    for path in sorted((corpus / "wavs").iterdir()):
        sound, rate = soundfile.read(path)
        soundfile.write(path, soxr.resample(sound, rate, rate * 1.2), rate)
    doubts = rank(VOICE, corpus)
    assert {doubt.clip_id for doubt in doubts[:4]} == {"demo-01", "demo-02", "demo-04", "demo-05"}
    assert max(doubt.score for doubt in doubts[4:]) < 1


def test_a_list_that_is_shifted_throughout_cannot_be_judged(tmp_path):
    clips = DOZEN[:6]
    texts = [TEXTS[clip_id] for clip_id in clips]
    shifted = dict(zip(clips, texts[1:] + texts[:1], strict=True))
    with pytest.raises(InputError, match=r"cannot judge .* shifted by a line"):
        rank(VOICE, plant(tmp_path / "corpus", shifted, clips))


def test_a_voice_that_has_learned_nothing_does_not_judge(make_voice, tmp_path):
    with pytest.raises(InputError, match=r"cannot judge .* learned too little"):
        rank(make_voice().folder, plant(tmp_path / "corpus", {}))


def test_a_voice_without_text2mel_or_with_other_bands_is_bad_input(make_voice, tmp_path):
    corpus = plant(tmp_path / "corpus", {}, DOZEN[:2])
    with pytest.raises(InputError, match="its Text2Mel has no checkpoint"):
        rank(make_voice("mute", text2mel=None).folder, corpus)
    voice = make_voice("other")
    toml = voice.folder / "voice.toml"
    toml.write_text(toml.read_text().replace("n_mels = 20", "n_mels = 40"))
    with pytest.raises(InputError, match=r"20 mel bands, but .*voice\.toml says n_mels = 40"):
        rank(voice.folder, corpus)
    with pytest.raises(InputError, match="--device"):
        score_transcripts(
            VOICE, corpus, device="tape", on_progress=lambda *_: None, cancelled=lambda: False
        )


@pytest.mark.parametrize("count", [1, 3])
def test_too_few_clips_to_compare_are_bad_input(tmp_path, count):
    with pytest.raises(InputError, match="at least 4 clips"):
        rank(VOICE, plant(tmp_path / "corpus", {}, DOZEN[:count]))


def test_clips_that_all_say_the_same_have_nothing_to_be_compared_with(tmp_path):
    changes = dict.fromkeys(DOZEN, "The same again.")
    with pytest.raises(InputError, match="at least 4 clips with different transcripts"):
        rank(VOICE, plant(tmp_path / "corpus", changes))


def test_weights_that_are_no_numbers_are_an_engine_error(make_voice, tmp_path):
    voice = make_voice()
    folder = voice.checkpoint_folder("text2mel", 0)
    checkpoint = load_checkpoint(folder)
    checkpoint.weights["audio_encoder.layers.0.convolution.bias"].fill_(float("nan"))
    save_checkpoint(checkpoint, folder)
    with pytest.raises(EngineError, match="not finite"):
        rank(voice.folder, plant(tmp_path / "corpus", {}, DOZEN[:4]))


def test_a_network_that_sees_padding_gets_its_texts_at_full_length(tmp_path):
    """Imported weights read texts padded to the limit; the same network then judges as well."""
    voice = Voice.open(Path(shutil.copytree(VOICE, tmp_path / "voice")))
    entry = voice.newest("text2mel")
    assert entry is not None
    checkpoint = load_checkpoint(entry.path)
    spec = dataclasses.replace(checkpoint.spec, mask_text=False)
    save_checkpoint(dataclasses.replace(checkpoint, spec=spec), entry.path)
    assert checkpoint.symbols == BBC_SYMBOLS
    doubts = rank(voice.folder, plant(tmp_path / "corpus", swapped(("demo-01", "demo-02"))))
    assert {doubt.clip_id for doubt in doubts[:2]} == {"demo-01", "demo-02"}


@pytest.mark.parametrize(("focus", "judges"), [(0.01, False), (0.09, False), (0.4, True)])
def test_a_voice_whose_attention_follows_no_text_does_not_judge_by_luck(tmp_path, focus, judges):
    """Of few clips some are told from strangers' by chance, whatever is read."""
    clip = Clip(1, "a", tmp_path / "a.wav", "go")
    luck = [
        Prediction(clip, loss, np.array([0.1, 0.101, 0.099]), focus, 0.02) for loss in [0.09] * 6
    ]
    if judges:
        _require_judgement(luck, VOICE)
        return
    with pytest.raises(InputError, match=rf"cannot judge .*does not follow .*focus {focus:.2f}"):
        _require_judgement(luck, VOICE)
