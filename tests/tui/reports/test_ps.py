"""What `voicecoach ps` prints."""

import dataclasses
import json
from datetime import datetime
from pathlib import Path

import pytest
from msgspec import structs
from rich.cells import cell_len

from engine.attach.messages import Status
from engine.attach.registry import ProcessId, RunEntry
from engine.run.snapshot import Phase
from tui.reports.ps import Run, print_runs, print_runs_as_json

NOW = 1_000_000.0


@pytest.fixture(autouse=True)
def _at_a_fixed_time_and_width(monkeypatch):
    monkeypatch.setattr("tui.reports.ps.time.time", lambda: NOW)
    monkeypatch.setenv("COLUMNS", "80")


def run(folder: str = "/data/voices/alice", voice: str = "alice", **said: object) -> Run:
    entry = RunEntry(Path(folder), voice, "text2mel", ProcessId(4711, 1, "b"), "gpu-1", NOW - 3600)
    status = Status(
        voice, "text2mel", Phase.TRAINING, 871_204, 212.0, "900k", 0.65, 0.99, 871_000, 0.2, 764.0,
        4711, 2, 0, None,
    )  # fmt: skip
    return Run(dataclasses.replace(entry, last_seen=NOW - 4), structs.replace(status, **said))


def silent(run: Run) -> Run:
    return Run(dataclasses.replace(run.entry, last_seen=NOW - 135), None, (871_190, 0.64))


def test_a_run_has_a_line_and_its_attach_command(capsys):
    print_runs([run()])
    heading, line, *rest = capsys.readouterr().out.splitlines()
    assert heading.split() == [
        "voice", "network", "step", "state", "spent", "last", "seen", "pid", "screens",
    ]  # fmt: skip
    assert line.split() == [
        "alice", "Text2Mel", "871,204", "212", "steps/s", "$0.65", "now", "4711", "2",
    ]  # fmt: skip
    assert rest[-1].strip() == "voicecoach attach /data/voices/alice"


def test_a_pipe_gets_whole_cells(capsys, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    print_runs([silent(run("/data/a-long-name", "a-long-name-of-a-voice")), run(ssrn_step=767_000)])
    printed = capsys.readouterr().out
    for cell in ("a-long-name-of-a-voice", "no answer for 2m15s", "871,204 · 767,000", "screens"):
        assert cell in printed


def test_a_run_without_steps_or_an_answer_says_so(capsys):
    print_runs(
        [
            run(phase=Phase.AT_STOP, steps_per_second=None, still_seconds=4.0),
            run(phase=Phase.AT_STOP, steps_per_second=None, wait_ends_at=NOW + 300),
            run(still_seconds=125.0),
            run(still_seconds=25.0, steps_per_second=0.1),
            silent(run()),
            Run(silent(run()).entry, None),
        ]
    )
    _, waiting, limited, still, slow, mute, unknown, *_ = capsys.readouterr().out.splitlines()
    assert waiting.split()[3:10] == ["at", "the", "stop,", "12m44s", "$0.65", "now", "4711"]
    until = f"{datetime.fromtimestamp(NOW + 300):%H:%M}"
    assert limited.split()[3:7] == ["waits", "until", until, "$0.65"]
    assert still.split()[3:9] == ["no", "step", "for", "2m05s", "$0.65", "now"]
    assert slow.split()[3:7] == ["10.0", "s/step", "$0.65", "now"]
    assert mute.split() == [
        "alice", "Text2Mel", "871,190", "no", "answer", "for", "2m15s", "$0.64", "2m15s", "ago",
        "4711",
    ]  # fmt: skip
    assert unknown.split()[:4] == ["alice", "Text2Mel", "no", "answer"]


@pytest.mark.parametrize(
    ("width", "there"),
    [
        (120, "voice network step state spent last seen pid screens"),
        (80, "voice network step state spent last seen pid"),
        (60, "voice network step state spent"),
        (53, "voice step state spent"),
        (40, "voice step state"),
    ],
)
def test_narrow_terminals_lose_columns_and_no_digits(capsys, monkeypatch, width, there):
    monkeypatch.setenv("COLUMNS", str(width))
    print_runs([run(), run("/data/a-long-name", "a-long-name-of-a-voice"), silent(run())])
    table, _, _ = capsys.readouterr().out.partition("to open a screen")
    heading, first, *rest = table.splitlines()
    assert heading.split() == there.split()
    assert all(cell_len(line.rstrip()) <= width for line in table.splitlines())
    assert first.split()[: 2 + ("network" in there)][-1] == "871,204"
    assert "no answer for 2m15s" in rest[-1]
    assert ("$0.65" in first) is ("spent" in there)


def test_a_killed_run_shows_when_and_how_to_resume_it(capsys):
    entry = dataclasses.replace(silent(run()).entry, killed=True, network="ssrn")
    killed = Run(entry, None, (871_190, 0.64))
    resume = dataclasses.replace(entry, resume="voicecoach train --voice a --mirror s3://b/a")
    print_runs([killed, run(), Run(resume, None)])
    _, line, *rest = capsys.readouterr().out.splitlines()
    at = f"{datetime.fromtimestamp(NOW - 135):%H:%M}"
    assert line.split() == [
        "alice", "SSRN", "871,190", "killed", "about", at, "$0.64", "2m15s", "ago",
    ]  # fmt: skip
    attach, resumes = (
        rest.index("to open a screen on one:"),
        rest.index("to resume what was killed:"),
    )
    assert rest[attach + 1 : resumes] == ["  voicecoach attach /data/voices/alice"]
    assert rest[resumes + 1 :] == [
        "  voicecoach train --voice /data/voices/alice --network ssrn",
        "  voicecoach train --voice a --mirror s3://b/a",
    ]
    print_runs_as_json([killed, run()])
    dead, alive = json.loads(capsys.readouterr().out)
    assert dead.keys() == alive.keys()
    assert (dead["killed"], alive["killed"], alive["resume"]) == (True, False, None)
    assert dead["resume"] == "voicecoach train --voice /data/voices/alice --network ssrn"
    assert (dead["step"], dead["phase"]) == (871_190, None)


def test_names_are_never_markup_nor_escapes(capsys):
    print_runs([run("/data/[bold]x\x1b[2J y", "[bold]x\x1b[2J y")])
    said = capsys.readouterr().out
    assert "[bold]x" in said
    assert "\x1b" not in said


def test_without_runs_it_says_so(capsys):
    print_runs([])
    assert capsys.readouterr().out == "you have no run on this host\n"
    print_runs_as_json([])
    assert json.loads(capsys.readouterr().out) == []


def test_json_has_the_same_fields_without_an_answer(capsys):
    print_runs_as_json([run(still_seconds=10.0), silent(run())])
    answering, mute = json.loads(capsys.readouterr().out)
    assert answering.keys() == mute.keys()
    assert (answering["phase"], answering["step"], answering["screens"]) == ("training", 871_204, 2)
    assert (answering["answers"], answering["last_sign_of_life"]) == (True, NOW)
    assert (answering["last_change"], answering["phase_since"]) == (NOW - 10, NOW - 764)
    assert (mute["answers"], mute["last_sign_of_life"]) == (False, NOW - 135)
    assert (mute["step"], mute["spent"], mute["phase_since"]) == (871_190, 0.64, None)
    assert (mute["pid"], mute["folder"], mute["since"]) == (4711, "/data/voices/alice", NOW - 3600)
