"""What the machine costs, asked of its cloud while a run trains."""

import pytest
from waiting import wait_until

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
    wait_until(lambda: publisher.snapshot.price, "a price")


def said(snapshot, text):
    return any(text in event.text for event in snapshot.events)


@pytest.fixture
def answer(monkeypatch):
    """Let a function of `prices` give or raise some answers in turn, the last one for ever."""

    def script(name, *answers):
        left = list(answers)

        def asked(*_):
            one = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(one, Exception):
                raise one
            return one

        monkeypatch.setattr(prices, name, asked)
        monkeypatch.setattr(spot, "_PRICE_SECONDS", 0.1)

    return script


def test_the_last_spot_price_is_kept_while_aws_gives_none(make_voice, training, fake_cloud, answer):
    first, later = NewPrice(100.0, "AWS spot, first"), NewPrice(200.0, "AWS spot")
    answer("aws_spot_price", first, PriceError("too busy"), later)
    voice = make_voice(price_auto=True)
    session = training.start(voice, None, cloud="aws", metadata_url=fake_cloud.url)
    training.until(session, lambda s: s.price == 200.0 and s.step > 5)
    session.send(Finish())
    snapshot = training.end(session)
    assert said(snapshot, "(too busy); keeping the last price")
    assert said(snapshot, "price: $100/h (AWS spot, first)")
    assert not said(snapshot, "using the table's")
    assert {entry.price for entry in voice.spend.entries} == {100.0, 200.0}


@pytest.mark.parametrize("cancelled", [False, True])
def test_preparation_costs_the_price_found_meanwhile(
    make_voice, training, fake_cloud, monkeypatch, answer, cancelled
):
    answer("aws_spot_price", NewPrice(3600.0, "AWS spot"))

    def prepare_slowly(options, voice, publisher, inbox):
        wait_for_price(publisher)
        if cancelled:
            raise Cancelled("The features were not completed.")
        return prepare(options, voice, publisher, inbox)

    monkeypatch.setattr("engine.training.setup.prepare", prepare_slowly)
    # However little of it there is.
    monkeypatch.setattr("engine.training.cost._MIN_IDLE_SECONDS", 0.001)
    voice = make_voice(price_auto=True)
    session = training.start(voice, "3", cloud="aws", metadata_url=fake_cloud.url)
    snapshot = training.end(session)
    entries = voice.spend.entries
    assert snapshot.phase is Phase.STOPPED
    assert entries[0].kind == "idle"
    assert {entry.price for entry in entries} == {3600.0}
    assert {entry.kind for entry in entries} == ({"idle"} if cancelled else {"idle", "training"})
    assert snapshot.idle_usd == pytest.approx(voice.spend.idle_usd)
    assert snapshot.spent == pytest.approx(voice.spend.usd)


def test_a_failed_price_lookup_is_reported_and_repeated(make_voice, training, fake_cloud, answer):
    price = NewPrice(0.4, "the table")
    answer("table_price", ZeroDivisionError("by nought"), (price, False))
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
