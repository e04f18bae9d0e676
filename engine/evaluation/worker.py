"""The process that evaluates checkpoints beside training: `python -m engine.evaluation.worker PID`.

It takes requests on standard input, a line of JSON each, answers with lines on standard output, and
writes nothing else. It gives way to every other process, dies with the process PID that started it,
and is the first to go where memory runs out.
"""

import contextlib
import ctypes
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from engine.choices import NetworkName
from engine.errors import VoicecoachError
from engine.run.evaluation import Evaluation
from engine.serialization import from_json, to_json
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

if TYPE_CHECKING:
    from engine.evaluation.evaluate import Evaluator

_PR_SET_PDEATHSIG = 1

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A checkpoint to evaluate."""

    voice: Path
    network: NetworkName
    step: int


@dataclass(frozen=True, slots=True)
class Reply:
    """How far the process is; the last reply to a request is `done`."""

    done: bool
    evaluation: Evaluation | None = None
    trouble: str = ""
    """Why there is no evaluation."""
    judge_absent: str = ""
    """Why models take no part: `voicecoach[judge] is not installed`."""


def main(parent: int) -> None:
    """Answer requests until standard input ends."""
    _give_way()
    _die_with(parent)
    # Whatever a library prints must not be taken for an answer.
    answers = os.dup(1)
    os.dup2(2, 1)
    requests: SimpleQueue[bytes] = SimpleQueue()
    threading.Thread(target=_read, args=(requests,), daemon=True).start()

    def answer(reply: Reply) -> None:
        with contextlib.suppress(BrokenPipeError):
            os.write(answers, to_json(reply) + b"\n")

    serve(iter(requests.get, b""), answer)


def _read(requests: "SimpleQueue[bytes]") -> None:
    """Queue what comes in; at its end the parent is gone, whatever is being evaluated."""
    for line in sys.stdin.buffer:
        requests.put(line)
    os._exit(0)


def serve(requests: Iterable[bytes], answer: Callable[[Reply], None]) -> None:
    """Evaluate what is asked for, one after the other."""
    evaluator: Evaluator | None = None
    opened: tuple[Path, VoiceSettings] | None = None
    for raw in requests:
        request = from_json(raw, Request, "request")
        try:
            voice = Voice.open(request.voice)
            if evaluator is None or opened != (voice.folder, voice.settings):
                evaluator = _evaluator(voice, lambda done, total: answer(Reply(False)))
                opened = voice.folder, voice.settings
            evaluation = evaluator.evaluate(request.network, request.step)
            answer(Reply(True, evaluation, judge_absent=evaluator.judges.absent))
        except VoicecoachError as error:
            answer(Reply(True, trouble=str(error)))
        except Exception as error:
            answer(Reply(True, trouble=f"{type(error).__name__}: {error}"))


def _evaluator(voice: Voice, on_progress: Callable[[int, int], None]) -> "Evaluator":
    # torch comes in here, once the process has given way.
    import torch

    from engine.evaluation.evaluate import Evaluator

    torch.set_num_threads(1)
    return Evaluator(voice, on_progress)


def _give_way() -> None:
    """Take the processor only where nothing else wants it; where that is unknown, go on."""
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError, AttributeError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    # A session of its own has an equal share of the cores on desktops, however nice its processes.
    for name, value in (("autogroup", "19"), ("oom_score_adj", "1000")):
        with contextlib.suppress(OSError):
            Path("/proc/self", name).write_text(value)


def _die_with(parent: int) -> None:
    """Be killed with the parent, also while this process is stopped."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
