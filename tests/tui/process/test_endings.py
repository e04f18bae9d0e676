"""What is said while the end of a run waits."""

from fake_session import training

from engine.run.snapshot import Phase
from tui.process.endings import LastWait


def test_the_wait_for_a_disk_says_what_giving_up_costs():
    now = [1000.0]
    wait = LastWait(lambda: now[0])
    ending = training(
        phase=Phase.STOPPING,
        checkpoint_step=870_888,
        saving_trouble="No space left on device: free 3.8 MB there.",
    )
    assert wait.report(ending) == ""
    full = training(
        **{name: getattr(ending, name) for name in ("phase", "checkpoint_step", "saving_trouble")},
        end_waits_for="disk",
        end_waits_until=1120.0,
    )
    assert wait.report(full) == (
        "saving… No space left on device: free 3.8 MB there. Retrying for another 2m00s; "
        "Ctrl+C gives up 316 steps"
    )
    assert wait.report(full) == ""
    now[0] += 40
    assert "Retrying for another 1m20s; another signal gives up" in wait.report(
        full, "another signal"
    )


def test_the_wait_for_a_mirror_can_be_left_behind():
    wait = LastWait(lambda: 1000.0)
    sending = training(phase=Phase.STOPPING, end_waits_for="mirror", end_waits_until=1120.0)
    assert wait.report(sending) == "waiting for the mirror, up to 2m00s; Ctrl+C skips it"
    assert wait.report(training(phase=Phase.STOPPING)) == ""
    assert wait.report(sending, "") == "waiting for the mirror, up to 2m00s"
