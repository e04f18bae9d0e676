"""What the page shows and asks, in Chromium."""

import numpy as np
import pytest
from served_page import FIRST, RATE, SECOND, ServedPage, spoken
from waiting import wait_until

from engine.evaluation.equal_loudness import loudness_power
from engine.run.commands import Audition
from engine.run.evaluation import Advice, CheckpointScores, Misreading, Recommendation, Score
from engine.run.snapshot import Phase

pytestmark = [pytest.mark.slow, pytest.mark.process]

# Text on what is behind it: the least contrast of all that is seen, and where it is.
CONTRASTS = """() => {
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (rgb) => rgb.slice(0, 3)
    .map((value) => value / 255)
    .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = channels(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0.9) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll("body *")].filter((element) =>
    element.checkVisibility() && !element.closest(":disabled, figure") &&
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.map((element) => {
    const [one, other] = [channels(getComputedStyle(element).color), ground(element)].map(light);
    const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return [contrast, element.textContent.trim()];
  });
}"""
# Bursts of a tone: pauses, and frequencies that the ear weighs in its own way, matter.
LOUDNESS = """async ([rate, seconds, hertz, gain]) => {
  const { loudness } = await import("/static/align.js");
  const samples = Float32Array.from({ length: seconds * rate }, (_, n) =>
    n % rate < rate / 2 ? gain * Math.sin(2 * Math.PI * hertz * n / rate) : 0);
  const found = loudness(samples, rate);
  return Number.isFinite(found) ? found : null;
}"""
UNNAMED = """() => [...document.querySelectorAll("button, select, input, textarea, a, img, canvas")]
  .filter((one) => !(one.textContent.trim() || one.ariaLabel || one.alt || one.labels?.length))
  .map((one) => one.id)"""


@pytest.fixture
def show(chromium, page: ServedPage):
    """Open the page in a new tab, with options of Playwright's contexts."""
    contexts = []

    def show(**options):
        contexts.append(chromium.new_context(**options))
        tab = contexts[-1].new_page()
        tab.set_default_timeout(10_000)
        tab.goto(page.address)
        tab.locator("#rows .row").first.wait_for()
        return tab

    yield show
    for context in contexts:
        context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_phone_shows_all_without_scrolling_sideways(page: ServedPage, show, scheme):
    page.add(865_000, spoken(1.0), note="no SSRN yet: from the mel alone")
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    # A button that has just become one would otherwise be fading into its colours.
    tab = show(color_scheme=scheme, reduced_motion="reduce", **phone)
    assert tab.evaluate("document.documentElement.scrollWidth") <= 390
    faint = [text for contrast, text in tab.evaluate(CONTRASTS) if contrast < 4.5]
    assert faint == []
    assert tab.evaluate(UNNAMED) == []


def test_typed_sentence_is_spoken_by_the_chosen_weights(page: ServedPage, show):
    tab = show()
    tab.fill("#text", "Room 42")
    tab.get_by_text("room forty two").wait_for()
    tab.select_option("#step", label="865,000 · best · held-out 0.0971")
    tab.select_option("#ssrn-step", "767000")
    tab.click("#ask")
    wait_until(lambda: Audition("Room 42", 865_000, 767_000) in page.asked, "the request")
    tab.locator("#rows .row.silent").first.click()
    wait_until(lambda: Audition(FIRST, 871_000) in page.asked, "the checkpoint's request")


def test_checkpoint_that_has_to_speak_first_is_then_compared(page: ServedPage, show):
    page.add(865_000, spoken(1.0))
    tab = show()
    tab.select_option("#other", "step 870000")
    wait_until(lambda: Audition(FIRST, 870_000) in page.asked, "the request")
    page.add(870_000, spoken(1.1))
    tab.get_by_text("B: 870,000").wait_for()
    assert tab.locator("#side-a").inner_text() == "A: 865,000"
    tab.locator("#side-b[aria-pressed=true]").wait_for()


