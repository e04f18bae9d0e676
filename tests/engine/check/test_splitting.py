"""Long clips, joined from known ones, split at their pauses."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from paths import DEMO_CORPUS, DEMO_VOICE

from engine.check.levels import measure_levels
from engine.jobs.clean import clean

RATE = 22_050
ROWS = [line.split("|")[:2] for line in (DEMO_CORPUS / "metadata.csv").read_text().splitlines()]
JOINED = {f"long-{first}": ROWS[first : first + 7] for first in range(0, 28, 7)}


def spoken(folder: Path, clip_id: str) -> NDArray[np.float32]:
    """The samples of a clip from its first sound to its last."""
    samples, _ = soundfile.read(next(folder.glob(f"wavs/{clip_id}.*")), dtype="float32")
    sounding = np.flatnonzero(measure_levels(samples, RATE).speaks()) * RATE // 100
    return samples[sounding[0] : sounding[-1] + RATE // 50]


def write_corpus(folder: Path, texts: dict[str, str]) -> None:
    """Clips of the demo, and some of them joined with pauses, in which noise goes on."""
    rng = np.random.default_rng(0)
    (folder / "wavs").mkdir(parents=True)
    for clip_id, rows in [*JOINED.items(), *((row[0], [row]) for row in ROWS[28:40])]:
        pieces = []
        for source, _ in rows:
            noise = rng.standard_normal(int(rng.uniform(0.3, 0.8) * RATE)) * 3e-5
            pieces += [noise, spoken(DEMO_CORPUS, source)]
        soundfile.write(folder / "wavs" / f"{clip_id}.wav", np.concatenate(pieces[1:]), RATE)
        texts.setdefault(clip_id, " ".join(text for _, text in rows))
    lines = "".join(f"{clip_id}|{text}\n" for clip_id, text in texts.items())
    (folder / "metadata.csv").write_text(lines)


@pytest.mark.slow
@pytest.mark.parametrize("against", [None, DEMO_VOICE])
def test_joined_clips_are_split_where_they_were_joined(
    tmp_path: Path, against: Path | None
) -> None:
    texts = {
        # Without marks; with the text of the first sentence lost.
        "long-7": " ".join(text for _, text in JOINED["long-7"]).replace(".", "").replace(",", ""),
        "long-14": " ".join(text for _, text in JOINED["long-14"][1:]),
    }
    write_corpus(tmp_path / "corpus", texts)
    cleaned = clean(tmp_path / "corpus", tmp_path / "out", against=against)
    lines = (tmp_path / "out" / "metadata.csv").read_text().splitlines()
    rows = dict(line.split("|") for line in lines)
    report = json.loads((tmp_path / "out" / "clean.json").read_text())
    assert len(report["split"]) == len(cleaned.split) >= 3
    for split in cleaned.split:
        said = [text for _, text in JOINED[split.clip_id]]
        if split.clip_id == "long-7":
            said = [text.replace(".", "").replace(",", "") for text in said]
        for part in split.parts:
            # Each part has the texts of some clips in a row, and the length of their recordings.
            runs = [(a, b) for a in range(7) for b in range(a + 1, 8)]
            [(first, end)] = [(a, b) for a, b in runs if " ".join(said[a:b]) == rows[part]]
            sources = [spoken(DEMO_CORPUS, row[0]) for row in JOINED[split.clip_id][first:end]]
            pauses = len(spoken(tmp_path / "out", part)) - sum(map(len, sources))
            assert 0.2 * (end - first - 1) - 0.1 < pauses / RATE < 0.5 * (end - first - 1) + 0.1
    assert "long-14-1" not in rows
    assert any(row.clip_id.startswith("long-14") for row in cleaned.left_out)
    assert set(rows) == {
        *(clip_id for clip_id, _ in ROWS[28:40]),
        *(part for split in cleaned.split for part in split.parts),
    }
