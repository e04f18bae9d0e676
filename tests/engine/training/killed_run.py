"""Runs in processes of their own, which a test kills.

Reads lines `VOICE STOP EVERY` and trains each in a child that it forks, so that what takes long
to import is imported once. Prints `pid N`, `step N` for every step that is seen, and `ended N`
with what the child's end is to the system: 0, or 9 for one that was killed.
"""

import os
import sys
from pathlib import Path

from engine.run.options import TrainOptions
from engine.run.stop import parse_stop
from engine.session import Session


def train(folder: str, stop: str, every: str) -> int:
    options = TrainOptions(
        Path(folder),
        device="cpu",
        precision="fp32",
        stop=parse_stop(stop),
        checkpoint_every=int(every),
    )
    session = Session(options)
    session.start()
    told = -1
    while not session.join(0.001):
        step = session.snapshot().step
        if step != told:
            print(f"step {step}", flush=True)
            told = step
    if session.error is not None:
        print(f"failed {session.error}", flush=True)
    return 0 if session.error is None else 1


def main() -> None:
    import engine.speech.audition
    import engine.training.trainer  # noqa: F401 (children find it imported)

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os._exit(train(*line.split()))
        print(f"pid {child}", flush=True)
        _, status = os.waitpid(child, 0)
        print(f"ended {status}", flush=True)


if __name__ == "__main__":
    main()
