"""What happens to a mirror before a run: is there something to go on from, and may it be used.

`train --mirror URL` is one command for the first machine and for every one after it. Where the
mirror holds the voice and this machine does not, the voice is fetched; where it holds later steps
of the voice that is here, these are fetched; where it holds another voice, the order is refused.
`train --from URL` is the same with a mirror that must hold a voice. A mirror that `voice.toml`
alone names, and nobody on this machine, is not asked for anything; see `engine.mirror.named`.
"""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from engine.errors import EngineError, InputError
from engine.machine.lock import LOCK_NAME, require_untrained
from engine.mirror.address import checked_address, told
from engine.mirror.backoff import Backoff
from engine.mirror.fetching import Progress, Tell, Way
from engine.mirror.index import Holdings, look
from engine.mirror.named import is_named, remember
from engine.mirror.restore import catch_up, fetch_voice, networks_ahead, settings_here
from engine.mirror.store import MirrorError, Target, open_target
from engine.run.options import TrainOptions
from engine.voice.dataset import as_stored, require_dataset
from engine.voice.folder import RESTORING, Voice

_log = logging.getLogger(__name__)
_T = TypeVar("_T")
# Tries for a voice that is not here, with waits of 1, 2, 4 … seconds at most: two minutes.
_TRIES = 8
# What a fetch that was cut off, or a run that ended early, has left.
_LEFTOVERS = {
    LOCK_NAME,
    "socket",
    "features",
    "text2mel",
    "ssrn",
    "samples",
    "spend.jsonl",
    "spend.open",
    "corpus.json",
    "check.json",
    RESTORING,
}


@dataclass(frozen=True)
class Manners:
    """How the person hears of it, and how a try is waited for."""

    tell: Tell = lambda _: None
    progress: Progress = lambda _done, _total: None
    wait: Callable[[float], object] = lambda seconds: threading.Event().wait(seconds)
    open: Callable[[str], Target] = open_target


def take_up(options: TrainOptions, manners: Manners) -> TrainOptions:
    """Bring the voice of an order to where its mirror stands.

    Returns:
        The order with the mirror that the run is to use, and without the `--from` that a voice
        which has its network no longer starts from.

    Raises:
        InputError: the mirror holds another voice, or none where one is asked for; it is of no
            known kind, or needs a library.
        MirrorError: it cannot be reached, and there is nothing here to go on from; or it refuses.
        EngineError: the voice folder cannot be written.
    """
    folder = options.voice_folder
    here = Voice.exists(folder)
    asked = options.mirror or options.restore or (_named_before(folder) if here else None)
    if asked is None:
        return options
    address = _checked(asked, folder)
    sequence: int | None = None
    for place in dict.fromkeys([checked_address(options.restore or asked), address]):
        sequence = _bring(options, place, address, manners)
    try:
        # Before the run, which may be refused for something else.
        remember(folder, address)
    except OSError as error:
        _log.warning("%s cannot be remembered: %s", told(address), error)
    source = options.source
    if source is not None and Voice.exists(folder) and Voice.open(folder).newest(options.network):
        manners.tell(f"--from {source} is left out: {folder} goes on from where it stands")
        source = None
    return replace(options, mirror=address, mirror_sequence=sequence, restore=None, source=source)


def _named_before(folder: Path) -> str | None:
    """The mirror that the voice here has, where a person has named it on this machine."""
    stored = Voice.open(folder).settings.mirror
    return stored if stored is not None and is_named(folder, stored) else None


def _checked(asked: str, folder: Path) -> str:
    """The address to mirror to.

    Raises:
        InputError: it is none, or is in the voice itself.
    """
    address = checked_address(asked)
    if "://" in address:
        return address
    place = Path(address).resolve()
    if place.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(place):
        raise InputError(
            f"The mirror {address} and the voice folder {folder} are one in the other; give "
            f"another place with --mirror, best on another disk."
        )
    if not place.parent.is_dir():
        raise InputError(
            f"There is no folder {place.parent} for the mirror {place.name}; make it, or mount "
            f"what belongs there."
        )
    return address


