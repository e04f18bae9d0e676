"""Imported networks compute, and go on learning, as the original code does."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from dc_tts_files import as_original

from engine.checkpoints.checkpoint import load_checkpoint
from engine.data.batches import Batch
from engine.networks.ssrn import SSRNOutput
from engine.networks.text2mel import attend
from engine.run.recipe import learning_rate, recipe_named
from engine.training.learner import Learner
from engine.voice.folder import Voice

STEP = 1000
NETWORKS = ["text2mel", "ssrn"]


def close(ours, theirs):
    """Outputs: 1e-4 relative, 1e-5 absolute."""
    ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.fixture
def learner(reference_voice):
    """Make a learner of the imported checkpoint, with the dropout that the reference had: none."""

    def make(network):
        checkpoint = load_checkpoint(reference_voice.newest(network).path)
        made = Learner(
            replace(checkpoint.spec, dropout=0.0),
            recipe_named("bbc"),
            device=torch.device("cpu"),
            precision=torch.float32,
            seed=1,
        )
        made.restore(checkpoint)
        return made

    return make


@pytest.fixture
def batch(reference):
    text = torch.from_numpy(reference("text2mel").batch_L.astype(np.int64))
    mel = torch.from_numpy(reference("text2mel").batch_mels)
    magnitude = torch.from_numpy(reference("ssrn").batch_mags)
    lengths = (text != 0).sum(dim=1)
    # The original's losses know no lengths of frames.
    return Batch(text, lengths, mel, torch.full_like(lengths, mel.shape[1]), magnitude)


@torch.inference_mode()
def test_text2mel_encodes_attends_and_decodes_as_the_original(learner, batch, reference):
    network, theirs = learner("text2mel").network.eval(), reference("text2mel")
    key, value = network.text_encoder.encode(batch.text)
    close(key, theirs.K)
    close(value, theirs.V)
    before = torch.nn.functional.pad(batch.mel, (0, 0, 1, 0))[:, :-1]
    query = network.audio_encoder(before)
    close(query, theirs.Q)
    joined, attention = attend(query, key, value)
    close(joined, theirs.R)
    close(attention, theirs.alignments)
    output = network(batch.text, batch.mel)
    close(output.attention, theirs.alignments)
    close(output.logits, theirs.Y_logits)
    close(output.mel, 1 / (1 + np.exp(-theirs.Y_logits)))


@torch.inference_mode()
def test_ssrn_sharpens_as_the_original(learner, batch, reference):
    output: SSRNOutput = learner("ssrn").network.eval()(batch.mel)
    theirs = reference("ssrn").Z_logits
    close(output.logits[:, ::3], theirs)
    close(output.magnitude[:, ::3], 1 / (1 + np.exp(-theirs)))


PARTS = {
    "text2mel": {
        "total": "loss", "l1": "loss_mels", "divergence": "loss_bd1", "attention": "loss_att",
    },
    "ssrn": {"total": "loss", "l1": "loss_mags", "divergence": "loss_bd2"},
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_the_losses_are_the_originals(learner, batch, reference, network):
    parts, theirs = learner(network).losses(batch).detached(), reference(network)
    for ours, name in PARTS[network].items():
        expected = float(getattr(theirs, name))
        assert float(getattr(parts, ours)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("network", NETWORKS)
def test_gradients_and_learning_rate_are_the_originals(learner, batch, reference, network):
    made, theirs = learner(network), reference(network)
    assert learning_rate(STEP + 1, made.recipe) == pytest.approx(float(theirs.lr), rel=1e-6)
    made.losses(batch).total.backward()
    parameters = made.network.named_parameters()
    ours = as_original(made.spec, {name: parameter.grad.numpy() for name, parameter in parameters})
    assert ours.keys() == set(theirs.grad_names)
    norms = [np.linalg.norm(ours[name].astype(np.float64)) for name in theirs.grad_names]
    np.testing.assert_allclose(norms, theirs.grad_norms, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("network", NETWORKS)
def test_one_step_lands_where_the_originals_does(learner, batch, reference, network):
    made, theirs = learner(network), reference(f"{network}-one-step-later")
    before = by_their_names(made)
    made.step(batch, STEP + 1)
    after = by_their_names(made)
    loss = float(made.losses(batch).detached().total)
    assert loss == pytest.approx(float(reference(network).loss_after_one_step), rel=1e-5)

    place, compared = 0, set()
    for number, name in enumerate(theirs.names):
        if name not in after:
            place += 1  # a counter, not a variable of the network
            continue
        ours = after[name].ravel()
        some = ours[::7]
        expected = theirs.values[place : place + len(some)]
        place += len(some)
        # Moments are tiny: the absolute part is relative to the largest of the variable.
        np.testing.assert_allclose(
            some, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max(), err_msg=name
        )
        change = ours.astype(np.float64) - before[name].ravel()
        norm = np.linalg.norm(change)
        assert norm == pytest.approx(theirs.change_norm[number], rel=1e-3), name
        assert change.sum() == pytest.approx(
            theirs.change_sum[number], abs=1e-3 * norm * np.sqrt(len(change))
        )
        compared.add(name)
    assert place == len(theirs.values)
    assert compared == after.keys()


def by_their_names(learner):
    """Weights and both moments as arrays by the original's names."""
    state = {
        group: {name: tensor.numpy().copy() for name, tensor in tensors.items()}
        for group, tensors in learner.live_state().items()
    }
    found = as_original(learner.spec, state["weights"])
    for kind, slot in (("exp_avg/", "/Adam"), ("exp_avg_sq/", "/Adam_1")):
        moments = state["optimizer"].items()
        own = {name.removeprefix(kind): one for name, one in moments if name.startswith(kind)}
        found |= {name + slot: array for name, array in as_original(learner.spec, own).items()}
    return found


def test_the_counters_go_on(learner, batch, reference):
    made = learner("text2mel")
    made.step(batch, STEP + 1)
    moments = made.live_state()["optimizer"]
    assert {float(value) for name, value in moments.items() if name.startswith("step/")} == {4.0}
    theirs = reference("text2mel-one-step-later")
    names = list(theirs.names)
    assert theirs.change_sum[names.index("gs/global_step")] == 1
    power = theirs.change_sum[names.index("beta1_power")] + 0.9**4
    assert power == pytest.approx(0.9 ** (4 + 1), rel=1e-6)


@pytest.mark.slow
def test_the_train_command_goes_on_from_the_imported_step(
    reference_voice, training, tones, tmp_path, monkeypatch
):
    # The original computes in single precision, whatever the machine could do faster.
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    voice = Voice.open(shutil.copytree(reference_voice.folder, tmp_path / "voice"))
    for network in NETWORKS:
        session = training.start(
            voice, "+2", network=network, dataset=tones, recipe="bbc", checkpoint_every=1
        )
        snapshot = training.end(session)
        assert snapshot.failure == ""
        assert (snapshot.base_step, snapshot.step) == (STEP, STEP + 2)
        assert snapshot.precision == "fp32"
        assert snapshot.learning_rate == pytest.approx(1e-3 * (STEP + 2) / 4000)
        later = load_checkpoint(voice.newest(network).path)
        assert (later.step, later.base_step, later.optimizer_start_step) == (STEP + 2, STEP, 0)
        name = next(name for name in later.optimizer if name.startswith("step/"))
        assert float(later.optimizer[name]) == 3 + 2
