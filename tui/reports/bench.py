"""What `voicecoach bench` prints: hours and dollars, then a line for each thing measured."""

from collections.abc import Callable

import typer

from engine.check.report import Estimate
from engine.choices import NETWORK_TITLES
from engine.formatting import dollars, plural
from engine.jobs.bench.report import BenchReport, Ceilings, Measure, Schedule
from engine.jobs.bench.run import BenchOptions, Part

_COLUMNS = "{:40}{:34}{:>16}{:>16}"
_FIGURES: dict[str, Callable[[float], str]] = {
    "step": lambda seconds: f"{1 / seconds:,.2f} steps/s ({_short(seconds)})",
    "second of sound": lambda seconds: f"{1 / seconds:,.0f} s of sound per core and second",
    "frame": lambda seconds: f"{seconds * 1000:.2f} ms a frame",
    "second": lambda seconds: f"{seconds * 1000:.1f} ms of CPU a second",
}


def _short(seconds: float) -> str:
    return f"{seconds * 1000:,.3g} ms" if seconds < 1 else f"{seconds:,.2f} s"


class Printer:
    """Prints the parts of a benchmark as they come."""

    def __init__(self, options: BenchOptions) -> None:
        self._options = options
        self._rows = 0

    def show(self, part: Part) -> None:
        """Print one part."""
        match part:
            case Schedule():
                self._show_schedule(part)
            case Ceilings():
                _show_ceilings(part)
            case Measure():
                if not self._rows:
                    _show_header()
                self._rows += 1
                _show_measure(part)

    def _show_schedule(self, schedule: Schedule) -> None:
        typer.echo(
            f"preset {self._options.preset}, {schedule.what} on this machine: "
            f"{_cost(schedule.hours, self._options.price)}"
        )
        for estimate in schedule.estimates:
            typer.echo(f"    {_estimate(estimate, schedule)}")

    def finish(self, report: BenchReport) -> None:
        """Print what it was measured on, and what was not measured."""
        rounds = [one.rounds for one in report.measures]
        typer.echo(
            f"{report.device} ({report.model}), {plural(report.threads, 'thread')} on "
            f"{plural(report.cores, 'core')}, torch {report.torch}; medians of up to "
            f"{plural(max(rounds), 'round')} in which the ways took turns"
        )
        if report.left_out:
            typer.echo(f"left out: {'; '.join(report.left_out)}")


def _cost(hours: float, price: float | None) -> str:
    told = f"{hours:,.1f} hours"
    return told if price is None else f"{told}, {dollars(hours * price)} at {dollars(price)}/h"


def _estimate(estimate: Estimate, schedule: Schedule) -> str:
    return (
        f"{NETWORK_TITLES[estimate.network]}: {estimate.steps:,} steps of "
        f"{plural(estimate.batch_size, 'clip')}, recipe {schedule.recipe}, {estimate.precision}, "
        f"{estimate.steps_per_second:,.2f} steps/s: {estimate.hours:,.1f} hours"
    )


def _show_ceilings(ceilings: Ceilings) -> None:
    products = ", ".join(
        f"{name} {rate:,.2f} TFLOP/s" for name, rate in sorted(ceilings.tflop_per_second.items())
    )
    line = (
        f"ceilings of {ceilings.device}: matrix products {products}; memory "
        f"{ceilings.memory_gb_per_second:,.0f} GB/s"
    )
    if ceilings.one_thread_gb_per_second is not None:
        line += f", one thread {ceilings.one_thread_gb_per_second:,.0f} GB/s"
    typer.echo(line)


def _show_header() -> None:
    typer.echo("\n" + _COLUMNS.format("time of one", "", "plain way = 1", "ceiling = 1"))


def _show_measure(measure: Measure) -> None:
    details = measure.details
    what = measure.what
    if "batch_size" in details:
        what += f", batch {details['batch_size']}, {details['precision']}"
    figure = _FIGURES.get(measure.per, _short)(measure.seconds)
    if "sound_seconds" in details:
        share = measure.seconds / float(details["sound_seconds"])
        figure += f": {share:.3f} × real time"
    if "share_of_machine" in details:
        figure += f", {100 * float(details['share_of_machine']):.1f} %"
    ratios = (_ratio(one) for one in (measure.ratio_to_plain, measure.ratio_to_ceiling))
    typer.echo(_COLUMNS.format(what, figure, *ratios).rstrip())


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"
