"""The command `voicecoach`, without patience for a person who presses no key."""

from engine.training import command_handler
from tui.cli import main

if __name__ == "__main__":
    command_handler.MAX_WAIT_SECONDS = 0.0
    main()
