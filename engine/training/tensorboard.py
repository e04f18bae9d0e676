"""What a run logs, written as events for TensorBoard, in a thread that no step waits for.

A resumed run goes on in the same curves. TensorBoard takes off them what comes after the step that
a run continues from, as it does after a rollback.
"""

import struct
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

from engine.errors import EngineError, InputError
from engine.files import read_plain
from engine.machine.background import BackgroundThread
from engine.run.curves import AttentionPlot, Losses
from engine.run.evaluation import CheckpointScores
from engine.run.publisher import Publisher
from engine.run.sample import Sample
from engine.speech.attention_file import attention_picture
from engine.training.cost import CostMeter
from engine.training.setup import TrainingContext
from engine.voice.evaluations import read_evaluations
from engine.voice.event_files import EventFile, can_write_events
from engine.voice.history import logged_steps
from engine.voice.samples import slug

if TYPE_CHECKING:
    from tensorboardX.proto.event_pb2 import Event

# Seconds between two writes.
_WRITE_SECONDS = 5.0
# Seconds that the end of a run waits for the last one.
_END_SECONDS = 5.0
# Logged steps that wait in memory for a disk that takes none; beyond them the oldest go.
_MAX_WAITING = 20_000
# No sample is longer. And with so much in the folder, pictures and sounds are left out.
_MAX_SOUND_BYTES = 2**24
_MAX_FOLDER_BYTES = 2**29
# Pixels of a picture's longer side.
_LONG_SIDE = 320
_RGB = 3

_Key = tuple[object, ...]
"""What tells a picture, a sound or an evaluation from others: its kind comes first."""


def open_tensorboard(
    context: TrainingContext, publisher: Publisher, cost: CostMeter
) -> "TensorBoard | None":
    """Prepare to write events where the voice's settings ask for it; else return None."""
    if not context.voice.settings.tensorboard:
        return None
    if not can_write_events():
        publisher.warn(
            "no event files for TensorBoard, as voice.toml asks for: a library is not installed: "
            "pip install 'voicecoach[tensorboard]'"
        )
        return None
    return TensorBoard(context, publisher, cost)


class TensorBoard:
    """Writes the event file of a run."""

    def __init__(self, context: TrainingContext, publisher: Publisher, cost: CostMeter) -> None:
        """Write nothing before `begin`."""
        self._context = context
        self._publisher = publisher
        self._cost = cost
        # What the file is to have next: scalars, or a step from which on all is taken back.
        self._waiting: deque[tuple[float, int, dict[str, float] | None]] = deque(
            maxlen=_MAX_WAITING
        )
        self._file: EventFile | None = None
        self._written_step = context.step
        self._written: set[_Key] = set()
        """Pictures, sounds and evaluations that the files have."""
        self._thread = BackgroundThread(
            "writing TensorBoard's events", self._write, publisher.event, every=_WRITE_SECONDS
        )

    def begin(self) -> None:
        """Start the thread; the run's first step is about to be made."""
        self._thread.start()

    def add(self, step: int, losses: Losses, learning_rate: float, held_out: float | None) -> None:
        """Have a logged step written."""
        scalars = _scalars(losses, learning_rate, held_out)
        if self._cost.steps_per_second:
            scalars["training/steps_per_second"] = self._cost.steps_per_second
        if self._cost.price > 0:
            scalars["training/spend_usd"] = self._cost.spent
        self._waiting.append((time.time(), step, scalars))

    def roll_back(self, step: int) -> None:
        """Have everything taken back that comes after a step."""
        self._waiting.append((time.time(), step, None))

    def end(self) -> None:
        """Write what waits; a disk that hangs is waited for a few seconds at most."""
        self._thread.request()
        self._thread.wait(_END_SECONDS)
        self._thread.stop(wait=False)

    def _write(self) -> None:
        voice = self._context.voice
        voice.locate()
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        media: list[_Key] = []
        try:
            if self._file is None or self._file.is_gone:
                self._file = self._open()
            events = [_event(*one) for one in waiting]
            for key, event in self._new_media(self._file):
                media.append(key)
                events.append(event)
            self._file.append(event.SerializeToString() for event in events)
        except OSError as error:
            self._waiting.extendleft(reversed(waiting))
            raise EngineError(
                f"The event files of {voice.name} cannot be written: {error.strerror}. What "
                f"TensorBoard is to show waits in memory."
            ) from error
        self._written.update(media)
        for _, step, scalars in waiting:
            self._written_step = step
            if scalars is None:  # its checkpoints are made and judged again
                self._written = {key for key in self._written if not _is_score_after(key, step)}

    def _open(self) -> EventFile:
        """Begin a file; the first of a folder gets the history, later ones what it lacks."""
        context = self._context
        voice, network = context.voice, context.network
        file = EventFile(voice.events(network), voice.folder)
        first = _event(time.time(), 0, {})
        first.file_version = "brain.Event:2"
        known: Iterable[Event]
        if file.is_first:
            # One by one: there may be a million.
            known = (
                _event(time.time(), one.step, _scalars(one.losses, one.learning_rate, one.held_out))
                for one in logged_steps(voice.history(network), self._written_step)
            )
            self._written.clear()
        else:
            known = [_event(time.time(), self._written_step, None)]
            self._written.update(self._known_media(file.last_write))
        events = chain((first,), known, self._settings())
        file.append(event.SerializeToString() for event in events)
        if self._file is not None:
            self._file.close()
        return file

    def _settings(self) -> Iterator["Event"]:
        """What the run is trained with, as TensorBoard compares runs by it."""
        from tensorboardX.summary import hparams

        context, run = self._context, self._publisher.snapshot
        settings, recipe = context.voice.settings, context.learner.recipe
        values = {
            "network": context.network,
            "preset": run.preset,
            "recipe": recipe.name,
            "batch_size": recipe.batch_size,
            "dropout": settings.dropout,
            "precision": run.precision,
            "device": run.device,
            "seed": settings.seed,
            "clips": len(context.store.clips),
            "held_out_clips": len(context.held_out_clips),
            "base_step": context.base_step,
        }
        for summary in hparams(values, {"loss/total": 0, "loss/held_out": 0}):
            event = _event(time.time(), 0, {})
            event.summary.CopyFrom(summary)
            yield event

    def _known_media(self, since: float) -> Iterator[_Key]:
        """What earlier runs have written: all that was there when they wrote last."""
        run, context = self._publisher.snapshot, self._context
        yield from (_plot_key(plot) for plot in run.attention if plot.step <= context.step)
        yield from (_sample_key(one) for one in run.samples if one.time <= since)
        try:
            evaluations = read_evaluations(context.voice, context.network)
        except InputError:  # whoever shows them says so
            evaluations = ()
        yield from (("scores", one.step) for one in evaluations if one.time <= since)

    def _new_media(self, file: EventFile) -> Iterator[tuple[_Key, "Event"]]:
        """Events of the scores, pictures and sounds that are new, and what to know them by."""
        run, network = self._publisher.snapshot, self._context.network
        found: dict[_Key, Callable[[], Event | None]] = {}
        for scores in run.scores:
            found["scores", scores.step] = partial(_scores_event, scores)
        if file.folder_bytes < _MAX_FOLDER_BYTES:
            for plot in run.attention:
                found[_plot_key(plot)] = partial(_picture_event, plot)
            for sample in run.samples:
                if sample.automatic and sample.network == network:
                    rate = self._context.voice.settings.audio.sample_rate
                    found[_sample_key(sample)] = partial(_sound_event, sample, rate)
        for key, make in found.items():
            if key not in self._written and (event := make()) is not None:
                yield key, event


