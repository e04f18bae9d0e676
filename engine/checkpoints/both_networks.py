"""Whether both networks of a voice have learned from its recordings."""

import shlex
from collections.abc import Iterator
from contextlib import suppress

from engine.checkpoints.state import read_state
from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError
from engine.run.sample import KeptCheckpoint, lacking_ssrn
from engine.voice.folder import Voice


def ssrn_to_train(voice: Voice) -> tuple[str, str] | None:
    """Return what a voice lacks whose SSRN was not trained, and the command that trains it.

    None where it lacks nothing, and of a voice that was not trained here.
    """
    newest = [one for network in NETWORKS for one in _newest(voice, network)]
    lacking = lacking_ssrn(newest) if voice.history("text2mel").exists() else ""
    folder = shlex.quote(str(voice.folder))
    command = f"voicecoach train --voice {folder} --network ssrn --stop-at +5k"
    return (lacking, command) if lacking else None


def _newest(voice: Voice, network: NetworkName) -> Iterator[KeptCheckpoint]:
    for entry in reversed(voice.checkpoints(network)):
        # One that is damaged is told of by whoever reads its weights.
        with suppress(InputError):
            base = read_state(entry.path).base_step
            yield KeptCheckpoint(network, entry.step, base=entry.step == base)
            return
