"""Fetches a voice from its mirror, or what the mirror has beyond the voice that is here.

Every file is compared with size and SHA-256 of its manifest before it gets its name. `state.json`
of a checkpoint comes after its tensors and `voice.toml` after everything else, so that a fetch that
is cut off leaves nothing that counts, and the next one continues with what is there already.
"""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.advice.best import best_steps
from engine.choices import NETWORKS
from engine.errors import EngineError, InputError
from engine.files import (
    PRIVATE_FOLDER,
    fsync,
    make_folder,
    read_plain,
    remove_all,
    require_room,
    unremoved_message,
    write_whole,
)
from engine.machine.lock import acquire_lock
from engine.mirror.layout import LATEST_FOLDER, VOICE_FILES, Index, Manifest
from engine.mirror.store import FileInfo, MirrorError, Store, file_fingerprint, open_store
from engine.voice.folder import RESTORING, SETTINGS, Voice
from engine.voice.layout import step_folder
from engine.voice.settings import VoiceSettings, parse_settings, settings_text

_MERGED = ("spend.jsonl", "comparisons.jsonl", "evaluation.jsonl")
"""Files of lines of which some may be known here alone: what was paid, answered and measured."""
# Bytes; no such file has as many.
_MAX_MERGED = 2**27
# Bytes left free on the disk.
_MARGIN = 2**26
# Bytes of a small file, which is read into memory: a history of some ten million steps.
_MAX_SMALL = 2**28


@dataclass(frozen=True)
class FetchOptions:
    """How a fetch is reported, and how mirrors are opened and waited for."""

    report: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _done, _total: None
    """Bytes fetched, and of how many."""
    wait: Callable[[float], object] = lambda seconds: threading.Event().wait(seconds)
    open: Callable[[str], Store] = open_store


class DamagedError(Exception):
    """A file in the mirror is not what its manifest says."""


