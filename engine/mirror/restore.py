"""What happens with a mirror before a run: is there something to resume from, and may it be used.

`train --mirror URL` is one command for the first machine and for every later one. Where the mirror
holds the voice and this machine does not, the voice is fetched; where it holds later steps of the
voice that is here, these are fetched; where it holds another voice, the options are refused.
`train --from URL` fetches from a mirror that must hold a voice, and writes nothing there: it may be
somebody else's. A mirror that only `voice.toml`
names is not contacted; see `report_unused_mirror`.
"""

from dataclasses import replace
from itertools import count
from pathlib import Path

from engine.choices import NETWORKS
from engine.data.clips import require_layout
from engine.errors import EngineError, InputError
from engine.machine.lock import require_untrained
from engine.mirror.address import checked_address, without_secrets
from engine.mirror.fetch import Fetch, FetchOptions
from engine.mirror.layout import Marker, read_index
from engine.mirror.store import MirrorError, Store, backoff
from engine.run.options import TrainOptions
from engine.voice.dataset import LEFTOVERS, require_free
from engine.voice.folder import Voice, as_stored
from engine.voice.settings import VoiceSettings

# Tries for a voice that is not here, with waits of 1, 2, 4 … seconds at most: two minutes.
_TRIES = 8
# What a fetch that was cut off has left, or a run that ended early; the last is of version 0.1.
_LEFTOVERS = LEFTOVERS | {*NETWORKS, "samples", "spend.jsonl", "spend.open", "mirror.confirmed"}


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
    restore, mirror = (
        None if named is None else checked_address(named)
        for named in (options.restore, options.mirror)
    )
    sequence: int | None = None
    # The last of them is the one to mirror to.
    for place in dict.fromkeys(place for place in (restore, mirror) if place is not None):
        _require_place(place, folder)
        sequence = _resume_from(place, replace(options, mirror=mirror), fetching)
    if restore is not None and mirror is None:
        fetching.report(f"nothing is written to {without_secrets(restore)}; --mirror copies this")
        sequence = None
    source = options.source
    if source is not None and Voice.exists(folder) and Voice.open(folder).newest(options.network):
        fetching.report(f"--from {source} is ignored: {folder} continues from its own steps")
        options = replace(options, source=None, source_step=None)
    return replace(options, mirror=mirror, mirror_sequence=sequence, restore=None)


def _require_place(address: str, folder: Path) -> None:
    """Refuse to mirror to a folder that is in the voice itself, or that can never be made."""
    if "://" in address:
        return
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


def _resume_from(place: str, options: TrainOptions, fetching: FetchOptions) -> int | None:
    """Fetch from one mirror what it has and this machine lacks.

    A machine that has nothing to resume from can only wait for it, and tries for some minutes.

    Returns:
        The highest sequence that the mirror holds; None where it cannot be reached and the voice
        here can go on without it.
    """
    must_hold = options.restore is not None and place == checked_address(options.restore)
    for failures in count(1):
        exists = Voice.exists(options.voice_folder)
        try:
            return _fetch_from(fetching.open(place), options, fetching, must_hold=must_hold)
        except MirrorError as error:
            if error.refused or (exists and must_hold):
                raise
            if exists:
                fetching.report(
                    f"the mirror is out of reach, training continues without it: {error}"
                )
                return None
            if failures == _TRIES:
                raise EngineError(
                    f"{error}. Without it, it is unknown where to continue; try again when the "
                    f"mirror can be reached."
                ) from error
            seconds = backoff(failures, 60)
            fetching.report(f"{error}; trying again in {seconds:.0f} s")
            fetching.wait(seconds)
    raise AssertionError("not reached")


def _fetch_from(
    store: Store, options: TrainOptions, fetching: FetchOptions, *, must_hold: bool
) -> int:
    """Fetch what a mirror holds beyond the voice here; return its highest sequence."""
    index, folder = read_index(store), options.voice_folder
    if index is None or not index.all:
        # A run that was given up before its first checkpoint may have been there.
        if must_hold:
            raise InputError(
                f"There is no voice with checkpoints at {without_secrets(store.address)}; --from "
                f"takes a mirror, a voice's folder or a checkpoint."
            )
        store.require_usable()
        return 0
    fetch = Fetch(store, index, folder, fetching)
    if Voice.exists(folder):
        voice = Voice.open(folder)
        _require_same_voice(index.marker, voice, store.address)
        fetch.what_is_ahead(voice)
        return index.sequence
    _require_free(options)
    marker = index.marker
    fetching.report(f"fetching {without_secrets(marker.voice)} from its mirror {store.address}")

    def change(settings: VoiceSettings) -> VoiceSettings:
        settings = replace(settings, mirror=options.mirror, id=marker.id)
        dataset = options.dataset
        return replace(settings, dataset=as_stored(dataset, folder)) if dataset else settings

    fetch.whole_voice(change)
    return index.sequence


def _require_same_voice(marker: Marker, voice: Voice, address: str) -> None:
    if voice.settings.id == marker.id:
        return
    other = "another voice than" if voice.settings.id else "a voice already, which is not"
    raise InputError(
        f"The mirror {without_secrets(address)} holds {other} {voice.folder}: "
        f"{without_secrets(marker.voice)}, last written by {without_secrets(marker.writer)}; give "
        f"another place with --mirror, or a new folder with --voice to continue that one."
    )


def _require_free(options: TrainOptions) -> None:
    """Refuse a folder that holds something else, or in which a process trains."""
    if options.dataset is not None:
        require_layout(options.dataset)
    try:
        require_free(options.voice_folder, _LEFTOVERS, options.dataset)
    except InputError:
        # It may be of a run that has just begun.
        require_untrained(options.voice_folder)
        raise
