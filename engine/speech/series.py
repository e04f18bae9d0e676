"""The series: how the voice sounds at every checkpoint, without anybody asking."""

import math
import operator
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, time

from engine.advice.kept import kept_checkpoints
from engine.choices import NetworkName
from engine.run.commands import Audition
from engine.run.publisher import Publisher
from engine.run.sample import Sample
from engine.speech.audition import Auditions
from engine.voice.folder import Voice
from engine.voice.layout import step_of
from engine.voice.thinning import superseded_samples

_Turn = tuple[int, str]
"""The step of a checkpoint, and what it is to speak."""

SHARE = 0.02
"""Of the time trained, what may go into speaking while training goes on: it costs no more."""
# Seconds that a sentence is expected to take before one was spoken.
_FIRST_SECONDS = 2.0
# What the end of a run waits for its last series at most: a share of the time trained, and seconds.
_LAST_SHARE, _LAST_SECONDS = 0.05, 60.0


class Series:
    """Has sentences spoken by the checkpoints, one after the other, as time allows.

    The newest comes first, then the base, then what others on disk lack, the newer ones first;
    where there is no time for all sentences of the newest they take turns. `checkpoint_saved` is
    for any thread, all else for the one that trains.
    """

    def __init__(
        self,
        voice: Voice,
        network: NetworkName,
        auditions: Auditions,
        publisher: Publisher,
        recording: str,
        share: float = SHARE,
    ) -> None:
        """Speak nothing yet.

        The network is the one that is trained: Text2Mel speaks the sentences of the snapshot, SSRN
        resynthesises the held-out recording of a text. While steps are made, speaking takes at
        most a `share` of their time.
        """
        self._share = share
        self._asked = False
        self._voice = voice
        self._auditions = auditions
        self._publisher = publisher
        self._network: NetworkName = network
        self._recording = recording
        self._saved: int | None = None
        self._step: int | None = None
        self._saved_at: dict[int, float] = {}
        """When steps were saved in this run: what was spoken of them before does not count."""
        self._tried: set[_Turn] = set()
        self._waiting: deque[_Turn] = deque()
        self._planned_for: list[object] = []
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

    def checkpoint_saved(self, folder: Path) -> None:
        """Take a new checkpoint, once older ones are removed."""
        self._publish()
        if self._voice.settings.series:
            self._saved = step_of(folder)
            self._saved_at[self._saved] = time()

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
        left = math.inf if waiting else self._share * trained - self._used
        self._go_on(left, charged=not waiting)

    def speak_last(self, trained: float, go_on: Callable[[], bool]) -> None:
        """Speak what is left before a run ends that nobody waits for, if it can be done soon.

        `go_on` waits a moment, and says whether there is still time for it.
        """
        end = monotonic() + min(_LAST_SHARE * trained, _LAST_SECONDS)
        self._account()
        while (
            self._go_on(end - monotonic(), charged=False, newest_alone=True) and monotonic() < end
        ):
            if not go_on():
                return
            self._account()

    def _go_on(self, left: float, *, charged: bool, newest_alone: bool = False) -> bool:
        """Begin the next sentence if it takes no longer than `left`; return whether one is made."""
        if self._saved != self._step:
            self._step = self._saved
            # What was not begun is planned anew.
            self._auditions.drop_automatic()
            self._tried = set()
        if self._step is None:
            return False
        if not self._auditions.idle:
            return True
        turn = self._next()
        if turn is None or (newest_alone and turn[0] != self._step):
            return False
        step, sentence = turn
        if self._expected(sentence) > left:
            return False
        self._charged, self._last, self._taken = charged, sentence, 0.0
        self._tried.add(turn)
        self._asked = True
        own, ssrn = (None, step) if self._network == "ssrn" else (step, None)
        command = Audition(sentence, own, ssrn_step=ssrn, network=self._network, automatic=True)
        self._auditions.request(command)
        return True

    def _account(self) -> None:
        """Note how long the last sentence has taken, in several tries if it had to give way."""
        # Asked before the seconds are read: those of the other network's series do not count.
        asked, self._asked = self._asked, self._asked and not self._auditions.idle
        seconds = self._auditions.automatic_seconds - self._accounted
        self._accounted += seconds
        if not (seconds and asked):
            return
        self._taken += seconds
        self._seconds[self._last] = self._taken
        if self._charged:
            self._used += seconds

    def _next(self) -> _Turn | None:
        """Whose turn it is; planned anew where something has changed."""
        snapshot = self._publisher.snapshot
        now: list[object] = [self._step, snapshot.samples, snapshot.sentences, snapshot.checkpoints]
        if len(now) != len(self._planned_for) or any(map(operator.is_not, now, self._planned_for)):
            self._planned_for, self._waiting = now, deque(self._plan())
        while self._waiting and self._waiting[0] in self._tried:
            self._waiting.popleft()
        return self._waiting[0] if self._waiting else None

    def _plan(self) -> Iterator[_Turn]:
        """Yield what is still to be spoken, in its order."""
        assert self._step is not None
        snapshot = self._publisher.snapshot
        sentences = (self._recording,) if self._network == "ssrn" else snapshot.sentences
        start = sentences.index(self._last) + 1 if self._last in sentences else 0
        in_turn = sentences[start:] + sentences[:start]
        yield from ((self._step, one) for one in in_turn if self._lacks(self._step, one))
        kept = [one for one in snapshot.checkpoints if one.network == self._network]
        for checkpoint in sorted(kept, key=lambda one: (one.base, one.step), reverse=True):
            step = checkpoint.step
            if step != self._step:
                yield from (
                    (step, one)
                    for one in sentences
                    if self._lacks(step, one) and self._would_stay(step, one)
                )

    def _lacks(self, step: int, sentence: str) -> bool:
        """Whether a checkpoint has not spoken a sentence."""
        since = self._saved_at.get(step, 0.0)
        return not any(
            (one.network, one.step, one.sentence) == (self._network, step, sentence)
            and one.time >= since
            and not one.for_comparison
            for one in self._publisher.snapshot.samples
        )

    def _would_stay(self, step: int, sentence: str) -> bool:
        """Whether the sample of an older checkpoint would be kept, in place of no other."""
        snapshot, network = self._publisher.snapshot, self._network
        losses = {
            one.step: one.held_out
            for one in snapshot.checkpoints
            if one.network == network and one.held_out is not None
        }
        made = [
            one for one in snapshot.samples if (one.network, one.sentence) == (network, sentence)
        ]
        one_more = Sample(step, sentence, Path(f"{network}-"), 0.0, "", automatic=True)
        removed = (len(superseded_samples(all, losses)) for all in (made, [*made, one_more]))
        return len(set(removed)) == 1

    def _expected(self, sentence: str) -> float:
        longest = max(self._seconds.values(), default=_FIRST_SECONDS)
        return self._seconds.get(sentence, longest)
