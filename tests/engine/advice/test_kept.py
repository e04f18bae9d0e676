"""Which checkpoints can speak, and which one a word means."""

import json

import pytest

from engine.advice import kept as kept_module
from engine.advice.kept import kept_checkpoints, resolve, with_source_step
from engine.errors import InputError
from engine.run.options import TrainOptions
from engine.run.sample import parse_step


@pytest.fixture
def voice(make_voice):
    """A voice with checkpoints of steps that were evaluated, and some that were not."""
    voice = make_voice(text2mel=None, ssrn=None)

    def save(network, losses, base=0):
        for step in losses:
            folder = voice.checkpoint_folder(network, step)
            folder.mkdir(parents=True)
            (folder / "state.json").write_text("{}")
        lines = [{"step": 100 * i, "loss": 1.0, "held_out": None} for i in range(3)]
        lines += [
            {"step": step - step % 100, "loss": 1.0, "held_out": loss}
            for step, loss in losses.items()
            if loss is not None
        ]
        history = voice.history(network)
        history.write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"step": 9')

    voice.save_checkpoints = save
    return voice


def test_the_best_has_the_least_held_out_loss_and_of_equal_ones_is_earliest(voice, monkeypatch):
    voice.save_checkpoints("text2mel", {100: None, 1_000: 0.9, 2_050: 0.5, 3_099: 0.5, 4_000: 0.7})
    voice.save_checkpoints("ssrn", {7: None})
    kept = kept_checkpoints(voice)
    assert [(one.network, one.step, one.held_out, one.best) for one in kept] == [
        ("text2mel", 100, None, False),
        ("text2mel", 1_000, 0.9, False),
        ("text2mel", 2_050, 0.5, True),
        ("text2mel", 3_099, 0.5, False),
        ("text2mel", 4_000, 0.7, False),
        ("ssrn", 7, None, False),
    ]
    assert resolve(voice, "text2mel", "best").step == 2_050
    assert resolve(voice, "text2mel").step == 4_000
    source = TrainOptions(voice.folder / "new", source=voice.folder, source_step="best")
    told = []
    assert with_source_step(source, told.append).source == resolve(voice, "text2mel", "best").path
    assert told[0].startswith("starting from Text2Mel 2,050: lowest held-out loss (0.5000)")
    for choice, words in (
        (3, "no SSRN checkpoint of step 3; there are 7"),
        ("best", "Which SSRN checkpoint"),
    ):
        with pytest.raises(InputError, match=words):
            resolve(voice, "ssrn", choice)
    with monkeypatch.context() as few:
        few.setattr(kept_module, "_NAMED", 2)
        with pytest.raises(InputError, match="the nearest of 5 are 100, 1,000"):
            resolve(voice, "text2mel", 150)


@pytest.mark.slow
def test_the_base_is_what_training_began_from(trained_voice):
    based = {one.network: one.step for one in kept_checkpoints(trained_voice) if one.base}
    assert based == {"text2mel": 5, "ssrn": 2}
    assert resolve(trained_voice, "text2mel", "base").step == 5
    with pytest.raises(InputError, match="none was measured; give a step"):
        resolve(trained_voice, "text2mel", "best")


@pytest.mark.parametrize(
    ("text", "choice"),
    [("12000", 12_000), (" 12,000 ", 12_000), ("12k", 12_000), ("0", 0), ("BEST", "best")],
)
def test_a_step_may_be_written_as_elsewhere(text, choice):
    assert parse_step(text, "--step") == choice


@pytest.mark.parametrize("text", ["", "newest", "-5", "1.5k", "+20k", "1,00", "١٢", "9" * 11])
def test_no_step_is_refused_in_one_sentence(text):
    with pytest.raises(InputError, match=r"--ssrn-step is .*; write a step such as"):
        parse_step(text, "--ssrn-step")
