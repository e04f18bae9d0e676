"""`voicecoach say`: speaks a text with a voice."""

from pathlib import Path
from typing import Annotated

import typer

from engine.choices import SynthesisName
from engine.errors import InputError
from engine.formatting import printable
from engine.run.sample import parse_step
from tui.command_line import (
    AsciiOption,
    DeviceOption,
    TextCommand,
    app,
    checkpoint_option,
    reports_errors,
)
from tui.process.streams import print_error


@app.command(
    cls=TextCommand, epilog='Example: voicecoach say "It is good to talk." --voice voices/alice'
)
@reports_errors
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    voice: Annotated[Path, typer.Option(help="The voice folder.")],
    step: Annotated[
        str | None,
        checkpoint_option(
            "The Text2Mel checkpoint to speak with: a step, best (by all that is known of them) "
            "or base (what training began from)."
        ),
    ] = None,
    ssrn_step: Annotated[
        str | None, checkpoint_option("The SSRN checkpoint to speak with, likewise.")
    ] = None,
    synthesis: Annotated[
        SynthesisName,
        typer.Option(help="Method; bbc is the BBC's own, slow, for comparison."),
    ] = "standard",
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.wav",
            help="The file to write.",
            show_default="the voice's samples/; of an export, the current folder",
        ),
    ] = None,
    arrays: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Also write mel, magnitude and alignment here."),
    ] = None,
    device: DeviceOption = "auto",
    play: Annotated[bool, typer.Option("--play", help="Play it on this host.")] = False,
    show_text: Annotated[
        bool,
        typer.Option("--show-text", help="Only print the text as the voice reads it, by sentence."),
    ] = False,
    ascii_only: AsciiOption = None,
) -> int:
    """Speak a text with a voice and write it to a file."""
    choice = None if step is None else parse_step(step, "--step")
    ssrn_choice = None if ssrn_step is None else parse_step(ssrn_step, "--ssrn-step")
    if show_text:
        if out or arrays or play:
            raise InputError("--show-text only prints; leave out --out, --arrays and --play.")
        from engine.speech.reading import Reader, nothing_to_speak

        reader = Reader(voice)
        reading = reader.read(text)
        if not reading.sentences:
            raise nothing_to_speak(reader.vocabulary)
        for sentence in reading.sentences:
            typer.echo(sentence)
        if reading.note:
            print_error(reading.note)
        return 0
    from engine.jobs.say import say as speak

    spoken = speak(
        voice, text, step=choice, ssrn_step=ssrn_choice, synthesis=synthesis, out=out,
        arrays=arrays, device=device,
    )  # fmt: skip
    note = f" ({spoken.note})" if spoken.note else ""
    typer.echo(printable(f"{spoken.path}  {spoken.seconds:.1f} s{note}"))
    for reason in spoken.chosen:
        typer.echo(printable(reason))
    if spoken.lacking:
        print_error("a voice needs two networks: {}; train it: {}".format(*spoken.lacking))
    if play:
        from tui.audio.sound_card import play_to_the_end

        trouble = play_to_the_end(spoken.path)
        if trouble:
            print_error(f"cannot play {spoken.path}: {trouble}")
            return 1
    return 0
