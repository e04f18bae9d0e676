"""Blind comparisons: which two sounds are heard next, in which order, and from what samples.

Nothing that the listener meets before their answer tells the two apart but how they sound.
"""

import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from engine.advice.comparisons import Standing, ranking_of, standing_of
from engine.choices import NetworkName
from engine.data.clips import METADATA
from engine.data.metadata import Row, parse_lines, read_bytes, recording_key, split_lines
from engine.errors import InputError
from engine.evaluation.equal_loudness import equally_loud
from engine.formatting import printable
from engine.run.commands import Audition, clean_sentence
from engine.run.sample import Sample
from engine.run.snapshot import Snapshot
from engine.voice.comparisons import (
    Answer,
    Comparison,
    append_comparison,
    read_comparisons,
)
from engine.voice.folder import Voice

MAX_CHECKPOINTS = 8
"""That are compared with one another when nobody chose them."""
_MAX_SENTENCES = 12
# Seconds that a request may take to reach a run between two of its steps.
_PATIENCE = 10.0


@dataclass(frozen=True, slots=True)
class Trial:
    """Two sounds to be compared."""

    name: str
    """It says nothing about them."""
    a: int
    """The step of the one that is offered first; chance decides which."""
    b: int
    sentence: str
    began: float
    """Seconds since the epoch."""


