"""What machines with a GPU cost, for where no cloud can be asked: a table with its dates.

It is a help for a budget and no offer. Prices on demand are list prices, as public price tables
gave them at the time that stands beside them; spot prices are ranges seen in a public catalogue.
Neither follows the market. Whoever knows the price gives it with `--price`.
"""

from dataclasses import dataclass

from engine.choices import CloudName
from engine.machine.cloud.machine import Machine

SPOT_AS_OF = "November 2026"
"""When the spot prices were seen, which change within days."""

_REGIONS: dict[CloudName, str] = {"aws": "us-east-1", "gcp": "us-central1", "azure": "East US"}
"""Where the prices on demand are asked for."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a machine costs, and who says so."""

    usd: float
    """US dollars an hour."""
    source: str
    """In words: `AWS spot us-east-1b, 14:00`."""
    upper_limit: bool = False
    """Whether the machine costs less, and nobody knows how much."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Linux, US dollars an hour, disk and traffic left out."""

    on_demand: float
    """The list price, in the region of `_REGIONS`."""
    listed: str
    """When it was on the list."""
    spot: tuple[float, float] | None = None
    """The lowest and the highest spot price among the US regions."""


_TABLE: dict[tuple[CloudName, str], _Row] = {
    ("aws", "g4dn.xlarge"): _Row(0.526, "August 2026", (0.19, 0.25)),
    ("aws", "g5.xlarge"): _Row(1.006, "August 2026", (0.38, 0.51)),
    ("aws", "g6.xlarge"): _Row(0.8048, "August 2026", (0.26, 0.45)),
    ("aws", "p3.2xlarge"): _Row(3.06, "August 2026", (0.37, 0.75)),
    ("gcp", "g2-standard-4"): _Row(0.7068, "August 2026"),
    ("gcp", "a2-highgpu-1g"): _Row(3.6734, "August 2026"),
    ("azure", "Standard_NC4as_T4_v3"): _Row(0.526, "2024"),
    ("azure", "Standard_NC24ads_A100_v4"): _Row(3.673, "2024"),
}


def table_price(machine: Machine) -> Price | None:
    """The price of a machine by its type; None for one that the table lacks.

    Of a range the highest is taken, and where there is none, or the machine does not say whether it
    is a spot one, the price on demand, as the upper limit that it is: whoever keeps to a budget
    rather stops too early.
    """
    row = _TABLE.get((machine.cloud, machine.instance_type))
    if row is None:
        return None
    if machine.spot and row.spot is not None:
        return Price(row.spot[1], f"highest US spot price, {SPOT_AS_OF}")
    listed = f"list price on demand in {_REGIONS[machine.cloud]}, {row.listed}"
    if machine.spot is False:
        return Price(row.on_demand, listed)
    return Price(row.on_demand, f"at most: {listed}", upper_limit=True)
