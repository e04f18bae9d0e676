"""Everything that can be known about a corpus from its files alone, in one report."""

from collections.abc import Callable
from pathlib import Path

from engine.check_report import CheckReport, Coverage, Finding, Histogram
from engine.corpus.analysis import trim
from engine.corpus.audio import AudioSpec, load_recording
from engine.corpus.clips import Limits, open_corpus
from engine.corpus.text import Vocabulary
from engine.errors import Cancelled


def check_corpus(
    dataset: Path,
    vocabulary: Vocabulary,
    limits: Limits,
    audio: AudioSpec,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Check the list, the texts and the recordings of a corpus in LJ Speech layout.

    `on_progress(done, total)` counts recordings and ends at the total; it and `cancelled` are
    called from the calling thread.

    Raises:
        InputError: there is no corpus in the folder at all.
        Cancelled: `cancelled()` became true.
    """
    corpus = open_corpus(dataset, vocabulary, limits, audio)
    findings = tuple(
        Finding("left-out", "error", row.line, row.clip_id, "metadata.csv", row.reason, "mend it")
        for row in corpus.rejected
    )
    seconds = []
    for done, clip in enumerate(corpus.clips):
        if cancelled():
            raise Cancelled("The corpus was not checked to its end.")
        on_progress(done, len(corpus.clips))
        trimmed = trim(load_recording(clip.path, audio.sample_rate), audio.trim_db)
        seconds.append(len(trimmed) / audio.sample_rate)
    on_progress(len(corpus.clips), len(corpus.clips))
    return CheckReport(
        dataset=str(dataset),
        rows=len(corpus.clips) + len(corpus.rejected),
        usable=len(corpus.clips),
        hours=sum(seconds) / 3600,
        findings=findings,
        lengths=Histogram((0.0, max(seconds)), (len(seconds),)),
        speaking_rate=None,
        loudness=None,
        noise=None,
        unknown=(),
        coverage=Coverage({}, (), {}, (), None),
    )
