"""What is heard on the page, in Chromium: every sample as it was made, and nothing else."""

import hashlib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from served_page import FIRST, RATE, SECOND, ServedPage, spoken
from waiting import wait_until

from engine.run.commands import MarkHeard

pytestmark = [pytest.mark.slow, pytest.mark.process]

RECORD_WHAT_IS_PLAYED = """
window.played = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when) {
  const samples = Array.from(this.buffer.getChannelData(0), (value) => value * 32768);
  window.played.push({ when, rate: this.buffer.sampleRate, samples });
  return start.apply(this, arguments);
};
"""


@pytest.fixture
def tab(chromium, page: ServedPage):
    """A tab that shows the page, with its sound on."""
    context = chromium.new_context()
    context.add_init_script(RECORD_WHAT_IS_PLAYED)
    tab = context.new_page()
    tab.set_default_timeout(10_000)
    tab.goto(page.address)
    tab.click("#sound")
    wait_until(lambda: page.listeners, "the tab to say that its sound is on")
    yield tab
    context.close()


def samples_of(path: Path) -> list[int]:
    return np.frombuffer(path.read_bytes()[44:], "<i2").tolist()


def played(tab) -> list[dict]:
    return tab.evaluate("window.played")


def heard(tab) -> list[int]:
    """All that was played; a sound may arrive in several pieces."""
    return [value for piece in played(tab) for value in piece["samples"]]


def hears(tab, path: Path) -> None:
    """Wait until all of a sound was played, and nothing else."""
    wait_until(lambda: len(heard(tab)) >= len(samples_of(path)), "the sound")
    assert heard(tab) == samples_of(path)


def test_growing_sample_plays_at_once_whole_and_without_gaps(page: ServedPage, tab):
    growing = page.begin(872_000)
    growing.write(spoken(0.4))
    wait_until(lambda: played(tab), "the first sound")
    growing.write(spoken(0.7, 1))
    growing.write(spoken(0.3, 2))
    path = growing.finish()
    row = tab.locator(f"[data-key='{path.name}'][data-sha256]")
    row.wait_for()
    pieces = played(tab)
    assert heard(tab) == samples_of(path)
    ends = [piece["when"] + len(piece["samples"]) / RATE for piece in pieces]
    # A computer that is busy may be late with the rest; two pieces never overlap.
    starts = [piece["when"] for piece in pieces[1:]]
    assert all(b - a > -1e-6 for a, b in zip(ends[:-1], starts, strict=True))
    pcm = path.read_bytes()[44:]
    assert row.get_attribute("data-sha256") == hashlib.sha256(pcm).hexdigest()
    assert MarkHeard(path.name) in page.asked


