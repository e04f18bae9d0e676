"""The engine's front door: commands in, snapshots out."""

import logging
import threading
import time
from dataclasses import replace
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from engine.attach.screens import OWN, Screens
from engine.attach.server import Server
from engine.choices import NETWORK_TITLES, NetworkName
from engine.errors import Cancelled, Declined, EngineError, InputError, VoicecoachError, explain
from engine.formatting import dollars
from engine.mirror.uploader import Uploader, report_unused_mirror
from engine.preflight import Note, Preflight, check_options
from engine.run.commands import (
    Audition,
    Command,
    Finish,
    Inboxes,
    KeyPressed,
    MarkHeard,
    ScreenDetached,
    TerminalStalled,
    TrainNext,
)
from engine.run.notifier import Notifier
from engine.run.options import MAX_WAIT_SECONDS, TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import NONE, StopAt
from engine.training.folder_watch import FolderWatch
from engine.training.network_run import NetworkRun, check_networks, failure_of, first_snapshot
from engine.training.spend_recorder import SpendRecorder
from engine.training.spot import SpotWatch
from engine.training.watchdog import Watchdog
from engine.voice.claim import VoiceClaim
from engine.voice.folder import Voice

if TYPE_CHECKING:
    from engine.speech.audition import Auditions
    from engine.training.setup import TrainingContext
    from engine.training.trainers import Trainers

_log = logging.getLogger(__name__)
_DRAWN_WITHIN = 1.0  # seconds that the first picture has: a terminal may take no output

