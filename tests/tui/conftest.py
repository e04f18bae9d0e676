import pytest


@pytest.fixture(autouse=True)
def _a_terminal_with_colours(monkeypatch, tmp_path):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    # Whoever runs the tests has a clipboard of their own.
    for name in ("TMUX", "STY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    # A theme that one test chooses is remembered.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
