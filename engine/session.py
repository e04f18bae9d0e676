"""The engine's front door: commands in, snapshots out."""

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from engine.attach.screens import OWN, Screens
from engine.attach.server import Server
from engine.errors import Cancelled, Declined, EngineError, InputError, VoicecoachError
from engine.formatting import dollars
from engine.machine.background import BackgroundThread
from engine.mirror.uploader import Uploader, report_unused_mirror
from engine.preflight import Preflight, check_options
from engine.run.commands import (
    Audition,
    Command,
    Finish,
    Inbox,
    KeyPressed,
    MarkHeard,
    ScreenDetached,
    TerminalStalled,
)
from engine.run.notifier import Notifier
from engine.run.options import MAX_WAIT_SECONDS, TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import NONE, StopAt, StoredStop
from engine.training.folder_watch import FolderWatch
from engine.training.limits import EarlyStop
from engine.training.spend_recorder import SpendRecorder
from engine.training.spot import SpotWatch
from engine.training.watchdog import Watchdog
from engine.voice.claim import VoiceClaim
from engine.voice.folder import Voice

if TYPE_CHECKING:
    from engine.speech.audition import Auditions
    from engine.training.setup import TrainingContext

_log = logging.getLogger(__name__)


class SessionLike(Protocol):
    """What a screen needs of a run, whether it lives in this process or in another."""

    attached: bool
    """Whether another process trains, so that quitting leaves the run alone."""
    reading: bool
    """Whether the run takes no commands from here: the screen is read-only."""

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        ...

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary. Never waits."""
        ...


class Session:
    """One run of training in a thread of its own.

    The thread is no daemon: a process that ends waits for the last checkpoint. Screens of other
    processes look at the run, and steer it, through a socket in the voice folder.
    """

    attached: bool = False
    reading: bool = False

    def __init__(self, options: TrainOptions) -> None:
        """Check the options and lock the voice folder; import nothing heavy.

        Raises:
            InputError: the options cannot be used: no such dataset or voice, another process
                trains in the voice folder, that cannot be written, and the like.
            EngineError: the disk is full.
        """
        self.error: BaseException | None = None
        """What ended the run, when it did not end as asked."""
        # The lock comes first: what preflight reads changes while another process trains.
        self._claim = VoiceClaim(options.voice_folder)
        try:
            self._preflight = preflight = check_options(options)
            self._options = replace(options, stop=preflight.stop or NONE)
            if preflight.takes_dataset:
                self._claim.remember()
            if preflight.new:
                self._voice = Voice.create(options.voice_folder, preflight.settings)
            else:
                self._voice = Voice.open(options.voice_folder)
                self._voice.save(preflight.settings)
                self._voice.use_corpus(preflight.dataset)
            self._voice.lock = self._claim.lock
            self._inbox = Inbox()
            self._publisher = Publisher(_first_snapshot(options, preflight, self._voice))
            self._notifier = Notifier(options.notify, self._publisher)
            self._spend = SpendRecorder(self._publisher, self._voice, options.network)
            given = (options, preflight.cloud, self._voice.settings, self._publisher, self._inbox)
            self._spot = SpotWatch(*given, on_price=self._spend.change_price)
            self._early_stop = EarlyStop(self._voice, options.network, self._publisher)
            if not isinstance(preflight.stop, StoredStop):
                self._early_stop.ask(preflight.stop)
        except BaseException:
            self._claim.undo()
            self._claim.release()
            raise
        self._screens = Screens(self._inbox.send, self._show_screens, own=options.attended)
        self._server = Server(options.voice_folder, self.snapshot, self.send, self._screens)
        self._publisher.on_speaking = self._server.wake
        self._folder = FolderWatch(
            self._claim.lock, self._publisher, self._inbox, self._server.restore_socket
        )
        self._mirror = Uploader(self._voice, self._options, self._publisher)
        self._gpu: BackgroundThread | None = None
        self._auditions: Auditions | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=False)

    def _show_screens(self, screens: int, readers: int) -> None:
        self._publisher.update(screens=screens, readers=readers)

    def start(self) -> None:
        """Start the engine thread, and serve the screens of others; returns at once."""
        for tell, text in self._preflight.notes:
            getattr(self._publisher, tell)(text)
        try:
            if self._voice.locate() == self._options.voice_folder:
                self._server.start()
        except (OSError, EngineError) as error:
            self._publisher.warn(
                f"no other screen can attach: {self._voice.folder / 'socket'} cannot be opened "
                f"({getattr(error, 'strerror', None) or error})"
            )
        self._thread.start()

    def snapshot(self) -> Snapshot:
        """Return the newest picture of the run; never waits."""
        return self._publisher.snapshot

    def send(self, command: Command) -> None:
        """Ask for something; it happens at the next step boundary, or sooner. Never waits."""
        if isinstance(command, ScreenDetached):
            # Whether the run goes on unattended is for all screens together to say.
            self._screens.remove(OWN, keep_training=command.keep_training)
        elif isinstance(command, TerminalStalled):
            self._screens.set_takes_output(OWN, not command.stalled)
        elif isinstance(command, KeyPressed) and self._ended.is_set():
            self._wait_for_reader()
        else:
            if isinstance(command, StopAt) and self.snapshot().phase.before_steps:
                self._early_stop.ask(command.rule)
            auditions = self._auditions
            if auditions is None or not auditions.open:
                self._inbox.send(command)
            elif isinstance(command, MarkHeard):
                auditions.mark_heard(command.file)
            elif isinstance(command, Audition) and command.sentence:
                # A step may take a second on a CPU. One without a sentence keeps its place after
                # a change of the sentences.
                auditions.take(command)
            else:
                self._inbox.send(command)

    def hurry(self) -> None:
        """Have the end wait for nothing more: give up what the disk refuses, and the mirror.

        What is being written is waited for. Never waits.
        """
        self._inbox.hurried.set()
        self._mirror.hurry()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the engine thread, at most `timeout` seconds; say whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """Prepare, train, and report how it ended: all that the engine thread does."""
        with Watchdog(self._publisher, self._voice.log) as watchdog:
            try:
                self._train(watchdog)
            except BaseException as error:
                # First of all, for the rest may fail too, for want of memory.
                self.error = error
                self._fail(error)
            finally:
                self._close()

    def _train(self, watchdog: Watchdog) -> None:
        self._notifier.start()
        self._spend.start()
        self._early_stop.start()
        self._spot.start()
        self._folder.start()
        # Early: whoever counts on a copy is to see at once that there is none.
        if self._options.mirror is None:
            report_unused_mirror(self._voice, self._publisher)
        context = self._prepare()
        if context is not None:
            self._train_prepared(context, watchdog)
        self._spot.wait_for_hook()
        self._end_spend()
        self._mirror.close()
        self._show_end(None)

    def _close(self) -> None:
        if not self._publisher.snapshot.phase.ended:
            self._wait_for_reader()
            failure = f"The run failed; see {self._voice.log}."
            self._publisher.update(phase=Phase.FAILED, failure=failure)
            self._publisher.notify("failed", failure.rstrip("."))
        self._ended.set()
        self._notifier.close(self._inbox.hurried)
        if self._gpu is not None:
            self._gpu.stop(wait=False)
        self._spot.stop()
        self._folder.stop()
        # Before the lock is free: whoever takes it next opens a socket of the same name.
        self._server.close()
        self._claim.release()

    def _end_spend(self) -> None:
        try:
            self._spend.end(self._publisher.snapshot.step)
        except Exception as error:
            # What is told of the run itself must not depend on the account.
            _log.exception("the spend log cannot be closed")
            text = f"the spend log cannot be closed: {type(error).__name__}: {error}"
            self._publisher.event(text, "error")

    def _budget_text(self) -> str:
        last = self._publisher.snapshot
        if not last.budget_is_used_up:
            return ""
        return f"the budget of {dollars(last.budget)} is used up: "

    def _undo(self) -> None:
        """Remove a new voice again; nothing may be written into its folder meanwhile."""
        if not self._preflight.takes_dataset or self._folder.failure() is not None:
            return  # one that somebody moved meanwhile is theirs
        # It would put the lock file back.
        self._folder.stop()
        self._end_spend()
        self._claim.undo()

    def _fail(self, error: BaseException) -> None:
        if not isinstance(error, VoicecoachError):
            _log.error("the engine failed", exc_info=error)
        try:
            self._end_spend()
            self._mirror.close()
        finally:
            self._show_end(error)

    def _show_end(self, error: BaseException | None) -> None:
        # Whatever failed while the folder was gone failed because of that.
        self.error = failure = self._folder.failure() or error
        if failure is None:
            self._publisher.update(phase=Phase.STOPPED, steps_per_second=None)
            return
        text = str(failure)
        if not isinstance(failure, VoicecoachError):
            text = f"{type(failure).__name__}: {failure}; {self._voice.log} says where."
        self._publisher.event(text, "error")
        self._publisher.notify("failed", f"the run failed: {text.rstrip('.')}")
        self._wait_for_reader()
        self._publisher.update(phase=Phase.FAILED, failure=text, steps_per_second=None)

    def _wait_for_reader(self) -> None:
        """Show until when the screen stays open, for somebody to read why the run failed."""
        waits = self._options.attended and not self._options.hold
        until = time.time() + MAX_WAIT_SECONDS if waits else None
        self._publisher.update(wait_ends_at=until)

    def _train_prepared(self, prepared: "TrainingContext", watchdog: Watchdog) -> None:
        from engine.machine.device import gpu_uuid
        from engine.machine.gpu import poll_gpu
        from engine.speech.audition import Auditions, NetworkInTraining
        from engine.speech.series import Series
        from engine.training.judging import Judging
        from engine.training.trainer import Services, Trainer
        from engine.training.training_data import watch_corpus

        self._gpu = poll_gpu(
            gpu_uuid(prepared.learner.device),
            lambda reading, absent: self._publisher.update(gpu=reading, gpu_absent=absent),
            self._publisher.event,
        )
        learner = prepared.learner
        in_training = NetworkInTraining(
            learner.spec, self._voice.settings.symbols, learner.copy_ema_weights,
            prepared.store, (prepared.attention_clip, *prepared.held_out_clips),
        )  # fmt: skip
        self._auditions = auditions = Auditions(self._voice, self._publisher, in_training)
        text = prepared.store.clips[prepared.attention_clip].text
        series = Series(self._voice, prepared.network, auditions, self._publisher, text)
        series.begin(prepared.step)
        on_gpu = learner.device.type != "cpu"
        judging = Judging(self._voice, prepared.network, self._publisher, on_gpu=on_gpu)
        judging.start()
        self._mirror.start()
        recordings = (clip.path for clip in prepared.store.clips)
        corpus_watch = watch_corpus(self._voice.dataset, recordings, self._publisher)
        given = (self._inbox, auditions, series, judging, self._spend, self._spot, watchdog)
        services = Services(*given, on_saved=(self._mirror.wake, series.checkpoint_saved))
        try:
            Trainer(prepared, self._options, self._publisher, services).run()
        finally:
            corpus_watch.stop(wait=False)
            judging.close()
            auditions.close()
            self._mirror.finish()

    def _prepare(self) -> "TrainingContext | None":
        """Load what a trainer needs; None where the person, or the cloud, ended that.

        A voice that was to be made for a dataset or weights of no use is removed again.
        """
        # torch comes in here, after the first screen is on.
        from engine.training.setup import prepare

        given = self._options, self._voice, self._publisher, self._inbox
        try:
            try:
                return prepare(*given)
            finally:
                self._early_stop.stop()
        except Cancelled as end:
            finish = self._inbox.find(Finish)
            if finish is not None and not finish.by_signal:
                self._early_stop.undo()
            if self._spot.ended_preparation() or not isinstance(end, Declined):
                self._publisher.event(f"{self._budget_text()}ended before the first step")
            else:
                self._publisher.event("ended before the first step, to fix the corpus first")
                self._undo()  # once it is fixed, the same command makes the voice
            return None
        except InputError:
            self._early_stop.undo()
            self._undo()
            raise


def _first_snapshot(options: TrainOptions, preflight: Preflight, voice: Voice) -> Snapshot:
    settings = voice.settings
    return Snapshot(
        phase=Phase.PREPARING,
        voice=voice.name,
        voice_folder=voice.folder,
        network=options.network,
        demo=options.demo,
        # Of weights that there are it is known once they are read.
        preset=settings.preset if preflight.new and options.source is None else "",
        recipe=settings.recipe,
        step=preflight.step,
        first_step=preflight.step,
        stop_text=preflight.stop.text if preflight.stop else "",
        stop_when=options.stop_when,
        price=settings.price,
        budget=settings.budget,
        left_out=settings.left_out,
        sentences=settings.sentences,
        screens=int(options.attended),
    )
