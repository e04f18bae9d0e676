"""Whether it pays to go on: what further steps cost, and what they are likely to bring.

The held-out loss says where training goes, the judge what of that can be heard. Neither decides
alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from engine.advice.comparisons import Standing, standing_of
from engine.advice.kept import kept_checkpoints
from engine.advice.learning_curve import MIN_POINTS
from engine.advice.measures import MEASURES
from engine.advice.trends import (
    Direction,
    JudgeTrend,
    LossTrend,
    judge_trend,
    loss_trend,
    measure_forecast,
    steps_ahead,
)
from engine.choices import NetworkName
from engine.formatting import dollars, plural, whole_minutes
from engine.run.curves import LossCurve
from engine.run.evaluation import Advice, AdviceKind, Evaluation
from engine.run.snapshot import Snapshot
from engine.voice.comparisons import read_comparisons
from engine.voice.evaluations import read_evaluations
from engine.voice.folder import Voice
from engine.voice.history import EVALUATE_EVERY, read_curve

_NOUNS = {
    "error_rate": "recognition errors",
    "skipped": "skipped text",
    "repeated": "repeated text",
    "stuck": "time stuck",
}
"""Measures that anybody can picture, as nouns: these are spoken of first."""
_BROKEN_SHARE = 0.5
"""Share of the sentences from which on a voice that misreads them cannot read yet."""
_FIRST_STEPS = MIN_POINTS * EVALUATE_EVERY


@dataclass(frozen=True, slots=True)
class Pace:
    """What steps take and cost."""

    steps_per_second: float | None = None
    price: float = 0.0
    """US dollars an hour; 0 where it is not known."""

    def cost(self, steps: int) -> str:
        """What so many steps cost: ` ($0.80, 49m)`; empty where nothing is known of it."""
        if not self.steps_per_second:
            return ""
        seconds = steps / self.steps_per_second
        money = [dollars(seconds / 3600 * self.price)] if self.price > 0 else []
        return f" ({', '.join([*money, whole_minutes(seconds)])})"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a network has come, and what is known of it."""

    step: int
    start: int
    """The step at which this training began: the base step."""
    curve: LossCurve
    evaluations: Sequence[Evaluation] = ()
    """Of the network's checkpoints."""
    heard: Standing | None = None
    """What the blind answers say."""


def advise_run(snapshot: Snapshot, evaluations: Sequence[Evaluation]) -> Advice:
    """Advise a run, as it stands in its snapshot; takes some 20 ms.

    Args:
        snapshot: of the run.
        evaluations: of checkpoints of the network that is trained.
    """
    progress = Progress(snapshot.step, snapshot.base_step, snapshot.curve, evaluations)
    return advise(progress, Pace(snapshot.steps_per_second, snapshot.price))


def advise_voice(voice: Voice, network: NetworkName) -> Advice | None:
    """Advise a voice that is not being trained, from what lies in its folder.

    Returns:
        None where the network has no history.

    Raises:
        InputError: the history, the evaluations, the answers or the spend cannot be read.
    """
    curve = read_curve(voice.history(network))
    if not curve.steps:
        return None
    kept = [one for one in kept_checkpoints(voice) if one.network == network]
    answers = [one for one in read_comparisons(voice) if one.network == network]
    heard = sorted({step for one in answers for step in (one.a, one.b)})
    progress = Progress(
        max([*curve.steps[-1:], *(one.step for one in kept)], default=0),
        next((one.step for one in kept if one.base), 0),
        curve,
        read_evaluations(voice, network),
        standing_of(answers, heard) if heard else None,
    )
    return advise(progress, _last_pace(voice, network))


def _last_pace(voice: Voice, network: NetworkName) -> Pace:
    spent = [
        one
        for one in voice.spend.entries
        if one.network == network and one.kind == "training" and one.last_step > one.first_step
    ]
    if not spent or spent[-1].seconds <= 0:
        return Pace()
    last = spent[-1]
    return Pace((last.last_step - last.first_step) / last.seconds, last.price)


