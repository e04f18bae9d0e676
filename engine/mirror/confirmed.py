"""Whether a person has named a mirror here, or only a `voice.toml` that may be a stranger's.

To copy to a place that somebody else wrote into a `voice.toml` would be to write, with this
person's rights and credentials, where a stranger wants it. So the line counts only once `--mirror`
or `--from` has named the same place for the same folder. That is recorded in a file in the voice
folder, signed with a key of this account, so that a file that came with the voice proves nothing.
"""

import contextlib
import hmac
import logging
import os
import shlex
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.files import read_plain, write_whole
from engine.machine.state_folder import require_own, state_folder, write_own
from engine.mirror.address import checked_address, without_secrets
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import MirrorState
from engine.voice.folder import Voice

_log = logging.getLogger(__name__)

CONFIRMATION = "mirror.confirmed"
"""The file in a voice folder; neither mirrored nor exported."""
_KEY_BYTES = 32
# Characters of an address that stays on the screen for the whole run.
_MAX_SHOWN = 80


def mirror_to_use(options: TrainOptions, voice: Voice, publisher: Publisher) -> str | None:
    """Return where a run copies its checkpoints to; None for nowhere.

    A mirror that `voice.toml` alone names is not used, and that is reported: the person may count
    on a copy.

    Raises:
        InputError: the options name something that is no mirror.
    """
    address = voice.settings.mirror
    if address is None:
        return None
    shown = without_secrets(address)
    if options.mirror is not None:
        try:
            confirm(voice.folder, options.mirror)
        except (OSError, EngineError) as error:
            reason = getattr(error, "strerror", None) or error
            publisher.event(
                f"cannot record that {shown} is this voice's mirror ({reason}): give --mirror "
                f"again the next time",
                "warning",
            )
        return address
    if is_confirmed(voice.folder, address):
        return address
    reason = "which was never given on this machine: nothing is copied"
    trouble = f"voice.toml names {without_secrets(address, _MAX_SHOWN)}, {reason}"
    publisher.update(mirror=MirrorState(shown, trouble=trouble, unnamed=True))
    publisher.event(
        f"voice.toml names the mirror {shown}, {reason}; if it is yours, give --mirror "
        f"{shlex.quote(shown)}",
        "warning",
    )
    return None


def confirm(folder: Path, address: str) -> None:
    """Record that a person has named a mirror for the voice in a folder.

    Raises:
        InputError: the address is of no mirror, or has a password in it.
        OSError: the account has no home folder, or its state folder is open to others.
        EngineError: the voice folder cannot be written.
    """
    address = checked_address(address)
    if not is_confirmed(folder, address):
        signature = _signature(folder, address, _key(create=True))
        write_whole(folder / CONFIRMATION, signature, make_folders=False)


def is_confirmed(folder: Path, address: str) -> bool:
    """Whether a person of this account has named this mirror for the voice in this folder."""
    try:
        signature = _signature(folder, checked_address(address), _key())
        return hmac.compare_digest(signature, read_plain(folder / CONFIRMATION, 1000))
    except InputError:
        return False  # what is no address was named by nobody
    except OSError as error:
        if not isinstance(error, FileNotFoundError):
            _log.warning("no mirror counts as confirmed: %s", error)
        return False


def _signature(folder: Path, address: str, key: bytes) -> bytes:
    text = os.fsencode(folder.resolve()) + b"\0" + address.encode()
    return hmac.digest(key, text, "sha256").hex().encode() + b"\n"


def _key(*, create: bool = False) -> bytes:
    """This account's key for such signatures.

    Raises:
        FileNotFoundError: there is none, and it is not to be made.
        OSError: it cannot be read or made, or others could have written it.
    """
    path = state_folder() / "key"
    if create:
        with contextlib.suppress(FileNotFoundError):
            return _key()
        write_own(path, os.urandom(_KEY_BYTES))
    require_own(path.parent)
    require_own(path)
    return read_plain(path, _KEY_BYTES)
