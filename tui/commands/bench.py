"""`voicecoach bench`: how fast this machine is."""

from typing import Annotated

import typer

from engine.choices import PresetName
from engine.formatting import duration
from tui.command_line import DeviceOption, app, reports_errors
from tui.formatting import speed

_STEPS = 20_000
_ROW = "{:<34} {:>9}   {:<30} {:>9} {:>6}"


@app.command(epilog="Example: voicecoach bench --preset bbc --device cuda:0")
@reports_errors
def bench(
    preset: Annotated[PresetName, typer.Option(help="Size of the networks.")] = "small",
    device: DeviceOption = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of measurements.")] = 12,
) -> int:
    """Measure the speed of steps, checkpoints and synthesis on this machine."""
    from engine.jobs.bench import Comparison, run_bench

    first = True

    def show(found: Comparison) -> None:
        nonlocal first
        if first:
            total = duration(_STEPS * found.seconds)
            typer.echo(f"{speed(1 / found.seconds)}: {_STEPS:,} steps take {total}\n")
            typer.echo(_ROW.format("what", "ms", "compared with", "ms", "ratio"))
            first = False
        ours, other = f"{found.seconds * 1000:.1f}", f"{found.other_seconds * 1000:.1f}"
        typer.echo(_ROW.format(found.what, ours, found.other, other, f"{found.ratio:.2f}"))

    where = run_bench(preset, device, rounds, show)
    typer.echo(f"\non {where}, preset {preset}; medians of {rounds} pairs, timed in turn")
    return 0
