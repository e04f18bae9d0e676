"""Calling a person away from the screen: the bell, and a notification of the desktop."""

from dataclasses import replace
from time import time

import pytest
from fake_session import training
from seeing import opened

from engine.run.evaluation import Notice
from tui import alerts


def notice(text: str, at: float) -> Notice:
    return Notice(at, "stop", text)


async def test_each_notice_rings_once_and_earlier_ones_do_not():
    old, first, second = (
        notice(name, time() + s) for name, s in (("old", -60), ("a", 0), ("b", 1))
    )
    async with opened(replace(training(), notices=(old,))) as run:
        written = []
        run.app._driver.write = written.append
        await run.change(notices=(old, first))
        await run.change(notices=(first, second))  # the oldest go
        rung = [text for text in written if "\a" in text]
        assert rung == [f"\a\x1b]9;voicecoach: alice: {text}\a" for text in "ab"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, "\a\x1b]9;voicecoach: it's at 3 %\a"),
        ({"TERM": "linux"}, "\a"),
        ({"TMUX": "/tmp/1"}, "\a\x1bPtmux;\x1b\x1b]9;voicecoach: it's at 3 %\a\x1b\\"),
        ({"STY": "1.pts"}, "\a\x1bP\x1b]9;voicecoach: it's at 3 %\a\x1b\\"),
    ],
)
def test_terminals_and_what_is_between(environment, expected):
    assert alerts.alert("it's at 3 %", environment) == expected


def test_a_text_cannot_end_the_sequence_and_the_bell_can_be_off(monkeypatch):
    told = alerts.alert("a\a\x1b]52;c;x\x9c" + "b" * 500, {})
    assert (told.count("\a"), told.count("\x1b"), len(told) < 300) == (2, 1, True)
    monkeypatch.setattr(alerts, "_choice", [True])
    alerts.choose(False)
    assert alerts.alert("a", {}) == ""
