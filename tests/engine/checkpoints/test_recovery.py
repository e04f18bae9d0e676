"""What divergence leaves in a checkpoint."""

from engine.checkpoints.state import Recovery


def test_rollbacks_long_ago_no_longer_count():
    recovery = Recovery().after(100).after(200)
    assert recovery == Recovery(0.25, 2, 2, 200)
    assert recovery.forgiven(5199) == recovery
    assert recovery.forgiven(5200) == Recovery(0.25, 0, 2, 200)
