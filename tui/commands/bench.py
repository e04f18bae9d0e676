"""`voicecoach bench`: how fast this machine is."""

from pathlib import Path
from typing import Annotated

import typer

from engine.choices import PresetName
from engine.run.options import parse_dollars
from tui.command_line import AsciiOption, DeviceOption, PriceOption, app, reports_errors


@app.command(epilog="Example: voicecoach bench recordings/alice --price 0.99 --device cuda:0")
@reports_errors
def bench(
    dataset: Annotated[
        Path | None,
        typer.Argument(help="Recordings in LJ Speech layout, to estimate their training, too."),
    ] = None,
    preset: Annotated[PresetName, typer.Option(help="Size of the networks.")] = "bbc",
    device: DeviceOption = "auto",
    price: PriceOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Take less than a minute, with fewer measurements.")
    ] = False,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds in which the ways take turns.", show_default="by time"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Measure this machine: hours and dollars of training, and how near each part comes to what
    the machine can do, and to a straightforward way of doing it."""
    from engine.jobs.bench.run import Bench, BenchOptions
    from tui.process.screen_cost import screen_cost
    from tui.reports.bench import Printer
    from tui.reports.info import print_json
    from tui.reports.progress import progress

    options = BenchOptions(
        preset, device, dataset, None if price is None else parse_dollars(price), quick, rounds
    )
    measuring = Bench(options, screen_cost)
    printer = Printer(options)
    with progress("measuring", in_lines=True) as show:
        report = measuring.run(
            (lambda part: None) if as_json else printer.show, lambda what: show(0, 0, what)
        )
    if as_json:
        print_json(report.as_json())
    else:
        printer.finish(report)
    return 0
