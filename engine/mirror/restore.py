"""Fetches a voice from its mirror, or what the mirror has beyond the voice that is here.

Every file is compared with size and SHA-256 of its manifest before it gets its name. `state.json`
of a checkpoint comes after its tensors and `voice.toml` after all else, so that a fetch that is cut
off leaves nothing that counts, and the next one goes on with what is there already.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from engine.choices import NETWORKS, NetworkName
from engine.errors import EngineError, InputError
from engine.files import (
    PRIVATE_FOLDER,
    fsync,
    make_folder,
    read_plain,
    remove_all,
    unremoved_message,
    write_whole,
)
from engine.machine.lock import acquire_lock
from engine.mirror.fetching import (
    DamagedError,
    Piece,
    Way,
    fetch,
    fetch_small,
    is_there,
    require_room,
)
from engine.mirror.index import Holdings
from engine.mirror.layout import VOICE_FILES, Manifest
from engine.mirror.store import MirrorError, Target
from engine.voice.folder import RESTORING, SETTINGS, Voice
from engine.voice.layout import step_folder
from engine.voice.settings import VoiceSettings, edited, parse_settings

_LEDGER = "spend.jsonl"
# Bytes; no ledger has as many.
_MAX_LEDGER = 2**27


def fetch_voice(way: Way, held: Holdings, change: Callable[[VoiceSettings], VoiceSettings]) -> None:
    """Make the voice that a mirror holds in a folder that has none.

    Args:
        way: from where to where.
        held: what the mirror holds: one complete checkpoint or more.
        change: what is different here in its settings.

    Raises:
        InputError: what the mirror holds is no voice.
        MirrorError: the mirror cannot be reached.
        EngineError: the folder cannot be written.
    """
    with _taking(way) as store:
        for network in NETWORKS:
            if held.checkpoints[network]:
                _fetch_newest(way, held.checkpoints[network], store)
        small = fetch_small(way, held, VOICE_FILES, store)
        if SETTINGS not in small:
            raise InputError(
                f"The mirror {way.target.address} has no {SETTINGS} that is as it was written."
            )
        settings = _parsed(small[SETTINGS], way.target)
        for name, content in small.items():
            if name == _LEDGER:
                # Of a voice that lost its settings alone, the ledger here may know more.
                _merge_ledger(way.folder / VOICE_FILES[name], content)
            elif name != SETTINGS:
                write_whole(way.folder / VOICE_FILES[name], content)
        text = edited(small[SETTINGS].decode(), settings, change(settings))
        write_whole(way.folder / SETTINGS, text.encode())


def catch_up(way: Way, held: Holdings, voice: Voice) -> None:
    """Fetch each network of which the mirror is ahead of a voice that exists.

    Its ledger becomes that of both: what either knows was paid.

    Raises:
        MirrorError: the mirror cannot be reached.
        EngineError: the folder cannot be written.
    """
    ahead = networks_ahead(held, voice)
    path = way.folder / VOICE_FILES[_LEDGER]
    if not ahead and _knows_ledger(path, held):
        return
    with _taking(way) as store:
        for network in ahead:
            own = voice.newest(network)
            beyond = [
                manifest
                for manifest in held.checkpoints[network]
                if own is None or manifest.step > own.step
            ]
            _fetch_newest(way, beyond, store)
            wanted = {f"{network}-history.jsonl", f"{network}-stop.json"}
            for name, content in fetch_small(way, held, wanted, store).items():
                write_whole(way.folder / VOICE_FILES[name], content)
        ledger = fetch_small(way, held, {_LEDGER}, store)
        if ledger:
            _merge_ledger(path, ledger[_LEDGER])


def _knows_ledger(path: Path, held: Holdings) -> bool:
    """Whether the ledger here begins as the mirror's does: it has all that one says, then."""
    newest = held.latest or max(held.all, key=lambda manifest: manifest.sequence)
    mark = newest.voice_files.get(_LEDGER)
    if mark is None:
        return True
    try:
        ours = read_plain(path, _MAX_LEDGER)
    except FileNotFoundError:
        return False
    except OSError:
        # Whoever opens the ledger says what is wrong with it.
        return True
    return sha256(ours[: mark.size]).hexdigest() == mark.sha256


