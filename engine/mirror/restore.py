"""What happens with a mirror before a run: is there something to resume from, and may it be used.

`train --mirror URL` is one command for the first machine and for every later one. Where the mirror
holds the voice and this machine does not, the voice is fetched; where it holds later steps of the
voice that is here, these are fetched; where it holds another voice, the options are refused.
`train --from URL` is the same with a mirror that must hold a voice. A mirror that only `voice.toml`
names is not contacted; see `report_unused_mirror`.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from engine.errors import EngineError, InputError
from engine.machine.lock import LOCK_NAME, require_untrained
from engine.mirror.address import checked_address, without_secrets
from engine.mirror.fetch import (
    Progress,
    Report,
    Transfer,
    catch_up,
    fetch_voice,
    networks_ahead,
)
from engine.mirror.index import Index, index_of_checkpoints, read_index
from engine.mirror.store import MirrorError, Store, backoff, open_store
from engine.run.options import TrainOptions
from engine.voice.dataset import as_stored, require_dataset, require_free
from engine.voice.folder import RESTORING, Voice
from engine.voice.settings import VoiceSettings

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
    "mirror.confirmed",  # version 0.1
    RESTORING,
}


@dataclass(frozen=True)
class FetchOptions:
    """How a fetch is reported, and how mirrors are opened and waited for."""

    report: Report = lambda _: None
    progress: Progress = lambda _done, _total: None
    wait: Callable[[float], object] = lambda seconds: threading.Event().wait(seconds)
    open: Callable[[str], Store] = open_store


def restore_from_mirror(options: TrainOptions, fetching: FetchOptions) -> TrainOptions:
    """Bring the voice of a run to where its mirror is.

    Returns:
        The options with the mirror that the run is to use, and without a `--from` that no longer
        matters, as the voice has its network.

    Raises:
        InputError: the mirror holds another voice, or none where one is required; it is of an
            unknown kind, or needs a library.
        MirrorError: it cannot be reached, and there is nothing here to resume from; or it refuses.
        EngineError: the voice folder cannot be written.
    """
    folder = options.voice_folder
    named = options.mirror or options.restore
    if named is None:
        return options
    address = _checked(named, folder)
    sequence: int | None = None
    for place in dict.fromkeys([checked_address(options.restore or named), address]):
        sequence = _bring(options, place, address, fetching)
    source = options.source
    exists = Voice.exists(folder)
    if source is not None and exists and Voice.open(folder).newest(options.network):
        fetching.report(f"--from {source} is ignored: {folder} continues from its own steps")
        source = None
    return replace(options, mirror=address, mirror_sequence=sequence, restore=None, source=source)


def _checked(named: str, folder: Path) -> str:
    """The address to mirror to.

    Raises:
        InputError: it is none, or is in the voice itself.
    """
    address = checked_address(named)
    if "://" in address:
        return address
    place = Path(address).resolve()
    if place.is_relative_to(folder.resolve()) or folder.resolve().is_relative_to(place):
        raise InputError(
            f"The mirror {address} and the voice folder {folder} are inside one another; give "
            f"another place with --mirror, best on another disk."
        )
    if not place.parent.is_dir():
        raise InputError(
            f"There is no folder {place.parent} for the mirror {place.name}; make it, or mount "
            f"what belongs there."
        )
    return address


def _bring(options: TrainOptions, place: str, address: str, fetching: FetchOptions) -> int | None:
    """Fetch from one mirror what it has and this machine lacks.

    Returns:
        The highest sequence that the mirror holds; None where it cannot be reached and the voice
        here can go on without it.
    """
    folder = options.voice_folder
    must_hold = options.restore is not None and place == checked_address(options.restore)

    def bring() -> int:
        store = fetching.open(place)
        index = read_index(store) or index_of_checkpoints(store)
        if index is None or not index.all:
            # A run that was given up before its first checkpoint may have been there.
            if must_hold:
                raise InputError(
                    f"There is no voice with checkpoints at {without_secrets(place)}; --from takes "
                    f"a mirror, a voice's folder or a checkpoint."
                )
            store.require_usable()
            return 0
        transfer = Transfer(store, folder, index, fetching.report, fetching.progress)
        if Voice.exists(folder):
            _catch_up(transfer, Voice.open(folder))
        else:
            _fetch_whole(transfer, options, address)
        return index.sequence

    if not Voice.exists(folder):
        return _with_retries(bring, fetching)
    try:
        return bring()
    except MirrorError as error:
        if error.refused or must_hold:
            raise
        fetching.report(f"the mirror is out of reach, training continues without it: {error}")
        return None


def _catch_up(transfer: Transfer, voice: Voice) -> None:
    """Fetch what the mirror has beyond the voice here.

    Raises:
        InputError: it is another voice's.
    """
    index, address = transfer.index, transfer.store.address
    _require_same_voice(index, voice, address)
    for network in networks_ahead(index, voice):
        own = voice.newest(network)
        here = "there is none" if own is None else f"step {own.step:,} is"
        transfer.report(
            f"{address} has {network} at step {index.newest_step(network):,}, {here} here: "
            f"continuing from the mirror"
        )
    catch_up(transfer, voice)


def _require_same_voice(index: Index, voice: Voice, address: str) -> None:
    if voice.settings.id == index.marker.id:
        return
    other = "another voice than" if voice.settings.id else "a voice already, which is not"
    raise InputError(
        f"The mirror {without_secrets(address)} holds {other} {voice.folder}: "
        f"{without_secrets(index.marker.voice)}, last written by "
        f"{without_secrets(index.marker.writer)}; give another place with --mirror, or a new "
        f"folder with --voice to continue that one."
    )


def _fetch_whole(transfer: Transfer, options: TrainOptions, address: str) -> None:
    """Fetch the whole voice into a folder that has none.

    Raises:
        InputError: there is something else in the folder, or a process trains in it.
    """
    folder, dataset = options.voice_folder, options.dataset
    if dataset is not None:
        require_dataset(dataset)
    try:
        require_free(folder, _LEFTOVERS, dataset)
    except InputError:
        # It may be of a run that has just begun.
        require_untrained(folder)
        raise
    marker = transfer.index.marker
    transfer.report(
        f"fetching {without_secrets(marker.voice)} from its mirror {transfer.store.address}"
    )

    def change(settings: VoiceSettings) -> VoiceSettings:
        settings = replace(settings, mirror=address, id=marker.id)
        return (
            settings if dataset is None else replace(settings, dataset=as_stored(dataset, folder))
        )

    fetch_voice(transfer, change)


def _with_retries(bring: Callable[[], int], fetching: FetchOptions) -> int:
    """Try for some minutes: a machine that has nothing to resume from can only wait.

    Raises:
        MirrorError: it refuses.
        EngineError: it did not work.
    """
    for failures in range(1, _TRIES + 1):
        try:
            return bring()
        except MirrorError as error:
            if error.refused:
                raise
            if failures == _TRIES:
                raise EngineError(
                    f"{error}. Without it, it is unknown where to continue; try again when the "
                    f"mirror can be reached."
                ) from error
            seconds = backoff(failures, 60)
            fetching.report(f"{error}; trying again in {seconds:.0f} s")
            fetching.wait(seconds)
    raise AssertionError("not reached")
