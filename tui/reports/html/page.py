"""The report on a voice as one HTML file."""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.advice.measures import MEASURES
from engine.choices import NETWORK_TITLES
from engine.formatting import dollars, duration, format_bytes, plural, printable
from engine.jobs.report import NetworkReport, Report, SpokenSentence
from engine.run.evaluation import CheckpointScores
from engine.run.sample import Sample
from engine.run.snapshot import AttentionPlot
from engine.speech.attention_file import attention_picture
from tui.formatting import figure, interval, loss, price
from tui.reports.html.charts import Chart, Curve, Mark, chart_of
from tui.reports.html.sounds import data_address, embedded

_HERE = Path(__file__).parent
_BESIDE = {"held_out": "held_out_training"}
"""Measures that are drawn in the chart of another."""
# Of a text from data: a name, a sentence.
_MAX_TEXT = 300


def html_of(report: Report) -> str:
    """One page that says all of it and loads nothing; whatever came from data is text there."""
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "dollars": dollars, "duration": duration, "loss": loss, "size": format_bytes,
        "price": price, "plural": plural, "sentence": _sentence_of,
        "figure": figure,
        "interval": interval,
    }  # fmt: skip
    style, script = (_own(name) for name in ("report.css", "report.js"))
    sounds = embedded(_sounds(report.networks))
    return environment.get_template("report.html").render(
        report=report,
        voice=report.description,
        networks=[_network(one, sounds) for one in report.networks],
        titles=NETWORK_TITLES,
        heard=bool(sounds),
        missing=sum(path not in sounds for path in _sounds(report.networks)),
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


def _shown(value: object) -> object:
    """What the template writes: text from data without what a terminal or a browser would obey."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return printable(value, _MAX_TEXT)
    return value


def _sentence_of(text: str) -> str:
    """A clause as a sentence."""
    return f"{text[:1].upper()}{text[1:]}."


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


def _hash(content: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return Markup(f"'sha256-{digest}'")  # noqa: S704 - base64


def _sounds(networks: Sequence[NetworkReport]) -> Iterator[Path]:
    """What should be heard, the most telling first: the best, the base and the recording."""
    for network in networks:
        for one in network.sentences:
            yield from (sample.path for sample in _contrast(network, one))
            yield from [one.original] if one.original else []
    for network in networks:
        for one in network.sentences:
            yield from (sample.path for sample in reversed(one.samples))


def _contrast(network: NetworkReport, sentence: SpokenSentence) -> list[Sample]:
    """The sentence by the best checkpoint and by the base, as far as they spoke it."""
    return [one for one in sentence.samples if one.step in (network.best, network.base)]


def _network(network: NetworkReport, sounds: dict[Path, Markup]) -> dict[str, Any]:
    return {
        "report": network,
        "title": NETWORK_TITLES[network.network],
        "curve": _curve(network),
        "plots": [(plot, _picture(plot)) for plot in network.plots],
        "measures": _measures(network),
        "columns": [(one, _mark(network, one.step)) for one in _columns(network)],
        "sentences": [_sentence(network, one, sounds) for one in network.sentences],
    }


def _curve(network: NetworkReport) -> Chart | None:
    curve = network.curve
    held_out = list(zip(curve.held_out_steps, curve.held_out, strict=True))
    best = [Mark("best", curve.best_step, curve.best)] if curve.best is not None else []
    return chart_of(
        "loss",
        [
            Curve("training", "first", list(zip(curve.steps, curve.losses, strict=True))),
            Curve("held-out", "second", held_out),
        ],
        best,
        log=True,
    )


def _picture(plot: AttentionPlot) -> Markup:
    return data_address("image/png", attention_picture(plot.weights))


def _measures(network: NetworkReport) -> list[dict[str, Any]]:
    """Each measure with its curve over the checkpoints, and what a few of them score."""
    return [
        {
            "measure": measure,
            "chart": _score_chart(network, name),
            "ceiling": _ceiling(network, name),
            "beside": MEASURES[_BESIDE[name]].title if name in _BESIDE else "",
            "scores": [one.scores.get(name) for one in _columns(network)],
        }
        for name, measure in MEASURES.items()
        if name not in _BESIDE.values() and any(name in one.scores for one in network.scores)
    ]


def _score_chart(network: NetworkReport, name: str) -> Chart | None:
    curves = [_score_curve(network, name, "first")]
    if name in _BESIDE:
        curves.append(_score_curve(network, _BESIDE[name], "second"))
    best = [Mark("best", step, value) for step, value in curves[0].points if step == network.best]
    return chart_of(MEASURES[name].title, curves, best, _ceiling(network, name))


def _score_curve(network: NetworkReport, name: str, kind: str) -> Curve:
    measured = [(one.step, one.scores[name]) for one in network.scores if name in one.scores]
    points = [(step, score.mean) for step, score in measured]
    return Curve(name, kind, points, [(score.low, score.high) for _, score in measured])


def _ceiling(network: NetworkReport, name: str) -> float | None:
    """What the recordings score themselves."""
    known = [one.ceilings[name] for one in network.scores if name in one.ceilings]
    return known[-1] if known else None


def _columns(network: NetworkReport) -> list[CheckpointScores]:
    """The checkpoints of the table: the base, the best and the newest that were measured."""
    newest = network.scores[-1].step if network.scores else None
    return [one for one in network.scores if one.step in (network.base, network.best, newest)]


def _sentence(
    network: NetworkReport, sentence: SpokenSentence, sounds: dict[Path, Markup]
) -> dict[str, Any]:
    return {
        "text": sentence.sentence,
        "original": sounds.get(sentence.original) if sentence.original else None,
        "samples": [
            {"sample": one, "sound": sounds.get(one.path), "mark": _mark(network, one.step)}
            for one in sentence.samples
        ],
    }


def _mark(network: NetworkReport, step: int) -> str:
    marks = {network.best: "best", network.base: "base"}
    newest = network.checkpoints[-1].step if network.checkpoints else None
    return marks.get(step, "newest" if step == newest else "")
