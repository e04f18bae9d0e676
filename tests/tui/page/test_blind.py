"""Blind comparisons by way of the page's addresses."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from served_page import RATE, TOKEN, ServedPage, spoken
from waiting import wait_until

from engine.run.commands import Audition
from engine.run.sample import KeptCheckpoint
from engine.voice.comparisons import read_comparisons
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings


@pytest.fixture
def page(tmp_path) -> Iterator[ServedPage]:
    voice = Voice.create(tmp_path / "voice", VoiceSettings(tmp_path / "corpus"))
    page = ServedPage(voice.folder)
    yield page
    page.end()


@pytest.fixture
def client(page) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base = f"http://127.0.0.1:{page.port}"
    with httpx.Client(base_url=base, headers=headers, timeout=60) as client:
        yield client


def speak(page: ServedPage) -> None:
    """Speak what the page asks the run for: the later the step, the louder and longer."""
    asked = [one for one in page.asked if isinstance(one, Audition)]
    page.session.sent.clear()
    for one in asked:
        assert one.for_comparison
        later = one.step == 871_000
        page.add(
            one.step, spoken(1 + later, gain=0.2 + 0.5 * later), one.sentence, for_comparison=True
        )


def listen(client: httpx.Client, trial: dict) -> list[bytes]:
    return [client.get(trial[side]).content for side in "ab"]


@pytest.mark.slow
def test_a_pair_is_compared_until_the_answers_decide_it(page, client):
    place = f"/voices/{page.voice.id}/blind"
    with ThreadPoolExecutor() as pool:
        begun = pool.submit(client.get, place, params={"first": 871_000, "second": 865_000})
        wait_until(lambda: len(page.asked) == 2, "the samples to be asked for")
        assert {one.step for one in page.asked} == {871_000, 865_000}
        speak(page)
        first = begun.result().json()
    # Once: another tab has the same pair, and the next one is spoken meanwhile.
    assert client.get(place, params={"second": 871_000, "first": 865_000}).json() == first
    wait_until(lambda: page.asked, "the next pair to be asked for")
    speak(page)
    told = None
    for number in range(6):
        trial = client.get(place, params={"first": 871_000, "second": 865_000}).json()
        assert "71" not in str({**trial, "trial": "", "a": "", "b": ""})
        assert trial["answered"] == number
        early = {"trial": trial["trial"], "answer": "a"}
        assert client.post(place, json=early).json() == {"error": "Listen to both of them first."}
        sounds = listen(client, trial)
        assert len(sounds[0]) == len(sounds[1]) == 44 + 2 * round(2 * RATE)
        # The listener knows the later one by its length: what is behind the other is silence.
        better = "a" if any(sounds[0][-RATE:-6_000]) else "b"
        told = client.post(place, json={"trial": trial["trial"], "answer": better}).json()
        assert told["decided"] is (number == 5)
        again = client.post(place, json={"trial": trial["trial"], "answer": better})
        assert (again.status_code, again.json()["error"]) == (
            409,
            "This pair was answered already.",
        )
        assert client.get(trial["a"]).status_code == 404
    assert told["best"] == 871_000
    assert told["standing"].startswith("871,000 wins: better than 865,000 in 6 of 6 answers")
    assert "871,000" in told["revealed"]
    kept = read_comparisons(Voice.open(page.voice.folder))
    assert {one.a if one.answer == "a" else one.b for one in kept} == {871_000}
    assert {one.sentence for one in kept} == {*page.session.current.sentences}


@pytest.mark.parametrize(
    ("query", "status", "error"),
    [
        ("first=best", 400, "best is not a step; give a number such as 12000."),
        ("first=-5", 400, "-5 is not a step; give a number such as 12000."),
        ("first=99999999999999", 400, "99999999999999 is not a step; give a number such as 12000."),
    ],
)
def test_a_step_that_is_none_is_refused(page, client, query, status, error):
    answer = client.get(f"/voices/{page.voice.id}/blind?{query}")
    assert (answer.status_code, answer.json()["error"]) == (status, error)


def test_what_cannot_be_compared_is_said(page, client):
    place = f"/voices/{page.voice.id}/blind"
    page.change(checkpoints=(KeptCheckpoint("text2mel", 855_000),))
    answer = client.get(place)
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("There are no two checkpoints to compare yet")
    assert client.post(place, json={"trial": "x", "answer": "a"}).status_code == 409
    assert client.post(place, json={"trial": "x", "answer": "worse"}).status_code == 400
    assert client.get(f"{place}/x/a").status_code == 404
    assert client.get("/voices/none/blind").status_code == 404
