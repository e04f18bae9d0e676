"""Sends a voice's checkpoints to its mirror, in a thread of its own that training never waits for.

It looks at the voice folder every few seconds and brings the mirror to where that is: the newest
checkpoint first, then whatever else is kept. What the pruning of the folder took away meanwhile
is never sent, so that a slow network makes no queue.
"""

import contextlib
import hashlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.checkpoint_folders import CheckpointEntry, read_state, superseded
from engine.choices import NETWORKS, NetworkName
from engine.errors import EngineError, InputError
from engine.host.time_of_day import now
from engine.mirror.address import told
from engine.mirror.backoff import Backoff
from engine.mirror.fingerprint import Fingerprint, fingerprint
from engine.mirror.holdings import Holdings, look, read_marker
from engine.mirror.layout import (
    MANIFEST,
    MARKER,
    VOICE_FILES,
    Manifest,
    Marker,
    is_checkpoint_file,
)
from engine.mirror.target import MirrorError, Target
from engine.snapshot import MirrorState
from engine.voice import Voice

_log = logging.getLogger(__name__)

# Seconds between two looks at the voice folder.
_IDLE_SECONDS = 2.0
# Seconds between two tries while the end of the run waits for the last checkpoint.
_LAST_SECONDS = 3.0
# Seconds that the end of a run takes without a word.
_PATIENCE = 1.0


class _TakenError(EngineError):
    """The mirror is somebody else's: nothing more is sent to it."""


class _GoneError(Exception):
    """The checkpoint under way has been removed, or proved damaged: there is nothing to send."""


@dataclass(frozen=True)
class Hearers:
    """Who hears of a mirror's state and of what happens; called from the sender's thread."""

    state: Callable[[MirrorState], None]
    event: Callable[[str, str], None]
    """Text and severity."""


