"""The report on a voice as one HTML file."""

import base64
import hashlib
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from engine.advice.measures import ScoreCurve, score_curves
from engine.choices import NETWORK_TITLES
from engine.formatting import dollars, duration, format_bytes, plural, printable, sentence
from engine.jobs.report import NetworkReport, Report, SpokenSentence
from engine.run.curves import AttentionPlot
from engine.run.evaluation import CheckpointScores
from engine.speech.attention_file import attention_picture
from tui.formatting import figure, interval, loss, price
from tui.reports.html.charts import Chart, Curve, chart_of
from tui.reports.html.sounds import Heard, data_address, embed
from tui.widgets.attention_picture import pool

_TELLING = ("base", "best")
_HERE = Path(__file__).parent
# Of a picture of attention: more than the BBC's 180 characters and 210 frames.
_MAX_ROWS, _MAX_COLUMNS = 200, 240
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
        "price": price, "plural": plural, "sentence": sentence,
        "figure": figure,
        "interval": interval,
    }  # fmt: skip
    style, script = (_own(name) for name in ("report.css", "report.js"))
    networks = [_network(one) for one in report.networks]
    heard = [one for network in networks for _, rows in network["sentences"] for one in rows]
    # The most telling first: recording, base and best.
    embed(sorted(heard, key=lambda one: one.sample is not None and one.mark not in _TELLING))
    return environment.get_template("report.html").render(
        report=report,
        voice=report.description,
        networks=networks,
        titles=NETWORK_TITLES,
        missing=sum(not one.sound for one in heard),
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


def _own(name: str) -> Markup:
    return Markup((_HERE / name).read_text(encoding="utf-8"))  # noqa: S704 - a file of ours


def _hash(content: str) -> Markup:
    digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
    return Markup(f"'sha256-{digest}'")  # noqa: S704 - base64


def _network(network: NetworkReport) -> dict[str, Any]:
    return {
        "report": network,
        "title": NETWORK_TITLES[network.network],
        "curve": _curve(network),
        "plots": [(plot, _picture(plot)) for plot in network.plots],
        "measures": _measures(network),
        "columns": [(one, _mark(network, one.step)) for one in _columns(network)],
        "sentences": [(one.sentence, _heard(network, one)) for one in network.sentences],
    }


def _curve(network: NetworkReport) -> Chart | None:
    curve = network.curve
    held_out = list(zip(curve.held_out_steps, curve.held_out, strict=True))
    best = None if curve.best is None else (curve.best_step, curve.best)
    return chart_of(
        "loss",
        [
            Curve("first", list(zip(curve.steps, curve.losses, strict=True))),
            Curve("second", held_out),
        ],
        best,
        log=True,
    )


def _picture(plot: AttentionPlot) -> Markup:
    rows, columns = plot.weights.shape
    weights = pool(plot.weights, min(rows, _MAX_ROWS), min(columns, _MAX_COLUMNS))
    return data_address("image/png", attention_picture(weights))


def _measures(network: NetworkReport) -> list[dict[str, Any]]:
    """Each measure with its curve over the checkpoints, and what a few of them score."""
    columns = [one.step for one in _columns(network)]
    return [
        {
            "curve": curve,
            # What never changes is in the table.
            "chart": None if curve.is_steady else _score_chart(curve, network.best),
            "scores": [dict(curve.scores).get(step) for step in columns],
        }
        for curve in score_curves(network.scores).values()
    ]


def _score_chart(curve: ScoreCurve, best: int | None) -> Chart | None:
    drawn = [curve, curve.beside] if curve.beside else [curve]
    return chart_of(
        curve.measure.title,
        [
            Curve(
                kind,
                [(step, score.mean) for step, score in one.scores],
                [(score.low, score.high) for _, score in one.scores],
            )
            for kind, one in zip(("first", "second"), drawn, strict=False)
        ],
        next(((step, score.mean) for step, score in curve.scores if step == best), None),
        curve.ceiling,
    )


def _columns(network: NetworkReport) -> list[CheckpointScores]:
    """The checkpoints of the table: the base, the best and the newest that were measured."""
    newest = network.scores[-1].step if network.scores else None
    return [one for one in network.scores if one.step in (network.base, network.best, newest)]


def _heard(network: NetworkReport, sentence: SpokenSentence) -> list[Heard]:
    """The recording, and the sentence by each checkpoint."""
    original = [Heard(sentence.original)] if sentence.original else []
    return original + [Heard(one.path, one, _mark(network, one.step)) for one in sentence.samples]


def _mark(network: NetworkReport, step: int) -> str:
    marks = {network.best: "best", network.base: "base"}
    newest = network.checkpoints[-1].step if network.checkpoints else None
    return marks.get(step, "newest" if step == newest else "")
