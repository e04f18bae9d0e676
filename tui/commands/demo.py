"""`voicecoach demo`: a small training run from start to finish."""

from pathlib import Path
from typing import Annotated

import typer

from engine.run.options import TrainOptions, parse_budget_option, parse_price, parse_stop_option
from tui.command_line import (
    AsciiOption,
    AutoPriceOption,
    BudgetOption,
    DeviceOption,
    HeadlessOption,
    HoldOption,
    StopOption,
    app,
    reports_errors,
)
from tui.commands.train import run_training


@app.command(epilog="Example: voicecoach demo --stop-at +500")
@reports_errors
def demo(
    voice: Annotated[Path, typer.Option(help="The voice folder to create or continue.")] = Path(
        "voices/demo"
    ),
    stop_at: StopOption = None,
    price: AutoPriceOption = None,
    budget: BudgetOption = None,
    device: DeviceOption = "auto",
    hold: HoldOption = False,
    headless: HeadlessOption = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Fine-tune the bundled voice on the bundled recordings: a small run, start to finish."""

    def make_options() -> TrainOptions:
        from engine.jobs.demo import demo_options

        return demo_options(options)

    options = TrainOptions(
        voice,
        stop=None if stop_at is None else parse_stop_option(stop_at),
        price=None if price is None else parse_price(price),
        budget=None if budget is None else parse_budget_option(budget),
        device=device,
        hold=hold,
    )
    return run_training(make_options, headless=headless, ascii_only=ascii_only)
