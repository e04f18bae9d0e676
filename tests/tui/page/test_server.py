"""The server in this process: how it is found, and how it ends."""

from engine.attach.registry import ProcessId
from tui.page import server
from tui.page.client import find_page


def test_a_page_that_nobody_uses_ends_by_itself(monkeypatch):
    monkeypatch.setattr(server, "_UNUSED_SECONDS", 0.0)
    found = []
    bound = server.open_port(0)
    port = bound.getsockname()[1]
    server.serve(bound, None, lambda page: found.append((page, find_page())), until_unused=True)
    [(page, known)] = found
    assert page == known
    assert (page.port, page.process) == (port, ProcessId.of_this())
    assert page.address == f"http://127.0.0.1:{port}/?token={page.token}"
    assert find_page() is None