def networks_ahead(held: Holdings, voice: Voice) -> list[NetworkName]:
    """The networks of which the mirror has a later step than the voice here."""
    ahead: list[NetworkName] = []
    for network in NETWORKS:
        theirs, own = held.newest_step(network), voice.newest(network)
        if theirs is not None and (own is None or theirs > own.step):
            ahead.append(network)
    return ahead


@contextlib.contextmanager
def _taking(way: Way) -> Iterator[Path]:
    """Hold a voice folder's lock; give a folder inside for files on their way.

    Raises:
        InputError: a run trains in it, or it cannot be made.
        EngineError: it cannot be written.
    """
    folder = way.folder
    lock = acquire_lock(folder)
    store = folder / RESTORING
    try:
        if store.is_symlink():
            store.unlink()
        store.mkdir(PRIVATE_FOLDER, exist_ok=True)
        yield store
        if left := unremoved_message(remove_all([store])):
            way.tell(left)
    except OSError as error:
        raise EngineError(f"{folder} cannot be written: {error.strerror}.") from error
    finally:
        lock.release()


def _fetch_newest(way: Way, manifests: list[Manifest], store: Path) -> Manifest:
    """Fetch the newest checkpoint that is as its manifest says; tell of those that are not.

    Raises:
        MirrorError: none is, or the mirror cannot be reached.
    """
    for manifest in manifests:
        try:
            _fetch_checkpoint(way, manifest, store)
        except DamagedError as error:
            way.tell(f"{manifest.key} in the mirror is damaged ({error}): the one before is used")
        else:
            way.tell(
                f"{manifest.network} at step {manifest.step:,} fetched from {way.target.address}"
            )
            return manifest
    raise MirrorError(f"no checkpoint at {way.target.address} is as it was written", refused=True)


def _fetch_checkpoint(way: Way, manifest: Manifest, store: Path) -> None:
    home = step_folder(way.folder / manifest.network / "checkpoints", manifest.step)
    pieces = [
        Piece(f"{manifest.key}/{name}", mark, home / name)
        for name, mark in manifest.files.items()
        if not is_there(home / name, mark)
    ]
    require_room(way.folder, sum(piece.mark.size for piece in pieces))
    total = sum(piece.mark.size for piece in pieces)
    done = 0

    def step(size: int) -> None:
        nonlocal done
        done += size
        way.progress(min(done, total), total)

    arrived = [(fetch(way, piece, store, step), piece.place) for piece in pieces]
    make_folder(home, private_from=way.folder)
    for part, place in sorted(arrived, key=lambda each: each[1].name == "state.json"):
        part.replace(place)
    fsync(home)
    fsync(home.parent)


def _parsed(content: bytes, target: Target) -> VoiceSettings:
    path = Path(target.address) / SETTINGS
    try:
        return parse_settings(content.decode(), path)
    except UnicodeDecodeError as error:
        raise InputError(f"Cannot read {path}: it is not UTF-8.") from error


def settings_here(
    settings: VoiceSettings, dataset: Path | None, address: str, identity: str
) -> VoiceSettings:
    """The settings of a fetched voice: its recordings as given here, its mirror as named here."""
    here = replace(settings, mirror=address, id=identity)
    return here if dataset is None else replace(here, dataset=dataset)


def _merge_ledger(path: Path, theirs: bytes) -> None:
    """Write what is in the mirror's ledger, and of ours what is not in it, in that order."""
    ours = read_plain(path, _MAX_LEDGER).splitlines() if path.exists() else []
    lines = theirs.splitlines()
    known = set(lines)
    lines += [line for line in ours if line not in known]
    write_whole(path, b"".join(line + b"\n" for line in lines))
