"""`voicecoach demo`: the bundled voice learns another speaker."""

from pathlib import Path
from typing import Annotated

import typer

from engine.choices import NetworkName
from engine.run.notifier import parse_addresses
from engine.run.options import TrainOptions, parse_budget_option, parse_price, parse_stop_option
from engine.run.stop import STOP_FORMS_IN_A_SHELL
from tui.command_line import (
    AsciiOption,
    AutoPriceOption,
    BellOption,
    BudgetOption,
    DeviceOption,
    HeadlessOption,
    HoldOption,
    NotifyOption,
    StopWhenOption,
    TensorboardOption,
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
    network: Annotated[
        NetworkName,
        typer.Option(help="Which network to train: text2mel first; ssrn makes its sound clearer."),
    ] = "text2mel",
    stop_at: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help=f"When to stop: {STOP_FORMS_IN_A_SHELL}, or none.",
            show_default="the previous run's stop, if not reached; otherwise some minutes more",
        ),
    ] = None,
    stop_when: StopWhenOption = None,
    price: AutoPriceOption = None,
    budget: BudgetOption = None,
    tensorboard: TensorboardOption = None,
    device: DeviceOption = "auto",
    notify: NotifyOption = None,
    hold: HoldOption = False,
    bell: BellOption = True,
    headless: HeadlessOption = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Teach the bundled voice another speaker from six minutes of bundled recordings."""

    def make_options() -> TrainOptions:
        from engine.jobs.demo import demo_options

        return demo_options(options)

    options = TrainOptions(
        voice,
        network=network,
        stop=None if stop_at is None else parse_stop_option(stop_at),
        stop_when=stop_when or "",
        price=None if price is None else parse_price(price),
        budget=None if budget is None else parse_budget_option(budget),
        tensorboard=tensorboard,
        device=device,
        notify=parse_addresses(notify or ()),
        hold=hold,
    )
    return run_training(make_options, device=device, headless=headless, ascii_only=ascii_only)
