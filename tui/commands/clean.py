"""`voicecoach clean`: a cleaned copy of a corpus."""

from pathlib import Path
from typing import Annotated

import typer

from tui.command_line import (
    AsciiOption,
    CleanerOption,
    VocabularyOption,
    app,
    reports_errors,
    unwind_on_sigterm,
)


@app.command(epilog="Example: voicecoach clean recordings --out recordings-clean")
@reports_errors
def clean(
    dataset: Annotated[
        Path, typer.Argument(help="Recordings in LJ Speech layout: metadata.csv and wavs/.")
    ],
    out: Annotated[Path, typer.Option(help="The folder to create; it must be empty or not exist.")],
    against: Annotated[
        Path | None,
        typer.Option(
            metavar="VOICE",
            help="Keep what fits this voice's vocabulary and limits; split by its attention.",
            show_default="the BBC's",
        ),
    ] = None,
    vocabulary: VocabularyOption = None,
    cleaner: CleanerOption = None,
    ascii_only: AsciiOption = None,
) -> int:
    """Make a clean copy of a corpus: 22,050 Hz mono, high-pass, pauses cut, even loudness."""
    from engine.jobs.clean import clean as make_copy
    from tui.reports.check_words import train_command
    from tui.reports.clean import print_cleaned
    from tui.reports.progress import progress

    with unwind_on_sigterm(), progress("cleaning the recordings") as show:
        cleaned = make_copy(
            dataset,
            out,
            against=against,
            vocabulary=vocabulary,
            cleaner=cleaner,
            on_progress=show,
        )
    symbols: dict[str, object] = {"vocabulary": vocabulary, "cleaner": cleaner}
    print_cleaned(cleaned, train_command(out, against, source=dataset, **symbols))
    return 0
