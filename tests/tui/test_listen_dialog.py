"""What `l` shows; the page itself is tested in `page/`."""

import pytest
from fake_session import training
from seeing import opened

from engine.attach.registry import ProcessId
from engine.errors import EngineError
from tui.page.client import Page

PAGE = Page(8765, "0123456789abcdef" * 2, ProcessId.of_this())


@pytest.fixture
def start(monkeypatch):
    def use(page):
        def start_page():
            if isinstance(page, Exception):
                raise page
            return page

        monkeypatch.setattr("tui.screens.listen_dialog.start_page", start_page)
        monkeypatch.delenv("TERM_PROGRAM", raising=False)
        monkeypatch.delenv("VSCODE_IPC_HOOK_CLI", raising=False)

    return use


@pytest.mark.slow
@pytest.mark.parametrize("size", [(80, 24), (40, 15)])
async def test_both_steps_are_shown_whole_and_copied(start, monkeypatch, size):
    start(PAGE)
    monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 5555 10.0.0.9 2222")
    async with opened(training(), size=size) as run:
        await run.press("l")
        await run.until(lambda: "u copies" in run.words)
        box = run.app.screen.query_one(".dialog").region.shrink((1, 1, 1, 1))
        rows = run.lines[box.y : box.bottom]
        shown = "".join(row[box.x : box.right].replace(" ", "") for row in rows)
        command = "ssh -N -L 8765:127.0.0.1:8765 -p 2222 "
        assert command.replace(" ", "") in shown
        assert PAGE.address in shown
        assert "esc closes" in run.words
        await run.press("y")
        assert run.app.clipboard.startswith(command)
        assert run.app.clipboard.endswith("@10.0.0.9")
        await run.press("u")
        assert run.app.clipboard == PAGE.address


@pytest.mark.slow
async def test_without_ssh_the_command_is_for_another_computer(start, monkeypatch):
    start(PAGE)
    monkeypatch.delenv("SSH_CONNECTION", raising=False)
    monkeypatch.delenv("TMUX", raising=False)
    async with opened(training()) as run:
        await run.press("l")
        await run.until(lambda: "u copies" in run.words)
        assert "browser on this computer" in run.words
        assert "On another computer, run this first: ssh -N -L 8765:127.0.0.1:8765" in run.words
        await run.press("y", "escape")
        assert run.app.clipboard.startswith("ssh -N -L 8765:127.0.0.1:8765 ")
        monkeypatch.setenv("SSH_CONNECTION", "10.0.0.2 5555 10.0.0.9 2222")
        monkeypatch.setenv("TERM_PROGRAM", "vscode")
        await run.press("l")
        await run.until(lambda: "forwards the port" in run.words)
        assert "ssh" not in run.words


@pytest.mark.slow
async def test_a_page_that_cannot_be_started_says_why(start):
    start(EngineError("Process 7 serves the listening page, but does not answer."))
    async with opened(training()) as run:
        await run.press("l")
        await run.until(lambda: "does not answer" in run.words)
        await run.press("escape")
        assert "does not answer" not in run.words
