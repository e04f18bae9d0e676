"""`voicecoach bench`: how fast this machine is."""

from typing import Annotated

import typer

from engine.choices import PresetName
from engine.formatting import plural
from tui.command_line import DeviceOption, app, reports_errors


@app.command(epilog="Example: voicecoach bench --preset bbc --device cuda:0")
@reports_errors
def bench(
    preset: Annotated[PresetName, typer.Option(help="Size of the networks.")] = "small",
    device: DeviceOption = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of measurements.")] = 12,
) -> int:
    """Measure the speed of steps, checkpoints and synthesis on this machine."""
    from engine.jobs.bench import Row, run_bench

    def show(row: Row) -> None:
        typer.echo("{:32}{:46}{}".format(*row))

    where = run_bench(preset, device, rounds, show)
    typer.echo(f"{where}, preset {preset}; medians of {plural(rounds, 'pair')}, timed in turn")
    return 0
