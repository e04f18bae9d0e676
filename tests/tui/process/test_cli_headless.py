"""Training without a screen, as scripts and `nohup` run it."""

import os
import signal
import subprocess

import pytest


class Headless:
    """A headless run whose lines come through a pipe."""

    def __init__(self, runs, *options: str, **settings: object) -> None:
        self.process = subprocess.Popen(
            runs.counting_command(*options),
            cwd=runs.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=runs.environment(**settings.pop("environment", {})),
            text=True,
            **settings,
        )


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_ends_with_nought(runs, signum: signal.Signals) -> None:
    run = Headless(runs, "--headless")
    runs.engine_process()

    run.process.send_signal(signum)
    lines, complaints = run.process.communicate(timeout=30)

    assert run.process.returncode == 0
    assert complaints == ""
    assert runs.said("attended") == "False"
    assert "counting from [nought]" in lines
    assert f"{signum.name}: saving a checkpoint" in lines
    assert f"saved at step {int(runs.said('checkpoint')):,}" in lines.splitlines()[-1]
    assert "\x1b" not in lines


def test_without_a_terminal_it_says_that_there_is_no_screen(runs) -> None:
    run = Headless(runs)
    runs.engine_process()
    run.process.terminate()
    lines, _ = run.process.communicate(timeout=30)
    assert run.process.returncode == 0
    assert "no screen" in lines.splitlines()[0]


def test_a_hang_up_lets_training_go_on(runs) -> None:
    run = Headless(runs, "--headless")
    engine = runs.engine_process()

    run.process.send_signal(signal.SIGHUP)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear of it")
    assert run.process.poll() is None
    # Its outputs are let go: the pipes have come to their end while it runs.
    run.process.stdout.read()

    assert runs.is_alive(engine)
    run.process.terminate()
    assert run.process.wait(30) == 0
    assert runs.said("checkpoint")


def test_training_outlives_the_reader_of_its_lines(runs) -> None:
    run = Headless(runs, "--headless")
    engine = runs.engine_process()
    run.process.stdout.close()
    run.process.stderr.close()

    os.kill(engine, signal.SIGTERM)

    assert run.process.wait(30) == 0
    assert runs.said("checkpoint")


@pytest.mark.parametrize(
    ("fault", "code", "sentence"),
    [
        ("engine", 1, "the disk is full: free some space and continue"),
        ("input", 2, "nothing usable in metadata.csv: see the list above"),
        ("unforeseen", 1, "did not foresee (ZeroDivisionError: division [by] zero)"),
    ],
)
def test_a_fault_is_one_sentence(runs, fault: str, code: int, sentence: str) -> None:
    run = Headless(runs, "--headless", environment={"COUNTING_FAULT": fault})
    _, complaints = run.process.communicate(timeout=30)
    assert run.process.returncode == code
    assert sentence in complaints
    assert len(complaints.splitlines()) == 1


def test_nobody_who_ignores_hang_ups_is_asked(runs) -> None:
    run = Headless(
        runs, "--headless", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN)
    )
    runs.engine_process()
    run.process.send_signal(signal.SIGHUP)
    run.process.send_signal(signal.SIGTERM)
    lines, _ = run.process.communicate(timeout=30)
    assert run.process.returncode == 0
    assert not runs.said("unattended")
    assert "saved at step" in lines