def test_scores_and_misread_words_stand_beside_the_play_button(page: ServedPage, show):
    misread = (Misreading("skipped", "birds", 4, 9, 0.8, 1.1),)
    page.add(865_000, spoken(1.5), misreadings=misread)
    skipped = CheckpointScores("text2mel", 865_000, {"skipped": Score(3.1, 0.9, 6.0)}, 12, 4)
    advice = Advice("flat", "flat for 6,000 steps", ("held-out loss fell by less than its noise",))
    best = Recommendation("text2mel", 865_000, ("lowest held-out loss",), "clearly better")
    page.change(scores=(skipped,), advice=advice, recommended=best)
    tab = show()
    tab.get_by_text("flat for 6,000 steps").click()
    tab.get_by_text("held-out loss fell by less").wait_for()
    tab.get_by_text("Export Text2Mel 865,000: lowest held-out loss; clearly better").wait_for()
    tab.get_by_text("a word misread in 4 of 12 sentences").wait_for()
    tab.get_by_text("3.1 % (0.9 to 6.0)").wait_for()
    tab.locator("#rows .tag.misread").wait_for()

    band = tab.locator("#bands .band").bounding_box()
    pictures = tab.locator("#pictures").bounding_box()
    assert (band["x"] - pictures["x"]) / pictures["width"] == pytest.approx(0.8 / 1.5, abs=0.02)
    tab.get_by_role("button", name="skips “birds” at 0.8 s").click()
    tab.wait_for_function("document.querySelector('#seek').valueAsNumber >= 0.6")


def test_loudness_is_the_one_of_blind_comparisons(page: ServedPage, show):
    page.add(865_000, spoken(0.5))
    tab = show()
    for seconds, hertz, gain in ((3, 200, 0.5), (1, 3_000, 0.1), (0.2, 50, 0.9), (1, 100, 0.0)):
        n = np.arange(round(seconds * RATE))
        tone = gain * np.sin(2 * np.pi * hertz * n / RATE) * (n % RATE < RATE / 2)
        power = loudness_power(tone.astype(np.float32), RATE)
        here = pytest.approx(10 * np.log10(power) - 0.691, abs=0.02) if power else None
        assert tab.evaluate(LOUDNESS, [RATE, seconds, hertz, gain]) == here


def test_text_from_data_is_text(page: ServedPage, show):
    evil = "<img src=x onerror=alert(1)><b>bold"
    page.add(865_000, spoken(0.5), evil, note=evil)
    page.voice.folder = page.voice.folder.with_name(evil)
    page.change(sentences=(evil, SECOND), alarm=evil)
    tab = show()
    for place in ("#spoken", "#about", "#line", "#alarm", "#sentence option"):
        assert evil in tab.locator(place).first.text_content()
    assert tab.locator("b, img[src=x]").count() == 0


def test_lost_server_is_said_and_found_again(page: ServedPage, show):
    tab = show()
    page.end()
    tab.get_by_text("No connection to the page's server; trying again.").wait_for()
    assert "open the new address" in tab.locator("#trouble").inner_text()
    page.start()
    tab.locator("#trouble").wait_for(state="hidden")
    page.change(step=872_345)
    tab.get_by_text("step 872,345 (+17,345)").wait_for()


def test_end_of_a_run_is_said(page: ServedPage, show):
    tab = show()
    page.fail("The disk is full.")
    tab.locator("#alarm").get_by_text("The disk is full.").wait_for()
    assert "steps/s" not in tab.locator("#line").inner_text()
    assert tab.locator("#ask").is_disabled()
    assert tab.locator("#asked").inner_text().startswith("Cannot speak now: ")
    page.change(phase=Phase.TRAINING, failure="")
    tab.locator("#asked:empty").wait_for(state="attached")
    assert tab.locator("#ask").is_enabled()


def test_voices_of_one_name_show_where_they_are(page: ServedPage, show):
    folder = page.voice.folder
    page.app.voices._known(folder.parent / "other" / folder.name)
    tab = show()
    names = tab.locator("#voices a").all_inner_texts()
    assert names[0].startswith(f"{folder.parent.name}/alice ")
    assert names[1:] == ["other/alice (not training)"]
    for place in ("#step", "#other"):
        steps = [text.split()[0] for text in tab.locator(f"{place} option").all_inner_texts()]
        assert len(steps) == len(set(steps))


def test_blind_pair_is_answered_once_both_were_played(page: ServedPage, show):
    page.change(sentences=(FIRST,))
    for step in (865_000, 871_000):
        page.add(step, spoken(1.0))
    tab = show()
    tab.keyboard.press("b")
    tab.select_option("#blind-first", "865000")
    tab.select_option("#blind-second", "871000")
    tab.locator("#blind-b:enabled").wait_for()
    assert tab.locator("#answer-a").is_disabled()
    tab.keyboard.press("b")  # also after a choice in a list
    tab.click("#answer-b")
    tab.get_by_text("Answer saved.").wait_for()
    tab.get_by_text("1 answer, not decided yet").wait_for()
    assert tab.locator("#answer-a").is_disabled()
