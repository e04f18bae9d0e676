"""Which mirrors a person has named on this machine, for which of their voices.

A voice may come from a stranger, and the mirror in its `voice.toml` with it: to copy there would
be to write, with this person's rights and credentials, where the stranger wants it. So the line
counts only where `--mirror` or `--from` has named the same place here, for the voice in the same
folder. That is remembered in the person's state folder, which travels with no voice.
"""

import contextlib
import logging
import os
import shlex
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from engine.attach.codec import decode, dump, encode, load
from engine.errors import InputError
from engine.files import read_plain
from engine.machine.state_folder import require_own, state_folder, write_own
from engine.mirror.address import checked_address, told
from engine.mirror.uploader import Hearers
from engine.run.options import TrainOptions
from engine.run.snapshot import MirrorState
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

_MAX_BYTES = 64 * 1024
# Of one voice; the ones that were named last are kept.
_MAX_ADDRESSES = 20
_MAX_VOICES = 1000
# Characters of an address.
_SHOWN = 80


@dataclass(frozen=True, slots=True)
class _Named:
    """What the file of a voice says."""

    voice_folder: Path
    host: str
    """Whose folder it is: a home folder may be shared by hosts."""
    addresses: tuple[str, ...]
    """As `checked_address` returns them, the one that was named last first."""


def mirror_to_use(options: TrainOptions, voice: Voice, hearers: Hearers) -> str | None:
    """Say where a run copies its checkpoints to; None for nowhere.

    A mirror that the order names is remembered. One that `voice.toml` alone names is left alone,
    and the person hears of it: they may count on a copy.

    Raises:
        InputError: the order names what is no mirror.
    """
    address = voice.settings.mirror
    if address is None:
        return None
    if options.mirror is not None:
        try:
            remember(voice.folder, options.mirror)
        except OSError as error:
            hearers.event(
                f"that {told(address)} is this voice's mirror cannot be remembered "
                f"({error.strerror or error}): give --mirror the next time, too",
                "warning",
            )
        return address
    if is_named(voice.folder, address):
        return address
    never = "which was never given on this machine: nothing is copied"
    # It stays on the screen for the whole run: a long address is not to fill that.
    trouble = f"voice.toml names {told(address, _SHOWN)}, {never}"
    hearers.state(MirrorState(told(address), trouble=trouble, unnamed=True))
    hearers.event(
        f"voice.toml names the mirror {told(address)}, {never}; if it is yours, give --mirror "
        f"{shlex.quote(told(address))}",
        "warning",
    )
    return None


def remember(voice_folder: Path, address: str) -> None:
    """Remember that a person has named a mirror for the voice in a folder.

    Raises:
        InputError: the address is of no mirror, or has a password in it.
        OSError: it cannot be written, or the state folder is open to others, or there is none.
    """
    address, folder = checked_address(address), voice_folder.resolve()
    path = _file_of(folder)
    before = _known(folder)
    if before[:1] == (address,):
        # One in use is not among the oldest.
        os.utime(path)
        return
    addresses = (address, *(one for one in before if one != address))[:_MAX_ADDRESSES]
    write_own(path, dump(encode(_Named(folder, socket.gethostname(), addresses), _Named)))
    try:
        _forget_the_gone(path)
    except OSError as error:
        _log.info("mirrors of voices that are gone are not forgotten: %s", error)


def is_named(voice_folder: Path, address: str) -> bool:
    """Whether a person has named this mirror on this machine, for the voice in this folder."""
    try:
        return checked_address(address) in _known(voice_folder.resolve())
    except InputError:
        # What is no address has been named by nobody.
        return False


def _folder() -> Path:
    return state_folder() / "mirrors"


def _file_of(voice_folder: Path) -> Path:
    return _folder() / f"{sha256(os.fsencode(voice_folder)).hexdigest()}.json"


def _known(voice_folder: Path) -> tuple[str, ...]:
    """The mirrors that were named for a voice; none where that cannot be read or believed."""
    try:
        path = _file_of(voice_folder)
        require_own(path.parent)
    except FileNotFoundError:
        return ()
    except OSError as error:
        _log.warning("no mirror is known to have been named: %s", error)
        return ()
    named = _read(path)
    return () if named is None or named.voice_folder != voice_folder else named.addresses


def _read(path: Path) -> _Named | None:
    try:
        named: _Named = decode(load(read_plain(path, _MAX_BYTES)), _Named)
    except FileNotFoundError:
        return None
    except (OSError, InputError) as error:
        _log.warning("%s is passed over: %s", path, error)
        return None
    return named


def _forget_the_gone(but: Path) -> None:
    """Remove the files of voices that are no longer there, and the oldest beyond very many.

    The one of `but` stays: its voice may be about to be made.
    """
    for number, path in enumerate(_newest_first(but.parent)):
        if path == but:
            continue
        named = _read(path)
        gone = named is not None and named.host == socket.gethostname() and _is_gone(named)
        if gone or number >= _MAX_VOICES:
            with contextlib.suppress(OSError):
                path.unlink()


def _newest_first(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as found:
        files = [
            (entry.stat(follow_symlinks=False).st_mtime, Path(entry.path))
            for entry in found
            if entry.name.endswith(".json")
        ]
    return (path for _, path in sorted(files, reverse=True))


def _is_gone(named: _Named) -> bool:
    try:
        named.voice_folder.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False
