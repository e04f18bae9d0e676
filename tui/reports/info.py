"""What `voicecoach info` prints: a voice as tables or as JSON."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.check.report import UnknownCharacter
from engine.choices import NETWORK_TITLES
from engine.errors import InputError
from engine.formatting import duration, plural, printable
from engine.serialization import from_plain
from engine.voice.settings import VoiceSettings
from tui import formatting
from tui.reports import check_words as words
from tui.reports.clean import print_left_out

_OF_CORPUS = {
    "clips": "clips",
    "training_clips": "clips to train on",
    "held_out": "clips held out",
    "problem": "problem",
}
_MAX_UNKNOWN = 12


def print_json(description: Mapping[str, Any]) -> None:
    """Print a voice's description with its keys in a fixed order."""
    text = json.dumps(description, indent=2, sort_keys=True, ensure_ascii=False)
    # All but the ends of lines stands inside quotes, where JSON has an escape for it.
    sys.stdout.write("".join(map(_escaped, text)) + "\n")


def _escaped(letter: str) -> str:
    return letter if letter.isprintable() or letter == "\n" else json.dumps(letter)[1:-1]


def print_tables(description: Mapping[str, Any]) -> None:
    """Print a voice's description as one table of facts and one of its networks."""
    console = Console(markup=False, highlight=False, emoji=False)
    facts = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    facts.add_column(style="bold", no_wrap=True)
    facts.add_column(overflow="fold")
    for name, value in _facts(description):
        facts.add_row(_text(name), _text(_words(value)))
    console.print(facts)
    console.print(_networks(description["networks"]))
    if following := description["next"]:
        console.print(_text(f"A voice needs two networks: {following['why']}; train it:"))
        console.print(_text(f"  {following['command']}"), soft_wrap=True)
    left_out = description["corpus"].get("left_out", ())
    if left_out:
        rows = [tuple(clip.get(key, "") for key in ("line", "id", "reason")) for clip in left_out]
        print_left_out(console, rows, "clip left out", "--json")


def _facts(description: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    corpus, spend = description["corpus"], description["spend"]
    for name in ("voice", "folder", "vocabulary", "preset", "recipe", "cleaner"):
        yield name, description[name]
    usual = VoiceSettings().dropout
    default = "" if description["dropout"] == usual else f" (default {usual:g})"
    yield "dropout", f"{description['dropout']:g}{default}"
    yield "recordings", corpus["dataset"]
    for key, name in _OF_CORPUS.items():
        if key in corpus:
            yield name, corpus[key]
    if "hours" in corpus:
        yield "speech", duration(3600 * corpus["hours"])
    if "left_out" in corpus:
        yield "clips left out", len(corpus["left_out"])
    if "unknown_characters" in corpus:
        yield from _unknown(corpus["unknown_characters"])
    yield "samples", description["samples"]
    for network, name in description["newest_samples"].items():
        yield f"newest of {NETWORK_TITLES[network]}", name
    for network, standings in description["comparisons"].items():
        yield from zip(
            [f"comparisons of {NETWORK_TITLES[network]}"] + [""] * len(standings),
            map(_standing, standings),
            strict=False,
        )
    for network, measured in description["evaluations"].items():
        newest = f"{measured[-1]['step']:,}"
        words = f"{plural(len(measured), 'checkpoint')}, the newest at {newest}"
        yield f"evaluated of {NETWORK_TITLES[network]}", f"{words}: see `voicecoach evaluate`"
    for network, best in description["recommended"].items():
        reasons = "; ".join((*best["reasons"], best["certainty"]))
        yield f"recommended {NETWORK_TITLES[network]}", f"{best['step']:,}: {reasons}"
    money = formatting.dollars
    yield "spent", f"{money(spend['usd'])} ({money(spend['idle_usd'])} idle)"
    yield "training time", duration(3600 * spend["hours"])
    yield "idle time", duration(3600 * spend["idle_hours"])
    yield "budget", "none" if spend["budget_usd"] is None else money(spend["budget_usd"])
    yield "price", formatting.price(spend["price"])
    if "problem" in spend:
        yield "problem", spend["problem"]


def _standing(standing: Mapping[str, Any]) -> str:
    """What the answers about some checkpoints say; before they decide, of which they are."""
    steps = standing["steps"]
    few = " and ".join(f"{step:,}" for step in steps) if len(steps) == 2 else f"all {len(steps)}"
    return standing["standing"] if standing["best"] else f"{few}: {standing['standing']}"


def _text(data: object) -> Text:
    """A cell; what came from data is shown and neither parsed nor obeyed."""
    return Text(printable(str(data)))


def _unknown(values: Sequence[Any]) -> Iterator[tuple[str, str]]:
    """A row for each character outside the vocabulary, as the check words it."""
    lines = [_about_unknown(one) for one in values[:_MAX_UNKNOWN]] or ["none"]
    if len(values) > _MAX_UNKNOWN:
        lines.append(f"and {len(values) - _MAX_UNKNOWN:,} more (see --json)")
    yield from zip(["unknown characters"] + [""] * len(lines), lines, strict=False)


def _about_unknown(value: Any) -> str:  # noqa: ANN401 - what a file says, which anybody can write
    try:
        one = from_plain(value, UnknownCharacter, "corpus.json")
    except InputError:
        return str(value)
    if not one.character:
        return str(value)
    symbol, times, becomes = words.unknown(one)
    return f"{symbol}  {times}, {becomes}; first in line {one.line:,}: {one.example}"


def _words(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else str(value)


def _networks(networks: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("network")
    for heading in ("step", "base step", "since base"):
        table.add_column(heading, justify="right")
    table.add_column("checkpoints")
    bad = any(network.get("damaged") for network in networks.values())
    if bad:
        table.add_column("damaged", overflow="fold")
    for key, network in networks.items():
        name = f"{key}, {network['size']}" if network.get("size") else key
        step, base = network.get("step"), network.get("base_step")
        own = step - base if step is not None and base is not None else None
        cells = [_words(count) for count in (step, base, own)]
        checkpoints = [f"{count:,}" for count in network.get("checkpoints", ())]
        damaged = [_text(" ".join(network.get("damaged", ())))] if bad else []
        table.add_row(
            Text(name), *(Text(cell) for cell in cells), Text(" ".join(checkpoints)), *damaged
        )
    return table
