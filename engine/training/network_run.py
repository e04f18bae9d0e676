"""The networks of a run: prepared one after the other, then trained in a thread each."""

import logging
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.choices import NETWORK_TITLES, NetworkName
from engine.errors import EngineError, VoicecoachError, explain
from engine.preflight import Preflight, check_options
from engine.run.commands import Inbox
from engine.run.options import TrainOptions
from engine.run.publisher import NetworkPublisher, Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.run.stop import NONE, AlreadyThereError, StopAt, StopRule, StoredStop, read_stored_stop
from engine.training.limits import EarlyStop
from engine.training.watchdog import Watchdog
from engine.voice.folder import Voice

if TYPE_CHECKING:
    from engine.training.setup import TrainingContext
    from engine.training.trainer import Trainer

_log = logging.getLogger(__name__)


def check_networks(options: TrainOptions) -> dict[NetworkName, Preflight]:
    """Check the options for every network that is to be trained, as `check_options` does.

    One of two may be at its stop already, where a run was ended before the other was: it waits
    there.
    """
    found: dict[NetworkName, Preflight] = {}
    there: dict[NetworkName, AlreadyThereError] = {}
    for network in options.networks:
        try:
            found[network] = check_options(options.of(network))
        except AlreadyThereError as error:
            there[network] = error
    if not found:
        raise there[options.network]
    for network in there:
        own = options.of(network)
        reached = read_stored_stop(own.voice_folder / network)
        if isinstance(own.stop, StopRule) and not (reached and reached.matches(own.stop)):
            reached = own.stop.as_reached()
        found[network] = check_options(replace(own, stop=reached))
    return {network: found[network] for network in options.networks}


class NetworkRun:
    """One network of a run, in a thread of its own.

    The thread is no daemon: a process that ends waits for the last checkpoint.
    """

    def __init__(
        self,
        options: TrainOptions,
        preflight: Preflight,
        voice: Voice,
        publisher: Publisher,
        inbox: Inbox,
    ) -> None:
        """Prepare nothing yet; the publisher of the run shows the network already."""
        self.network: NetworkName = options.network
        self.options = replace(options, stop=preflight.stop or NONE)
        self.preflight = preflight
        self.inbox = inbox
        self.publisher = NetworkPublisher(publisher, options.network)
        self.early_stop = EarlyStop(voice, options.network, self.publisher)
        if not isinstance(preflight.stop, StoredStop):
            self.early_stop.ask(preflight.stop)
        self._voice = voice
        self.error: BaseException | None = None
        """What ended its training, when it did not end as asked."""
        self._thread: threading.Thread | None = None

    @property
    def ended(self) -> bool:
        """Whether it was trained, and is no more."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def why_not_next(self) -> str:
        """Why it cannot be asked for once more."""
        title = NETWORK_TITLES[self.network]
        if self.error is not None:
            return f"{title} failed; start a new run to train it again"
        return f"{title} is already part of this run; set a later stop to continue"

    def ask_early(self, command: StopAt) -> None:
        """Store a stop that is asked for before its first step."""
        concerned = command.network in (None, self.network)
        if concerned and self.publisher.snapshot.phase.before_steps:
            self.early_stop.ask(command.rule)

    def join(self) -> None:
        """Wait until it is trained no more."""
        if self._thread is not None:
            self._thread.join()

    def prepare(self) -> "TrainingContext":
        """Load what its trainer needs; raises as `engine.training.setup.prepare`."""
        # torch comes in here, after the first screen is on.
        from engine.training.setup import prepare

        try:
            return prepare(self.options, self._voice, self.publisher, self.inbox)
        finally:
            self.early_stop.stop()

    def start(
        self, make_trainer: "Callable[[Watchdog], Trainer]", on_end: Callable[[], None]
    ) -> None:
        """Train in a thread, with what `make_trainer` makes in it; then call `on_end`."""

        self.publisher.of_voice = False

        def train() -> None:
            try:
                with Watchdog(self.publisher, self._voice.log) as watchdog:
                    make_trainer(watchdog).run()
            except BaseException as error:
                self.error = error
                # The other one may go on, and what is counted as idle depends on what is shown.
                self.publisher.update(phase=Phase.PAUSED, steps_per_second=None)
            finally:
                on_end()

        self._thread = threading.Thread(target=train, name=f"training {self.network}", daemon=False)
        self._thread.start()


def first_snapshot(options: TrainOptions, preflight: Preflight, voice: Voice) -> Snapshot:
    """What is shown of a network before anything is loaded."""
    settings = voice.settings
    return Snapshot(
        phase=Phase.PREPARING,
        voice=voice.name,
        voice_folder=voice.folder,
        network=options.network,
        demo=options.demo,
        gpus=options.gpus,
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


def failure_of(runs: Iterable[NetworkRun], log: Path) -> BaseException | None:
    """What ended their training: the error of one, or an `EngineError` that tells all of them."""
    errors = [(run.network, run.error) for run in runs if run.error is not None]
    if len(errors) < 2:
        return errors[0][1] if errors else None
    for network, error in errors:
        if not isinstance(error, VoicecoachError):
            _log.error("training %s failed", network, exc_info=error)
    told = ((NETWORK_TITLES[network], explain(error, log)) for network, error in errors)
    return EngineError(" ".join(f"{title}: {text.rstrip('.')}." for title, text in told))
