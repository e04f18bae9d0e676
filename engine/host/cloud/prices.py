"""What machines with a GPU cost, for where no cloud can be asked: a table with its date.

It is a help for a budget and no offer: prices on demand are those of the clouds' public lists,
which have stood unchanged for years; spot prices are ranges seen in a public catalogue. Neither
follows the market. Whoever knows the price gives it with `--price`.
"""

from dataclasses import dataclass

from engine.choices import CloudName
from engine.host.cloud.machine import Machine

AS_OF = "November 2026"
"""When the table was put together; prices of spot machines change within days."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a machine costs, and who says so."""

    usd: float
    """US dollars an hour."""
    source: str
    """In words: `AWS spot us-east-1b, 14:00`."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Linux, in the United States, US dollars an hour, disk and traffic left out."""

    on_demand: float
    """The list price: AWS in us-east-1, GCP in us-central1, Azure in East US."""
    spot: tuple[float, float] | None = None
    """The lowest and the highest spot price among the US regions."""


_TABLE: dict[tuple[CloudName, str], _Row] = {
    ("aws", "g4dn.xlarge"): _Row(0.526, (0.19, 0.25)),
    ("aws", "g5.xlarge"): _Row(1.006, (0.38, 0.51)),
    ("aws", "g6.xlarge"): _Row(0.8048, (0.26, 0.45)),
    ("aws", "p3.2xlarge"): _Row(3.06, (0.37, 0.75)),
    ("gcp", "g2-standard-4"): _Row(0.7068),
    ("gcp", "a2-highgpu-1g"): _Row(3.6734),
    ("azure", "Standard_NC4as_T4_v3"): _Row(0.526),
    ("azure", "Standard_NC6s_v3"): _Row(3.06),
}


def table_price(machine: Machine) -> Price | None:
    """The price of a machine by its type; None for one that the table lacks.

    Of a range the highest is taken, and without a spot price that on demand: whoever keeps to a
    budget rather stops too early.
    """
    row = _TABLE.get((machine.cloud, machine.instance_type))
    if row is None:
        return None
    if not machine.spot:
        return Price(row.on_demand, f"list price on demand, {AS_OF}")
    if row.spot is None:
        return Price(row.on_demand, f"list price on demand, {AS_OF}; spot costs less")
    return Price(row.spot[1], f"highest US spot price, {AS_OF}")
