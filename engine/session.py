"""The engine's front door: commands in, snapshots out."""

import logging
import os
import threading
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from engine.board import Board
from engine.control import Command, Inbox
from engine.corpus.clips import METADATA, RECORDINGS
from engine.errors import Cancelled, InputError, VoicecoachError
from engine.order import TrainOrder
from engine.snapshot import Phase, Snapshot
from engine.voice import Voice, VoiceSettings, acquire_lock, list_checkpoints, read_state

_log = logging.getLogger("voicecoach.engine")

# Seconds between two looks at the GPU.
_GPU_SECONDS = 2.0


class SessionLike(Protocol):
    """What a screen needs of a run, whether it lives in this process or in another."""

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        ...

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits."""
        ...


class Session:
    """One run of training in a thread of its own.

    The thread is no daemon: a process that ends waits for the last checkpoint.
    """

    def __init__(self, order: TrainOrder) -> None:
        """Check the order and take the voice folder; import nothing heavy.

        Raises:
            InputError: the order cannot be carried out: no such dataset or voice, another
                process trains in the voice folder, and the like.
            EngineError: the voice folder cannot be written.
        """
        self.error: BaseException | None = None
        """What ended the run, when it did not end as asked."""
        self._order = order
        self._new = not Voice.exists(order.voice_folder)
        settings = _settings_of(order)
        _require_dataset(settings.dataset)
        self._voice = Voice.create(order.voice_folder, settings)
        self._lock = acquire_lock(order.voice_folder)
        self._inbox = Inbox()
        self._board = Board(_first_snapshot(order, self._voice))
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=False)

    def start(self) -> None:
        """Start the engine thread; returns at once."""
        self._thread.start()

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        return self._board.snapshot

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits."""
        self._inbox.send(command)

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the engine thread, at most `timeout` seconds; say whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """The engine thread: prepare, train, and say how it ended, whatever happens."""
        try:
            self._train()
            self._board.update(phase=Phase.STOPPED, steps_per_second=None)
        except VoicecoachError as error:
            self._fail(error, str(error))
        except BaseException as error:
            _log.exception("the engine failed")
            self._fail(error, f"{type(error).__name__}: {error}; {self._voice.log} says where.")
        finally:
            self._ended.set()
            os.close(self._lock)

    def _fail(self, error: BaseException, text: str) -> None:
        self.error = error
        self._board.event(text, "error")
        self._board.update(phase=Phase.FAILED, failure=text, steps_per_second=None)

    def _train(self) -> None:
        # torch comes in here, after the first screen is on.
        from engine.speech.audition import Auditions, Recording
        from engine.training.preparation import discard_new_voice, prepare
        from engine.training.trainer import Trainer

        try:
            prepared = prepare(self._order, self._voice, self._board, self._inbox)
        except Cancelled:
            self._board.event("ended before the first step")
            return
        except InputError:
            if self._new:
                discard_new_voice(self._voice)
            raise
        self._watch_gpu(prepared.learner.device.index)
        clip = prepared.watched_clip
        recording = Recording(prepared.store.clips[clip], prepared.store.coarse_mel(clip))
        auditions = Auditions(
            self._voice, prepared.network, prepared.learner.spec, recording, self._board
        )
        try:
            Trainer(prepared, self._order, self._board, self._inbox, auditions).run()
        finally:
            auditions.close()

    def _watch_gpu(self, index: int | None) -> None:
        """Read the GPU every other second, in a thread that the driver may hold up."""
        from engine.host.gpu import GpuMonitor

        def watch() -> None:
            monitor = GpuMonitor(index)
            while True:
                self._board.update(gpu=monitor.read(), gpu_absent=monitor.absent)
                if monitor.absent or self._ended.wait(_GPU_SECONDS):
                    return

        threading.Thread(target=watch, name="gpu", daemon=True).start()


