"""The command `voicecoach`, quicker to look for notices and with shorter last seconds."""

from engine.machine.cloud import notices
from engine.training import spot
from tui.cli import main

if __name__ == "__main__":
    notices._POLL_SECONDS = 0.1
    spot._MIN_MARGIN_SECONDS = 1.5
    spot._WRITE_FACTOR = 1.0
    main()
