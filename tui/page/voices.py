"""The voices of the page: those that are being trained, and those that were asked for by name."""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from engine.attach.client import RemoteSession
from engine.attach.registry import RunEntry, known_runs
from engine.errors import InputError, VoicecoachError
from engine.files import absolute_path, changed_at
from engine.formatting import printable
from engine.jobs.resting import RestingVoice
from engine.run.commands import Audition, MarkHeard
from engine.run.sample import Sample
from engine.run.snapshot import Phase, Snapshot
from engine.serialization import to_json
from engine.speech.reading import Reader
from engine.voice.folder import Voice
from tui.page.words import sample_of, state_of
from tui.process.endings import describe_end

_log = logging.getLogger(__name__)

_AGAIN_AFTER = 10.0
"""Seconds from one try to attach to a run to the next."""


def voice_id(folder: Path) -> str:
    """The name of a voice in addresses: the same for as long as its folder stays where it is."""
    return hashlib.sha256(str(absolute_path(folder)).encode(errors="surrogateescape")).hexdigest()[
        :12
    ]


class PageVoice:
    """A voice, by way of the run that trains it or from its folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = absolute_path(folder)
        self.id = voice_id(folder)
        self.ended = ""
        """Why no run can be asked; empty while one can."""
        self._source: RemoteSession | RestingVoice | None = None
        """The run, or what answers instead; None before anything is known."""
        self._why_resting = ""
        self._attaching = False
        self._next_try = 0.0
        self._attention: dict[Path, bool] = {}
        self._listed: tuple[tuple[Sample, ...], list[dict[str, Any]]] = ((), [])
        self._reader: tuple[object, Reader] | None = None

    @property
    def snapshot(self) -> Snapshot | None:
        """The newest; None before anything is known. Never waits."""
        return None if self._source is None else self._source.snapshot()

    @property
    def running(self) -> bool:
        """Whether a run can be asked."""
        source = self._source
        if source is None or isinstance(source, RestingVoice):
            return False
        return not source.snapshot().phase.ended

    def follow(self, entry: RunEntry, on_change: Callable[[], None]) -> None:
        """Attach to a run, in a thread, unless that is done or was tried just now."""
        source = self._source
        if (
            isinstance(source, RemoteSession)
            and source.pid == entry.process.pid
            # A connection that was lost is made again.
            and (self.running or source.ended_in_sight)
        ):
            return
        if not self._attaching and time.monotonic() >= self._next_try:
            self._attaching = True
            threading.Thread(
                target=self._attach, args=(on_change,), name="attaching", daemon=True
            ).start()

    def _attach(self, on_change: Callable[[], None]) -> None:
        self._next_try = time.monotonic() + _AGAIN_AFTER
        try:
            before, self._source = self._source, RemoteSession(self.folder, on_change=on_change)
            self.ended, self._next_try = "", 0.0
            if isinstance(before, RestingVoice):
                before.close()
        except InputError as error:
            self._rest("", on_change)
            self.ended = str(error)
        finally:
            self._attaching = False
        on_change()

    def rest(self, why: str, on_change: Callable[[], None]) -> None:
        """Show what the folder has: no run trains the voice; `why` is what to say of the last."""
        source = self._source
        if source is not None and not isinstance(source, RestingVoice):
            last = source.snapshot()
            if not last.phase.ended:
                return  # it is about to say how it ended
            why = last.failure or f"The run has ended: {describe_end(last)}."
        self._rest(why, on_change)

    def _rest(self, why: str, on_change: Callable[[], None]) -> None:
        source = self._source
        try:
            if isinstance(source, RestingVoice):
                source.refresh()
            else:
                last = None if source is None else source.snapshot()
                self._source = RestingVoice(self.folder, on_change, last)
                self._why_resting = why
            self.ended = self._why_resting
        except VoicecoachError as error:
            self.ended = str(error)

    def fail(self, error: Exception) -> None:
        """Say that the voice cannot be shown; all others are."""
        told = f"This voice cannot be shown ({type(error).__name__}: {error})."
        if told != self.ended:
            _log.error("%s: %s", self.folder, told, exc_info=error)
        self.ended = told

    # What the page shows and asks.

    def as_json(self, now: datetime) -> dict[str, Any]:
        """All that the page shows of the voice; may read files."""
        run = self.snapshot
        if run is None:
            return self.unknown()
        if run.samples is not self._listed[0]:
            samples = [sample_of(sample, self._has_attention) for sample in run.samples]
            self._listed = (run.samples, samples)
        return {
            "id": self.id,
            **state_of(run, now),
            "running": self.running,
            "ended": "" if self.running else printable(self.ended or run.failure),
            "can_speak": printable(self.why_silent(run)),
            "samples": self._listed[1],
        }

    def unknown(self) -> dict[str, Any]:
        """What the page shows of a voice of which nothing can be read."""
        name, ended = printable(self.folder.name), printable(self.ended)
        return {"id": self.id, "name": name, "ended": ended, "running": False}

    def _has_attention(self, sample: Sample) -> bool:
        path = sample.path.with_suffix(".png")
        if not self._attention.get(path):
            self._attention[path] = path.exists()
        return self._attention[path]

    def why_silent(self, run: Snapshot) -> str:
        """Why the voice cannot speak now; empty where it can."""
        if run.phase is Phase.STOPPING:
            return "the run is ending"
        if self.running:
            return ""
        if not isinstance(self._source, RestingVoice):
            return self.ended or "the run has just ended; its checkpoints can speak in a moment"
        speaks = any(checkpoint.network == "text2mel" for checkpoint in run.checkpoints)
        return "" if speaks else "its Text2Mel has no checkpoint yet"

    def marks(self) -> object:
        """What changes with news that cannot wait; never waits."""
        run = self.snapshot
        if run is None:
            return (self.id, self.ended)
        return (self.id, run.speaking, len(run.samples), run.phase, self.running)

    def speak(self, command: Audition) -> None:
        """Have a sentence spoken; raises `InputError` where that cannot be."""
        run = self.snapshot
        why = self.ended if run is None else self.why_silent(run)
        if why or self._source is None:
            raise InputError(f"Cannot speak now: {why}.")
        self._source.send(command)

    def close(self) -> None:
        """Give up what the voice is speaking without a run."""
        if isinstance(self._source, RestingVoice):
            self._source.close()

    def sample(self, name: str) -> Sample | None:
        """The sample of a file name, its own or that of its original; None where there is none."""
        run = self.snapshot
        for sample in () if run is None else run.samples:
            paths = filter(None, (sample.path, sample.original))
            if name in (printable(path.name) for path in paths):
                return sample
        return None

    def sound(self, name: str) -> Path | None:
        """The file of a sample, or of one that is being made; None where there is none."""
        run, sample = self.snapshot, self.sample(name)
        speaking = None if run is None else run.speaking
        paths = [speaking.path] if speaking is not None else []
        paths += [] if sample is None else [sample.path, sample.original or sample.path]
        return next((path for path in paths if printable(path.name) == name), None)

    def mark_heard(self, name: str) -> None:
        """Note that somebody has played a sample; raises `InputError` where there is none."""
        sample = self.sample(name)
        if sample is None:
            raise InputError("This voice has no such sample.")
        if self._source is not None:
            self._source.send(MarkHeard(sample.path.name))

    def read(self, text: str) -> dict[str, Any]:
        """How the voice reads a text; may take a moment.

        Raises:
            InputError: there is no voice any more.
        """
        changed = changed_at(self.folder / "voice.toml")
        if self._reader is None or self._reader[0] != changed:
            self._reader = (changed, Reader(self.folder))
        reading = self._reader[1].read(text)
        return {
            "sentences": list(reading.sentences),
            "note": reading.note,
            "cut": reading.cut,
        }


class Voices:
    """All voices of the page."""

    def __init__(self, on_change: Callable[[], None]) -> None:
        """`on_change` is called in any thread when a run has a new snapshot; it must not wait."""
        self._on_change = on_change
        self._voices: dict[str, PageVoice] = {}
        self._named: set[str] = set()
        self.trouble = ""
        """Why the runs of this host are not known; empty where they are."""
        self.last_running = time.monotonic()
        """When a run was there last."""

    def name(self, folder: Path) -> PageVoice:
        """Show a voice whether or not it is being trained; raises `InputError` if it is none."""
        Voice.open(folder)
        voice = self._known(folder)
        self._named.add(voice.id)
        return voice

    def _known(self, folder: Path) -> PageVoice:
        return self._voices.setdefault(voice_id(folder), PageVoice(folder))

    def find(self, name: str) -> PageVoice | None:
        """The voice of an id."""
        return self._voices.get(name)

    def look(self) -> None:
        """Attach to runs that have begun, and note those that have ended; may read files."""
        try:
            runs, self.trouble = known_runs(), ""
        except InputError as error:
            runs, self.trouble = [], str(error)
        live = {voice_id(run.voice_folder): run for run in runs if not run.killed}
        if live:
            self.last_running = time.monotonic()
        for run in runs:
            self._known(run.voice_folder)
        killed = {voice_id(run.voice_folder): run for run in runs if run.killed}
        for voice in list(self._voices.values()):
            try:
                if voice.id in live:
                    voice.follow(live[voice.id], self._on_change)
                else:
                    voice.rest(_why_ended(killed.get(voice.id)), self._on_change)
            except Exception as error:
                voice.fail(error)

    def close(self) -> None:
        """Give up what voices without a run are speaking."""
        for voice in list(self._voices.values()):
            voice.close()

    def as_json(self) -> bytes:
        """All voices, those that are being trained first; may read files."""
        now = datetime.now()
        voices = sorted(self._voices.values(), key=lambda voice: not voice.running)
        names = short_names([voice.folder for voice in voices])
        shown = [
            _shown(voice, now) | {"name": printable(name)}
            for voice, name in zip(voices, names, strict=True)
        ]
        return to_json({"voices": shown, "trouble": printable(self.trouble)})

    def marks(self) -> object:
        """What changes with news that cannot wait; never waits."""
        return [voice.marks() for voice in list(self._voices.values())]


def short_names(folders: Sequence[Path]) -> list[str]:
    """The names of folders; of those that share one, as much before it as tells them apart."""
    return [_short_name(folder, folders) for folder in folders]


def _short_name(folder: Path, folders: Sequence[Path]) -> str:
    for parts in range(1, len(folder.parts)):
        name = folder.parts[-parts:]
        if sum(other.parts[-parts:] == name for other in folders) == 1:
            return "/".join(name)
    return str(folder)


def _shown(voice: PageVoice, now: datetime) -> dict[str, Any]:
    try:
        return voice.as_json(now)
    except Exception as error:
        voice.fail(error)
        return voice.unknown()


def _why_ended(killed: RunEntry | None) -> str:
    if killed is None:
        return "The voice is not being trained."
    return f"The run was killed; this command resumes it: {killed.resume}"
