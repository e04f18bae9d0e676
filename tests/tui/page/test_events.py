"""Which tabs are told what happens."""

from tui.page.events import REPLACED, Events


async def all_of(stream) -> bytes:
    return b"".join([part async for part in stream])


async def test_newer_tabs_take_the_place_of_the_oldest_for_good():
    events = Events(lambda: b'{"voices": []}', lambda: 0)
    tabs = [events.open(name, "browser") for name in "abcde"]
    other = events.open("a", "another browser")
    assert [tab.gone for tab in tabs] == [True, False, False, False, False]
    assert (await all_of(events.stream(tabs[0]))).endswith(REPLACED)
    # It asks again and again, and pushes out no other.
    assert events.open("a", "browser") is None
    assert not any(tab.gone for tab in [*tabs[1:], other])
    # One that lost its connection takes its own place.
    assert events.open("e", "browser") is not None
    assert [tab.gone for tab in tabs[1:]] == [False, False, False, True]


async def test_the_tab_that_was_used_last_plays():
    events = Events(lambda: b"{}", lambda: 0)
    tabs = {name: events.open(name, "browser") for name in "abc"}
    assert events.play({"url": "/x"}) == 0
    for name in "cab":
        events.switch_sound(name, on=True)
    events.switch_sound("b", on=False)
    assert events.play({"url": "/x"}) == 2
    assert [len(tab.plays) for tab in tabs.values()] == [1, 0, 0]
