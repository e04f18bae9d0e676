"""What divergence leaves in a checkpoint."""

import pytest

from engine.checkpoints.recovery import Recovery, recovery_from


def test_rollbacks_long_ago_no_longer_count():
    recovery = Recovery().after(100).after(200)
    assert recovery == Recovery(0.25, 2, 2, 200)
    assert recovery.forgiven(5199) == recovery
    assert recovery.forgiven(5200) == Recovery(0.25, 0, 2, 200)


@pytest.mark.parametrize(
    "fields",
    [{"rate_factor": 2.0}, {"rate_factor": float("nan")}, {"salt": -1}, {"salt": 0.5}, {"what": 1}],
)
def test_an_impossible_recovery_is_refused(fields):
    with pytest.raises((ValueError, TypeError)):
        recovery_from(fields)