# Seconds between two signs of life while the networks are trained in their own threads.
_POLL_SECONDS = 1.0


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
            found = check_networks(options)
            self._options = options
            self._preflight = preflight = found[options.network]
            if preflight.takes_dataset:
                self._claim.remember()
            if preflight.new:
                self._voice = Voice.create(options.voice_folder, preflight.settings)
            else:
                self._voice = Voice.open(options.voice_folder)
                self._voice.save(preflight.settings)
                self._voice.use_corpus(preflight.dataset)
            self._voice.lock = self._claim.lock
            self._inboxes = Inboxes()
            self._publisher = Publisher(first_snapshot(options, preflight, self._voice))
            self._notifier = Notifier(options.notify, self._publisher)
            self._spend = SpendRecorder(self._publisher, self._voice, options.network)
            given = (options, preflight.cloud, self._voice.settings, self._publisher)
            price = self._spend.change_price
            self._spot = SpotWatch(*given, send=self._inboxes.send, on_price=price)
            self._runs = [self._take_network(network, found[network]) for network in found]
        except BaseException:
            self._claim.undo()
            self._claim.release()
            raise
        self._screens = Screens(
            self._inboxes.send,
            lambda screens, readers: self._publisher.update(screens=screens, readers=readers),
            own=options.attended,
        )
        self._server = Server(options.voice_folder, self.snapshot, self.send, self._screens)
        self._publisher.on_speaking = self._server.wake
        self._folder = FolderWatch(
            self._claim.lock, self._publisher, self._inboxes.send, self._server.restore_socket
        )
        self._mirror = Uploader(self._voice, self._options, self._publisher)
        self._auditions: Auditions | None = None
        self._next: SimpleQueue[TrainNext] = SimpleQueue()
        self._changed, self._ended = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="engine", daemon=False)
        self._drawn: threading.Event | None = None

    def _take_network(self, network: NetworkName, preflight: Preflight) -> NetworkRun:
        """Take a network into the run: one of its first, or one that is trained next."""
        options = self._options.of(network)
        if all(one.network != network for one in self._publisher.snapshot.both):
            self._publisher.show_other(first_snapshot(options, preflight, self._voice))
        inbox = self._inboxes.open(network)
        run = NetworkRun(options, preflight, self._voice, self._publisher, inbox)
        run.publisher.update(phase=Phase.PREPARING)  # it may have failed before
        return run

    def start(self, drawn: threading.Event | None = None) -> None:
        """Start the engine and serve other screens; heavy imports wait a moment for `drawn`."""
        self._drawn = drawn
        told: list[Note] = []
        for run in self._runs:
            for note in run.preflight.notes:
                # What is said of both is of the voice.
                ours = len(self._runs) > 1 and note not in self._runs[-1].preflight.notes
                if note not in told:
                    getattr(run.publisher if ours else self._publisher, note[0])(note[1])
                told.append(note)
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
        auditions = self._auditions if self._auditions and self._auditions.open else None
        if isinstance(command, ScreenDetached):
            # Whether the run goes on unattended is for all screens together to say.
            self._screens.remove(OWN, keep_training=command.keep_training)
        elif isinstance(command, TerminalStalled):
            self._screens.set_takes_output(OWN, not command.stalled)
        elif isinstance(command, KeyPressed) and self._ended.is_set():
            self._wait_for_reader()
        elif isinstance(command, TrainNext):
            self._next.put(command)
            self._changed.set()
        elif auditions and isinstance(command, MarkHeard):
            auditions.mark_heard(command.file)
        elif auditions and isinstance(command, Audition) and command.sentence:
            # A step may take a second on a CPU. One without a sentence keeps its place after a
            # change of the sentences.
            auditions.request(command)
        else:
            if isinstance(command, StopAt):
                for run in self._runs:
                    run.ask_early(command)
            self._inboxes.send(command)

    def hurry(self) -> None:
        """Have the end wait for nothing more: give up what the disk refuses, and the mirror.

        What is being written is waited for. Never waits.
        """
        self._inboxes.hurried.set()
        self._mirror.hurry()

    def join(self, timeout: float | None = None) -> bool:
        """Wait for the engine thread, at most `timeout` seconds; say whether it has ended."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        """Prepare, train, and report how it ended: all that the engine thread does."""
        with Watchdog(self._publisher, self._voice.log):
            try:
                self._train()
            except BaseException as error:
                # First of all, for the rest may fail too, for want of memory.
                self.error = error
                self._fail(error)
            finally:
                self._close()

    def _train(self) -> None:
        self._notifier.start()
        self._spend.start()
        for run in self._runs:
            run.early_stop.start()
        self._spot.start()
        self._folder.start()
        # Early: whoever counts on a copy is to see at once that there is none.
        if self._options.mirror is None:
            report_unused_mirror(self._voice, self._publisher)
        if self._drawn is not None:
            self._drawn.wait(_DRAWN_WITHIN)
        contexts = []
        for run in self._runs:
            if (context := self._prepare(run)) is None:
                break
            contexts.append(context)
        else:
            self._train_prepared(contexts)
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
        self._notifier.close(self._inboxes.hurried)
        self._spot.stop()
        self._folder.stop()
        # Before the lock is free: whoever takes it next opens a socket of the same name.
        self._server.close()
        self._claim.release()

    def _end_spend(self) -> None:
        try:
            self._spend.end()
        except Exception as error:
            # What is told of the run itself must not depend on the account.
            _log.exception("the spend log cannot be closed")
            text = f"the spend log cannot be closed: {type(error).__name__}: {error}"
            self._publisher.event(text, "error")

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
        text = explain(failure, self._voice.log)
        self._publisher.event(text, "error")
        self._publisher.notify("failed", f"the run failed: {text.rstrip('.')}")
        self._wait_for_reader()
        self._publisher.update(phase=Phase.FAILED, failure=text, steps_per_second=None)

    def _wait_for_reader(self) -> None:
        """Show until when the screen stays open, for somebody to read why the run failed."""
        waits = self._options.attended and not self._options.hold
        until = time.time() + MAX_WAIT_SECONDS if waits else None
        self._publisher.update(wait_ends_at=until)

    def _train_prepared(self, contexts: "list[TrainingContext]") -> None:
        """Train every network that was prepared, and those that are asked for meanwhile."""
        from engine.training.trainers import Trainers
        from engine.training.training_data import watch_corpus

        given = self._voice, self._publisher, self._spend, self._spot
        trainers = Trainers(*given, self._mirror.wake, self._changed.set)
        self._mirror.start()
        recordings = (clip.path for clip in contexts[0].store.clips)
        corpus_watch = watch_corpus(self._voice.dataset, recordings, self._publisher)
        try:
            self._auditions = trainers.begin(list(zip(self._runs, contexts, strict=True)))
            while not all(run.ended for run in self._runs):
                self._changed.wait(_POLL_SECONDS)
                self._changed.clear()
                self._publisher.beat()
                trainers.end_all_if_one_failed(self._runs, self._inboxes)
                self._train_next(trainers)
        except BaseException:
            # The lock and the spend log are theirs until they have saved.
            self._inboxes.send(Finish(by_signal=True))
            for run in self._runs:
                run.join()
            raise
        finally:
            corpus_watch.stop(wait=False)
            trainers.close()
            self._mirror.finish()
        if (failure := failure_of(self._runs, self._voice.log)) is not None:
            raise failure

    def _train_next(self, trainers: "Trainers") -> None:
        """Prepare and train another network, if that was asked for."""
        from engine.machine.ranks import Ranks

        if self._next.empty():
            return
        command = self._next.get()
        if self._inboxes.finishing:
            return
        if known := next((run for run in self._runs if run.network == command.network), None):
            self._publisher.event(known.why_not_next, "warning")
            return
        given = self._options
        lacks_it = not self._voice.checkpoints(command.network)
        source = (given.source or given.next_source) if lacks_it else None
        # The budget may have been changed since.
        options = replace(given, source=source, dataset=None, budget=None)
        try:
            if Ranks.of_this_process is not None:
                raise InputError("several GPUs train one network at a time; end this run first")
            own = replace(options.of(command.network), stop=command.rule or NONE)
            preflight = check_options(own)
            run = self._take_network(command.network, preflight)
        except VoicecoachError as error:
            self._publisher.event(f"{NETWORK_TITLES[command.network]}: {error}", "error")
            return
        trainers.expect(run)
        run.early_stop.start()
        try:
            trainers.take(run, run.prepare())
        except Cancelled:
            trainers.give_up(run)  # the others end, too
        except VoicecoachError as error:
            trainers.give_up(run)
            run.publisher.event(str(error), "error")
            run.publisher.update(phase=Phase.FAILED)
        else:
            self._runs.append(run)

    def _prepare(self, run: NetworkRun) -> "TrainingContext | None":
        """Load what a trainer needs; None where the person, or the cloud, ended that.

        A voice that was to be made for a dataset or weights of no use is removed again.
        """
        try:
            return run.prepare()
        except Cancelled as end:
            finish = run.inbox.find(Finish)
            if finish is not None and not finish.by_signal:
                self._undo_stops()
            if self._spot.ended_preparation(run.inbox) or not isinstance(end, Declined):
                last, why = self._publisher.snapshot, ""
                if last.budget_is_used_up:
                    why = f"the budget of {dollars(last.budget)} is used up: "
                self._publisher.event(f"{why}ended before the first step")
            else:
                self._publisher.event("ended before the first step, to fix the corpus first")
                self._undo()  # once it is fixed, the same command makes the voice
            return None
        except InputError:
            self._undo_stops()
            self._undo()
            raise

    def _undo_stops(self) -> None:
        for run in self._runs:
            run.early_stop.undo()
