"""The spend of a voice, as its file has it."""

import pytest

from engine.errors import EngineError, InputError
from engine.jobs.info import describe
from engine.voice.spend import SpendEntry, SpendLog


def entry(seconds=3600.0, price=0.99, first=0, last=10, kind="training") -> SpendEntry:
    return SpendEntry("2026-01-01", "2026-01-02", "text2mel", first, last, seconds, price, kind)


def test_nothing_was_spent_before_the_first_entry(tmp_path):
    spend = SpendLog(tmp_path / "spend.jsonl")
    assert (spend.usd, spend.seconds, spend.size) == (0, 0, 0)


def test_every_entry_costs_its_own_price(tmp_path):
    path = tmp_path / "spend.jsonl"
    spend = SpendLog(path)
    spend.add(entry(7200, 0.5))
    spend.add(entry(1800, 2.0), entry(3600, 3.0, kind="idle"))
    for known in (spend, SpendLog(path)):
        assert (known.seconds, known.idle_seconds) == (9000, 3600)
        assert (known.usd, known.idle_usd) == (5.0, 3.0)
        assert [one.price for one in known.entries] == [0.5, 2.0, 3.0]


def test_a_line_that_was_cut_off_costs_no_other(tmp_path):
    path = tmp_path / "spend.jsonl"
    SpendLog(path).add(entry())
    with path.open("a") as file:
        file.write('{"start": "2026')
    SpendLog(path).add(entry())
    assert SpendLog(path).usd == pytest.approx(1.98)
    assert SpendLog(path).unreadable == (2,)


FIELDS = {
    "start": '"a"', "end": '"b"', "network": '"ssrn"', "first_step": "0", "last_step": "1",
    "seconds": "1", "price": "1",
}  # fmt: skip


def line(**changes: str) -> str:
    """A line of the file with other fields, as JSON has them."""
    return "{" + ", ".join(f'"{name}": {text}' for name, text in (FIELDS | changes).items()) + "}"


@pytest.mark.parametrize(
    "damaged",
    [
        b"\xff",
        *("[]", "{}", "null", "[" * 9000, '{"start": "2026'),
        *(line(seconds=text) for text in ('"x"', "NaN", "-1", "1e308", "1" + "0" * 400)),
        *(line(first_step=text) for text in ("null", "[]", "1e999", '"x"')),
        *(line(price="1e308"), line(start="5"), line(network="{}"), line(kind='"leisure"')),
    ],
)
def test_a_damaged_line_is_passed_over(tmp_path, damaged):
    path = tmp_path / "spend.jsonl"
    path.write_bytes((damaged if isinstance(damaged, bytes) else damaged.encode()) + b"\n")
    SpendLog(path).add(entry())
    assert SpendLog(path).usd == pytest.approx(0.99)
    assert SpendLog(path).unreadable == (1,)


@pytest.mark.slow
def test_entries_of_old_versions_are_all_training(make_voice):
    voice = make_voice()
    (voice.folder / "spend.jsonl").write_text(f"{line(seconds='3600')}\n" * 3)
    spend = describe(voice.folder)["spend"]
    assert (spend["usd"], spend["idle_usd"], spend["hours"]) == (3.0, 0, 3.0)


def test_what_cannot_be_written_is_not_counted(tmp_path):
    spend = SpendLog(tmp_path / "spend.jsonl")
    assert spend.usd == 0
    (tmp_path / "spend.jsonl").mkdir()
    with pytest.raises(EngineError, match=r"spend\.jsonl"):
        spend.add(entry())
    assert spend.usd == 0
    with pytest.raises(InputError, match=r"spend\.jsonl"):
        _ = SpendLog(tmp_path / "spend.jsonl").usd


def test_only_open_entries_that_the_log_lacks_are_added(tmp_path):
    spend = SpendLog(tmp_path / "spend.jsonl")
    spend.add(entry())
    size, entries = spend.size, [entry(1.0), entry(2.0)]
    spend.write_open(entries, size)
    assert SpendLog(spend.path).open_entries() == entries
    spend.add(entries[0])
    assert SpendLog(spend.path).open_entries() == entries[1:]
    # It grew by something else: who knows what is missing?
    spend.write_open(entries, 0)
    assert SpendLog(spend.path).open_entries() == []
    spend.write_open(entries, spend.size)
    assert SpendLog(spend.path).add_open_entries() == entries
    assert [one.seconds for one in SpendLog(spend.path).entries] == [3600.0, 1.0, 1.0, 2.0]
    assert SpendLog(spend.path).add_open_entries() == []
