"""Runs the command in processes of its own that have imported the engine already.

Reads lines of JSON, each with the `arguments` of a command and an `out` path, and forks a process
for each. The command writes to `out` with the suffixes `.out` and `.err`; its process id stands in
`.pid`, and once it has ended its exit code in `.code`.
"""

import json
import os
import sys
from pathlib import Path


def put(path: Path, text: str) -> None:
    path.with_suffix(".part").write_text(text)
    path.with_suffix(".part").rename(path)


def run(arguments: list[str], out: Path) -> None:
    from tui.cli import main

    for number, suffix in ((1, ".out"), (2, ".err")):
        file = os.open(out.with_suffix(suffix), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
    sys.argv = ["voicecoach", *arguments]
    main()


def main() -> None:
    # Children find imported what they would import one by one.
    import torch._dynamo  # noqa: F401

    import engine.speech.audition
    import engine.training.trainer  # noqa: F401
    import tui.cli
    import tui.process.headless  # noqa: F401

    for line in sys.stdin:
        asked = json.loads(line)
        out = Path(asked["out"])
        if os.fork():
            os.wait()
            continue
        # Somebody has to wait for the command, and this process is to read the next line.
        if os.fork():
            os._exit(0)
        child = os.fork()
        if child == 0:
            # The person at the keyboard is not at this one's.
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            run(asked["arguments"], out)
            return
        put(out.with_suffix(".pid"), str(child))
        _, status = os.waitpid(child, 0)
        put(out.with_suffix(".code"), str(os.waitstatus_to_exitcode(status)))
        os._exit(0)


if __name__ == "__main__":
    main()