def advise(progress: Progress, pace: Pace) -> Advice:
    """Say whether it pays to go on from where a network stands."""
    made = progress.step - progress.start
    curve = progress.curve
    loss = loss_trend(curve.held_out_steps, curve.held_out, progress.start)
    # The base may be another speaker's: what is as good as that has not come to an end.
    beyond = [one for one in progress.evaluations if one.step > progress.start]
    judge = judge_trend(beyond, steps_ahead(made))
    return _Adviser(progress, pace, loss, judge).advice()


_KINDS: dict[tuple[Direction | None, Direction | None], AdviceKind] = {
    ("improving", None): "improving",
    ("improving", "improving"): "improving",
    ("improving", "flat"): "improving",
    ("improving", "worse"): "unknown",
    ("flat", None): "flat",
    ("flat", "improving"): "improving",
    ("flat", "flat"): "flat",
    ("flat", "worse"): "worse",
    ("worse", None): "worse",
    ("worse", "improving"): "improving",
    ("worse", "flat"): "worse",
    ("worse", "worse"): "worse",
    ("unclear", "improving"): "improving",
}
"""By the held-out loss and the judge; where nothing stands, nothing is known."""


@dataclass(frozen=True, slots=True)
class _Adviser:
    """Puts what is known into words."""

    progress: Progress
    pace: Pace
    loss: LossTrend | None
    judge: JudgeTrend | None

    def advice(self) -> Advice:
        kind = _KINDS.get((self._loss_direction, self._judge_direction), "unknown")
        misread = self._misread()
        # A voice that cannot read yet may stand still for long before it learns to.
        if misread and (
            kind == "unknown" or (kind == "flat" and self._misread_share >= _BROKEN_SHARE)
        ):
            kind, text = "misread", f"{misread}: listen to these"
        else:
            text = {
                "improving": self._improving, "flat": self._flat, "worse": self._worse
            }.get(kind, self._unknown)()  # fmt: skip
        reasons = (self._loss_reason(), self._judge_reason(), *self._other_reasons(misread))
        both = self.loss is not None and self.judge is not None
        ends = both and kind in ("flat", "worse") and self._misread_share < _BROKEN_SHARE
        since = self._since if ends else None
        return Advice(kind, text, tuple(filter(None, reasons)), self.progress.step, since)

    @property
    def _loss_direction(self) -> Direction | None:
        return self.loss.direction if self.loss else None

    @property
    def _judge_direction(self) -> Direction | None:
        return self.judge.direction if self.judge else None

    @property
    def _since(self) -> int:
        """The step since which neither has improved."""
        known = [self.loss.since] if self.loss else []
        return max(known + ([self.judge.earlier] if self.judge else []))

    def _improving(self) -> str:
        judge, loss = self.judge, self.loss
        if heard := self._forecast():
            return f"still improving: {heard}"
        if loss is not None and loss.direction == "improving":
            changed = f"held-out loss from {_loss(loss.level)} to {_loss(loss.forecast)}"
            return f"still improving: {self._further(loss.ahead)} are likely to cut {changed}"
        assert judge is not None
        text = f"still improving: better than {judge.earlier:,}"
        if judge.changed:
            text += f" in {_listed([MEASURES[name].title for name in judge.changed[:2]])}"
        return f"{text}, though held-out loss does not" if loss is not None else text

    def _forecast(self) -> str:
        """What further steps are likely to bring that can be heard; empty where unknown."""
        judge, progress = self.judge, self.progress
        ahead = steps_ahead(progress.step - progress.start)
        changed = judge.changed if judge and judge.direction == "improving" else ()
        for name in sorted(changed, key=lambda name: name not in _NOUNS):
            found = measure_forecast(progress.evaluations, name, progress.start, ahead)
            if found is not None:
                verb = "cut" if found.forecast < found.level else "raise"
                now, then = (_value(name, one) for one in (found.level, found.forecast))
                title = _NOUNS.get(name, MEASURES[name].title)
                return f"{self._further(ahead)} are likely to {verb} {title} from {now} to {then}"
        return ""

    def _flat(self) -> str:
        since, step = self._since, self.progress.step
        text = f"flat for {step - since:,} steps{self.pace.cost(step - since)}"
        if self.judge is None:
            return f"{text} by held-out loss alone"
        return f"{text}: {self.judge.earlier:,} is as good as {self.judge.newest:,}"

    def _worse(self) -> str:
        loss, judge = self.loss, self.judge
        if loss is not None and loss.direction == "worse":
            text = f"worse since {loss.since:,}: held-out loss rose from {_loss(loss.best)} to "
            text += _loss(loss.level)
            return text if judge is not None else f"{text}; listen to be sure"
        assert judge is not None
        return f"worse: {judge.earlier:,} is better than {judge.newest:,}"

    def _unknown(self) -> str:
        loss = self.loss
        if loss is None:
            begins = self.progress.start + _FIRST_STEPS
            return f"too early to say whether it improves; advice begins at step {begins:,}"
        if self.judge is not None and self.judge.direction == "worse":
            text = "held-out loss improves, but "
            return text + f"{self.judge.earlier:,} is better than {self.judge.newest:,}: listen"
        return (
            f"hard to say: {self._further(loss.ahead)} cut held-out loss with a chance of "
            f"{_percent(loss.likely)}"
        )

    def _further(self, steps: int) -> str:
        return f"+{_short(steps)} steps{self.pace.cost(steps)}"

    def _loss_reason(self) -> str:
        loss = self.loss
        if loss is None:
            return "The held-out loss was not measured often enough to say where it goes."
        low, high = loss.interval
        going = f"after {_short(loss.ahead)} more steps it will be {_loss(low)} to {_loss(high)}"
        text = f"Held-out loss {_loss(loss.level)}"
        if loss.direction == "worse":
            text += f", lowest at {loss.since:,} ({_loss(loss.best)})"
        elif loss.direction == "flat":
            text += f", no better than at {loss.since:,}"
        return f"{text}; {going} (80 % sure)."

    def _judge_reason(self) -> str:
        judge = self.judge
        if judge is None:
            return "The judge has not measured two checkpoints far enough apart yet."
        if judge.direction == "flat":
            clear = [
                f"{word} in {_listed([MEASURES[name].title for name in names[:3]])}"
                for word, names in (("better", judge.better), ("worse", judge.worse))
                if names
            ]
            but = f", but clearly {' and '.join(clear)}: listen to both" if clear else ""
            same = f"no better and no worse than {judge.earlier:,} on the whole"
            return f"The judge finds {judge.newest:,} {same}{but}."
        found = "better" if judge.direction == "improving" else "worse"
        text = f"The judge finds {judge.newest:,} {found} than {judge.earlier:,}"
        names = [MEASURES[name].title for name in judge.changed[:3]]
        return f"{text} in {_listed(names)}." if names else f"{text}, all measures together."

    def _other_reasons(self, misread: str) -> list[str]:
        heard = self.progress.heard
        said = f"You heard: {heard.words}." if heard is not None and heard.answers else ""
        return [f"{misread[:1].upper()}{misread[1:]}." if misread else "", said]

    def _misread(self) -> str:
        """`attention breaks in 3 of 12 sentences`; empty where it does not."""
        count, sentences = self._misread_count
        return f"attention breaks in {count} of {plural(sentences, 'sentence')}" if count else ""

    @property
    def _misread_share(self) -> float:
        count, sentences = self._misread_count
        return count / sentences if sentences else 0.0

    @property
    def _misread_count(self) -> tuple[int, int]:
        """In how many sentences of the newest checkpoint attention breaks, and of how many."""
        newest = max(self.progress.evaluations, key=lambda one: one.step, default=None)
        sentences = newest.sentences if newest else ()
        return sum(bool(one.misreadings) for one in sentences), len(sentences)


def _loss(value: float) -> str:
    return f"{value:.4f}"


def _short(steps: int) -> str:
    """`5k`, `500`."""
    return f"{steps // 1000}k" if steps % 1000 == 0 else f"{steps}"


def _value(name: str, value: float) -> str:
    unit = MEASURES[name].unit
    if unit == "%":
        return f"{value:.0f} %" if value >= 10 else f"{value:.1f} %"
    return f"{value:.2f} {unit}".rstrip()


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
