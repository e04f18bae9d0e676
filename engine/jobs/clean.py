"""`voicecoach clean`: a repaired copy of a corpus; the original is only read."""

from collections.abc import Callable
from pathlib import Path

from engine.check.clean_copy import Cleaned, write_clean_copy
from engine.choices import CleanerName
from engine.data.clips import scan_corpus
from engine.evaluation.attended_letters import attention_of
from engine.jobs.check import left_out_of
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings


def clean(
    dataset: Path,
    out: Path,
    *,
    against: Path | None = None,
    vocabulary: str | None = None,
    cleaner: CleanerName | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Cleaned:
    """Write a copy of a corpus that is fit for training: see `write_clean_copy`.

    Args:
        dataset: the corpus, in LJ Speech layout.
        out: the folder to make; it may exist if it is empty.
        against: the voice whose symbols, sound and limits decide, and whose attention helps to
            split long clips; the BBC's without it.
        vocabulary: symbols in place of its own.
        cleaner: how text is read, in place of its own.
        on_progress: called with clips done and clips in all.

    Raises:
        InputError: there is no such corpus or voice, a symbol can never be read, nothing in the
            corpus is usable, or `out` is taken or cannot be made.
        EngineError: the copy cannot be written; nothing is left of it.
    """
    voice = None if against is None else Voice.open(against)
    settings = VoiceSettings() if voice is None else voice.settings
    settings = settings.reading(vocabulary, cleaner)
    reader = Vocabulary(settings.symbols, settings.cleaner)
    return write_clean_copy(
        scan_corpus(dataset),
        out,
        reader,
        settings.limits,
        settings.audio,
        left_out=left_out_of(voice, dataset),
        attend=attention_of(against, reader) if against else None,
        on_progress=on_progress,
    )
