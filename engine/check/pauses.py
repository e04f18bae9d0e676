"""Pauses that are longer than a reader makes in a sentence."""

from engine.check.faults import Fault
from engine.check.loudness import HOP_SECONDS, Levels, runs
from engine.check.report import Severity

LONGEST_PAUSE = 0.5
"""Seconds; the BBC cut longer pauses out of their recordings."""

# Seconds over which the attention loses its way.
_HARMFUL = 2.0
# Pauses that are told one by one.
_MAX_TOLD = 3


def pause_faults(levels: Levels, cut_before: float, cut_after: float) -> list[Fault]:
    """Pauses at the start, at the end and inside, with their place in seconds.

    `cut_before` and `cut_after` are the seconds that training trims: a pause that it cuts is
    worth a note, not more.
    """
    speaks = levels.speaks()
    if not speaks.any():
        return []
    starts, ends = runs(speaks)
    leading = float(starts[0]) * HOP_SECONDS
    trailing = float(len(speaks) - ends[-1]) * HOP_SECONDS
    inner = [
        (float(end) * HOP_SECONDS, float(start - end) * HOP_SECONDS)
        for end, start in zip(ends[:-1], starts[1:], strict=True)
    ]
    return [
        *_outer("leading-pause", leading, cut_before, "before the first sound"),
        *_outer("trailing-pause", trailing, cut_after, "after the last sound"),
        *_inner([pause for pause in inner if pause[1] > LONGEST_PAUSE]),
    ]


def _outer(kind: str, seconds: float, cut: float, place: str) -> list[Fault]:
    if seconds <= LONGEST_PAUSE:
        return []
    figure = f"{seconds:.2f} s {place}"
    if seconds - cut <= LONGEST_PAUSE:
        advice = "nothing has to be done: training cuts it"
        return [Fault(kind, "note", figure, advice, seconds)]
    advice = f"cut it to less than {LONGEST_PAUSE} s, as `voicecoach clean` does"
    return [Fault(kind, _severity(seconds - cut), figure, advice, seconds)]


def _inner(pauses: list[tuple[float, float]]) -> list[Fault]:
    if not pauses:
        return []
    longest = max(seconds for _, seconds in pauses)
    told = [f"{seconds:.2f} s from {start:.2f} s on" for start, seconds in pauses[:_MAX_TOLD]]
    more = f", and {len(pauses) - _MAX_TOLD} more" if len(pauses) > _MAX_TOLD else ""
    advice = f"cut pauses to {LONGEST_PAUSE} s, as `voicecoach clean` does, or split the clip there"
    return [Fault("inner-pause", _severity(longest), f"{', '.join(told)}{more}", advice, longest)]


def _severity(seconds: float) -> Severity:
    return "error" if seconds >= _HARMFUL else "warning"
