"""Checkpoints are evaluated beside training, by a process that may do whatever it likes."""

from dataclasses import replace
from pathlib import Path

import pytest
from waiting import wait_until

from engine.checkpoints.checkpoint import load_checkpoint, save_checkpoint
from engine.data.clips import Limits
from engine.errors import EngineError
from engine.evaluation import evaluate
from engine.evaluation.judges import Judges
from engine.evaluation.worker import Request, serve
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.serialization import to_json
from engine.training import judge_process, judging
from engine.training.judging import Judging
from engine.voice.evaluations import read_evaluations

# Stands in for the process: asks a folder what to do with each request, and notes its own id.
PROGRAM = """
import json, os, sys, time
from pathlib import Path
here = Path(sys.argv[0]).parent
for line in sys.stdin:
    request = json.loads(line)
    with (here / "asked").open("a") as asked:
        asked.write(f"{request['step']} {os.getpid()}\\n")
    todo = (here / "todo").read_text().split()
    (here / "todo").write_text(" ".join(todo[1:]))
    if todo and todo[0] == "die":
        os.kill(os.getpid(), 9)
    if todo and todo[0] == "hang":
        time.sleep(60)
    measures = {"finished": 0.5 + request["step"] / 1000, "stuck": 1.0}
    evaluation = {
        "network": "text2mel", "step": request["step"], "time": time.time() + 10,
        "sentences": [{"sentence": name, "measures": measures} for name in "abc"],
    }
    print(json.dumps({"done": True, "evaluation": evaluation}), flush=True)
"""


@pytest.fixture
def voice(make_voice):
    voice = make_voice(text2mel=30, base_step=10, evaluation=True)
    whole = load_checkpoint(voice.checkpoint_folder("text2mel", 30))
    for step in (10, 20):
        save_checkpoint(replace(whole, step=step), voice.checkpoint_folder("text2mel", step))
    return voice


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Where the stand-in lies; `todo` in its folder says what it does to each request."""
    path = tmp_path / "program" / "worker.py"
    path.parent.mkdir()
    path.write_text(PROGRAM)
    (path.parent / "todo").write_text("")
    monkeypatch.setattr(judge_process, "PROGRAM", (str(path),))
    monkeypatch.setattr(judging, "_TURN_SECONDS", 0.01)
    return path.parent


@pytest.fixture
def judged(voice):
    """A judge beside a run that waits at its stop, or trains; it must leave no process behind."""
    publisher = Publisher(
        Snapshot(Phase.AT_STOP, "voice", voice.folder, "text2mel", "small", "standard")
    )
    judge = Judging(voice, "text2mel", publisher, on_gpu=False)
    judge.publisher = publisher
    yield judge
    judge.close()


def asked(program):
    path = program / "asked"
    return [tuple(map(int, line.split())) for line in path.read_text().splitlines()]


def is_running(pid):
    return Path(f"/proc/{pid}").exists()


@pytest.mark.process
@pytest.mark.slow
def test_all_are_evaluated_though_the_process_dies(judged, program, voice):
    (program / "todo").write_text("die")
    judged.start()
    wait_until(lambda: judged.publisher.snapshot.notices)
    snapshot = judged.publisher.snapshot
    # The newest first, then the base.
    assert [step for step, _ in asked(program)] == [30, 30, 10, 20]
    assert [one.step for one in snapshot.scores] == [10, 20, 30]
    assert [one.step for one in read_evaluations(voice, "text2mel")] == [10, 20, 30]
    assert {one.step: one.best_by for one in snapshot.checkpoints}[30] == ("judge",)
    assert snapshot.recommended.step == 30
    [lost] = [one.text for one in snapshot.events if one.severity == "warning"]
    assert "its process was killed by SIGKILL; training goes on" in lost
    assert "export Text2Mel 30: " in snapshot.notices[-1].text
    judged.close()
    assert not any(is_running(pid) for _, pid in asked(program))


@pytest.mark.process
@pytest.mark.slow
def test_one_that_hangs_is_given_up_and_told_once(judged, program, monkeypatch):
    monkeypatch.setattr(judging, "STILL_SECONDS", 0.3)
    monkeypatch.setattr(judging, "_READ_SECONDS", 0.1)
    monkeypatch.setattr(judging, "_MAX_FAILURES", 2)
    (program / "todo").write_text("hang " * 9)
    judged.start()
    wait_until(lambda: len(judged.publisher.snapshot.events) >= 2)
    first, last = judged.publisher.snapshot.events
    assert "stood still for" in first.text
    assert last.text == "no more checkpoints are evaluated in this run"
    assert not any(is_running(pid) for _, pid in asked(program))


@pytest.mark.process
@pytest.mark.slow
def test_training_pays_little_for_it_and_waits_for_no_disk(judged, program, monkeypatch, voice):
    refusals = iter([EngineError("evaluation.jsonl cannot be written: No space left on device.")])
    append = judging.append_evaluation

    def refuse_once(*given):
        for error in refusals:
            raise error
        append(*given)

    monkeypatch.setattr(judging, "append_evaluation", refuse_once)
    judged.publisher.update(phase=Phase.TRAINING, run_seconds=1_000.0)
    judged.start()
    wait_until(lambda: judged.publisher.snapshot.recommended or judged.publisher.snapshot.advice)
    judged.finish(0.0, lambda: True)  # there is no time for anything
    assert not (program / "asked").exists()
    waits = judged.publisher.snapshot.judge_waits
    assert waits.startswith("the next evaluation starts after 25m of training in this run, to take")
    judged.publisher.update(run_seconds=2_000.0)
    judged.finish(1e6, lambda: True)
    assert [one.step for one in judged.publisher.snapshot.scores] == [10, 20, 30]
    assert len(read_evaluations(voice, "text2mel")) == 3
    [full] = [one.text for one in judged.publisher.snapshot.events]
    assert "No space left on device" in full


@pytest.mark.slow
def test_the_process_evaluates_and_says_why_not(make_voice, tmp_path, monkeypatch):
    absent = "voicecoach[judge] is not installed"
    monkeypatch.setattr(evaluate, "open_judges", lambda *_, **__: Judges({}, (), absent, ()))
    folder = make_voice(
        text2mel=5, limits=Limits(max_coarse_frames=12), dataset=tmp_path, sentences=("Hello.",)
    ).folder
    asked_for = ((folder, 5), (folder, 4), (tmp_path / "nowhere", 5))
    requests = [to_json(Request(folder, "text2mel", step)) for folder, step in asked_for]
    replies = []
    serve(requests, replies.append)
    first, second, third = [one for one in replies if one.done]
    assert (first.evaluation.step, first.trouble, first.judge_absent) == (5, "", absent)
    assert first.evaluation.sentences[0].measures["focus"] > 0
    assert "no Text2Mel checkpoint of step 4" in second.trouble
    assert "There is no voice in" in third.trouble
    assert len(replies) > 3  # it says that it moves
