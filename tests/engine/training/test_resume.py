"""A run that was stopped and taken up again makes the same steps as one that was not."""

import pytest
from saved import same, tensors

from engine.evaluation.teacher_forcing import measure_attention
from engine.run.commands import Audition
from engine.run.snapshot import Phase

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("recipe", ["standard", "bbc"])
@pytest.mark.parametrize("network", ["text2mel", "ssrn"])
def test_stopping_and_listening_change_no_bit(
    make_voice, copy_voice, training, tones, speech, network, recipe
):
    # Crops are quick, so they may be of a corpus with many orders.
    dataset = tones if recipe == "standard" else speech
    straight = make_voice(dataset=dataset, text2mel=3, ssrn=3, recipe=recipe)
    stopped = copy_voice(straight, "stopped")
    training.end(training.start(straight, "20", network=network))
    for stop in ("4", "13", "20"):
        session = training.start(stopped, stop, Audition(), network=network)
        assert training.end(session).failure == ""
    ours, theirs = (tensors(voice, 20, network) for voice in (stopped, straight))
    files = {name for name, _ in theirs}
    assert files >= {"weights.safetensors", "optimizer.safetensors"}
    assert ("average.safetensors" in files) == (recipe == "standard")
    assert same(ours, theirs)
    # At 20 the run that stopped at 13 has the mean of all ten steps as well.
    assert stopped.history(network).read_bytes() == straight.history(network).read_bytes()
    assert len(straight.history(network).read_text().splitlines()) == 2


def test_a_few_clips_are_learned_and_attention_turns_diagonal(make_voice, training):
    voice = make_voice(text2mel=1000, base_step=1000, hidden=48)
    snapshot = training.end(training.start(voice, "+260"))
    assert snapshot.phase is Phase.STOPPED
    losses = snapshot.curve.losses
    assert losses[-1] < 0.7 * losses[0]
    assert snapshot.losses.l1 < 0.15
    assert snapshot.losses.attention < 0.0075  # half of what even attention costs
    first, last = snapshot.attention[0], snapshot.attention[-1]
    assert (first.step, last.step) == (1000, 1260)
    before, after = (measure_attention(each.weights)[1] for each in (first, last))
    assert after < 0.75 * before