def _first_snapshot(order: TrainOrder, voice: Voice) -> Snapshot:
    settings = voice.settings
    return Snapshot(
        phase=Phase.PREPARING,
        voice=voice.name,
        voice_folder=voice.folder,
        network=order.network,
        preset=settings.preset,
        recipe=settings.recipe,
        price=settings.price,
        sentence=settings.sentence,
    )


def _settings_of(order: TrainOrder) -> VoiceSettings:
    """The settings that the run has: the voice's, with what the order changes.

    Raises:
        InputError: the order contradicts the voice.
    """
    folder = order.voice_folder
    if Voice.exists(folder):
        settings = Voice.open(folder).settings
        _require_same_corpus(order, settings)
        _require_free_network(order)
        if order.preset is not None and order.preset != settings.preset:
            raise InputError(
                f"The voice in {folder} has the preset {settings.preset}, not {order.preset}; "
                f"leave --preset out, or make another voice with --voice."
            )
    else:
        settings = _new_settings(order)
    changes = {
        name: value
        for name, value in (
            ("recipe", order.recipe),
            ("price", order.price),
            ("checkpoint_every", order.checkpoint_every),
        )
        if value is not None
    }
    return replace(settings, **changes)  # type: ignore[arg-type]


def _require_same_corpus(order: TrainOrder, settings: VoiceSettings) -> None:
    if order.dataset is not None and order.dataset.resolve() != settings.dataset.resolve():
        raise InputError(
            f"The voice in {order.voice_folder} learns from {settings.dataset}, not from "
            f"{order.dataset}; leave the dataset out, or make another voice with --voice."
        )


def _require_free_network(order: TrainOrder) -> None:
    if order.source is not None and list_checkpoints(
        order.voice_folder / order.network / "checkpoints"
    ):
        raise InputError(
            f"The voice in {order.voice_folder} has a {order.network} already, which --from would "
            f"replace; leave --from out to train it on, or make another voice with --voice."
        )


def _new_settings(order: TrainOrder) -> VoiceSettings:
    if order.dataset is None:
        raise InputError(
            f"There is no voice in {order.voice_folder}; say what it shall learn from: "
            f"`voicecoach train DATASET --voice {order.voice_folder}`."
        )
    settings = VoiceSettings(dataset=order.dataset.resolve())
    if order.source is not None:
        settings = _like_source(order.source, settings)
        if order.preset is not None and order.preset != settings.preset:
            raise InputError(
                f"The weights in {order.source} have the preset {settings.preset}, not "
                f"{order.preset}; leave --preset out."
            )
        return settings
    return settings if order.preset is None else replace(settings, preset=order.preset)


def _like_source(source: Path, settings: VoiceSettings) -> VoiceSettings:
    """Settings for weights that come from another voice, or from a checkpoint of one.

    Raises:
        InputError: `source` is neither.
    """
    if (source / "state.json").is_file():
        symbols = read_state(source).get("symbols", settings.symbols)
        home = source.resolve().parent.parent.parent
        if not Voice.exists(home):
            return replace(settings, symbols=symbols)
        source = home
    if not Voice.exists(source):
        raise InputError(
            f"{source} is neither a voice (no voice.toml) nor a checkpoint (no state.json); give "
            f"the folder of a voice, or one of its step-… folders."
        )
    theirs = Voice.open(source).settings
    return replace(
        settings,
        preset=theirs.preset,
        symbols=theirs.symbols,
        audio=theirs.audio,
        limits=theirs.limits,
        sentence=theirs.sentence,
    )


def _require_dataset(dataset: Path) -> None:
    """Refuse at once what cannot be a corpus; its rows are looked at in the engine thread."""
    if not dataset.is_dir():
        raise InputError(f"There is no dataset folder {dataset}; check the path.")
    for name, kind in ((METADATA, "file"), (RECORDINGS, "folder")):
        if not (dataset / name).exists():
            raise InputError(
                f"{dataset} has no {kind} {name}; a dataset in LJ Speech layout has "
                f"{METADATA} and {RECORDINGS}/."
            )
