"""The series: how the voice sounds at every checkpoint, without anybody asking."""

import math
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from engine.choices import NetworkName
from engine.run.publisher import Publisher
from engine.speech.audition import Auditions
from engine.speech.kept import kept_checkpoints
from engine.voice.folder import Voice
from engine.voice.layout import step_of

SHARE = 0.02
"""Of the time trained, what may go into speaking while training goes on: it costs no more."""
# Seconds that a sentence is expected to take before one was spoken.
_FIRST_SECONDS = 2.0
# What the end of a run waits for its last series at most: a share of the time trained, and seconds.
_LAST_SHARE, _LAST_SECONDS = 0.05, 60.0


class Series:
    """Has sentences spoken by the newest checkpoint, one after the other, as time allows.

    A checkpoint whose turn has not come when the next is saved is passed over; where there is no
    time for all sentences they take turns. `checkpoint_saved` is for any thread, all else for the
    one that trains.
    """

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        auditions: Auditions,
        publisher: Publisher,
        recording: str,
    ) -> None:
        """Speak nothing yet.

        The network is the one that is trained: Text2Mel speaks the sentences of the snapshot, SSRN
        resynthesises the held-out recording of a text.
        """
        self._voice = voice
        self._auditions = auditions
        self._publisher = publisher
        self._network = network
        self._recording = recording
        self._saved: int | None = None
        self._step: int | None = None
        self._spoken: set[str] = set()
        self._last = ""
        self._charged = False
        self._seconds: dict[str, float] = {}
        self._accounted = self._used = self._taken = 0.0

    def begin(self, step: int) -> None:
        """Take the checkpoint that training continues from, for what it has not spoken yet."""
        kept = self._publish()
        if not self._voice.settings.series or (self._network, step) not in kept:
            return
        self._saved = self._step = step
        self._spoken = {
            one.sentence
            for one in self._publisher.snapshot.samples
            if one.automatic and (one.network, one.step) == (self._network, step)
        }

    def checkpoint_saved(self, folder: Path) -> None:
        """Take a new checkpoint, once older ones are removed."""
        self._publish()
        if self._voice.settings.series:
            self._saved = step_of(folder)

    def _publish(self) -> set[tuple[NetworkName, int]]:
        """Show which checkpoints can speak, and return them."""
        checkpoints = kept_checkpoints(self._voice)
        self._publisher.update(checkpoints=checkpoints)
        return {(one.network, one.step) for one in checkpoints}

    def poll(self, trained: float, *, waiting: bool) -> None:
        """Have the next sentence spoken if there is time for it; never waits.

        Args:
            trained: seconds of training in this run.
            waiting: whether no steps are made, so that speaking costs none.
        """
        self._account()
        left = math.inf if waiting else SHARE * trained - self._used
        self._go_on(left, charged=not waiting)

    def speak_last(self, trained: float, go_on: Callable[[], bool]) -> None:
        """Speak what is left before a run ends that nobody waits for, if it can be done soon.

        `go_on` waits a moment, and says whether there is still time for it.
        """
        end = monotonic() + min(_LAST_SHARE * trained, _LAST_SECONDS)
        self._account()
        while self._go_on(end - monotonic(), charged=False) and monotonic() < end:
            if not go_on():
                return
            self._account()

    def _go_on(self, left: float, *, charged: bool) -> bool:
        """Begin the next sentence if it takes no longer than `left`; return whether one is made."""
        if self._saved != self._step:
            self._step, self._spoken = self._saved, set()
            self._auditions.drop_automatic()
        if self._step is None:
            return False
        if not self._auditions.idle:
            return True
        sentence = self._next()
        if sentence is None or self._expected(sentence) > left:
            return False
        self._charged, self._last, self._taken = charged, sentence, 0.0
        self._spoken.add(sentence)
        if self._network == "ssrn":
            self._auditions.request(sentence, ssrn_step=self._step, automatic=True)
        else:
            self._auditions.request(sentence, step=self._step, automatic=True)
        return True

    def _account(self) -> None:
        """Note how long the last sentence has taken, in several tries if it had to give way."""
        seconds = self._auditions.automatic_seconds - self._accounted
        if not seconds:
            return
        self._accounted += seconds
        self._taken += seconds
        self._seconds[self._last] = self._taken
        if self._charged:
            self._used += seconds

    def _next(self) -> str | None:
        """The first after the last one that this checkpoint has not spoken."""
        sentences = self._publisher.snapshot.sentences
        if self._network == "ssrn":
            sentences = (self._recording,)
        start = sentences.index(self._last) + 1 if self._last in sentences else 0
        in_turn = sentences[start:] + sentences[:start]
        return next((one for one in in_turn if one not in self._spoken), None)

    def _expected(self, sentence: str) -> float:
        longest = max(self._seconds.values(), default=_FIRST_SECONDS)
        return self._seconds.get(sentence, longest)
