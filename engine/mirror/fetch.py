"""Fetches a voice from its mirror, or what the mirror has beyond the voice that is here.

Every file is compared with size and SHA-256 of its manifest before it gets its name. `state.json`
of a checkpoint comes after its tensors and `voice.toml` after everything else, so that a fetch that
is cut off leaves nothing that counts, and the next one continues with what is there already.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.choices import NETWORKS, NetworkName
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
from engine.mirror.fingerprint import fingerprint
from engine.mirror.index import Index
from engine.mirror.layout import LATEST_FOLDER, VOICE_FILES, FileInfo, Manifest
from engine.mirror.store import MirrorError, Store
from engine.voice.folder import RESTORING, SETTINGS, Voice
from engine.voice.layout import step_folder
from engine.voice.settings import VoiceSettings, parse_settings, settings_text

Report = Callable[[str], None]
Progress = Callable[[int, int], None]
"""Bytes fetched, and of how many."""

_SPEND = "spend.jsonl"
# Bytes; no spend file has as many.
_MAX_SPEND = 2**27
# Bytes left free on the disk.
_MARGIN = 2**26
# Bytes of a small file, which is read into memory: a history of some ten million steps.
_MAX_SMALL = 2**28


@dataclass(frozen=True)
class Transfer:
    """From which mirror to which voice folder, and how it is reported."""

    store: Store
    folder: Path
    index: Index
    report: Report
    progress: Progress


class DamagedError(Exception):
    """A file in the mirror is not what its manifest says."""


def fetch_voice(transfer: Transfer, change: Callable[[VoiceSettings], VoiceSettings]) -> None:
    """Make the voice that a mirror holds in a folder that has none.

    Args:
        transfer: the mirror, with one complete checkpoint or more, and the folder.
        change: what is different here in the voice's settings.

    Raises:
        InputError: what the mirror holds is no voice.
        MirrorError: the mirror cannot be reached.
        EngineError: the folder cannot be written.
    """
    folder = transfer.folder
    with _receiving(transfer) as parts:
        for network in NETWORKS:
            if transfer.index.checkpoints[network]:
                _fetch_newest(transfer, transfer.index.checkpoints[network], parts)
        small = _fetch_small(transfer, VOICE_FILES, parts)
        if SETTINGS not in small:
            raise InputError(f"The mirror {transfer.store.address} has no intact {SETTINGS}.")
        settings = _settings(small[SETTINGS], transfer.store)
        for name, content in small.items():
            if name == _SPEND:
                # A voice that lost only its settings may know of more spend here.
                _merge_spend(folder / VOICE_FILES[name], content)
            elif name != SETTINGS:
                write_whole(folder / VOICE_FILES[name], content)
        text = settings_text(change(settings), settings, small[SETTINGS].decode())
        write_whole(folder / SETTINGS, text.encode())


def catch_up(transfer: Transfer, voice: Voice) -> None:
    """Fetch each network of which the mirror is ahead of a voice that exists.

    Its spend becomes that of both: whatever either knows was paid.

    Raises:
        MirrorError: the mirror cannot be reached.
        EngineError: the folder cannot be written.
    """
    ahead = networks_ahead(transfer.index, voice)
    path = transfer.folder / VOICE_FILES[_SPEND]
    with _receiving(transfer) as parts:
        for network in ahead:
            own = voice.newest(network)
            found = transfer.index.checkpoints[network]
            _fetch_newest(transfer, [one for one in found if not own or one.step > own.step], parts)
            wanted = {f"{network}-history.jsonl", f"{network}-stop.json"}
            for name, content in _fetch_small(transfer, wanted, parts).items():
                write_whole(transfer.folder / VOICE_FILES[name], content)
        spend = _fetch_small(transfer, {_SPEND}, parts)
        if spend:
            _merge_spend(path, spend[_SPEND])


def networks_ahead(index: Index, voice: Voice) -> list[NetworkName]:
    """The networks of which the mirror has a later step than the voice here."""
    ahead: list[NetworkName] = []
    for network in NETWORKS:
        theirs, own = index.newest_step(network), voice.newest(network)
        if theirs is not None and (own is None or theirs > own.step):
            ahead.append(network)
    return ahead


@contextlib.contextmanager
def _receiving(transfer: Transfer) -> Iterator[Path]:
    """Hold the voice folder's lock; yield a folder inside for files under way."""
    folder = transfer.folder
    lock = acquire_lock(folder)
    parts = folder / RESTORING
    try:
        if parts.is_symlink():
            parts.unlink()
        parts.mkdir(PRIVATE_FOLDER, exist_ok=True)
        yield parts
        if left := unremoved_message(remove_all([parts])):
            transfer.report(left)
    except OSError as error:
        raise EngineError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        lock.release()


