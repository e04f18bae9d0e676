"""The voice folder on disk: what is where.

Reading a voice imports neither torch nor librosa, so that `info` answers at once.
"""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta, Struct

from engine.choices import NetworkName
from engine.data.metadata import recording_key
from engine.errors import EngineError, InputError
from engine.files import PRIVATE, make_folder, read_plain, write_whole
from engine.machine.lock import SETTINGS_NAME, FolderLock
from engine.serialization import from_json, to_plain
from engine.text.vocabulary import Vocabulary
from engine.voice.layout import CheckpointEntry, list_checkpoints, require_plain, step_folder
from engine.voice.settings import VoiceSettings, parse_settings, settings_text
from engine.voice.spend import SpendLog

SETTINGS = SETTINGS_NAME
"""The file that makes a folder a voice."""
OLD_EXPORT = "voice.json"
"""What an export was told by before version 0.2; it is a voice folder since."""
RESTORING = ".restoring"
"""Where files lie while a voice is fetched from its mirror; safe to delete."""

# More than these files ever have; ones that are longer are none.
_MAX_SETTINGS = 2**20
_MAX_REPORT = 2**26
_MAX_HOURS = 10**9
_Row = str | dict[str, str | int | float | bool | None]


class _Report(Struct, omit_defaults=True):
    """`corpus.json`, as far as readers of it need it."""

    clips: int | None = None
    training_clips: int | None = None
    held_out: list[_Row] | None = None
    hours: Annotated[float, Meta(ge=0, le=_MAX_HOURS)] | None = None
    left_out: list[_Row] | None = None
    unknown_characters: list[_Row] | None = None


