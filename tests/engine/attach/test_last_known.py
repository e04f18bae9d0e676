"""What a run that does not answer has written down."""

from dataclasses import replace

from engine.attach.last_known import LastKnown, last_known
from engine.voice.spend import SpendEntry, SpendLog

HOUR = SpendEntry("2026-01-01T00:00", "2026-01-01T01:00", "text2mel", 0, 700, 3600.0, 1.0)


def test_the_newest_of_spend_and_checkpoints_counts(tmp_path):
    assert last_known(tmp_path, "text2mel") == LastKnown(None, 0.0)
    checkpoint = tmp_path / "text2mel" / "checkpoints" / "step-000000700"
    checkpoint.mkdir(parents=True)
    (checkpoint / "state.json").write_text("{}")
    spend = SpendLog(tmp_path / "spend.jsonl")
    spend.add(HOUR)
    assert last_known(tmp_path, "text2mel") == LastKnown(700, 1.0)
    idle = replace(HOUR, kind="idle", first_step=712, last_step=712)
    open_entries = (replace(HOUR, first_step=700, last_step=712), idle)
    spend.write_open(open_entries, spend.size)
    assert last_known(tmp_path, "text2mel") == LastKnown(712, 3.0)
    assert last_known(tmp_path, "ssrn") == LastKnown(None, 3.0)


def test_what_cannot_be_read_is_unknown(tmp_path):
    (tmp_path / "spend.jsonl").mkdir()
    (tmp_path / "text2mel").mkdir()
    (tmp_path / "text2mel" / "checkpoints").write_text("no folder")
    assert last_known(tmp_path, "text2mel") == LastKnown(None, None)