class BlindTest:
    """Compares checkpoints of a network: two, or many until the best is found.

    It belongs to one thread at a time.
    """

    def __init__(self, snapshot: Snapshot, steps: Iterable[int] = ()) -> None:
        """Compare steps of the network of a run, or those that are on disk.

        Reads the voice folder: its answers so far, and the texts of held-out clips.

        Raises:
            InputError: there are not two checkpoints, or there is no sentence; or the voice, or
                its answers, cannot be read.
        """
        self._voice = Voice.open(snapshot.voice_folder)
        self.network: NetworkName = snapshot.network
        """The network whose checkpoints are compared."""
        self.steps = steps_to_compare(snapshot, steps)
        """Those that are compared, the oldest first."""
        self.sentences = _sentences(self._voice, snapshot)
        if not self.sentences:
            raise InputError("There is no sentence to compare with.")
        self._comparisons = [
            one
            for one in read_comparisons(self._voice)
            if one.network == self.network and one.a in self.steps and one.b in self.steps
        ]
        self._random = np.random.default_rng(secrets.randbits(128))

    @property
    def standing(self) -> Standing:
        """What the answers say so far, those of earlier sessions included."""
        return standing_of(self._comparisons, self.steps)

    def draw(self, before: Trial | None = None) -> Trial:
        """Choose a pair, a sentence that it was seldom heard with, and by chance the order.

        `before` is a trial that is still being heard.
        """
        pair = self._pair()
        a, b = (int(step) for step in self._random.permutation(pair))
        sentence = self._sentence(pair, before)
        return Trial(secrets.token_urlsafe(12), a, b, sentence, time.time())

    def _pair(self) -> tuple[int, int]:
        if len(self.steps) == 2:
            return self.steps[0], self.steps[1]
        first, second = ranking_of(self._comparisons, self.steps).next_pair(self._random)
        return self.steps[first], self.steps[second]

    def _sentence(self, pair: tuple[int, int], before: Trial | None) -> str:
        heard = [(one.a, one.b, one.sentence) for one in (*self._comparisons, before) if one]
        times = Counter(sentence for a, b, sentence in heard if {a, b} == {*pair})
        fewest = min(times[one] for one in self.sentences)
        seldom = [one for one in self.sentences if times[one] == fewest]
        return seldom[int(self._random.integers(len(seldom)))]

    def give_up(self, trial: Trial, snapshot: Snapshot) -> None:
        """Compare without a checkpoint of the trial that is gone from disk, if more than two are
        left, or else without its sentence, though none be left."""
        left = tuple(step for step in self.steps if step not in self._not_on_disk(trial, snapshot))
        if 2 <= len(left) < len(self.steps):
            self.steps = left
            self._comparisons = [one for one in self._comparisons if {one.a, one.b} <= {*left}]
        else:
            self.sentences = tuple(one for one in self.sentences if one != trial.sentence)

    def samples(self, trial: Trial, snapshot: Snapshot) -> tuple[Sample, Sample] | None:
        """Return the samples of a trial, a's first; None until both are there, made alike.

        Alike is: with the newest SSRN; or with another, if both were made since the trial began, or
        one of them cannot be made again.
        """
        a, b = (self._by_way(step, trial, snapshot.samples) for step in (trial.a, trial.b))
        newest = self._newest_ssrn(snapshot)
        if newest in a and newest in b:
            return a[newest], b[newest]
        made_once = bool(self._not_on_disk(trial, snapshot))
        for way in reversed(a):
            if way in b and (made_once or min(a[way].time, b[way].time) >= trial.began):
                return a[way], b[way]
        return None

    def requests(self, trial: Trial, snapshot: Snapshot) -> list[Audition]:
        """Return what must be spoken before the trial can be heard.

        Raises:
            InputError: a checkpoint of it is on disk no more, and cannot speak.
        """
        if self.samples(trial, snapshot):
            return []
        for step in self._not_on_disk(trial, snapshot):
            raise InputError(
                f"Checkpoint {step:,} is no longer on disk, and no sentence is left that both "
                f"have spoken."
            )
        newest = self._newest_ssrn(snapshot)
        missing = [
            step
            for step in (trial.a, trial.b)
            if newest not in self._by_way(step, trial, snapshot.samples)
        ]
        # What exists may have been spoken with an SSRN that is damaged by now.
        return [self._audition(trial.sentence, step) for step in missing or (trial.a, trial.b)]

    def _audition(self, sentence: str, step: int) -> Audition:
        if self.network == "ssrn":
            return Audition(sentence, ssrn_step=step, for_comparison=True, network="ssrn")
        return Audition(sentence, step, for_comparison=True)

    def _not_on_disk(self, trial: Trial, snapshot: Snapshot) -> set[int]:
        kept = {one.step for one in snapshot.checkpoints if one.network == self.network}
        return {trial.a, trial.b} - kept

    def _by_way(
        self, step: int, trial: Trial, samples: Iterable[Sample]
    ) -> dict[int | None, Sample]:
        """The newest samples of a step by the SSRN that spoke, the newest last."""
        found = [
            sample
            for sample in samples
            if (sample.network, sample.step, sample.sentence)
            == (self.network, step, trial.sentence)
            and sample.time > 0  # earlier versions did not note how they were made
        ]
        return {self._way(sample): sample for sample in sorted(found, key=lambda one: one.time)}

    def _way(self, sample: Sample) -> int | None:
        return sample.ssrn_step if self.network == "text2mel" else None

    def _newest_ssrn(self, snapshot: Snapshot) -> int | None:
        kept = [one.step for one in snapshot.checkpoints if one.network == "ssrn"]
        return max(kept, default=None) if self.network == "text2mel" else None

    def answer(self, trial: Trial, answer: Answer, samples: tuple[Sample, Sample]) -> None:
        """Keep an answer in the voice's `comparisons.jsonl`.

        Raises `EngineError` when it cannot be written; it does not count then.
        """
        names = (printable(samples[0].path.name), printable(samples[1].path.name))
        comparison = Comparison(
            time.time(), self.network, trial.a, trial.b, answer, trial.sentence, names,
            self._way(samples[0]),
        )  # fmt: skip
        append_comparison(self._voice, comparison)
        self._comparisons.append(comparison)