class Voice:
    """Everything about one voice, in one folder."""

    def __init__(self, folder: Path, settings: VoiceSettings) -> None:
        self._folder = folder
        self.settings = settings
        self._corpus: Path | None = None
        self.lock: FolderLock | None = None
        """The lock of the run that trains the voice, if this process does."""

    @property
    def folder(self) -> Path:
        """Where the voice is; in a run that trains it, where `locate` found it last."""
        return self._folder if self.lock is None else self.lock.folder

    def locate(self) -> Path:
        """Find out where the voice is now, and return that; to be called right before a write.

        Every path of the voice that is asked for afterwards is in that folder, which somebody may
        have moved. Nothing is written into another folder that has its old name.

        Raises:
            FolderLostError: it was deleted, or is another run's by now.
            EngineError: its lock file is missing for the moment, or the file system does not
                answer.
        """
        return self._folder if self.lock is None else self.lock.find()

    @classmethod
    def open(cls, folder: Path) -> "Voice":
        """Read a voice that exists.

        Raises:
            InputError: there is no voice in the folder, its `voice.toml` cannot be used, or there
                are links in it.
        """
        path = folder / SETTINGS
        try:
            text = read_plain(path, _MAX_SETTINGS).decode()
            require_plain(folder)
        except FileNotFoundError:
            raise InputError(_what_is_there_instead(folder)) from None
        except NotADirectoryError:
            raise InputError(f"{folder} is a file; give the folder of a voice.") from None
        except OSError as error:
            raise InputError(f"Cannot read {path}: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise InputError(f"Cannot read {path}: it is not UTF-8 ({error.reason}).") from error
        return cls(folder, parse_settings(text, path))

    @classmethod
    def create(cls, folder: Path, settings: VoiceSettings, mode: int = PRIVATE) -> "Voice":
        """Make a new voice in a folder, which is made too where there is none.

        Raises:
            InputError: there are links in it, or a setting is no UTF-8.
            EngineError: the folder cannot be written.
        """
        if folder.is_dir():
            require_plain(folder)
        write_whole(folder / SETTINGS, _encoded(settings_text(settings)), mode)
        return cls(folder, settings)

    def restore_settings(self) -> bool:
        """Write `voice.toml` where somebody removed it; return whether that was so.

        Raises:
            EngineError: it cannot be written.
        """
        if Voice.exists(self.folder):
            return False
        content = _encoded(settings_text(self.settings))
        write_whole(self.folder / SETTINGS, content, make_folders=False)
        return True

    @staticmethod
    def exists(folder: Path) -> bool:
        """Whether there is a voice in the folder."""
        return (folder / SETTINGS).is_file()

    @property
    def name(self) -> str:
        """The folder's last part."""
        return self.folder.resolve().name

    @property
    def dataset(self) -> Path:
        """Where the recordings are.

        Raises:
            InputError: the voice has learned from none yet.
        """
        corpus = self._corpus or self.settings.dataset
        if corpus is None:
            raise InputError(
                f"The voice in {self.folder} has no recordings yet; say what to train on: "
                f"`voicecoach train DATASET --voice {self.folder}`."
            )
        return (self.folder / corpus).resolve()

    def use_corpus(self, dataset: Path) -> None:
        """Have `dataset` be other recordings from here on; `note_corpus` writes that down."""
        if self.settings.dataset is None or dataset.resolve() != self.dataset:
            self._corpus = as_stored(dataset, self.folder)

    def note_corpus(self, held_out: Iterable[str]) -> Path | None:
        """Write into `voice.toml` where the recordings are, once they proved to be usable.

        Args:
            held_out: the ids of clips that must not be trained on from now on; those of before
                stay, for they may come back.

        Returns:
            Where the recordings were before; None where that is the same place.

        Raises:
            InputError, EngineError: as `save`.
        """
        before, known = self.settings.dataset, self.settings.held_out
        corpus = self._corpus or before
        kept = (*known, *sorted({*held_out} - {*known}))
        self.save(replace(self.settings, dataset=corpus, held_out=kept))
        return None if before is None or corpus == before else (self.folder / before).resolve()

    def leave_out(self, clip_id: str, leave_out: bool) -> None:
        """Write into `voice.toml` that a clip is not wanted in training, or is wanted again.

        Raises:
            InputError, EngineError: as `save`.
        """
        key = recording_key(clip_id)
        others = [one for one in self.settings.left_out if recording_key(one) != key]
        new = (*others, clip_id) if leave_out else tuple(others)
        self.save(replace(self.settings, left_out=new))

    @property
    def vocabulary(self) -> Vocabulary:
        """The voice's symbols."""
        return Vocabulary(self.settings.symbols, self.settings.cleaner)

    @property
    def features(self) -> Path:
        """The cache of the corpus."""
        return self.folder / "features"

    @property
    def samples(self) -> Path:
        """What was spoken."""
        return self.folder / "samples"

    def make_samples(self) -> None:
        """Make the folder of samples where there is none.

        Raises:
            EngineError: it cannot be made, or the voice folder is gone.
        """
        try:
            make_folder(self.samples, within=self.locate())
        except OSError as error:
            raise EngineError(f"{self.samples} cannot be made: {error.strerror}.") from error

    @property
    def log(self) -> Path:
        """The log file."""
        return self.folder / "voicecoach.log"

    @property
    def corpus_report(self) -> Path:
        """What was found out about the corpus: clips, those left out and why."""
        return self.folder / "corpus.json"

    @property
    def check_record(self) -> Path:
        """What the check of the corpus found before training, and of what corpus."""
        return self.folder / "check.json"

    @property
    def spend(self) -> SpendLog:
        """What training has cost."""
        return SpendLog(self.folder / "spend.jsonl")

    def history(self, network: NetworkName) -> Path:
        """The losses of a network, one line a logged step."""
        return self.folder / network / "history.jsonl"

    def attention_plots(self, network: NetworkName) -> Path:
        """The newest plots of a network's attention."""
        return self.folder / network / "attention.plots"

    def events(self, network: NetworkName) -> Path:
        """The folder of a network's event files, for TensorBoard."""
        return self.folder / "tensorboard" / network

    def checkpoint_folder(self, network: NetworkName, step: int) -> Path:
        """Where the checkpoint of a step is, or will be."""
        return step_folder(self.folder / network / "checkpoints", step)

    def checkpoints(self, network: NetworkName) -> list[CheckpointEntry]:
        """The checkpoints of a network that are complete, oldest first."""
        return list_checkpoints(self.folder / network / "checkpoints")

    def newest(self, network: NetworkName) -> CheckpointEntry | None:
        """The newest checkpoint of a network, or None."""
        found = self.checkpoints(network)
        return found[-1] if found else None

    def save(self, settings: VoiceSettings) -> None:
        """Write the settings that changed; comments, and what a person edited since, stay.

        Raises:
            InputError: `voice.toml` has become unreadable, or a setting is no UTF-8.
            EngineError: it cannot be written.
        """
        if settings == self.settings:
            return
        path = self.locate() / SETTINGS
        try:
            text = read_plain(path, _MAX_SETTINGS).decode()
        except (OSError, UnicodeDecodeError) as error:
            raise EngineError(f"Cannot read {path}: {error}.") from error
        write_whole(
            path, _encoded(settings_text(settings, self.settings, text)), make_folders=False
        )
        self.settings = settings


def as_stored(dataset: Path, folder: Path) -> Path:
    """The path for `voice.toml`: relative inside the voice folder, so that the folder can move."""
    dataset, home = dataset.resolve(), folder.resolve()
    return dataset.relative_to(home) if dataset.is_relative_to(home) else dataset


def _encoded(settings: str) -> bytes:
    """The text as bytes; refuses a name in it that is not UTF-8, as names of files may be."""
    try:
        return settings.encode()
    except UnicodeEncodeError as error:
        line = settings[: error.start].count("\n")
        shown = settings.split("\n")[line].encode(errors="backslashreplace").decode()
        raise InputError(
            f"{SETTINGS} can only hold UTF-8, and this is not: {shown[:200]}; rename it."
        ) from error


def _what_is_there_instead(folder: Path) -> str:
    """Say why a folder without `voice.toml` is no voice, and what to do."""
    if (folder / OLD_EXPORT).is_file():
        return f"{folder} was exported by an earlier version; export the voice again."
    return (
        f"There is no voice in {folder} (no voice.toml); check the path. `voicecoach train DATASET "
        f"--voice NEW` makes a voice."
    )


def read_corpus_report(voice: Voice) -> dict[str, Any]:
    """What the last run found out about the corpus; every run writes it anew."""
    path = voice.corpus_report
    try:
        report: dict[str, Any] = to_plain(from_json(read_plain(path, _MAX_REPORT), _Report, path))
    except FileNotFoundError:
        return {}
    except (OSError, InputError) as error:
        why = error if isinstance(error, InputError) else f"{path} cannot be read: {error}"
        return {"problem": f"{why}; the next run writes it anew"}
    return report
