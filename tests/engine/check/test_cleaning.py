"""Which clips are left out of a repaired copy after all were measured."""

import hashlib
from pathlib import Path

from engine.check.cleaning import Change, Kept, LeftOut, Outcome, without_wrong_texts
from engine.check.speaking_rate import TimedText, rate_findings
from engine.data.metadata import Row
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary

VOCABULARY = Vocabulary(BBC_SYMBOLS)
# Characters and seconds of the first 32 clips of LJ Speech.
READ_SPEECH = """
151/9.66  30/1.90  155/9.67  89/5.14  143/8.11  74/5.68  114/8.39  25/1.78  104/7.55  116/8.82
74/4.51  108/8.24  43/2.58  168/9.95  166/9.24  79/5.27  137/7.02  124/7.48  110/6.42  63/4.67
126/8.61  110/7.05  132/8.45  117/7.86  110/8.87  86/6.09  139/9.64  69/5.93  75/5.32  95/6.92
99/7.86  105/7.08
"""


def kept(folder: Path, moved: int) -> list[Outcome]:
    """Clips whose texts moved by so many lines, with a file each."""
    clips = [clip.split("/") for clip in READ_SPEECH.split()]
    outcomes: list[Outcome] = []
    for place, (_, seconds) in enumerate(clips):
        text = "y" * int(clips[(place - moved) % len(clips)][0])
        name, line = f"clip-{place}", place + 1
        (folder / f"{name}.wav").write_bytes(b"")
        outcomes.append(
            Kept(
                Row(line, name, text),
                float(seconds),
                hashlib.sha256(name.encode()).digest(),
                None,
                Change(line, name, 0.0, 0.0, 0.0),
            )
        )
    return outcomes


def errors(outcomes: list[Outcome]) -> list[int | None]:
    timed = [
        TimedText(o.row.line, o.row.clip_id, "", o.row.text, o.seconds)
        for o in outcomes
        if isinstance(o, Kept)
    ]
    return [found.line for found in rate_findings(timed)[0] if found.severity == "error"]


def test_fitting_texts_stay(tmp_path: Path) -> None:
    outcomes = kept(tmp_path, 0)
    assert without_wrong_texts(outcomes, VOCABULARY, tmp_path) == outcomes


def test_moved_texts_are_left_out(tmp_path: Path) -> None:
    for moved in (1, -1, 3):
        outcomes = kept(tmp_path, moved)
        assert errors(outcomes)
        cleaned = without_wrong_texts(outcomes, VOCABULARY, tmp_path)
        assert not errors(cleaned)
        assert len(cleaned) == len(outcomes)
        left = {o.row.clip_id for o in cleaned if isinstance(o, Kept)}
        assert {path.stem for path in tmp_path.iterdir()} == left
        assert all(o.reason for o in cleaned if isinstance(o, LeftOut))
