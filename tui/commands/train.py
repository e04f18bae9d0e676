"""`voicecoach train`: trains a new voice or continues an existing one."""

import gc
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from engine.choices import (
    CleanerName,
    CloudChoice,
    NetworkChoice,
    Precision,
    PresetName,
    RecipeName,
)
from engine.errors import InputError
from engine.jobs.ranks import place
from engine.mirror.address import EXAMPLES, is_mirror
from engine.run.notifier import parse_addresses
from engine.run.options import TrainOptions, parse_budget_option, parse_price, parse_stop_option
from engine.run.sample import parse_step
from tui.command_line import (
    AsciiOption,
    AutoPriceOption,
    BellOption,
    BudgetOption,
    HeadlessOption,
    HoldOption,
    NotifyOption,
    StopOption,
    StopWhenOption,
    TensorboardOption,
    app,
    checkpoint_option,
    reports_errors,
)
from tui.process.terminal import has_terminal


@app.command(epilog="Example: voicecoach train recordings/alice --stop-at +20k --price 0.99")
@reports_errors
def train(
    dataset: Annotated[
        Path | None,
        typer.Argument(
            help="Recordings in LJ Speech layout: metadata.csv and wavs/. "
            "Optional for an existing voice."
        ),
    ] = None,
    voice: Annotated[
        Path | None,
        typer.Option(help="The voice folder.", show_default="voices/ and the dataset's name"),
    ] = None,
    network: Annotated[
        NetworkChoice,
        typer.Option(
            help="Which network to train; both, in turns on one device, or on a GPU each."
        ),
    ] = "text2mel",
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="WHERE",
            help="A voice, an export or a checkpoint to start a new voice from; or the mirror of a "
            "voice, to continue it here; nothing is written there unless --mirror names it.",
        ),
    ] = None,
    source_step: Annotated[
        str | None,
        checkpoint_option("The checkpoint of --from to start from.", "--from-step"),
    ] = None,
    vocabulary: Annotated[
        str | None,
        typer.Option(
            metavar="SYMBOLS",
            help="Symbols of a new voice: P, E, space, letters, marks. With --from, symbols that "
            "the source has keep their embeddings; new ones start from a similar symbol's.",
            show_default="the source's, or the BBC's 34",
        ),
    ] = None,
    cleaner: Annotated[
        CleanerName | None,
        typer.Option(
            help="How a new voice reads text: english spells out numbers and abbreviations, plain "
            "reads the text as written.",
            show_default="the source's, or english",
        ),
    ] = None,
    preset: Annotated[
        PresetName | None,
        typer.Option(help="Size of a new voice's networks.", show_default="as the voice has it"),
    ] = None,
    recipe: Annotated[
        RecipeName | None,
        typer.Option(help="Training recipe; bbc is for comparison.", show_default="standard"),
    ] = None,
    stop_at: StopOption = None,
    ssrn_stop_at: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="With --network both: when SSRN stops; --stop-at is then Text2Mel's.",
            show_default="as --stop-at",
        ),
    ] = None,
    stop_when: StopWhenOption = None,
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
            help="Save at least every MINUTES.",
            show_default="5",
        ),
    ] = None,
    dropout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="Dropout; 0 learns faster from many hours of speech.",
            show_default="0.05",
        ),
    ] = None,
    keep_errors: Annotated[
        bool | None,
        typer.Option(
            "--keep-errors/--no-keep-errors",
            help="Also train on clips that the check found errors in.",
            show_default="no",
        ),
    ] = None,
    tensorboard: TensorboardOption = None,
    precision: Annotated[
        Precision,
        typer.Option(
            help="Numeric precision. auto times a step in each that the device has and takes the "
            "fastest; --recipe bbc always uses fp32."
        ),
    ] = "auto",
    device: Annotated[
        str,
        typer.Option(
            help="auto, cpu, or a GPU such as cuda:0; with --network both also one for each, "
            "cuda:0,cuda:1."
        ),
    ] = "auto",
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="N|auto",
            help="Share each batch among so many GPUs of this machine, by torchrun; auto takes "
            "all.",
            show_default="one GPU",
        ),
    ] = None,
    cloud: Annotated[
        CloudChoice | None,
        typer.Option(
            help="Cloud to poll for spot interruptions; none disables it.",
            show_default="auto: as the firmware says",
        ),
    ] = None,
    metadata_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Address of the cloud's metadata service.",
        ),
    ] = None,
    on_interrupt: Annotated[
        str | None,
        typer.Option(
            metavar="CMD",
            help="Shell command to run at a spot interruption, with VOICECOACH_VOICE (the voice "
            "folder) and VOICECOACH_DEADLINE (the time) in its environment.",
        ),
    ] = None,
    mirror: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help=f"Copy every checkpoint to {EXAMPLES}. A voice that is there and not here "
            "continues from there. Give it at every start.",
        ),
    ] = None,
    notify: NotifyOption = None,
    hold: HoldOption = False,
    bell: BellOption = True,
    headless: HeadlessOption = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Train a new voice or continue an existing one.

    A base to start from: without --from a new voice starts from random
    weights, which takes many hours of speech. Give --from the BBC's or
    Kyubyong's checkpoints (see voicecoach import), or a base that you train
    on LJ Speech, 24 hours in the public domain: voicecoach train LJSpeech-1.1
    --voice voices/lj --network both --stop-at 200k.
    voicecoach bench LJSpeech-1.1 says what that takes here in hours and
    dollars; README says when a base is good enough.
    """
    from_mirror = source is not None and is_mirror(source)
    options = TrainOptions(
        voice_folder=_voice_folder(voice, dataset),
        dataset=dataset,
        network="text2mel" if network == "both" else network,
        both=network == "both",
        source=None if source is None or from_mirror else Path(source),
        source_step=None if source_step is None else parse_step(source_step, "--from-step"),
        vocabulary=vocabulary,
        cleaner=cleaner,
        preset=preset,
        recipe=recipe,
        precision=precision,
        device=device,
        gpus="" if gpus is None or device == "cpu" else gpus,
        stop=None if stop_at is None else parse_stop_option(stop_at),
        ssrn_stop=None
        if ssrn_stop_at is None
        else parse_stop_option(ssrn_stop_at, "--ssrn-stop-at"),
        stop_when=stop_when or "",
        price=None if price is None else parse_price(price),
        budget=None if budget is None else parse_budget_option(budget),
        checkpoint_every=checkpoint_every,
        checkpoint_minutes=checkpoint_minutes,
        dropout=dropout,
        keep_errors=keep_errors,
        tensorboard=tensorboard,
        cloud=cloud,
        metadata_url=metadata_url,
        on_interrupt=on_interrupt,
        mirror=mirror,
        notify=parse_addresses(notify or ()),
        hold=hold,
        restore=source if from_mirror else None,
    )
    processes = 0 if gpus is None or place() else _processes(gpus, device)
    if options.both and (processes or place()):
        raise InputError(
            "--network both trains the networks side by side, in one process; share the batches of "
            "one of them among GPUs with --network text2mel or --network ssrn"
        )
    if processes:
        return _train_on_gpus(processes, options, headless=headless, ascii_only=ascii_only)
    return run_training(
        lambda: _restore(options), device=device, headless=headless, ascii_only=ascii_only
    )


def _voice_folder(voice: Path | None, dataset: Path | None) -> Path:
    if voice is not None:
        return voice
    if dataset is None:
        raise InputError("nothing to train: give a dataset, or --voice with an existing voice")
    return Path("voices") / (dataset.resolve().name or "voice")


def _restore(options: TrainOptions) -> TrainOptions:
    """Bring the voice to where its mirror stands; return the options for the run."""
    from engine.advice.kept import with_source_step
    from engine.mirror.fetch import FetchOptions
    from engine.mirror.restore import restore_from_mirror
    from tui.process.headless import Lines
    from tui.reports.progress import progress

    with ExitStack() as stack:
        bar: list[Callable[[int, int], None]] = []

        def show(done: int, total: int) -> None:
            # No bar for the usual case, in which there is nothing to fetch.
            if not bar:
                bar.append(stack.enter_context(progress("fetching, in MB")))
            bar[0](done // 10**6, max(1, total // 10**6))

        report = Lines().write
        options = restore_from_mirror(options, FetchOptions(report=report, progress=show))
    return with_source_step(options, report)


def _processes(gpus: str, device: str) -> int:
    """The processes that `--gpus` asks for; 0 where the only one needs no others."""
    from tui.process.ranks import processes_for, several_machines

    processes = processes_for(gpus, device)
    return 0 if processes == 1 and not several_machines() else processes


def _train_on_gpus(
    processes: int, options: TrainOptions, *, headless: bool, ascii_only: bool | None
) -> int:
    from tui.process.ranks import train_headless_on_gpus, train_on_gpus_with_screen

    if headless or not has_terminal():
        return train_headless_on_gpus(processes)
    return train_on_gpus_with_screen(processes, options.voice_folder, ascii_only=ascii_only)


def run_training(
    make_options: Callable[[], TrainOptions],
    *,
    device: str,
    headless: bool,
    ascii_only: bool | None,
) -> int:
    """Train, with a screen where there is a terminal; return the exit code."""
    if (here := place()) is not None:
        from tui.process.ranks import train_as_rank

        return train_as_rank(here, make_options, device)
    if not headless and has_terminal():
        gc.disable()  # until the first picture
        from tui.process.run import train_with_screen

        return train_with_screen(make_options, ascii_only=ascii_only)
    from tui.process.headless import train_headless

    why = "" if headless else "no screen, because this is not a terminal: training with --headless"
    return train_headless(make_options, first_line=why)