class Sender:
    """Keeps the mirror of a voice where the voice is."""

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        open_target: Callable[[], Target],
        hearers: Hearers,
        *,
        seen: int | None,
        backoff: Backoff | None = None,
        idle: float | None = None,
    ) -> None:
        """Prepare to send; nothing is asked of the mirror before `start`.

        Args:
            voice: whose checkpoints; its settings have an id and a mirror.
            network: the one that is trained, which goes first.
            open_target: opens the mirror.
            hearers: who hears of it.
            seen: the highest sequence in the mirror when the run looked at it, None where it
                could not. A mirror that holds more by the time of the first sending has been
                written by another run.
            backoff: how long to wait after failures.
            idle: seconds between two looks at the voice folder.
        """
        assert voice.settings.id is not None
        assert voice.settings.mirror is not None
        self._voice = voice
        self._id = voice.settings.id
        self._networks = sorted(NETWORKS, key=lambda other: other != network)
        self._open_target = open_target
        self._hearers = hearers
        self._seen = seen
        self._backoff = backoff or Backoff()
        self._idle = _IDLE_SECONDS if idle is None else idle
        self._target: Target | None = None
        self._marker = Marker(self._id, voice.name, secrets.token_hex(16), _this_run())
        self._held: Holdings | None = None
        self._damaged: set[tuple[Path, str]] = set()
        self._states: dict[Path, tuple[int, str]] = {}
        self._wake = threading.Event()
        self._ending = threading.Event()
        self._through = threading.Event()
        self._closed = threading.Event()
        self._state = MirrorState(told(voice.settings.mirror))
        self._thread = threading.Thread(target=self._run, name="mirror", daemon=True)

    def start(self) -> None:
        """Start sending, in a thread that ends with the process."""
        self._hearers.state(self._state)
        self._thread.start()

    def wake(self, _saved: Path) -> None:
        """Look at the voice folder now, for a checkpoint has been saved; returns at once."""
        self._wake.set()

    def finish(self, seconds: float) -> bool:
        """Wait until all that is kept here is safe there, at most so long; then send no more.

        Returns:
            Whether it is.
        """
        self._ending.set()
        self._wake.set()
        if not self._through.wait(min(seconds, _PATIENCE)):
            self._hearers.event(
                f"mirror: sending what is saved to {self._state.address}, for {seconds:.0f} s at "
                f"most",
                "information",
            )
            self._through.wait(max(0.0, seconds - _PATIENCE))
        through = self._through.is_set()
        self._closed.set()
        self._wake.set()
        state = self._state
        if through and not state.trouble:
            if state.safe_step is not None:
                text = f"mirror: step {state.safe_step:,} is safe at {state.address}"
                self._hearers.event(text, "information")
            return True
        why = state.trouble or "it takes longer"
        self._hearers.event(
            f"the last checkpoint is not at the mirror {state.address} ({why}); it is safe on this "
            f"machine, and the next run sends it",
            "warning",
        )
        return False

    # What follows is for the sender's own thread.

    def _run(self) -> None:
        while not self._closed.is_set():
            ending = self._ending.is_set()
            try:
                self._bring_up_to_date()
            except _TakenError as error:
                self._note_trouble(str(error), "error")
                self._through.set()
                return
            except Exception as error:
                # Whatever it is, training goes on, and so do the tries.
                if not isinstance(error, EngineError | OSError):
                    _log.exception("the mirror failed")
                self._note_trouble(told(error), "warning")
                seconds = self._backoff.failed()
            else:
                self._note_success()
                seconds = self._idle
                if ending:
                    self._through.set()
            if self._ending.is_set():
                seconds = min(seconds, _LAST_SECONDS)
            self._wake.wait(seconds)
            self._wake.clear()

    def _bring_up_to_date(self) -> None:
        """Send what is missing, the newest first, then remove what is kept no longer.

        Raises:
            MirrorError: the mirror cannot be reached or written.
            _TakenError: another run writes there.
        """
        if self._held is None:
            if not any(self._voice.newest(network) for network in NETWORKS):
                # A voice that is given up before its first checkpoint leaves no trace there.
                return
            self._claim()
        sent = False
        while (next_one := self._next()) is not None and not self._closed.is_set():
            network, entry, pending = next_one
            self._say(pending=pending)
            with contextlib.suppress(_GoneError):
                self._send(network, entry)
                sent = True
        self._say(pending=0, safe_step=self._safe_step())
        if sent:
            self._remove_superseded()

    def _claim(self) -> None:
        """Look at what is there, and write down that this run writes from here on.

        Raises:
            _TakenError: it holds another voice, or later steps of this one that another run made.
        """
        try:
            if self._target is None:
                self._target = self._open_target()
            held = look(self._target)
        except InputError as error:
            raise _TakenError(str(error)) from error
        newest: dict[NetworkName, str] = {}
        if held is not None:
            self._require_ours(held)
            newest = held.marker.newest if held.all else {}
        self._marker = replace(self._marker, newest=newest)
        self._target.write(MARKER, self._marker.encoded())
        none: dict[NetworkName, list[Manifest]] = {network: [] for network in NETWORKS}
        self._held = held or Holdings(self._marker, none, set())

    def _require_ours(self, held: Holdings) -> None:
        if not held.all:
            return
        if held.marker.id != self._id:
            raise _TakenError(
                f"the mirror {self._state.address} holds another voice, {held.marker.voice}: "
                f"nothing is sent there; name another place with --mirror"
            )
        if self._seen is not None:
            later = held.sequence > self._seen
        else:
            later = any(
                (held.newest_step(network) or 0) > self._newest_step(network)
                for network in NETWORKS
            )
        if later:
            raise _TakenError(
                f"the mirror {self._state.address} has later steps of this voice, by "
                f"{held.marker.writer}: nothing is sent there; end this run and start it again to "
                f"go on from those"
            )

    def _newest_step(self, network: NetworkName) -> int:
        newest = self._voice.newest(network)
        return 0 if newest is None else newest.step

    def _next(self) -> tuple[NetworkName, CheckpointEntry, int] | None:
        """The checkpoint that is to be sent next, and how many are; None when all are there."""
        missing = [
            (network, entry)
            for network in self._networks
            for entry in reversed(self._voice.checkpoints(network))
            if not self._is_safe(network, entry)
        ]
        return None if not missing else (*missing[0], len(missing))

    def _is_safe(self, network: NetworkName, entry: CheckpointEntry) -> bool:
        """Whether the mirror has this very checkpoint; one that cannot be sent is left out too."""
        assert self._held is not None
        digest = self._digest_of_state(entry.path)
        if digest is None or (entry.path, digest) in self._damaged:
            return True
        return any(
            manifest.step == entry.step and manifest.files["state.json"].sha256 == digest
            for manifest in self._held.checkpoints[network]
        )

    def _digest_of_state(self, checkpoint: Path) -> str | None:
        """The SHA-256 of a `state.json`, which has those of all other files; None if it is gone."""
        path = checkpoint / "state.json"
        try:
            changed = path.stat().st_mtime_ns
            known = self._states.get(path)
            if known is None or known[0] != changed:
                known = (changed, hashlib.sha256(path.read_bytes()).hexdigest())
                self._states[path] = known
        except FileNotFoundError:
            return None
        return known[1]

    def _safe_step(self) -> int | None:
        assert self._held is not None
        return self._held.newest_step(self._networks[0])

    def _send(self, network: NetworkName, entry: CheckpointEntry) -> None:
        """Send a checkpoint and the small files of the voice; the manifest comes last.

        Raises:
            _GoneError: it was removed meanwhile, gave way to another of its step, or is damaged.
            MirrorError: it cannot be sent.
        """
        assert self._target is not None
        assert self._held is not None
        start = time.monotonic()
        self._require_still_ours()
        state = self._digest_of_state(entry.path)
        with TemporaryDirectory(prefix="voicecoach-mirror-") as folder:
            small = _copies(self._voice.folder, Path(folder))
            try:
                files = self._files_of(entry)
                manifest = Manifest(
                    id=self._id,
                    network=network,
                    step=entry.step,
                    sequence=self._held.sequence + 1,
                    files={name: found.mark for name, (_, found) in files.items()},
                    voice_files={name: found.mark for name, (_, found) in small.items()},
                )
                self._held.incomplete.add(manifest.key)
                for name, (path, found) in (*files.items(), *small.items()):
                    self._target.put(path, f"{manifest.key}/{name}", found)
            except FileNotFoundError as error:
                raise _GoneError from error
            except MirrorError as error:
                if self._digest_of_state(entry.path) != state:
                    raise _GoneError from error
                raise
        self._commit(manifest)
        self._say(seconds=time.monotonic() - start)

    def _commit(self, manifest: Manifest) -> None:
        """Make a checkpoint count whose files are all there."""
        assert self._target is not None
        assert self._held is not None
        content = manifest.encoded()
        key = f"{manifest.key}/{MANIFEST}"
        self._target.write(key, content)
        if self._target.read(key, len(content)) != content:
            raise MirrorError(f"{told(key)} did not arrive at {self._target.address} as sent")
        network = manifest.network
        newest = self._held.newest_step(network)
        if newest is None or manifest.step >= newest:
            pointers = {**self._marker.newest, network: manifest.key}
            self._marker = replace(self._marker, newest=pointers)
            self._target.write(MARKER, self._marker.encoded())
        self._held = _with(self._held, manifest)
        self._held.incomplete.discard(manifest.key)
        self._say(safe_step=self._safe_step())

    def _require_still_ours(self) -> None:
        """Refuse to write where another run has begun to.

        Raises:
            _TakenError: one has.
            MirrorError: the marker is gone, as where a disk is mounted no more.
        """
        assert self._target is not None
        try:
            marker = read_marker(self._target)
        except InputError as error:
            raise _TakenError(str(error)) from error
        if marker is None:
            raise MirrorError(f"{self._target.address} has lost its {MARKER}; is it still there?")
        if marker.token != self._marker.token:
            raise _TakenError(
                f"the mirror {self._state.address} is written by {marker.writer} now: nothing "
                f"more is sent there from here"
            )

    def _files_of(self, entry: CheckpointEntry) -> dict[str, tuple[Path, Fingerprint]]:
        """Each file of a checkpoint with its fingerprint.

        Raises:
            _GoneError: it is damaged here: what the mirror has is better; or it gives way to
                another of its step at this moment.
            FileNotFoundError: it has been removed.
        """
        state = self._digest_of_state(entry.path)
        files = {
            path.name: (path, fingerprint(path))
            for path in sorted(entry.path.iterdir())
            if is_checkpoint_file(path.name)
        }
        try:
            written = read_state(entry.path).get("sha256", {})
            sound = all(
                name in files and files[name][1].sha256 == digest
                for name, digest in dict(written).items()
            )
        except (InputError, TypeError, ValueError):
            sound = False
        if not sound:
            if state is None or self._digest_of_state(entry.path) != state:
                raise _GoneError
            self._damaged.add((entry.path, state))
            self._hearers.event(f"{entry.path} is damaged and not sent to the mirror", "warning")
            raise _GoneError
        return files

    def _remove_superseded(self) -> None:
        """Remove from the mirror what the voice folder does not keep either, and what is cut off.

        Nothing goes before the newest checkpoint of its network is safe there.
        """
        assert self._target is not None
        assert self._held is not None
        settings = self._voice.settings
        for network, found in self._held.checkpoints.items():
            newest = self._voice.newest(network)
            if newest is None or not self._is_safe(network, newest):
                continue
            try:
                base = int(read_state(newest.path)["base_step"])
            except InputError:
                # Removed, or found damaged, at this moment: the next time will do.
                continue
            steps = {manifest.step for manifest in found}
            old = superseded(steps, settings.keep_newest, settings.keep_every, base)
            newer: set[int] = set()
            for manifest in list(found):
                if manifest.step in old or manifest.step in newer:
                    self._target.remove(manifest.key, MANIFEST)
                    found.remove(manifest)
                newer.add(manifest.step)
        for key in sorted(self._held.incomplete):
            self._target.remove(key, MANIFEST)
            self._held.incomplete.remove(key)

    # What is told.

    def _say(self, **changes: object) -> None:
        state = replace(self._state, **changes)  # type: ignore[arg-type]
        if state != self._state:
            self._state = state
            self._hearers.state(state)

    def _note_trouble(self, text: str, severity: str) -> None:
        if not self._state.trouble:
            self._hearers.event(f"mirror: {text}", severity)
        since = self._state.since if self._state.trouble else time.time()
        self._say(trouble=text, since=since, pending=max(1, self._count_missing()))

    def _count_missing(self) -> int:
        try:
            if self._held is None:
                return sum(len(self._voice.checkpoints(network)) for network in NETWORKS)
            next_one = self._next()
        except OSError:
            # The disk is the trouble that is being told of.
            return 1
        return 0 if next_one is None else next_one[2]

    def _note_success(self) -> None:
        self._backoff.succeeded()
        if self._state.trouble:
            safe = self._state.safe_step
            self._hearers.event(
                f"mirror: {'nothing' if safe is None else f'step {safe:,}'} is safe at "
                f"{self._state.address} again",
                "information",
            )
        self._say(trouble="", since=None)


def _with(held: Holdings, manifest: Manifest) -> Holdings:
    """What a mirror holds with one checkpoint more."""
    found = [manifest, *held.checkpoints[manifest.network]]
    found.sort(key=lambda each: (each.step, each.sequence), reverse=True)
    return replace(held, checkpoints={**held.checkpoints, manifest.network: found})


def _copies(voice: Path, folder: Path) -> dict[str, tuple[Path, Fingerprint]]:
    """Copies of a voice's small files as they are at this moment; the last line whole."""
    copies = {}
    for name, place in VOICE_FILES.items():
        try:
            content = (voice / place).read_bytes()
        except FileNotFoundError:
            continue
        if name.endswith(".jsonl"):
            content = content[: content.rfind(b"\n") + 1]
        path = folder / name
        path.write_bytes(content)
        copies[name] = (path, fingerprint(path))
    return copies


def _this_run() -> str:
    """This process, for a person who wonders who writes to a mirror."""
    return f"process {os.getpid()} on {socket.gethostname()} since {now()}"
