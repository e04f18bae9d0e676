"""`voicecoach check`: finds faults in a corpus before you pay for training."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.choices import PresetName
from engine.errors import InputError
from engine.run.options import parse_dollars
from engine.run.stop import parse_stop
from tui.command_line import (
    AsciiOption,
    CleanerOption,
    DeviceOption,
    PriceOption,
    VocabularyOption,
    app,
    reports_errors,
)

if TYPE_CHECKING:
    from engine.check.report import CheckReport
    from engine.jobs.check import CheckOptions


@app.command(epilog="Example: voicecoach check recordings/alice --against voices/base --price 0.99")
@reports_errors
def check(
    dataset: Annotated[
        Path, typer.Argument(help="Recordings in LJ Speech layout: metadata.csv and wavs/.")
    ],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="VOICE",
            help="Check against this voice's vocabulary, audio settings and limits.",
            show_default="the BBC's",
        ),
    ] = None,
    vocabulary: VocabularyOption = None,
    cleaner: CleanerOption = None,
    deep: Annotated[
        bool,
        typer.Option(
            "--deep", help="Rank clips by how badly their transcripts fit, using a trained voice."
        ),
    ] = False,
    voice: Annotated[
        Path | None,
        typer.Option(help="The trained voice for --deep.", show_default="that of --against"),
    ] = None,
    preset: Annotated[
        PresetName | None,
        typer.Option(
            help="Size of the networks in the estimate.", show_default="the voice's, or bbc"
        ),
    ] = None,
    steps: Annotated[
        str,
        typer.Option(
            metavar="STEPS", help="Text2Mel steps in the estimate; SSRN gets half as many."
        ),
    ] = "20k",
    price: PriceOption = None,
    device: DeviceOption = "auto",
    estimate: Annotated[
        bool, typer.Option(help="Time a few training steps on this machine.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Check a corpus before you pay for training; exit with 1 if it has errors."""
    from engine.jobs.check import CheckOptions
    from engine.jobs.check import check as run_check
    from tui.reports.check import print_check
    from tui.reports.info import print_json
    from tui.reports.progress import progress

    if voice is not None and not deep:
        raise InputError("--voice is only for --deep: add --deep, or leave out --voice.")
    options = CheckOptions(
        dataset=dataset,
        against=against,
        vocabulary=vocabulary,
        cleaner=cleaner,
        deep=deep,
        voice=voice,
        estimate=estimate,
        preset=preset,
        steps=_steps(steps),
        price=None if price is None else parse_dollars(price),
        device=device,
    )
    report, refusal = run_check(options, progress)
    if as_json:
        print_json(report.as_json())
    else:
        print_check(report, _next_command(report, options))
    if refusal is not None:
        raise refusal
    return 1 if report.harmful else 0


def _next_command(report: "CheckReport", options: "CheckOptions") -> str:
    """What to do now; nothing where the list as a whole, or an option, has to be fixed first."""
    from engine.check.clean_copy import clean_command
    from tui.reports.check_words import train_command

    symbols: dict[str, object] = {"vocabulary": options.vocabulary, "cleaner": options.cleaner}
    for found in report.findings:
        if found.kind == "other-language":
            # The advice ends with the options, where any help.
            _, colon, wanted = found.advice.partition(": ")
            command = f"voicecoach check {shlex.quote(str(options.dataset))} {wanted}"
            return command if colon else ""
    if report.with_errors:
        return clean_command(options.dataset, against=options.against, **symbols)
    if report.harmful:
        return ""
    price = None if options.price is None else f"{options.price:g}"
    return train_command(options.dataset, options.against, None, price=price, **symbols)


def _steps(text: str) -> int:
    try:
        rule = parse_stop(text)
    except InputError:
        rule = None
    if rule is None or rule.kind not in ("step", "more steps"):
        raise InputError(f"--steps is {text!r}; give a number of steps, such as 20k or 20000.")
    return int(rule.amount)
