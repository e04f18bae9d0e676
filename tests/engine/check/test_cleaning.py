"""Which clips are left out of a repaired copy after all were measured."""

from dataclasses import replace
from pathlib import Path

import pytest
from planted_sound import read_speech

from engine.check.cleaning import Change, Kept, Outcome, without_wrong_texts
from engine.check.speaking_rate import rate_findings
from engine.data.metadata import Rejected


def kept(folder: Path, moved: int) -> list[Outcome]:
    """Clips whose texts moved by so many lines, with a file each."""
    clips = read_speech()
    outcomes: list[Outcome] = []
    for place, recording in enumerate(clips):
        text = clips[(place - moved) % len(clips)].clip.text
        clip = replace(recording.clip, text=text, path=folder / f"{place}.wav")
        clip.path.write_bytes(b"")
        change = Change(clip.line, clip.clip_id, 0.0, 0.0, 0.0)
        outcomes.append(Kept(replace(recording, clip=clip), change))
    return outcomes


def test_fitting_texts_stay(tmp_path: Path) -> None:
    outcomes = kept(tmp_path, 0)
    assert without_wrong_texts(outcomes) == outcomes


@pytest.mark.parametrize("moved", [1, -1, 3])
def test_moved_texts_are_left_out(tmp_path: Path, moved: int) -> None:
    outcomes = kept(tmp_path, moved)
    cleaned = without_wrong_texts(outcomes)
    left = [outcome.recording for outcome in cleaned if isinstance(outcome, Kept)]
    assert len(left) < len(cleaned) == len(outcomes)
    assert not [found for _, found in rate_findings(left)[0] if found.severity == "error"]
    assert set(tmp_path.iterdir()) == {recording.clip.path for recording in left}
    assert all(outcome.reason for outcome in cleaned if isinstance(outcome, Rejected))
