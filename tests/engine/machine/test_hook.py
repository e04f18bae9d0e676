"""The command for an interruption: what it knows, how it ends, who waits for it."""

import time
from pathlib import Path

import pytest
from waiting import wait_until

from engine.machine.cloud.machine import Clock
from engine.machine.hook import Hook


def notice(seconds):
    return Clock(time.time(), time.monotonic()).notice("AWS stops this machine", seconds)


@pytest.fixture
def reports():
    return []


@pytest.fixture
def run(tmp_path, reports):
    def start(command, seconds=30.0):
        hook = Hook(command, tmp_path / "voice", lambda *report: reports.append(report))
        hook.start()
        hook.run(notice(seconds))
        return hook

    return start


def test_it_knows_the_voice_the_notice_and_the_deadline(run, reports, tmp_path, caplog):
    caplog.set_level("INFO")
    run('echo "$VOICECOACH_VOICE|$VOICECOACH_NOTICE|$VOICECOACH_DEADLINE"; echo bad >&2').wait()
    assert reports == [("--on-interrupt finished", "information")]
    [output] = [record.getMessage() for record in caplog.records if "output" in record.getMessage()]
    assert f"{tmp_path / 'voice'}|AWS stops this machine|20" in output
    assert output.endswith("+00:00\nbad")


def test_of_a_long_output_the_log_has_the_end(run, reports, caplog):
    caplog.set_level("INFO")
    run("head -c 3000000 /dev/zero | tr '\\0' x; echo the end").wait()
    output = caplog.records[-1].getMessage()
    assert len(output) < 20_000
    assert output.endswith("the end")


@pytest.mark.parametrize(
    ("command", "words"),
    [("exit 7", "code 7"), ("no-such-command-there", "code 127"), ("kill -9 $$", "code -9")],
)
def test_a_failure_is_reported(run, reports, command, words):
    run(command).wait()
    [(text, severity)] = reports
    assert severity == "warning"
    assert words in text


@pytest.mark.parametrize("error", [OSError("no processes left"), ValueError("null byte")])
def test_a_command_that_cannot_be_run_is_reported(run, reports, monkeypatch, error):
    def refuse(*_given, **_options):
        raise error

    monkeypatch.setattr("engine.machine.hook.subprocess.Popen", refuse)
    run("true").wait()
    assert reports == [(f"--on-interrupt failed: {type(error).__name__}: {error}", "error")]


def test_a_command_that_hangs_is_ended_with_all_it_started(run, reports, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.machine.hook._MIN_SECONDS", 0.2)
    late = tmp_path / "late"
    run(f"(sleep 60; touch {late}) & echo $! > {tmp_path / 'child'}; wait", seconds=0).wait()
    [(text, severity)] = reports
    assert (text, severity) == ("--on-interrupt took too long and was killed", "warning")
    child = int((tmp_path / "child").read_text())
    # The kernel may take a moment to be done with it.
    wait_until(lambda: not _runs(child), "the child to be gone")


def _runs(process):
    try:
        state = Path(f"/proc/{process}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] not in "ZX"


def test_it_runs_once_at_a_time(tmp_path, reports):
    gate, ran = tmp_path / "gate", tmp_path / "ran"
    command = f"echo x >> {ran}; while [ ! -e {gate} ]; do sleep 0.01; done"
    hook = Hook(command, tmp_path, lambda *report: reports.append(report))
    hook.start()
    hook.run(notice(60))
    hook.run(notice(30))
    gate.touch()
    hook.wait()
    assert ran.read_text() == "x\n"
    assert len(reports) == 1


@pytest.mark.slow
def test_without_a_thread_it_starts_and_nobody_waits(tmp_path, reports):
    done = tmp_path / "done"
    hook = Hook(f"sleep 1; touch {done}", tmp_path, lambda *report: reports.append(report))
    hook.run(notice(30.0))
    assert not done.exists()
    assert reports == [
        ("--on-interrupt started; its outcome will not be known", "warning"),
    ]
    wait_until(done.exists, "the command")


def test_it_runs_once_a_notice_however_many_networks_ask(run, reports):
    hook = run("true")
    asked_for, later = hook._notice, notice(60.0)
    for one, times in ((asked_for, 1), (later, 2), (later, 2)):
        hook.run(one)
        assert hook.wait(30)
        assert len(reports) == times