def _bring(options: TrainOptions, place: str, address: str, manners: Manners) -> int | None:
    """Fetch from one mirror what it has and this machine has not.

    Returns:
        The highest sequence that the mirror holds; None where it cannot be reached and the voice
        here can go on without it.
    """
    folder = options.voice_folder
    must_hold = options.restore is not None and place == checked_address(options.restore)

    def bring() -> int:
        target = manners.open(place)
        held = look(target)
        if held is None or not held.all:
            # A run that was given up before its first checkpoint may have been there.
            if must_hold:
                raise InputError(
                    f"There is no voice with checkpoints at {told(place)}; --from takes a mirror, "
                    f"a voice's folder or a checkpoint."
                )
            target.require_usable()
            return 0
        way = Way(target, folder, manners.tell, manners.progress)
        if Voice.exists(folder):
            _bring_up_to(way, held, Voice.open(folder))
        else:
            _fetch_here(way, held, options, address)
        return held.sequence

    if not Voice.exists(folder):
        return _patiently(bring, manners)
    try:
        return bring()
    except MirrorError as error:
        if error.refused or must_hold:
            raise
        manners.tell(f"the mirror is out of reach, training goes on without it: {error}")
        return None


def _bring_up_to(way: Way, held: Holdings, voice: Voice) -> None:
    """Fetch what the mirror has beyond the voice here.

    Raises:
        InputError: it is another voice's.
    """
    _require_same(held, voice, way.target.address)
    for network in networks_ahead(held, voice):
        own = voice.newest(network)
        way.tell(
            f"{way.target.address} has {network} at step {held.newest_step(network):,}, "
            f"{'none is' if own is None else f'step {own.step:,} is'} here: it goes on from there"
        )
    catch_up(way, held, voice)


def _require_same(held: Holdings, voice: Voice, address: str) -> None:
    """Refuse a mirror that is not this voice's.

    Raises:
        InputError: saying whose it is.
    """
    if voice.settings.id == held.marker.id:
        return
    known = "another voice than" if voice.settings.id else "a voice already, and not"
    raise InputError(
        f"The mirror {told(address)} holds {known} {voice.folder}: {told(held.marker.voice)}, "
        f"last written by {told(held.marker.writer)}; give another place with --mirror, or a new "
        f"folder with --voice to go on with that one."
    )


def _fetch_here(way: Way, held: Holdings, options: TrainOptions, address: str) -> None:
    """Fetch the whole voice into a folder that has none.

    Raises:
        InputError: there is something else in the folder, or a process trains in it.
    """
    if options.dataset is not None:
        require_dataset(options.dataset)
    recordings = (
        None if options.dataset is None else as_stored(options.dataset, options.voice_folder)
    )
    _require_empty(options.voice_folder, recordings)
    way.tell(f"fetching {told(held.marker.voice)} from its mirror {way.target.address}")
    fetch_voice(
        way,
        held,
        lambda settings: settings_here(settings, recordings, address, held.marker.id),
    )


def _require_empty(folder: Path, recordings: Path | None) -> None:
    """Refuse to fetch a voice among somebody's other files.

    Raises:
        InputError: saying which; or who trains in the folder.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder with --voice.")
    expected = set(_LEFTOVERS)
    if recordings is not None and recordings.parts and not recordings.is_absolute():
        expected.add(recordings.parts[0])
    for path in sorted(folder.iterdir()):
        if path.name not in expected and not path.name.startswith("voicecoach.log"):
            # It may be of a run that has just begun.
            require_untrained(folder)
            raise InputError(
                f"{folder} holds something else than a voice ({path.name}); name a new folder "
                f"with --voice."
            )


def _patiently(bring: Callable[[], _T], manners: Manners) -> _T:
    """Try until it works: a machine that has nothing to go on from can only wait.

    Raises:
        MirrorError: it did not work in some minutes, or is refused.
    """
    backoff = Backoff(most=60)
    for _ in range(_TRIES - 1):
        try:
            return bring()
        except MirrorError as error:
            if error.refused:
                raise
            seconds = backoff.failed()
            manners.tell(f"{error}; trying again in {seconds:.0f} s")
            manners.wait(seconds)
    try:
        return bring()
    except MirrorError as error:
        raise EngineError(
            f"{error}. Without it there is no knowing where to go on; give the command again when "
            f"the mirror can be reached."
        ) from error
