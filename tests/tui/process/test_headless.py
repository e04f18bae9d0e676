"""Training without a screen, as scripts and `nohup` run it."""

import contextlib
import fcntl
import os
import resource
import signal
import subprocess

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def headless(runs):
    """Start a headless run whose lines come through a pipe."""

    def start(*options: str, environment: dict[str, str] | None = None, **settings: object):
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            runs.counting_command(*options),
            cwd=runs.folder,
            env=runs.environment(**environment or {}),
            text=True,
            **pipes | settings,
        )

    return start


def ignore_hang_ups() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


@pytest.mark.parametrize("options", [["--headless"], []], ids=["under nohup", "no terminal"])
def test_a_signal_saves_and_ends_with_0(runs, headless, options: list[str]) -> None:
    run = headless(*options, preexec_fn=ignore_hang_ups if options else None)
    runs.engine_process()
    if options:
        run.send_signal(signal.SIGHUP)
    signum = signal.SIGINT if options else signal.SIGTERM
    run.send_signal(signum)
    lines, complaints = run.communicate(timeout=30)
    assert (run.returncode, complaints) == (0, "")
    assert runs.said("attended") == "False"
    assert not runs.said("unattended")
    assert "counting from [nought]" in lines
    assert f"{signum.name}: saving a checkpoint" in lines
    assert f"saved at step {int(runs.said('checkpoint')):,}" in lines.splitlines()[-1]
    assert "\x1b" not in lines
    assert ("no screen" in lines.splitlines()[0]) is (not options)


def test_a_hang_up_lets_training_continue(runs, headless) -> None:
    run = headless("--headless")
    engine = runs.engine_process()
    run.send_signal(signal.SIGHUP)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear of it")
    assert run.poll() is None
    # It is let go: the pipe has come to its end while the run continues.
    run.stdout.read()
    assert runs.is_alive(engine)
    run.terminate()
    assert run.wait(30) == 0
    assert runs.said("checkpoint")


def test_a_fault_is_one_sentence(runs, headless) -> None:
    run = headless("--headless", environment={"COUNTING_FAULT": "unexpected"})
    _, complaints = run.communicate(timeout=30)
    assert run.returncode == 1
    assert "unexpected error (ZeroDivisionError: division [by] zero)" in complaints
    assert len(complaints.splitlines()) == 1


@pytest.mark.parametrize("is_closed", [True, False], ids=["closed", "a pipe that nobody reads"])
def test_no_output_ends_a_run_or_changes_its_exit_code(runs, headless, is_closed: bool) -> None:
    run = headless("--headless", preexec_fn=(lambda: os.closerange(0, 3)) if is_closed else None)
    run.stdout.close()
    run.stderr.close()
    runs.engine_process()
    run.terminate()
    assert run.wait(30) == 0
    assert runs.said("checkpoint")
    # Once, though more than one line was refused.
    assert runs.said("voicecoach.log").count("nobody reads descriptor 1") == (not is_closed)


def test_lines_come_again_once_there_is_room(runs, headless) -> None:
    lines = runs.folder / "lines"
    # Far more than the voice's own files have, which the limit below is not to touch.
    lines.write_bytes(b"." * 2**20 + b"\n")
    with lines.open("ab") as out:
        run = headless("--headless", stdout=out)
    runs.engine_process()
    runs.wait_until(lambda: "counting from [nought]\n" in lines.read_text(), "the first lines")
    # A file needs no reader: the hang-up changes nothing.
    run.send_signal(signal.SIGHUP)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear of it")
    (runs.voice / "slow-disk").touch()
    _, most = resource.prlimit(run.pid, resource.RLIMIT_FSIZE)
    full = lines.stat().st_size + 10, most
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, full)
    run.terminate()
    refused = "standard output cannot be written (File too large)"
    runs.wait_until(lambda: refused in runs.said("voicecoach.log"), "the log to say so")
    assert lines.stat().st_size == full[0]
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (most, most))
    (runs.voice / "slow-disk").unlink()
    assert run.wait(30) == 0
    # It is a line of its own, though the one before was cut off.
    assert lines.read_text().splitlines()[-1].startswith("saved at step")
    log = runs.said("voicecoach.log")
    assert log.count(refused) == log.count("standard output is written again") == 1


def test_a_failed_run_ends_though_nobody_reads_its_lines(runs, headless) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 512)
    os.set_blocking(writing, True)
    faults = {"COUNTING_FAULT": "engine", "COUNTING_IS_ENDED": "soon"}
    run = headless("--headless", stdout=writing, environment=faults)
    assert run.wait(60) == 1
    runs.has_to_be_ended = True
    os.close(reading)
    os.close(writing)