# Checkpoints.


def _fetch_newest(transfer: Transfer, manifests: list[Manifest], parts: Path) -> None:
    """Fetch the newest checkpoint that is as its manifest says; report those that are not.

    Raises:
        MirrorError: none is, or the mirror cannot be reached.
    """
    address = transfer.store.address
    for manifest in manifests:
        try:
            _fetch_checkpoint(transfer, manifest, parts)
        except DamagedError as error:
            transfer.report(
                f"{manifest.key} in the mirror is damaged ({error}); using the one before"
            )
        else:
            transfer.report(f"{manifest.network} at step {manifest.step:,} fetched from {address}")
            return
    raise MirrorError(f"no checkpoint at {address} is intact", refused=True)


def _fetch_checkpoint(transfer: Transfer, manifest: Manifest, parts: Path) -> None:
    home = step_folder(transfer.folder / manifest.network / "checkpoints", manifest.step)
    missing = {
        name: info for name, info in manifest.files.items() if not _is_there(home / name, info)
    }
    total = sum(info.size for info in missing.values())
    require_room(transfer.folder, total + _MARGIN, f"fetching {manifest.network}")
    done = 0

    def progress(size: int) -> None:
        nonlocal done
        done += size
        transfer.progress(min(done, total), total)

    arrived = {
        name: _fetch(transfer.store, f"{manifest.key}/{name}", info, parts, progress)
        for name, info in missing.items()
    }
    make_folder(home, private_from=transfer.folder)
    for name in sorted(arrived, key=lambda name: name == "state.json"):
        arrived[name].replace(home / name)
    fsync(home)
    fsync(home.parent)


def _fetch(
    store: Store, key: str, info: FileInfo, parts: Path, progress: Callable[[int], None]
) -> Path:
    """Fetch a file under the name of its checksum, unless it is there already.

    Raises:
        DamagedError: it is not what its manifest says.
        MirrorError: it cannot be read.
    """
    part, name = parts / info.sha256, key.rpartition("/")[2]
    if _is_there(part, info):
        return part
    part.unlink(missing_ok=True)
    try:
        found = store.fetch(key, part, info.size, progress)
    except MirrorError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise DamagedError(f"{name} is missing") from error
        raise
    if found.info != info:
        part.unlink()
        raise DamagedError(f"{name} is not what was written")
    return part


def _is_there(path: Path, info: FileInfo) -> bool:
    if path.is_symlink() or not path.is_file() or path.stat().st_size != info.size:
        return False
    return fingerprint(path).info == info


# Small files.


def _fetch_small(transfer: Transfer, names: Iterable[str], parts: Path) -> dict[str, bytes]:
    """Fetch the newest intact version of some small files of the voice.

    Raises:
        MirrorError: the mirror cannot be reached.
    """
    found = {}
    for name in sorted(names):
        for key, info in _versions(transfer.index, name):
            try:
                if info.size > _MAX_SMALL:
                    raise DamagedError(f"{name} is listed with {info.size:,} bytes")
                require_room(transfer.folder, info.size + _MARGIN, f"fetching {name}")
                part = _fetch(transfer.store, key, info, parts, lambda _: None)
                found[name] = part.read_bytes()
                break
            except DamagedError as error:
                folder = key.rpartition("/")[0]
                transfer.report(
                    f"{folder} in the mirror is damaged ({error}); using the one before"
                )
    return found


def _versions(index: Index, name: str) -> Iterator[tuple[str, FileInfo]]:
    """Where a small file lies and how it is recognised, newest first."""
    if index.latest is not None and name in index.latest.names:
        yield f"{LATEST_FOLDER}/{index.latest.names[name]}", index.latest.voice_files[name]
    for manifest in sorted(index.all, key=lambda each: each.sequence, reverse=True):
        if info := manifest.voice_files.get(name):
            yield f"{manifest.key}/{name}", info


def _settings(content: bytes, store: Store) -> VoiceSettings:
    path = Path(store.address) / SETTINGS
    try:
        return parse_settings(content.decode(), path)
    except UnicodeDecodeError as error:
        raise InputError(f"Cannot read {path}: it is not UTF-8.") from error


def _merge_spend(path: Path, theirs: bytes) -> None:
    """Write the mirror's lines, and of ours those that it lacks, in that order."""
    ours = read_plain(path, _MAX_SPEND).splitlines() if path.exists() else []
    lines = theirs.splitlines()
    known = set(lines)
    lines += [line for line in ours if line not in known]
    if lines != ours:
        write_whole(path, b"".join(line + b"\n" for line in lines))