class Round:
    """A trial on its way from its choice to its answer, and the next being spoken meanwhile."""

    def __init__(self, test: BlindTest, send: Callable[[Audition], object]) -> None:
        """Begin with a first trial; `send` has something spoken, or raises `InputError`."""
        self.test = test
        self._send = send
        self._requested: dict[str, tuple[int, float]] = {}
        """Under the names of trials: the auditions that will have ended then, and when."""
        self._refusal = "The voice could not speak what is to be compared; see the log."
        self._next: Trial | None = None
        self.trial = test.draw()
        """What is compared now."""
        self.sounds: tuple[bytes, bytes] | None = None
        """Its two WAV files, a's first; None until both are spoken."""
        self._samples: tuple[Sample, Sample] | None = None

    def follow(self, snapshot: Snapshot) -> bool:
        """Prepare the sounds as far as samples are there; return whether they can be heard.

        Takes some milliseconds, and reads files: call it in a thread. A sentence that the voice
        does not speak gives way to another.

        Raises:
            InputError: none of the sentences can be heard, and why.
        """
        if self.sounds is None:
            self._samples = self.test.samples(self.trial, snapshot)
            if self._samples is None:
                if not self._is_coming(self.trial, snapshot):
                    self._choose_another(snapshot)
                return False
            try:
                self.sounds = equally_loud(*(sample.path for sample in self._samples))
            except InputError as error:
                # It was removed by hand, or has grown old.
                self._refusal = str(error)
                self._choose_another(snapshot)
                return False
        if self._next is None:
            self._next = self.test.draw(self.trial)
        self._is_coming(self._next, snapshot)
        return True

    def _choose_another(self, snapshot: Snapshot) -> None:
        self.test.give_up(self.trial, snapshot)
        if not self.test.sentences:
            raise InputError(self._refusal)
        self.trial, self._next = self.test.draw(), None

    def _is_coming(self, trial: Trial, snapshot: Snapshot) -> bool:
        """Have spoken, once, what a trial lacks; return whether that may still come."""
        try:
            lacks = self.test.requests(trial, snapshot)
            for audition in lacks if trial.name not in self._requested else ():
                self._send(audition)
        except InputError as error:
            self._refusal = str(error)
            return False
        if trial.name not in self._requested:
            self._requested[trial.name] = snapshot.auditions + len(lacks), time.monotonic()
        ended, since = self._requested[trial.name]
        over = snapshot.auditions >= ended and not snapshot.auditioning
        return not (lacks and over and time.monotonic() - since > _PATIENCE)

    def answer(self, answer: Answer) -> None:
        """Keep the answer, and go on to the next trial.

        Raises `EngineError` when it cannot be written: the trial is still to be answered.
        """
        assert self._samples is not None
        self.test.answer(self.trial, answer, self._samples)
        self.trial, self._next = self._next or self.test.draw(), None
        self.sounds = self._samples = None


def steps_to_compare(snapshot: Snapshot, chosen: Iterable[int] = ()) -> tuple[int, ...]:
    """The checkpoints that somebody chose, or those on disk, the oldest first.

    Of too many on disk they are the base, the best, the newest, the chosen one and some between.

    Raises:
        InputError: there are not two.
    """
    steps = set(chosen)
    found = steps if len(steps) > 1 else {*steps, *_on_disk(snapshot)}
    if len(found) < 2:
        raise InputError(
            "There are no two checkpoints to compare yet; each that is saved can be compared."
        )
    return tuple(sorted(found))


def _on_disk(snapshot: Snapshot) -> list[int]:
    kept = [one for one in snapshot.checkpoints if one.network == snapshot.network]
    if len(kept) <= MAX_CHECKPOINTS:
        return [one.step for one in kept]
    needed = {one.step for one in kept if one.base or one.best} | {kept[-1].step}
    others = [one.step for one in kept if one.step not in needed]
    places = np.linspace(0, len(others) - 1, MAX_CHECKPOINTS - len(needed)).round().astype(int)
    return [*needed, *(others[place] for place in places)]


def _sentences(voice: Voice, snapshot: Snapshot) -> tuple[str, ...]:
    """What the voice speaks anyway, and the texts of held-out clips; for SSRN these alone."""
    held_out = [row.text for row in held_out_rows(voice)]
    if snapshot.network == "ssrn":
        found = map(voice.vocabulary.clean, held_out)
    else:
        found = map(clean_sentence, (*snapshot.sentences, *held_out))
    return tuple(dict.fromkeys(filter(None, found)))[:_MAX_SENTENCES]


def held_out_rows(voice: Voice) -> list[Row]:
    """The held-out clips of a voice as its corpus lists them; none where that is not there."""
    held_out = {recording_key(clip_id) for clip_id in voice.settings.held_out}
    try:
        rows, _ = parse_lines(split_lines(read_bytes(voice.dataset / METADATA)))
    except InputError:
        return []  # a voice is heard where its recordings are not, too
    return [row for row in rows if recording_key(row.clip_id) in held_out]