def _is_score_after(key: _Key, step: int) -> bool:
    match key:
        case ("scores", int(at)):
            return at > step
    return False


def _plot_key(plot: AttentionPlot) -> _Key:
    return "picture", plot.step, id(plot)


def _sample_key(sample: Sample) -> _Key:
    return "sound", sample.path.name, sample.time


def _scalars(
    losses: Losses, learning_rate: float | None, held_out: float | None
) -> dict[str, float]:
    values = {
        "loss/total": losses.total,
        "loss/l1": losses.l1,
        "loss/divergence": losses.divergence,
        "loss/attention": losses.attention,
        "loss/held_out": held_out,
        "training/learning_rate": learning_rate,
    }
    return {tag: value for tag, value in values.items() if value is not None}


def _event(at: float, step: int, scalars: dict[str, float] | None) -> "Event":
    """An event of a step, or, without scalars, one that takes back what comes after it."""
    from tensorboardX.proto.event_pb2 import Event, SessionLog

    if scalars is None:
        return Event(wall_time=at, step=step + 1, session_log=SessionLog(status=SessionLog.START))
    event = Event(wall_time=at, step=step)
    for tag, value in scalars.items():
        event.summary.value.add(tag=tag, simple_value=value)
    return event


def _scores_event(scores: CheckpointScores) -> "Event":
    means = {f"judge/{name}": score.mean for name, score in scores.scores.items()}
    return _event(time.time(), scores.step, means)


def _picture_event(plot: AttentionPlot) -> "Event":
    event = _event(time.time(), plot.step, {})
    picture = attention_picture(plot.weights, _LONG_SIDE)
    width, height = struct.unpack(">II", picture[16:24])  # of a PNG, the first fields
    image = event.summary.value.add(tag=f"attention/{plot.source}").image
    image.height, image.width, image.colorspace = height, width, _RGB
    image.encoded_image_string = picture
    return event


def _sound_event(sample: Sample, rate: int) -> "Event | None":
    try:
        sound = read_plain(sample.path, _MAX_SOUND_BYTES)
    except OSError:
        return None  # thinned meanwhile
    event = _event(sample.time, sample.step, {})
    audio = event.summary.value.add(tag=f"series/{slug(sample.sentence)}").audio
    audio.sample_rate, audio.num_channels, audio.content_type = rate, 1, "audio/wav"
    audio.length_frames = round(sample.seconds * rate)
    audio.encoded_audio_string = sound
    return event
