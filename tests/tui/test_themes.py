"""The theme that a person chose is there again on every later screen."""

import pytest
from fake_session import training
from seeing import opened

from tui.themes import remember_theme


@pytest.mark.slow
async def test_the_theme_is_remembered_for_attached_screens_as_well(tmp_path):
    path = tmp_path / "state" / "voicecoach" / "theme"
    async with opened(training()) as run:
        assert run.app.theme == "voicecoach-dark"
        assert not path.exists()
        await run.press("t")
        await run.until(lambda: path.exists() and path.read_text() == "voicecoach-light\n")
    assert path.stat().st_mode & 0o777 == 0o600
    async with opened(training(), attached=True) as run:
        assert run.app.theme == "voicecoach-light"


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"\xff\x00", b"[red]", b"x" * 10_000, None], ids=str)
async def test_a_theme_that_cannot_be_read_or_written_is_no_trouble(tmp_path, content):
    path = tmp_path / "state" / "voicecoach" / "theme"
    path.parent.mkdir(parents=True)
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    async with opened(training(), size=(120, 40)) as run:
        assert run.app.theme == "voicecoach-dark"
        assert run.log.count("the theme chosen earlier is not known") == 1
        await run.press("t")
        if content is None:
            await run.until(lambda: "this theme cannot be remembered" in run.log)
            await run.press("t", "t")
            await run.look()
            assert run.log.count("this theme cannot be remembered") == 1
        else:
            await run.until(lambda: path.read_bytes() == b"voicecoach-light\n")
        assert not run.notes


def test_without_a_home_folder_it_is_an_error_that_can_be_said(monkeypatch):
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", lambda number: {}[number])
    with pytest.raises(OSError, match="no home folder"):
        remember_theme("voicecoach-dark")


@pytest.mark.slow
async def test_every_theme_of_the_palette_can_be_shown(tmp_path):
    path = tmp_path / "state" / "voicecoach" / "theme"
    async with opened(training()) as run:
        for name in run.app.available_themes:
            run.app.theme = name
            await run.look()
        await run.until(lambda: path.read_text() == f"{name}\n")
