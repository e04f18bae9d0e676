"""Training without a screen, as scripts and `nohup` run it."""

import contextlib
import fcntl
import os
import resource
import signal
import subprocess

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]


class Headless:
    """A headless run whose lines come through a pipe."""

    def __init__(self, runs, *options: str, **settings: object) -> None:
        self.process = subprocess.Popen(
            runs.counting_command(*options),
            cwd=runs.folder,
            env=runs.environment(**settings.pop("environment", {})),
            text=True,
            **{
                "stdin": subprocess.DEVNULL,
                "stdout": subprocess.PIPE,
                "stderr": subprocess.PIPE,
                **settings,
            },
        )


@pytest.mark.parametrize("options", [["--headless"], []], ids=["headless", "no terminal"])
def test_a_signal_saves_and_ends_with_0(runs, options: list[str]) -> None:
    run = Headless(runs, *options)
    runs.engine_process()

    signum = signal.SIGINT if options else signal.SIGTERM
    run.process.send_signal(signum)
    lines, complaints = run.process.communicate(timeout=30)

    assert run.process.returncode == 0
    assert complaints == ""
    assert runs.said("attended") == "False"
    assert "counting from [nought]" in lines
    assert f"{signum.name}: saving a checkpoint" in lines
    assert f"saved at step {int(runs.said('checkpoint')):,}" in lines.splitlines()[-1]
    assert "\x1b" not in lines
    assert ("no screen" in lines.splitlines()[0]) is (not options)


@pytest.mark.parametrize("output", ["pipe", "file"])
def test_a_hang_up_lets_training_continue(runs, output: str) -> None:
    lines = runs.folder / "lines"
    settings = {"stdout": lines.open("wb")} if output == "file" else {}
    run = Headless(runs, "--headless", **settings)
    engine = runs.engine_process()
    run.process.send_signal(signal.SIGHUP)
    runs.wait_until(lambda: runs.said("unattended"), "the engine to hear of it")
    assert run.process.poll() is None
    if output == "pipe":
        # It is let go: the pipe has come to its end while the run continues.
        run.process.stdout.read()
    assert runs.is_alive(engine)
    run.process.terminate()
    assert run.process.wait(30) == 0
    assert runs.said("checkpoint")
    # A file needs no reader.
    assert output == "pipe" or "saved at step" in lines.read_text().splitlines()[-1]


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
        ("input", 2, "nothing usable in metadata.csv: see the list above"),
        ("unexpected", 1, "unexpected error (ZeroDivisionError: division [by] zero)"),
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


@pytest.mark.parametrize("name", ["/dev/full", "a pipe that nobody reads", "closed"])
def test_no_output_ends_a_run_or_changes_its_exit_code(runs, name: str) -> None:
    settings: dict[str, object] = {}
    if name == "/dev/full":
        settings = {"stdout": os.open(name, os.O_WRONLY), "stderr": os.open(name, os.O_WRONLY)}
    elif name == "closed":
        settings["preexec_fn"] = lambda: os.closerange(0, 3)
    run = Headless(runs, "--headless", **settings)
    for stream in (run.process.stdout, run.process.stderr):
        if stream is not None:
            stream.close()
    runs.engine_process()
    run.process.terminate()
    assert run.process.wait(30) == 0
    assert runs.said("checkpoint")
    log = runs.said("voicecoach.log") or ""
    # Once, though more than one line was refused.
    assert log.count("standard output cannot be written") == (name == "/dev/full")
    assert log.count("nobody reads descriptor 1") == ("pipe" in name)


def test_lines_come_again_once_there_is_room(runs) -> None:
    lines = runs.folder / "lines"
    # Far more than the voice's own files have, which the limit below is not to touch.
    lines.write_bytes(b"." * 2**20 + b"\n")
    with lines.open("ab") as out:
        run = Headless(runs, "--headless", stdout=out)
    runs.engine_process()
    runs.wait_until(lambda: "counting from [nought]\n" in lines.read_text(), "the first lines")
    (runs.voice / "slow-disk").touch()

    _, most = resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE)
    full = lines.stat().st_size + 10, most
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, full)
    run.process.send_signal(signal.SIGTERM)
    refused = "standard output cannot be written (File too large)"
    runs.wait_until(lambda: refused in runs.said("voicecoach.log"), "the log to say so")
    assert lines.stat().st_size == full[0]
    resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (most, most))

    (runs.voice / "slow-disk").unlink()
    assert run.process.wait(30) == 0
    # It is a line of its own, though the one before was cut off.
    assert lines.read_text().splitlines()[-1].startswith("saved at step")
    log = runs.said("voicecoach.log")
    assert log.count(refused) == log.count("standard output is written again") == 1


def test_a_failed_run_ends_though_nobody_reads_its_lines(runs) -> None:
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, b"." * 512)
    os.set_blocking(writing, True)
    run = Headless(runs, "--headless", stdout=writing, environment={"COUNTING_FAULT": "engine"})
    assert run.process.wait(60) == 1
    runs.has_to_be_ended = True
    os.close(reading)
    os.close(writing)
