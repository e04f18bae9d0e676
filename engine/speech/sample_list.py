"""The samples of a voice, as the snapshot shows them and `samples/` keeps them."""

import logging
import math
from collections import deque
from dataclasses import replace
from pathlib import Path

from engine.checkpoints.state import STATE_FILE
from engine.choices import NetworkName
from engine.errors import EngineError, InputError
from engine.files import remove_all, unremoved_message
from engine.run.publisher import Publisher
from engine.run.sample import Sample
from engine.voice.comparisons import read_comparisons
from engine.voice.folder import SETTINGS, Voice
from engine.voice.history import held_out_losses
from engine.voice.samples import append_sample, compact_list, read_samples
from engine.voice.thinning import superseded_samples

_log = logging.getLogger(__name__)

# Samples played last: somebody may be listening to them still.
_PLAYED_LAST = 16


class SampleList:
    """Lists samples, notes which were heard, and thins the series as it grows old.

    All but `mark_heard` is for the thread that makes samples.
    """

    def __init__(self, voice: Voice, publisher: Publisher) -> None:
        """Show the samples of earlier runs."""
        self._voice = voice
        self._publisher = publisher
        self._marked: deque[Sample] = deque()
        self._played: deque[str] = deque(maxlen=_PLAYED_LAST)
        self._losses: dict[int, float] = {}
        self._losses_at: int | None = None
        self._since = _changed(voice.folder / SETTINGS)
        for sample in read_samples(voice):
            publisher.add_sample(sample)

    def add(self, sample: Sample) -> None:
        """Show and list a sample; one of the series may supersede older ones."""
        # Where a person has removed a file, its name is used again.
        self._publisher.change_samples(lambda one: None if one.path == sample.path else one)
        self._publisher.add_sample(sample)
        self._append(sample)
        if sample.automatic:
            self._thin(sample)

    def find_same(self, sentence: str, text2mel: int | None, ssrn: int | None) -> Sample | None:
        """Find a sample of a sentence that networks of these steps have made; None: without one.

        Weights that no checkpoint has are not known to be the same; nor is what was made before
        the checkpoints, or before somebody changed the settings.
        """
        used: dict[NetworkName, int | None] = {"text2mel": text2mel, "ssrn": ssrn}
        folders = (
            self._voice.checkpoint_folder(network, step)
            for network, step in used.items()
            if step is not None
        )
        since = max(self._since, *(_changed(folder / STATE_FILE) for folder in folders))
        made_by = ("ssrn", ssrn) if text2mel is None else ("text2mel", text2mel)
        return next(
            (
                one
                for one in reversed(self._publisher.snapshot.samples)
                if ((one.network, one.step), one.ssrn_step, one.sentence)
                == (made_by, ssrn, sentence)
                and one.time >= since
                and all(file.is_file() for file in (one.path, one.original) if file)
            ),
            None,
        )

    def mark_heard(self, file: str) -> bool:
        """Note that somebody has played the sample of this name; any thread may call it.

        Returns whether there is a mark to be written down.
        """
        self._played.append(file)

        def marked(sample: Sample) -> Sample:
            if sample.path.name != file or sample.heard:
                return sample
            sample = replace(sample, heard=True)
            self._marked.append(sample)
            return sample

        self._publisher.change_samples(marked)
        return bool(self._marked)

    def write_marks(self) -> None:
        """Write down which samples were heard since the last call."""
        while self._marked:
            self._append(self._marked.popleft())

    def _append(self, sample: Sample) -> None:
        try:
            self._voice.locate()
            append_sample(self._voice, sample)
        except EngineError as error:
            self._publisher.event(f"the list of samples is not kept: {error}", "warning")

    def _thin(self, newest: Sample) -> None:
        """Remove samples of the series that are not kept, with their attention."""
        shown = self._publisher.snapshot.samples
        samples = [one for one in shown if one.network == newest.network]
        try:
            compared = {file for one in read_comparisons(self._voice) for file in one.files}
            losses = self._held_out_losses(newest.network, newest.step, samples)
        except InputError as error:
            _log.warning("no sample is removed: %s", error)
            return
        old = superseded_samples(samples, losses, keep={*self._played, *compared})
        gone = {sample.path for sample in old if self._remove(sample)}
        if gone:
            self._publisher.change_samples(lambda one: None if one.path in gone else one)
            self._compact()

    def _held_out_losses(
        self, network: NetworkName, step: int, samples: list[Sample]
    ) -> dict[int, float]:
        """The losses at the samples' steps; read once a checkpoint, for the file may be long."""
        if step != self._losses_at:
            steps = [sample.step for sample in samples]
            self._losses = held_out_losses(self._voice.history(network), steps)
            self._losses_at = step
        return self._losses

    def _remove(self, sample: Sample) -> bool:
        try:
            self._voice.locate()
        except EngineError:
            return False  # the next sample tries again
        path = self._voice.samples / sample.path.name
        left = remove_all([path, path.with_suffix(".png")])
        if left:
            _log.warning("%s", unremoved_message(left))
        return path not in left

    def _compact(self) -> None:
        try:
            compact_list(self._voice)
        except EngineError as error:
            _log.warning("the list of samples stays long: %s", error)


def _changed(path: Path) -> float:
    """When a file was last changed, in seconds since the epoch; infinity where it is gone."""
    try:
        return path.stat().st_mtime
    except OSError:
        return math.inf
