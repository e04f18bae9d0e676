"""The demo: a bundled voice learns another speaker, in a voice folder of one's own."""

import os
import shlex
from dataclasses import replace
from pathlib import Path

from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.files import make_folder, open_private, unusable_path
from engine.machine.lock import LOCK_NAME, acquire_lock, require_untrained
from engine.run.options import TrainOptions
from engine.run.snapshot import Snapshot
from engine.run.stop import StopRule, parse_stop, read_stored_stop
from engine.voice.folder import Voice
from engine.voice.layout import list_checkpoints

_PACKAGE = Path(__file__).resolve().parents[1]
# Built into the wheel at the first place; in a checkout they lie at the second.
_ASSETS = (_PACKAGE / "demo_assets", _PACKAGE.parent / "assets" / "demo")
DEMO_STOPS: dict[NetworkName, str] = {"text2mel": "+500", "ssrn": "+300"}
"""Steps after which a demo stops, if nothing else is asked for: two to three minutes on two
cores, and enough for the other speaker to be heard."""


def demo_assets() -> Path:
    """The folder with the bundled `corpus` and `voice`.

    Raises:
        EngineError: this installation lacks it.
    """
    if found := _installed():
        return found
    raise EngineError(
        f"The demo is missing from this installation (looked in {_ASSETS[0]}); install voicecoach "
        f"again."
    )


def _installed() -> Path | None:
    return next((one for one in _ASSETS if (one / "voice" / "voice.toml").is_file()), None)


def demo_options(options: TrainOptions) -> TrainOptions:
    """Complete options that name a voice folder: fine-tune the bundled voice in it.

    The corpus is copied beside the voice, so that the folder stands on its own. A demo that
    exists is continued, by as many steps again where it had reached its stop.

    Raises:
        InputError: the folder has other content, is being trained, or cannot be made.
        EngineError: the demo is not installed, or its corpus cannot be copied.
    """
    folder, network = options.voice_folder, options.network
    corpus = folder / "corpus"
    options = replace(options, demo=True, stop=options.stop or _own_stop(folder, network))
    if assets := _installed():
        # A demo that has its weights trains on without.
        options = replace(options, next_source=assets / "voice")
    if not Voice.exists(folder):
        # A demo that was refused, for example for its stop, leaves its corpus.
        left = (corpus.name, LOCK_NAME)
        if folder.is_dir() and any(entry.name not in left for entry in folder.iterdir()):
            require_untrained(folder)
            raise InputError(
                f"{folder} is not empty and is not a voice folder; name another --voice."
            )
        # Of two that start at once, neither may overwrite what the other trains on.
        lock = acquire_lock(folder)
        try:
            _copy_corpus(demo_assets() / "corpus", corpus)
        finally:
            lock.release()
        return replace(options, dataset=corpus, source=demo_assets() / "voice")
    if list_checkpoints(folder / network / "checkpoints"):
        return options
    # It ended before it had its weights, or trains its other network for the first time.
    return replace(options, source=demo_assets() / "voice")


def _own_stop(folder: Path, network: NetworkName) -> StopRule | None:
    """The demo's stop; None where the previous run of the network has not reached its own."""
    if read_stored_stop(folder / network) is not None:
        return None
    return parse_stop(DEMO_STOPS[network])


def next_commands(snapshot: Snapshot) -> tuple[tuple[str, str], ...]:
    """After the demo's stop, what a person may want next and the shell commands that do it."""
    stop = snapshot.stop if snapshot.demo else None
    if stop is None or not stop.reached(snapshot.step, snapshot.voice_seconds, snapshot.spent):
        return ()
    voice = shlex.quote(str(snapshot.voice_folder))
    sharpen = ("for a clearer sound", f"voicecoach demo --voice {voice} --network ssrn")
    return (
        *((sharpen,) if snapshot.network == "text2mel" else ()),
        ("to speak a text", f'voicecoach say "Good morning." --voice {voice} --out hello.wav'),
        ("to check recordings of yours", f"voicecoach check recordings --against {voice}"),
        ("to train on them", f"voicecoach train recordings --voice voices/mine --from {voice}"),
    )


def _copy_corpus(source: Path, target: Path) -> None:
    """Copy the recordings without waiting for the disk: the first picture waits for this.

    A copy that is cut off is completed at the next start.
    """
    try:
        make_folder(target, private_from=target.parent)
    except OSError as error:
        raise unusable_path(target.parent, error) from error
    try:
        # The contents alone: permissions and times cannot be set on every file system.
        for path in sorted(source.rglob("*")):
            place = target / path.relative_to(source)
            if path.is_dir():
                make_folder(place)
            else:
                with os.fdopen(open_private(place, os.O_WRONLY | os.O_TRUNC), "wb") as written:
                    written.write(path.read_bytes())
    except OSError as error:
        raise EngineError(
            f"The demo's corpus cannot be copied to {target}: {error.strerror or error}; free some "
            f"space, or name another --voice."
        ) from error
