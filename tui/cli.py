"""The command `voicecoach`: its options, its help, and the one place where errors are told."""

import functools
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, ParamSpec

import typer

from engine.choices import NetworkName, Precision, PresetName, RecipeName
from engine.errors import InputError, VoicecoachError
from engine.order import TrainOrder
from engine.stop import HOW_TO_SAY_WHEN, parse_stop

LOG = logging.getLogger(__name__)

_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_Given = ParamSpec("_Given")

app = typer.Typer(
    name="voicecoach",
    help="Train a synthetic voice on a GPU host and supervise it from a terminal.",
    epilog="Example: voicecoach demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

AsciiOption = Annotated[
    bool, typer.Option("--ascii", help="Draw without colour blocks and special characters.")
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu, or a GPU such as cuda:0.")]
HeadlessOption = Annotated[
    bool, typer.Option("--headless", help="No screen: one readable line every few seconds.")
]
PriceOption = Annotated[
    float | None,
    typer.Option(metavar="USD", help="What this machine costs, in US dollars an hour."),
]
StopOption = Annotated[
    str | None, typer.Option(metavar="WHEN", help=f"When to stop: {HOW_TO_SAY_WHEN}.")
]


def main() -> None:
    """Run the command line; the installed script calls this."""
    app()


def told(command: Callable[_Given, int]) -> Callable[_Given, None]:
    """Turn what a command returns or raises into a sentence on stderr and an exit code."""

    @functools.wraps(command)
    def run(*args: _Given.args, **kwargs: _Given.kwargs) -> None:
        try:
            code = command(*args, **kwargs)
        except VoicecoachError as error:
            _complain(str(error))
            code = error.exit_code
        except KeyboardInterrupt:
            code = _INTERRUPTED
        except BrokenPipeError:
            # Whoever read our output has seen enough; nothing is left to tell or to flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = 0
        except Exception as error:
            if os.environ.get("VOICECOACH_DEBUG") or isinstance(error, typer.Exit):
                raise
            code = _tell_unforeseen(error)
        raise typer.Exit(code)

    return run


def _tell_unforeseen(error: Exception) -> int:
    from tui.endings import sentence_about
    from tui.log_file import log_of_this_process

    log = log_of_this_process()
    LOG.exception("the command failed")
    _complain(sentence_about(error, log))
    return 1


def _complain(sentence: str) -> None:
    print(f"voicecoach: {sentence}", file=sys.stderr)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"voicecoach {version('voicecoach')}")
        raise typer.Exit


@app.callback()
def _voicecoach(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Say which one."),
    ] = False,
) -> None:
    """Train a synthetic voice on a GPU host and supervise it from a terminal."""


@app.command(epilog="Example: voicecoach demo --stop-at +500")
@told
def demo(
    voice: Annotated[Path, typer.Option(help="The voice folder to make or go on with.")] = Path(
        "voices/demo"
    ),
    stop_at: StopOption = None,
    price: PriceOption = None,
    device: DeviceOption = "auto",
    headless: HeadlessOption = False,
    ascii_only: AsciiOption = False,
) -> int:
    """Fine-tune the bundled voice on the bundled recordings: the whole job, in small."""

    def make_order() -> TrainOrder:
        from engine.demo import demo_order

        return demo_order(voice, stop=stop, price=price, device=device)

    stop = None if stop_at is None else parse_stop(stop_at)
    return _train(make_order, headless=headless, ascii_only=ascii_only)


@app.command(epilog="Example: voicecoach train recordings/alice --stop-at +20k --price 0.99")
@told
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
        Path | None,
        typer.Option("--from", help="A voice or a checkpoint that a new voice starts from."),
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
    price: PriceOption = None,
    checkpoint_every: Annotated[
        int | None,
        typer.Option(metavar="STEPS", help="Steps between checkpoints.", show_default="1000"),
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
    headless: HeadlessOption = False,
    ascii_only: AsciiOption = False,
) -> int:
    """Train a voice, or go on with one that exists."""
    order = TrainOrder(
        voice_folder=_voice_folder(voice, dataset),
        dataset=dataset,
        network=network,
        source=source,
        preset=preset,
        recipe=recipe,
        precision=precision,
        device=device,
        stop=None if stop_at is None else parse_stop(stop_at),
        price=price,
        checkpoint_every=checkpoint_every,
        dropout=dropout,
    )
    return _train(lambda: order, headless=headless, ascii_only=ascii_only)


@app.command(epilog='Example: voicecoach say "It is good to talk." --voice voices/alice')
@told
def say(
    text: Annotated[str, typer.Argument(help="What to say.")],
    voice: Annotated[Path, typer.Option(help="The voice folder.")],
    step: Annotated[
        int | None,
        typer.Option(help="The Text2Mel checkpoint to speak with.", show_default="the newest"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.wav", help="Where to write.", show_default="the voice's samples/"
        ),
    ] = None,
    arrays: Annotated[
        Path | None,
        typer.Option(metavar="FILE.npz", help="Write mel, magnitude and alignment here as well."),
    ] = None,
    device: DeviceOption = "auto",
    play: Annotated[bool, typer.Option("--play", help="Play it on this host.")] = False,
) -> int:
    """Speak a text with a voice and write it to a file."""
    from engine.speech.say import say as speak

    said = speak(voice, text, step=step, out=out, arrays=arrays, device=device)
    note = f" ({said.note})" if said.note else ""
    typer.echo(f"{said.path}  {said.seconds:.1f} s{note}")
    if play:
        from tui.speakers.sound_card import play_to_the_end

        trouble = play_to_the_end(said.path)
        if trouble:
            _complain(f"cannot play it: {trouble}")
            return 1
    return 0


@app.command(epilog="Example: voicecoach info voices/alice --json")
@told
def info(
    voice: Annotated[Path, typer.Argument(help="The voice folder.")],
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
) -> int:
    """Tell what a voice is made of: corpus, networks, checkpoints, spend."""
    from engine.voice import describe
    from tui.report import print_json, print_tables

    (print_json if as_json else print_tables)(describe(voice))
    return 0


@app.command(epilog="Example: voicecoach bench --preset bbc --device cuda:0")
@told
def bench(
    preset: Annotated[PresetName, typer.Option(help="Size of the networks.")] = "small",
    device: DeviceOption = "auto",
    rounds: Annotated[int, typer.Option(min=1, help="Pairs that are timed.")] = 12,
) -> int:
    """Measure this machine: training steps and synthesis, as ratios within one run."""
    from engine.bench import Comparison, run_bench

    def show(found: Comparison) -> None:
        typer.echo(
            f"{found.what}: {found.seconds * 1000:.1f} ms; {found.other}: "
            f"{found.other_seconds * 1000:.1f} ms, {found.ratio:.2f} times as long"
        )

    where = run_bench(preset, device, rounds, show)
    typer.echo(f"on {where}, preset {preset}; medians of {rounds} pairs, timed in turn")
    return 0


def _voice_folder(voice: Path | None, dataset: Path | None) -> Path:
    if voice is not None:
        return voice
    if dataset is None:
        raise InputError("nothing to train: give a dataset, or --voice with a voice that exists")
    return Path("voices") / (dataset.resolve().name or "voice")


def _train(make_order: Callable[[], TrainOrder], *, headless: bool, ascii_only: bool) -> int:
    if not headless:
        from tui.terminal import has_terminal

        if has_terminal():
            from tui.supervise import train_with_screen

            return train_with_screen(make_order, ascii_only=ascii_only)
        typer.echo("no screen, because this is not a terminal: training with --headless")
    from tui.headless import train_headless

    return train_headless(make_order)
