"""The command `voicecoach`, without patience for a person who presses no key."""

from engine.training import standing
from tui.cli import main

if __name__ == "__main__":
    standing.MAX_WAIT_SECONDS = 0.0
    main()
