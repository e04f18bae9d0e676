"""What a run with a screen does when it is signalled, in a real terminal."""

import os
import signal

import pytest


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_end_saves_and_ends_with_nought(runs, signum: signal.Signals) -> None:
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()

    terminal.process.send_signal(signum)

    assert terminal.wait() == 0
    assert int(runs.said("checkpoint") or 0) > 0
    runs.wait_until(lambda: "saved at step" in terminal.text, "the last line")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


def signal_until(runs, terminal, words, send):
    """Signal again and again until the answer shows: signals within a moment count as one."""

    def is_answered():
        send()
        return words in " ".join(terminal.text.split())

    runs.wait_until(is_answered, f"the answer {words!r}")


def test_a_save_that_ends_soon_after_a_second_signal_is_kept(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    (runs.voice / "slow-disk").touch()

    terminal.process.terminate()
    runs.wait_until(
        lambda: "saving a checkpoint" in terminal.text, "the answer to the first signal"
    )
    signal_until(runs, terminal, "ending within 10 s", lambda: os.kill(engine, signal.SIGINT))

    assert terminal.process.poll() is None
    (runs.voice / "slow-disk").unlink()
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


@pytest.mark.parametrize("screen", ["open", "closed"])
def test_a_second_signal_ends_a_run_that_hangs(runs, screen) -> None:
    terminal = runs.counting(COUNTING_FORCED_AFTER="0.5")
    engine = runs.engine_process()
    terminal.wait_for_screen()
    (runs.voice / "slow-disk").touch()
    if screen == "closed":
        terminal.type("qs")
        runs.wait_until(lambda: "saving…" in terminal.text, "the screen to close")

    def send():
        if runs.is_alive(engine):
            os.kill(engine, signal.SIGTERM)

    signal_until(runs, terminal, "voicecoach: ended by a second signal at step", send)

    assert terminal.wait() == 1
    assert not runs.said("checkpoint")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


def test_a_second_signal_ends_a_process_whose_watch_is_lost(runs) -> None:
    terminal = runs.counting(COUNTING_WATCH="lost")
    engine = runs.engine_process()
    terminal.wait_for_screen()
    (runs.voice / "slow-disk").touch()

    def send():
        if runs.is_alive(engine):
            os.kill(engine, signal.SIGTERM)

    signal_until(runs, terminal, "killed by SIGALRM; the newest checkpoint is kept", send)

    assert terminal.wait() == 128 + signal.SIGALRM
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


@pytest.mark.parametrize("stop", ["key", "signal"])
def test_the_end_says_what_it_waits_for_and_another_signal_gives_it_up(runs, stop) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    (runs.voice / "full-disk").touch()
    if stop == "key":
        terminal.type("qs")
        runs.wait_until(lambda: "gives up" in terminal.text, "what the end waits for")
        said = " ".join(terminal.text.split())
        assert "saving… No space left on device: free 3.8 MB there. Retrying for another 1m" in said
        assert "; Ctrl+C gives up " in said
        assert terminal.process.poll() is None
        # The terminal makes a signal of it, for there is no screen any more.
        terminal.type("\x03")
    else:
        os.kill(engine, signal.SIGTERM)
        runs.wait_until(lambda: "Saving step" in terminal.text, "the end to begin")
        os.kill(engine, signal.SIGTERM)
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


def test_a_hang_up_signal_lets_training_go_on_unseen(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()

    terminal.process.send_signal(signal.SIGHUP)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")

    runs.wait_until(lambda: not runs.holds_terminal(engine), "the terminal to be let go")
    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    terminal.process.terminate()
    assert terminal.wait() == 0
    assert runs.said("checkpoint")


def test_training_outlives_a_closed_terminal(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()

    terminal.close()
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")

    assert runs.is_alive(engine)
    assert not runs.said("checkpoint")
    os.kill(engine, signal.SIGTERM)
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
    assert runs.said("checkpoint")
    # Whatever told of it, it was heard once.
    assert (runs.said("asked") or "").count("ScreenDetached") == 1


def test_training_outlives_the_process_in_front(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()

    terminal.process.kill()
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")

    assert runs.is_alive(engine)
    os.kill(engine, signal.SIGTERM)
    runs.wait_until(lambda: not runs.is_alive(engine), "the end")
    assert runs.said("checkpoint")


def test_the_terminal_is_put_back_when_the_engine_is_killed(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()

    os.kill(engine, signal.SIGKILL)

    assert terminal.wait() == 128 + signal.SIGKILL
    runs.wait_until(lambda: "killed by SIGKILL" in terminal.text, "the sentence")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGHUP])
def test_a_terminal_that_nobody_reads_keeps_nothing_alive(runs, signum: signal.Signals) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    terminal.stop_reading()
    runs.wait_until(terminal.takes_no_more, "the terminal's buffer to fill")

    terminal.process.send_signal(signum)
    if signum == signal.SIGHUP:
        runs.wait_until(lambda: runs.said("unattended"), "the engine to hear that nobody looks")
        os.kill(engine, signal.SIGTERM)

    assert terminal.wait() == 0
    assert runs.said("checkpoint")


@pytest.mark.parametrize("by", ["signal", "key"])
def test_a_suspended_run_comes_back(runs, by: str) -> None:
    terminal = runs.counting()
    runs.engine_process()
    terminal.wait_for_screen()

    if by == "signal":
        terminal.process.send_signal(signal.SIGTSTP)
    else:
        terminal.type("\x1a")
    runs.wait_until(lambda: runs.state_of(terminal.process.pid) == "T", "the job to stop")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
    drawn = len(terminal.output)
    os.killpg(terminal.process.pid, signal.SIGCONT)
    runs.wait_until(lambda: b"\x1b[?1049h" in terminal.output[drawn:], "the screen to come back")

    terminal.process.terminate()
    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")


def test_who_stops_the_training_process_from_elsewhere_stops_no_job_of_the_shell(runs) -> None:
    terminal = runs.counting()
    engine = runs.engine_process()
    terminal.wait_for_screen()
    assert engine != terminal.process.pid
    for _ in range(2):
        os.kill(engine, signal.SIGSTOP)
        runs.wait_until(lambda: runs.state_of(engine) == "T", "the worker to stop")
        drawn = len(terminal.output)
        os.kill(engine, signal.SIGCONT)
        runs.wait_until(
            lambda drawn=drawn: len(terminal.output) > drawn + 500, "the screen to be drawn"
        )
        assert runs.state_of(terminal.process.pid) == "S"
    # What suspends the job still does.
    terminal.type("\x1a")
    runs.wait_until(lambda: runs.state_of(terminal.process.pid) == "T", "the job to stop")
    os.killpg(terminal.process.pid, signal.SIGCONT)
    terminal.process.terminate()
    assert terminal.wait() == 0


def test_a_process_that_hangs_is_ended_once_the_checkpoint_is_safe(runs) -> None:
    runs.has_to_be_ended = True
    terminal = runs.counting(COUNTING_HANGS="yes")
    runs.engine_process()
    terminal.wait_for_screen()

    terminal.process.terminate()

    assert terminal.wait() == 0
    assert runs.said("checkpoint")
    assert "did not end by itself" in runs.said("voicecoach.log")
    runs.wait_until(terminal.is_as_it_was, "the terminal to be as it was")
