"""A corpus that is not what it was: since the last checkpoint, or while a run learns from it."""

from collections.abc import Iterable
from pathlib import Path

from engine.checkpoints.checkpoint import Checkpoint
from engine.choices import NetworkName
from engine.data.clips import METADATA
from engine.data.content import (
    CorpusContent,
    keep_only,
    load_content,
    names,
    sentence_about_change,
)
from engine.errors import EngineError
from engine.files import make_folder, unremoved_message
from engine.machine.background import Poller
from engine.run.publisher import Publisher
from engine.voice.folder import Voice

# Seconds between two looks at the files of the corpus.
_LOOK_SECONDS = 60.0


def tell_change(
    voice: Voice,
    network: NetworkName,
    checkpoint: Checkpoint | None,
    content: CorpusContent,
    publisher: Publisher,
) -> str:
    """Tell in what the corpus differs from the one that a checkpoint was trained on.

    Training goes on with the corpus as it is. What it consists of is kept beside the checkpoints,
    so that a later run can tell.

    Returns:
        What was told; nothing where nothing differs, or is known of another corpus.
    """
    folder = voice.folder / network / "corpora"
    known = checkpoint.corpus if checkpoint else ""
    text = ""
    if known and known != content.key:
        old = load_content(folder, known)
        what = (
            "which clips is not known here" if old is None else sentence_about_change(old, content)
        )
        text = f"the corpus is not the one that {network} was trained on so far: {what}"
        publisher.warn(
            f"{text}; training goes on with the corpus as it is",
            f"The corpus is not the one that {network} was trained on so far: {what}.",
        )
    try:
        folder = voice.locate() / network / "corpora"
        make_folder(folder, within=voice.folder)
        content.save(folder)
        left = keep_only(folder, {known, content.key})
        if left:
            publisher.event(unremoved_message(left), "warning")
    except (EngineError, OSError) as error:
        publisher.event(f"a later run cannot say what changes in the corpus: {error}", "warning")
    return text


class CorpusWatch:
    """Looks at the files of a corpus now and then, in a thread that a slow disk may hold up.

    A run learns from its features, which no change of the recordings touches; but the person who
    changed them shall know that it does.
    """

    def __init__(self, dataset: Path, recordings: Iterable[Path], publisher: Publisher) -> None:
        self._publisher = publisher
        self._paths = (dataset / METADATA, *recordings)
        self._before = {path: _state(path) for path in self._paths}
        self._told = False
        self._poller = Poller("corpus monitoring", _LOOK_SECONDS, self.look, publisher.event)

    def start(self) -> None:
        """Begin to look, every minute."""
        self._poller.start()

    def stop(self) -> None:
        """Look no more; a look under way is not waited for."""
        self._poller.stop()

    def look(self) -> None:
        """Look once; the first change is told, and no other."""
        if self._told:
            return
        now = {path: _state(path) for path in self._paths}
        gone = [path for path in self._paths if now[path] is None and self._before[path]]
        changed = [path for path in self._paths if now[path] and now[path] != self._before[path]]
        if self._poller.stopped or not (gone or changed):
            return
        self._told = True
        parts = [
            f"{len(paths):,} {what} ({names([path.name for path in paths])})"
            for what, paths in (("gone", gone), ("changed", changed))
            if paths
        ]
        touched = f"of the corpus were touched while it is trained on: {', '.join(parts)}"
        self._publisher.warn(
            f"files {touched}; this run goes on with what it has read, the next one takes what is "
            f"there then",
            f"Files {touched}; the next run takes what is there then.",
        )


def _state(path: Path) -> tuple[int, int] | None:
    """Size and time of change of a file; None where it is gone."""
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
