"""The command `voicecoach`, quicker to look for notices and with shorter last seconds."""

from engine.machine.cloud import watcher
from engine.training import spot as interruption
from tui.cli import main

if __name__ == "__main__":
    watcher._EVERY = 0.1
    interruption._SHORTEST_MARGIN = 1.5
    interruption._WRITES = 1.0
    main()
