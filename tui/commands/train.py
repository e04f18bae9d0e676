"""`voicecoach train`: makes a voice, or goes on with one."""

from pathlib import Path
from typing import Annotated

import typer

from engine.choices import CleanerName, CloudChoice, NetworkName, Precision, PresetName, RecipeName
from engine.errors import InputError
from engine.mirror.address import HOW_TO_SAY_WHERE, is_mirror
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
from tui.commands.training import run_training
from tui.process.fetching_voice import with_mirror


@app.command(epilog="Example: voicecoach train recordings/alice --stop-at +20k --price 0.99")
@reports_errors
def train(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            help="Recordings in LJ Speech layout: metadata.csv and wavs/. "
            "May be left out for a voice that exists."
        ),
    ] = None,
    voice: Annotated[
        Path | None,
        typer.Option(help="The voice folder.", show_default="voices/ and the dataset's name"),
    ] = None,
    network: Annotated[NetworkName, typer.Option(help="Which network to train.")] = "text2mel",
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="A voice, an export or a checkpoint that a new voice starts from; or the mirror "
            "of a voice, which goes on here as if it had never stopped.",
        ),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOLS",
            help="What a new voice reads: P, E, space, letters, marks. With --from, each symbol "
            "keeps its embedding, and the others start from a neighbour's.",
            show_default="the source's, or the BBC's 34",
        ),
    ] = None,
    cleaner: Annotated[
        CleanerName | None,
        typer.Option(
            help="How a new voice reads text: numbers and abbreviations as English words, or "
            "plainly as it is written.",
            show_default="the source's, or english",
        ),
    ] = None,
    preset: Annotated[
        PresetName | None,
        typer.Option(help="Size of a new voice's networks.", show_default="as the voice has it"),
    ] = None,
    recipe: Annotated[
        RecipeName | None,
        typer.Option(help="How to train; bbc is there to compare.", show_default="standard"),
    ] = None,
    stop_at: StopOption = None,
    price: AutoPriceOption = None,
    budget: BudgetOption = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(metavar="STEPS", help="Steps between checkpoints.", show_default="1000"),
    ] = None,
    checkpoint_minutes: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            help="Minutes of training that may be lost with the machine at most.",
            show_default="5",
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Activations dropped in training; 0 learns faster from many hours.",
            show_default="0.05",
        ),
    ] = None,
    precision: Annotated[Precision, typer.Option(help="Arithmetic of a step.")] = "auto",
    device: DeviceOption = "auto",
    cloud: Annotated[
        CloudChoice | None,
        typer.Option(
            help="Whose metadata service says when a spot machine is taken away; none asks nobody.",
            show_default="auto: the one that the firmware names",
        ),
    ] = None,
    metadata_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where that service is, if not where the cloud has it.",
        ),
    ] = None,
    on_interrupt: Annotated[
        str | None,
        typer.Option(
            metavar="CMD",
            help="A shell command to run when the machine is taken away; it finds the voice "
            "folder in VOICECOACH_VOICE and the time in VOICECOACH_DEADLINE.",
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"Where to copy every checkpoint: {HOW_TO_SAY_WHERE}. If the voice is there and "
            "not here, it goes on from there.",
            show_default="as the voice has it",
        ),
    ] = None,
    hold: HoldOption = False,
    headless: HeadlessOption = False,
    ascii_only: AsciiOption = False,
) -> int:
    """Train a voice, or go on with one that exists."""
    from_mirror = source is not None and is_mirror(source)
    options = TrainOptions(
        voice_folder=_voice_folder(voice, dataset),
        dataset=dataset,
        network=network,
        source=None if source is None or from_mirror else Path(source),
        vocabulary=vocabulary,
        cleaner=cleaner,
        preset=preset,
        recipe=recipe,
        precision=precision,
        device=device,
        stop=None if stop_at is None else parse_stop_option(stop_at),
        price=None if price is None else parse_price(price),
        budget=None if budget is None else parse_budget_option(budget),
        checkpoint_every=checkpoint_every,
        checkpoint_minutes=checkpoint_minutes,
        dropout=dropout,
        cloud=cloud,
        metadata_url=metadata_url,
        on_interrupt=on_interrupt,
        mirror=mirror,
        hold=hold,
        restore=source if from_mirror else None,
    )
    return run_training(lambda: with_mirror(options), headless=headless, ascii_only=ascii_only)


def _voice_folder(voice: Path | None, dataset: Path | None) -> Path:
    if voice is not None:
        return voice
    if dataset is None:
        raise InputError("nothing to train: give a dataset, or --voice with a voice that exists")
    return Path("voices") / (dataset.resolve().name or "voice")
