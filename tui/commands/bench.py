"""`voicecoach bench`: how fast this machine is."""

from typing import Annotated

import typer

from engine.choices import PresetName
from tui.command_line import DeviceOption, app, reports_errors


@app.command(epilog="Example: voicecoach bench --preset bbc --device cuda:0")
@reports_errors
def bench(
    preset: Annotated[PresetName, typer.Option(help="Size of the networks.")] = "small",
    device: DeviceOption = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Pairs of measurements.")] = 12,
) -> int:
    """Measure the speed of steps, checkpoints and synthesis on this machine."""
    from engine.jobs.bench import Comparison, run_bench

    def show(found: Comparison) -> None:
        typer.echo(
            f"{found.what}: {found.seconds * 1000:.1f} ms; {found.other}: "
            f"{found.other_seconds * 1000:.1f} ms, {found.ratio:.2f} times as long"
        )

    where = run_bench(preset, device, rounds, show)
    typer.echo(f"on {where}, preset {preset}; medians of {rounds} pairs, timed in turn")
    return 0