def test_flip_keeps_the_place_in_the_sentence_and_the_loudness(page: ServedPage, tab):
    page.add(865_000, spoken(2.0))
    late = np.concatenate([np.zeros(RATE // 2, np.float32), spoken(2.0, gain=0.5)])
    page.add(871_000, late)
    tab.locator("#rows .row:not(.silent)").nth(1).click()
    tab.select_option("#other", label="871,000")
    tab.get_by_text("Equally loud: A turned down by 5.9 dB.").wait_for()
    tab.keyboard.press("Space")
    tab.locator("#seek").fill("1")
    tab.keyboard.press("f")
    assert tab.locator("#side-b").get_attribute("aria-pressed") == "true"
    assert float(tab.locator("#seek").input_value()) == pytest.approx(1.5, abs=0.12)


def test_terminal_plays_its_sound_in_the_tab(page: ServedPage, tab, tmp_path):
    path = page.add(865_000, spoken(0.5), SECOND, time=1.0)
    page.play_in_tab(path)
    hears(tab, path)
    wait_until(lambda: tab.locator("#spoken").inner_text() == SECOND, "what is said")
    # In a blind test it would be one sound too many.
    tab.keyboard.press("b")
    wait_until(lambda: not page.listeners, "the tab to say that it plays nothing else")
    tab.keyboard.press("Escape")
    wait_until(lambda: page.listeners, "the tab to say that its sound is on")
    tab.click("#sound")
    wait_until(lambda: not page.listeners, "the tab to say that its sound is off")


def test_tab_that_is_told_of_a_sample_late_names_its_sentence(page: ServedPage, tab, monkeypatch):
    before = page.app.events._state()
    with monkeypatch.context() as late:
        late.setattr(page.app.events, "_state", lambda: before)
        path = page.add(872_000, spoken(0.5), SECOND, time=1.0)
        page.play_in_tab(path)
        hears(tab, path)
        assert tab.locator("#spoken").inner_text() == path.name
    page.app.events.notice()
    wait_until(lambda: tab.locator("#spoken").inner_text() == SECOND, "what is said")
    assert tab.locator("#sentence").input_value() == SECOND
    assert heard(tab) == samples_of(path)


def test_of_two_tabs_the_one_used_last_plays(page: ServedPage, tab):
    other = tab.context.new_page()
    other.goto(page.address)
    other.click("#sound")
    wait_until(lambda: page.listeners == 2, "both tabs to have their sound on")
    first = page.add(870_000, spoken(0.3))
    wait_until(lambda: played(other), "the sound in the other tab")
    other.close()
    wait_until(lambda: not tab.evaluate("navigator.locks.query()")["pending"], "its turn")
    second = page.add(871_000, spoken(0.3, 1))
    hears(tab, second)
    assert samples_of(first) != samples_of(second)


def test_old_samples_and_unwanted_ones_stay_silent(page: ServedPage, tab):
    tab.select_option("#autoplay", "asked")
    page.add(869_000, spoken(0.5), time=1.0)
    page.add(870_000, spoken(0.5), automatic=True)
    tab.locator("#rows .row:not(.silent)").nth(1).wait_for()
    assert played(tab) == []
    path = page.add(871_000, spoken(0.5))
    hears(tab, path)


def test_series_plays_one_sentence_after_the_other(page: ServedPage, tab):
    first = page.add(870_000, spoken(0.4), automatic=True)
    wait_until(lambda: played(tab), "the first sentence")
    second = page.add(871_000, spoken(0.3, 1), SECOND, automatic=True)
    both = samples_of(first) + samples_of(second)
    wait_until(lambda: len(heard(tab)) == len(both), "the second sentence")
    assert heard(tab) == both
    for before, after in pairwise(played(tab)):
        assert after["when"] > before["when"] + len(before["samples"]) / RATE - 1e-6
    assert tab.locator("#spoken").inner_text() == SECOND


def test_keys_go_through_checkpoints_and_sentences(page: ServedPage, tab):
    for step in (865_000, 870_000, 871_000):
        page.add(step, spoken(0.5), time=1.0)
    page.add(871_000, spoken(0.5), SECOND, time=1.0)
    tab.locator("#rows .row:not(.silent)").nth(2).click()
    chosen = tab.locator(".row[aria-current] .name")
    seen = []
    for key in ("]", "]", "[", "[", "["):
        tab.keyboard.press(key)
        seen.append(chosen.inner_text().split()[0])
    assert seen == ["870,000", "871,000", "870,000", "865,000", "865,000"]
    hint = tab.locator("#hint")
    assert hint.inner_text() == "There is no older sample of this sentence."
    tab.keyboard.press("o")
    assert hint.inner_text() == "There is no recording of this sentence."
    tab.keyboard.press("f")
    assert hint.inner_text() == "Choose what to compare with first."
    tab.keyboard.press(".")
    assert tab.locator("#spoken").inner_text() == SECOND
    tab.keyboard.press(",")
    assert tab.locator("#spoken").inner_text() == FIRST


def test_keys_work_after_a_choice_in_a_list(page: ServedPage, tab):
    page.add(865_000, spoken(0.3), time=1.0)
    page.add(871_000, spoken(0.3, 1), time=1.0)
    tab.locator("#rows .row:not(.silent)").nth(1).wait_for()
    tab.locator("#rows .row:not(.silent)").nth(0).click()
    wait_until(lambda: played(tab), "the sound")
    tab.get_by_role("button", name="Play", exact=True).wait_for()  # it has come to its end
    before = len(played(tab))
    tab.select_option("#other", label="865,000 · best")
    tab.keyboard.press("f")
    wait_until(lambda: len(played(tab)) > before, "the other sound")
    assert tab.locator("#side-b").get_attribute("aria-pressed") == "true"
    tab.focus("#autoplay")
    tab.keyboard.press("[")
    assert tab.locator(".row[aria-current] .name").inner_text().startswith("865,000")
    tab.keyboard.press("ArrowDown")
    assert tab.locator("#autoplay").input_value() == "asked"
    assert tab.evaluate("document.activeElement.id") == "autoplay"
