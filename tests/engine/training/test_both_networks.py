"""Both networks of a voice in one run: the same steps as alone, one account, one end."""

import pytest

from engine.checkpoints.checkpoint import load_checkpoint
from engine.run.snapshot import Phase
from engine.run.stop import parse_stop

pytestmark = pytest.mark.slow


def all_at_stop(snapshot):
    return all(one.phase is Phase.AT_STOP for one in snapshot.both)


def weights_at(voice, network, step):
    return load_checkpoint(voice.checkpoint_folder(network, step)).weights


def test_each_makes_the_steps_that_it_makes_alone(make_voice, copy_voice, training):
    voice = make_voice(text2mel=5, ssrn=2, price=36_000.0)
    alone = copy_voice(voice, "alone")
    session = training.start(voice, "+12", both=True, ssrn_stop=parse_stop("+4"))
    last = training.end(session)
    assert [(one.network, one.step) for one in last.both] == [("text2mel", 17), ("ssrn", 6)]
    assert {one.phase for one in last.both} == {Phase.STOPPED}
    for network, stop in (("text2mel", "17"), ("ssrn", "6")):
        training.end(training.start(alone, stop, network=network))
        step = int(stop)
        ours, theirs = (weights_at(one, network, step) for one in (voice, alone))
        assert all(ours[name].equal(theirs[name]) for name in theirs)
    # The machine's time counts once, whoever trained.
    entries = voice.spend.entries
    assert {one.network for one in entries if one.kind == "training"} == {"text2mel", "ssrn"}
    assert last.spent == pytest.approx(voice.spend.usd)
    assert last.run_seconds == pytest.approx(voice.spend.seconds)
