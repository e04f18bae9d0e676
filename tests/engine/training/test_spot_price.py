"""What the machine costs, asked of its cloud while a run trains."""

from threading import Event

import pytest

from engine.errors import Cancelled, InputError
from engine.machine.cloud import prices
from engine.machine.cloud.machine import NewPrice
from engine.machine.cloud.prices import PriceError
from engine.run.commands import Finish
from engine.run.snapshot import Phase
from engine.training import spot
from engine.training.setup import prepare

pytestmark = pytest.mark.slow


def wait_for_price(publisher):
    for _ in range(6000):
        if publisher.snapshot.price:
            return
        Event().wait(0.01)
    pytest.fail("no price came")


def said(snapshot, text):
    return any(text in event.text for event in snapshot.events)


def test_the_last_spot_price_is_kept_while_aws_gives_none(
    make_voice, training, fake_cloud, monkeypatch
):
    answers = [
        NewPrice(100.0, "AWS spot, first"),
        PriceError("too busy"),
        NewPrice(200.0, "AWS spot"),
    ]

    def asked(machine, base):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(prices, "aws_spot_price", asked)
    monkeypatch.setattr(spot, "_PRICE_SECONDS", 0.5)
    voice = make_voice(price_auto=True)
    session = training.start(voice, None, cloud="aws", metadata_url=fake_cloud.url)
    snapshot = training.until(session, lambda s: s.price == 200.0 and s.step > 5)
    assert said(snapshot, "(too busy); keeping the last price")
    assert said(snapshot, "price: $100/h (AWS spot, first)")
    assert not said(snapshot, "using the table's")
    session.send(Finish())
    training.end(session)
    assert {entry.price for entry in voice.spend.entries} == {100.0, 200.0}


def test_preparation_costs_the_price_found_meanwhile(make_voice, training, fake_cloud, monkeypatch):
    monkeypatch.setattr(prices, "aws_spot_price", lambda *_: NewPrice(3600.0, "AWS spot"))

    def prepare_slowly(options, voice, publisher, inbox):
        wait_for_price(publisher)
        return prepare(options, voice, publisher, inbox)

    monkeypatch.setattr("engine.training.setup.prepare", prepare_slowly)
    # However little of it there is.
    monkeypatch.setattr("engine.training.cost._MIN_IDLE_SECONDS", 0.001)
    voice = make_voice(price_auto=True)
    session = training.start(voice, "3", cloud="aws", metadata_url=fake_cloud.url)
    snapshot = training.end(session)
    entries = voice.spend.entries
    assert entries[0].kind == "idle"
    assert {entry.price for entry in entries} == {3600.0}
    assert snapshot.idle_usd == pytest.approx(voice.spend.idle_usd)


def test_a_cancelled_preparation_costs_the_price_found(
    make_voice, training, fake_cloud, monkeypatch
):
    monkeypatch.setattr(prices, "aws_spot_price", lambda *_: NewPrice(3600.0, "AWS spot"))

    def give_up(options, voice, publisher, inbox):
        wait_for_price(publisher)
        raise Cancelled("The features were not completed.")

    monkeypatch.setattr("engine.training.setup.prepare", give_up)
    voice = make_voice(price_auto=True)
    session = training.start(voice, "3", cloud="aws", metadata_url=fake_cloud.url)
    snapshot = training.end(session)
    assert snapshot.phase is Phase.STOPPED
    assert {(one.kind, one.price) for one in voice.spend.entries} == {("idle", 3600.0)}
    assert snapshot.spent == pytest.approx(voice.spend.usd)


def test_a_failed_price_lookup_is_reported_and_repeated(
    make_voice, training, fake_cloud, monkeypatch
):
    answers = [ZeroDivisionError("by nought"), (NewPrice(0.4, "the table"), False)]

    def tabled(machine):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(prices, "table_price", tabled)
    monkeypatch.setattr(spot, "_PRICE_SECONDS", 0.1)
    voice = make_voice(price_auto=True)
    session = training.start(voice, None, cloud="gcp", metadata_url=fake_cloud.url)
    snapshot = training.until(session, lambda s: s.price == 0.4)
    assert said(snapshot, "price lookup failed: ZeroDivisionError: by nought")
    session.send(Finish())
    training.end(session)


def test_price_auto_without_a_cloud_is_refused(make_voice, training):
    with pytest.raises(InputError, match="--price auto needs a machine"):
        training.start(make_voice(), "+1", price="auto", cloud="none")
    with pytest.raises(InputError, match="--metadata-url"):
        training.start(make_voice("other"), "+1", cloud="aws", metadata_url="ftp://there")
