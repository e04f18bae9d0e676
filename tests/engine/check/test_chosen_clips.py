"""Which clips of a corpus are used once all were compared."""

from dataclasses import replace
from pathlib import Path

import pytest
from planted_sound import read_speech

from engine.check.metadata_checks import Metadata
from engine.check.recordings import Recording
from engine.check.speaking_rate import rate_findings
from engine.check.survey import Measured, judge
from engine.data.audio import AudioSpec
from engine.data.clips import Limits
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary


def moved(lines: int) -> list[Recording]:
    """Real speech whose texts moved by so many lines."""
    clips = read_speech()
    texts = [clips[(place - lines) % len(clips)].clip.text for place in range(len(clips))]
    return [
        replace(each, clip=replace(each.clip, text=text, path=Path("wavs", f"{place}.wav")))
        for place, (each, text) in enumerate(zip(clips, texts, strict=True))
    ]


@pytest.mark.parametrize("lines", [0, 1, -1, 3])
def test_used_clips_have_no_error_when_judged_alone(lines: int) -> None:
    recordings = moved(lines)
    while True:
        metadata = Metadata((), len(recordings), (), tuple(each.clip for each in recordings), ())
        target = Vocabulary(BBC_SYMBOLS), Limits(), AudioSpec()
        found = judge(Measured(Path(), metadata, recordings, *target))
        report, out = found.report, {row.line for row in found.report.left_out}
        if not out:
            break
        assert lines, report.left_out
        assert report.usable == len(recordings) - len(out) == report.clips - report.with_errors
        assert all(row.reason for row in report.left_out)
        recordings = [each for each in recordings if each.clip.line not in out]
        # All that stands out is left out at once.
        assert not [one for _, one in rate_findings(recordings)[0] if one.severity == "error"]