class Fetch:
    """What is in a mirror, on its way to a voice folder.

    Raises `MirrorError` where the mirror cannot be reached, `EngineError` where the folder cannot
    be written.
    """

    def __init__(self, store: Store, index: Index, folder: Path, options: FetchOptions) -> None:
        """Take a mirror with one complete checkpoint or more."""
        self._store = store
        self._index = index
        self._folder = folder
        self._report = options.report
        self._progress = options.progress
        self._parts = folder / RESTORING
        """Where files lie until all of a checkpoint is there, named by their checksums."""

    def whole_voice(self, change: Callable[[VoiceSettings], VoiceSettings]) -> None:
        """Make the voice in a folder that has none; `change` what is different in its settings.

        Raises `InputError` where what the mirror holds is no voice.
        """
        with self._receiving():
            for network in NETWORKS:
                if found := self._index.checkpoints[network]:
                    self._newest_intact(found)
            small = self._small_files(VOICE_FILES)
            if SETTINGS not in small:
                raise InputError(f"The mirror {self._store.address} has no intact {SETTINGS}.")
            text = small.pop(SETTINGS)
            settings = _parsed(text, Path(self._store.address) / SETTINGS)
            # A voice that lost only its settings may know more here.
            for name in _MERGED:
                self._merge(name, small.pop(name, b""))
            for name, content in small.items():
                write_whole(self._folder / VOICE_FILES[name], content)
            text = settings_text(change(settings), settings, text.decode()).encode()
            write_whole(self._folder / SETTINGS, text)
            self._best()

    def what_is_ahead(self, voice: Voice) -> None:
        """Fetch each network of which the mirror has later steps than the voice in the folder.

        Its spend becomes that of both, whatever either knows was paid; so do its comparisons and
        evaluations.
        """
        with self._receiving():
            for network in NETWORKS:
                own = voice.newest(network)
                ahead = [
                    manifest
                    for manifest in self._index.checkpoints[network]
                    if own is None or manifest.step > own.step
                ]
                if not ahead:
                    continue
                theirs, here = ahead[0].step, "none" if own is None else f"{own.step:,}"
                self._report(
                    f"{self._store.address} has {network} at step {theirs:,} (here: {here}); "
                    f"continuing from the mirror"
                )
                self._newest_intact(ahead)
                wanted = {name for name in VOICE_FILES if name.startswith(f"{network}-")}
                for name, content in self._small_files(wanted).items():
                    write_whole(self._folder / VOICE_FILES[name], content)
            for name, content in self._small_files(_MERGED).items():
                self._merge(name, content)
            self._best()

    @contextlib.contextmanager
    def _receiving(self) -> Iterator[None]:
        """Hold the voice folder's lock, and a folder inside for files under way."""
        lock = acquire_lock(self._folder)
        try:
            if self._parts.is_symlink():
                self._parts.unlink()
            self._parts.mkdir(PRIVATE_FOLDER, exist_ok=True)
            yield
            if left := unremoved_message(remove_all([self._parts])):
                self._report(left)
        except OSError as error:
            raise EngineError(f"{self._folder} cannot be written: {error.strerror}.") from error
        finally:
            lock.release()

    def _newest_intact(self, manifests: list[Manifest]) -> None:
        """Fetch the newest checkpoint that is as its manifest says; report those that are not."""
        for manifest in manifests:
            try:
                self._checkpoint(manifest)
            except DamagedError as error:
                self._report_damage(manifest.key, error)
            else:
                what = f"{manifest.network} at step {manifest.step:,}"
                self._report(f"{what} fetched from {self._store.address}")
                return
        raise MirrorError(f"no checkpoint at {self._store.address} is intact", refused=True)

    def _best(self) -> None:
        """Fetch the best checkpoints that are not here; training can begin without them."""
        voice = Voice.open(self._folder)
        for network in NETWORKS:
            here = {entry.step for entry in voice.checkpoints(network)}
            there = {one.step: one for one in reversed(self._index.checkpoints[network])}
            try:
                for step in best_steps(voice, network, here | {*there}) - here:
                    self._checkpoint(there[step])
                    self._report(f"{network} at step {step:,}, one of the best, fetched, too")
            except (DamagedError, EngineError, InputError) as error:
                self._report(f"the best checkpoints of {network} are not all fetched: {error}")

    def _report_damage(self, key: str, error: DamagedError) -> None:
        self._report(f"{key} in the mirror is damaged ({error}); using the one before")

    def _checkpoint(self, manifest: Manifest) -> None:
        home = step_folder(self._folder / manifest.network / "checkpoints", manifest.step)
        missing = {
            name: info for name, info in manifest.files.items() if not _is_there(home / name, info)
        }
        total = sum(info.size for info in missing.values())
        require_room(self._folder, total + _MARGIN, f"fetching {manifest.network}")
        done = 0

        def progress(size: int) -> None:
            nonlocal done
            done += size
            self._progress(min(done, total), total)

        arrived = {
            name: self._part(f"{manifest.key}/{name}", info, progress)
            for name, info in missing.items()
        }
        make_folder(home, private_from=self._folder)
        for name in sorted(arrived, key=lambda name: name == "state.json"):
            arrived[name].replace(home / name)
        fsync(home)
        fsync(home.parent)

    def _part(self, key: str, info: FileInfo, progress: Callable[[int], None]) -> Path:
        """Fetch a file under the name of its checksum, unless it is there already.

        Raises `DamagedError` where it is not what its manifest says.
        """
        part, name = self._parts / info.sha256, key.rpartition("/")[2]
        if _is_there(part, info):
            return part
        part.unlink(missing_ok=True)
        try:
            found = self._store.fetch(key, part, info.size, progress)
        except MirrorError as error:
            if isinstance(error.__cause__, FileNotFoundError):
                raise DamagedError(f"{name} is missing") from error
            raise
        if found != info:
            part.unlink()
            raise DamagedError(f"{name} is not what was written")
        return part

    def _small_files(self, names: Iterable[str]) -> dict[str, bytes]:
        """Fetch the newest intact version of some small files of the voice."""
        found = {}
        for name in sorted(names):
            for key, info in self._versions(name):
                try:
                    if info.size > _MAX_SMALL:
                        raise DamagedError(f"{name} is listed with {info.size:,} bytes")
                    require_room(self._folder, info.size + _MARGIN, f"fetching {name}")
                    found[name] = self._part(key, info, lambda _: None).read_bytes()
                    break
                except DamagedError as error:
                    self._report_damage(key.rpartition("/")[0], error)
        return found

    def _versions(self, name: str) -> Iterator[tuple[str, FileInfo]]:
        """Where a small file lies and how it is recognised, newest first."""
        latest = self._index.latest
        if latest is not None and name in latest.names:
            yield f"{LATEST_FOLDER}/{latest.names[name]}", latest.voice_files[name]
        for manifest in self._index.all:
            if info := manifest.voice_files.get(name):
                yield f"{manifest.key}/{name}", info

    def _merge(self, name: str, theirs: bytes) -> None:
        """Write the mirror's lines, and of ours those that it lacks, in that order."""
        path = self._folder / VOICE_FILES[name]
        ours = read_plain(path, _MAX_MERGED).splitlines() if path.exists() else []
        lines = theirs.splitlines()
        known = set(lines)
        lines += [line for line in ours if line not in known]
        if lines != ours:
            write_whole(path, b"".join(line + b"\n" for line in lines))


def _is_there(path: Path, info: FileInfo) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != info.size:
        return False
    return file_fingerprint(path).info == info


def _parsed(content: bytes, path: Path) -> VoiceSettings:
    try:
        return parse_settings(content.decode(), path)
    except UnicodeDecodeError as error:
        raise InputError(f"Cannot read {path}: it is not UTF-8.") from error
