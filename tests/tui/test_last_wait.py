"""What is said while the end of a run waits."""

from fake_session import training

from engine.run.snapshot import Phase
from tui.process.last_wait import LastWait


def test_the_wait_for_a_disk_says_what_it_costs_to_give_up_and_again_after_a_while():
    now = [1000.0]
    wait = LastWait(lambda: now[0])
    ending = training(
        phase=Phase.STOPPING,
        checkpoint_step=870_888,
        saving_trouble="No space left on device: free 3.8 MB there.",
    )
    assert wait.look(ending) == ""
    full = training(
        **{name: getattr(ending, name) for name in ("phase", "checkpoint_step", "saving_trouble")},
        end_waits_for="disk",
        end_waits_until=1120.0,
    )
    assert wait.look(full) == (
        "saving… No space left on device: free 3.8 MB there. Tried for 2m00s more; "
        "Ctrl+C gives up 316 steps"
    )
    assert wait.look(full) == ""
    now[0] += 40
    assert "Tried for 1m20s more; another signal gives up" in wait.look(full, "another signal")


def test_the_wait_for_a_mirror_can_be_left_behind():
    wait = LastWait(lambda: 1000.0)
    sending = training(phase=Phase.STOPPING, end_waits_for="mirror", end_waits_until=1120.0)
    assert wait.look(sending) == "waiting for the mirror, 2m00s at most; Ctrl+C leaves it behind"
    assert wait.look(training(phase=Phase.STOPPING)) == ""
    assert wait.look(sending, "") == "waiting for the mirror, 2m00s at most"
