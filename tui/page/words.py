"""A voice as the page shows it: numbers, and the words that the terminal has for them."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime
from typing import Any

from engine.advice.measures import MEASURES
from engine.choices import NETWORK_TITLES
from engine.formatting import duration, plural, printable
from engine.run.evaluation import CheckpointScores
from engine.run.sample import Sample, lacking_ssrn
from engine.run.snapshot import Event, Phase, Snapshot
from tui import formatting

_MAX_EVENTS = 3
"""Of what happened, the newest."""


def state_of(run: Snapshot, now: datetime) -> dict[str, Any]:
    """The state of a run: what stands in the page's one line, and what is behind it."""
    return {
        "name": printable(run.voice),
        "folder": printable(str(run.voice_folder)),
        "network": run.network,
        "networks": [one.network for one in run.both],
        "network_text": NETWORK_TITLES[run.network],
        "phase": run.busiest.phase.name.lower(),
        "phase_words": run.busiest.phase_words,
        "alarm": printable(run.alarm),
        "step": run.step,
        "step_text": _steps(run),
        "loss_text": "–" if run.losses is None else formatting.loss(run.losses.total),
        "held_out": run.held_out,
        "held_out_text": "–" if run.held_out is None else formatting.loss(run.held_out),
        "speed_text": formatting.speed(run.steps_per_second) if run.steps_per_second else "",
        "spent": _spent(run),
        "stop": _stop(run, now),
        "progress_to_stop": run.progress_to_stop,
        "sentences": [printable(sentence) for sentence in run.sentences],
        "speaking": _speaking(run),
        "events": [_event(event) for event in run.events[-_MAX_EVENTS:]],
        "checkpoints": [asdict(checkpoint) for checkpoint in run.checkpoints],
        "advice": _advice(run),
        "recommended": _recommended(run),
        "lacking": _lacking(run),
        "measures": {name: [one.title, one.means] for name, one in MEASURES.items()},
        "scores": {one.step: _scores(one) for one in run.scores},
    }


def sample_of(sample: Sample, has_attention: Callable[[Sample], bool]) -> dict[str, Any]:
    """A sample, its files named without their folder."""
    return {
        "file": printable(sample.path.name),
        "sentence": printable(sample.sentence),
        "step": sample.step,
        "ssrn_step": sample.ssrn_step,
        "network": sample.network,
        "seconds": sample.seconds,
        "note": printable(sample.note),
        "automatic": sample.automatic,
        "for_comparison": sample.for_comparison,
        "time": sample.time,
        "heard": sample.heard,
        "original": None if sample.original is None else printable(sample.original.name),
        "attention": has_attention(sample),
        "misreadings": [
            {"words": one.words, "seconds": one.seconds, "until": one.until}
            for one in sample.misreadings
        ],
    }


def _advice(run: Snapshot) -> dict[str, Any] | None:
    """Whether it pays to go on, and why."""
    if run.advice is None:
        return None
    return {
        "text": printable(run.advice.text),
        "reasons": [printable(reason) for reason in run.advice.reasons],
    }


def _recommended(run: Snapshot) -> dict[str, str] | None:
    """The checkpoint to export, and why."""
    best = run.recommended
    if best is None:
        return None
    return {
        "text": printable(f"Export {NETWORK_TITLES[best.network]} {best.words}"),
        "command": printable(run.export_command),
    }


def _lacking(run: Snapshot) -> str:
    """Say what the voice lacks while its SSRN is trained by nobody."""
    lacking = "" if run.of("ssrn").network == "ssrn" else lacking_ssrn(run.checkpoints)
    return f"A voice needs two networks: {lacking}." if lacking else ""


def _scores(scores: CheckpointScores) -> dict[str, Any]:
    """What was measured of a checkpoint, by the names of the measures."""
    counted = plural(scores.sentences, "sentence")
    return {
        "misread": f"a word misread in {scores.misread:,} of {counted}",
        "words": {
            name: formatting.interval(score, MEASURES[name].unit)
            for name, score in scores.scores.items()
            if name in MEASURES and MEASURES[name].shown
        },
        "ceilings": {
            name: formatting.figure(value, MEASURES[name].unit)
            for name, value in scores.ceilings.items()
            if name in MEASURES and MEASURES[name].shown
        },
    }


def _event(event: Event) -> dict[str, Any]:
    return {"time": event.time, "text": printable(event.text)}


def _steps(run: Snapshot) -> str:
    own = _step(run)
    return own if run.other is None else f"{own}, SSRN {_step(run.other)}"


def _step(run: Snapshot) -> str:
    if run.phase.before_steps and not run.step:
        return "not known yet"
    since = f" (+{run.step - run.base_step:,})" if run.base_step else ""
    return f"{run.step:,}{since}"


def _spent(run: Snapshot) -> str:
    if run.price <= 0 and run.spent <= 0:
        return ""
    budget = f" of {formatting.dollars(run.budget)}" if run.budget > 0 else ""
    return f"{formatting.dollars(run.spent)}{budget}"


def _stop(run: Snapshot, now: datetime) -> str:
    """Where the run stops, and when: `900,000 · 14:04 (2m16s)`."""
    end = run.end_point
    if end is None:
        return run.stop_text
    if end.at is not None:
        words = formatting.clock_stop(end.at, now)
    else:
        words = f"{formatting.dollars(run.budget)} budget" if run.budget_comes_first else end.words
    seconds = run.seconds_to_stop
    if run.phase is not Phase.TRAINING or seconds is None:
        return words
    when = "" if end.at is not None else f" · {formatting.arrival(now, seconds)}"
    return f"{words}{when} ({duration(seconds)})"


def _speaking(run: Snapshot) -> dict[str, Any] | None:
    speaking = run.speaking
    if speaking is None:
        return None
    return {
        "file": printable(speaking.path.name),
        "sentence": printable(speaking.sentence),
        "step": speaking.step,
        "automatic": speaking.automatic,
    }
