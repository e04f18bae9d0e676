"""Checkpoints measured: what is measured of a good voice, and of one that was spoiled."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.batches import BatchSource
from engine.data.clips import Limits, scan_corpus, usable_clips
from engine.data.features import FeatureStore
from engine.errors import InputError
from engine.evaluation.evaluate import Evaluator
from engine.evaluation.judges import Judges
from engine.run.recipe import recipe_named
from engine.training.learner import Learner
from engine.voice.folder import Voice
from tests.paths import DEMO_VOICE, SLT, SPEECH

HELD_OUT = ("slt-01",)
WHILE = "It is good to talk."


def voice_at(folder, **changes):
    """The demo's voice, with recordings of its speaker that it has never heard."""
    voice = Voice.open(DEMO_VOICE)
    settings = replace(voice.settings, dataset=SLT, held_out=HELD_OUT, sentences=(WHILE,))
    for network in ("text2mel", "ssrn"):
        (folder / network).mkdir(parents=True)
        source = DEMO_VOICE / network / "checkpoints"
        (folder / network / "checkpoints").symlink_to(source)
    return Voice(folder, replace(settings, **changes))


def evaluator(voice, count=2, **options):
    """Evaluates with a few sentences only."""
    made = Evaluator(voice, **options)
    made.judges = Judges({}, (), "", ())
    made.material = replace(made.material, sentences=made.material.sentences[:count])
    return made


@pytest.mark.slow
def test_a_good_voice_and_a_spoiled_one(tmp_path):
    progress = []
    voice = voice_at(tmp_path / "good")
    good = evaluator(voice, on_progress=lambda *at: progress.append(at)).evaluate(
        "text2mel", 10_000
    )
    assert progress == [(0, 2), (1, 2), (2, 2)]
    assert [one.clip_id for one in good.sentences] == [*HELD_OUT, ""]
    assert good.sentences[1].sentence == "it is good to talk."
    assert not [one.misreadings for one in good.sentences if one.misreadings]
    expected = {"finished": 100.0, "stuck": 0.0, "skipped": 0.0, "repeated": 0.0, "looping": 0.0}
    for one in good.sentences:
        assert one.measures.items() >= expected.items()
        assert one.measures["pace"] < 30
        assert (
            ("held_out" in one.measures) == ("mel_distortion" in one.measures) == bool(one.clip_id)
        )
    assert good.ceilings["silence"] < 0.7
    assert good.held_out < good.held_out_training + 0.05
    assert good.ssrn_step == Voice.open(DEMO_VOICE).newest("ssrn").step

    spoiled = spoil(tmp_path / "spoiled", voice)
    bad = evaluator(spoiled).evaluate("text2mel", 10_000)
    assert bad.weights != good.weights
    assert bad.held_out > good.held_out
    for one, other in zip(good.sentences[:1], bad.sentences[:1], strict=True):
        assert one.measures["mel_distortion"] < other.measures["mel_distortion"]
        assert one.measures["held_out"] < other.measures["held_out"]


def spoil(folder, voice):
    """A copy of a voice with noise in the weights of its Text2Mel."""
    copy = Voice.create(folder, voice.settings)
    torch.manual_seed(1)
    for network in ("text2mel", "ssrn"):
        checkpoint = load_checkpoint(voice.newest(network).path, with_optimizer=False)
        noise = 0.3 if network == "text2mel" else 0.0
        weights = {
            name: one + noise * torch.randn_like(one) * one.std(unbiased=False)
            for name, one in checkpoint.inference_weights.items()
        }
        target = copy.checkpoint_folder(network, checkpoint.step)
        save_checkpoint(replace(checkpoint, weights=weights, ema={}), target)
    return copy


@pytest.mark.slow
def test_an_ssrn_resynthesises_held_out_recordings(tmp_path):
    voice = voice_at(tmp_path / "voice")
    step = voice.newest("ssrn").step
    found = evaluator(voice).evaluate("ssrn", step)
    assert [one.clip_id for one in found.sentences] == [*HELD_OUT]
    assert found.ssrn_step == step
    for one in found.sentences:
        assert one.measures["mel_distortion"] < 5
        assert one.measures.keys() == {
            "silence", "clipping", "looping", "mel_distortion", "held_out"
        }  # fmt: skip


@pytest.mark.parametrize("recipe", ["standard", "bbc"])
@pytest.mark.parametrize("network", ["text2mel", "ssrn"])
def test_the_held_out_loss_is_that_of_training_by_any_recipe(make_voice, tmp_path, network, recipe):
    ids = [path.stem for path in sorted((SPEECH / "wavs").iterdir())][:2]
    voice = make_voice(ssrn=0, held_out=tuple(ids), limits=Limits(180, 4_000), sentences=("Go.",))
    corpus = usable_clips(scan_corpus(SPEECH), voice.vocabulary, voice.settings.limits)
    store = FeatureStore.open(
        corpus, voice.settings.audio, voice.settings.limits, tmp_path / "features",
        on_progress=lambda *_: None, cancelled=lambda: False,
    )  # fmt: skip
    numbers = [i for i, clip in enumerate(store.clips) if clip.clip_id in ids]
    texts = {i: voice.vocabulary.indices(store.clips[i].text) for i in numbers}
    batch = BatchSource(
        store, texts, magnitudes=True, batch_size=16, seed=1
    ).gather(np.array(numbers)).to(torch.device("cpu"))  # fmt: skip
    checkpoint = load_checkpoint(voice.newest(network).path)
    learner = Learner(
        checkpoint.spec, recipe_named(recipe), device=torch.device("cpu"),
        precision=torch.float32, seed=1, limits=voice.settings.limits,
    )  # fmt: skip
    learner.restore(checkpoint)
    losses, _ = learner.evaluate(batch)
    ours = Evaluator(voice)
    assert len(ours.material.held_out) == 2
    found = ours.held_out_loss(checkpoint)
    assert found.total == pytest.approx(float(losses.total), rel=1e-5)
    assert min(found.by_text.values()) <= found.total <= max(found.by_text.values())


def test_what_cannot_be_evaluated_is_said(make_voice, tmp_path):
    gone = tmp_path / "gone"
    voice = make_voice(dataset=gone, ssrn=0, cleaner="plain", text2mel=3)
    with pytest.raises(InputError, match="its recordings are not here, and"):
        Evaluator(voice).evaluate("text2mel", 3)
    with pytest.raises(InputError, match="SSRN is evaluated with held-out recordings"):
        Evaluator(voice).evaluate("ssrn", 0)
    with pytest.raises(InputError, match="no Text2Mel checkpoint of step 4"):
        Evaluator(voice).evaluate("text2mel", 4)
    english = make_voice("other", dataset=gone, text2mel=3)
    assert len(Evaluator(english).material.sentences) >= 12
    assert Evaluator(english).material.pace is None
