"""What the run that is being asked about would take, found out while the person reads."""

import logging
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType

from engine.check.report import USUAL_STEPS
from engine.checkpoints.folders import specs_of
from engine.data.audio import recording_length
from engine.data.clip_shape import ClipShape
from engine.data.clips import Clip
from engine.data.spectrograms import coarse_frames
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Progress
from engine.run.stop import StopRule
from engine.training.throughput import Plan, with_estimates
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

_log = logging.getLogger(__name__)


class Estimating:
    """Times a few steps in a thread of its own and adds the result to the report in the snapshot.

    While it does, `Snapshot.progress` says so. torch draws from one random state for all threads,
    and the steps need the device: leaving the `with` block gives up what is not known yet, and
    waits for the thread, which takes as long as one layer of the step under way.
    """

    def __init__(
        self,
        options: TrainOptions,
        settings: VoiceSettings,
        clips: Sequence[Clip],
        publisher: Publisher,
    ) -> None:
        """Take the clips that training would learn from."""
        self._options = options
        self._settings = settings
        self._clips = clips
        self._publisher = publisher
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, name="estimate")

    def __enter__(self) -> "Estimating":
        """Begin."""
        self._publisher.update(progress=Progress("timing training steps", 0, 1))
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, known or not."""
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._publish()
        except Exception as error:
            _log.exception("training could not be timed")
            self._publisher.event(f"training could not be timed ({error})", "warning")
        finally:
            self._publisher.update(progress=None)

    def _publish(self) -> None:
        report = self._publisher.snapshot.check
        assert report is not None
        report = with_estimates(
            report,
            list(self._shapes()),
            self._plan(),
            self._options.device,
            on_progress=lambda done, total: None,
            cancelled=self._enough.is_set,
        )
        if not self._enough.is_set():
            self._publisher.update(check=report)

    def _plan(self) -> Plan:
        settings, network = self._settings, self._options.network
        folder = self._options.voice_folder
        return Plan(
            preset=settings.preset,
            recipe=settings.recipe,
            vocabulary_size=len(settings.symbols),
            audio=settings.audio,
            limits=settings.limits,
            steps={network: self._steps()},
            price=settings.price or None,
            precision=self._options.precision,
            own=specs_of(Voice.open(folder)) if Voice.exists(folder) else {},
        )

    def _steps(self) -> int:
        """Steps to the stop, or as many as are usual where it is a time or a sum, or none."""
        stop = self._options.stop
        if isinstance(stop, StopRule) and stop.kind == "more steps":
            return int(stop.amount)
        if isinstance(stop, StopRule) and stop.kind == "step":
            return max(1, int(stop.amount) - self._publisher.snapshot.step)
        return USUAL_STEPS[self._options.network]

    def _shapes(self) -> Iterator[ClipShape]:
        """The lengths that the headers tell; what trimming takes away is little."""
        audio, longest = self._settings.audio, self._settings.limits.max_coarse_frames
        for clip in self._clips:
            if self._enough.is_set():
                return
            samples, rate = recording_length(clip.path)
            frames = coarse_frames(round(samples * audio.sample_rate / rate), audio)
            yield ClipShape(len(clip.text) + 1, min(frames, longest))
