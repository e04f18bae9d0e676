"""The ledger: what training has cost."""

import pytest

from engine.errors import EngineError, InputError
from engine.voice.spend import Ledger, SpendEntry


def stretch(seconds=3600.0, price=0.99, first=0, last=10) -> SpendEntry:
    return SpendEntry("2026-01-01", "2026-01-02", "text2mel", first, last, seconds, price)


def test_nothing_was_spent_before_the_first_stretch(tmp_path):
    ledger = Ledger(tmp_path / "spend.jsonl")
    assert (ledger.usd, ledger.seconds) == (0, 0)


def test_every_stretch_costs_its_own_price(tmp_path):
    path = tmp_path / "spend.jsonl"
    ledger = Ledger(path)
    ledger.add(stretch(7200, 0.5))
    ledger.add(stretch(1800, 2.0))
    for known in (ledger, Ledger(path)):
        assert known.seconds == 9000
        assert known.usd == pytest.approx(1.0 + 1.0)
        assert [s.price for s in known.stretches] == [0.5, 2.0]


def test_a_line_that_was_cut_off_costs_no_other(tmp_path):
    path = tmp_path / "spend.jsonl"
    Ledger(path).add(stretch())
    with path.open("a") as file:
        file.write('{"start": "2026')
    Ledger(path).add(stretch())
    assert Ledger(path).usd == pytest.approx(1.98)


@pytest.mark.parametrize(
    "line",
    [
        b"\xff",
        b"[]",
        b"{}",
        b"null",
        b'{"start":"a","end":"b","network":"c","first_step":0,"last_step":1,"seconds":"x","price":1}',
        b'{"start":"a","end":"b","network":"c","first_step":0,"last_step":1,"seconds":NaN,"price":1}',
        b'{"start":"a","end":"b","network":"c","first_step":0,"last_step":1,"seconds":-1,"price":1}',
        b'{"start":"a","end":"b","network":"c","first_step":0,"last_step":1,"seconds":1e308,"price":1}',
        b'{"start":"a","end":"b","network":"c","first_step":0,"last_step":1,"seconds":1,"price":1e308}',
        b'{"start":"a","end":"b","network":"c","first_step":null,"last_step":1,"seconds":1,"price":1}',
        b'{"start":"a","end":"b","network":"c","first_step":0,"last_step":"x","seconds":1,"price":1}',
        b'{"start":"a","end":"b","network":"c","first_step":[],"last_step":1e999,"seconds":1,"price":1}',
        b'{"start":5,"end":"b","network":"c","first_step":0,"last_step":1,"seconds":1,"price":1}',
        b'{"start":"a","end":"b","network":{},"first_step":0,"last_step":1,"seconds":1,"price":1}',
    ],
)
def test_a_line_that_is_no_stretch_is_passed_over(tmp_path, line):
    path = tmp_path / "spend.jsonl"
    path.write_bytes(line + b"\n")
    Ledger(path).add(stretch())
    assert Ledger(path).usd == pytest.approx(0.99)


def test_what_cannot_be_written_is_told_and_not_counted(tmp_path):
    ledger = Ledger(tmp_path / "spend.jsonl")
    assert ledger.usd == 0
    (tmp_path / "spend.jsonl").mkdir()
    with pytest.raises(EngineError, match=r"spend\.jsonl"):
        ledger.add(stretch())
    assert ledger.usd == 0
    with pytest.raises(InputError, match=r"spend\.jsonl"):
        _ = Ledger(tmp_path / "spend.jsonl").usd
