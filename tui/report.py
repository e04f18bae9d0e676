"""What `voicecoach info` prints: a voice as tables for people, or as JSON for scripts."""

import json
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text


def print_json(description: Mapping[str, Any]) -> None:
    """Print a voice's description with its keys in a fixed order."""
    json.dump(description, sys.stdout, indent=2, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")


def print_tables(description: Mapping[str, Any]) -> None:
    """Print a voice's description as one table of facts and one of its networks."""
    console = Console(markup=False, highlight=False, emoji=False)
    console.print(_facts(description))
    networks = description.get("networks", {})
    if networks:
        console.print(_networks(networks))


def _facts(description: Mapping[str, Any]) -> Table:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in _flat(description, ""):
        table.add_row(Text(name), Text(_words(name, value)))
    return table


def _flat(values: Mapping[str, Any], under: str) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if not under and name == "networks":
            continue
        full = f"{under} {name}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            rows.extend(_flat(value, full))
        else:
            rows.append((full, value))
    return rows


def _words(name: str, value: Any) -> str:  # noqa: ANN401 - whatever JSON can hold
    if value is None:
        return "–"
    if isinstance(value, list | tuple):
        return ", ".join(str(item) for item in value) or "none"
    if name.endswith("usd"):
        return f"${value:,.2f}"
    if isinstance(value, float):
        return f"{value:,.2f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _networks(networks: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("network")
    for heading in ("step", "base step", "since base"):
        table.add_column(heading, justify="right")
    table.add_column("checkpoints")
    for name, network in networks.items():
        step, base = network.get("step"), network.get("base_step")
        own = step - base if step is not None and base is not None else None
        cells = [_words("", count) for count in (step, base, own)]
        checkpoints = [f"{count:,}" for count in network.get("checkpoints", ())]
        table.add_row(Text(name), *(Text(cell) for cell in cells), Text(" ".join(checkpoints)))
    return table
