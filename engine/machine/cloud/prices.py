"""What a machine with a GPU costs: its cloud's spot price, or else a table with its dates.

The table is a help for a budget and no offer. Prices on demand are list prices, as public price
tables gave them at the time that stands beside them; spot prices are ranges seen in a public
catalogue. Neither follows the market. Whoever knows the price gives it with `--price`.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from engine.choices import CloudName
from engine.machine.background import Report
from engine.machine.cloud.aws_price import PriceError, aws_spot_price
from engine.machine.cloud.machine import Machine, NewPrice

_log = logging.getLogger(__name__)

SPOT_AS_OF = "November 2026"
"""When the spot prices were seen, which change within days."""

_REGIONS: dict[CloudName, str] = {"aws": "us-east-1", "gcp": "us-central1", "azure": "East US"}
"""Where the prices on demand apply."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Linux, US dollars an hour, disk and traffic left out."""

    on_demand: float
    """The list price, in the region of `_REGIONS`."""
    listed: str
    """When it was on the list."""
    max_spot: float | None = None
    """The highest spot price among the US regions."""


_TABLE: dict[tuple[CloudName, str], _Row] = {
    ("aws", "g4dn.xlarge"): _Row(0.526, "August 2026", 0.25),
    ("aws", "g5.xlarge"): _Row(1.006, "August 2026", 0.51),
    ("aws", "g6.xlarge"): _Row(0.8048, "August 2026", 0.45),
    ("aws", "p3.2xlarge"): _Row(3.06, "August 2026", 0.75),
    ("gcp", "g2-standard-4"): _Row(0.7068, "August 2026"),
    ("gcp", "a2-highgpu-1g"): _Row(3.6734, "August 2026"),
    ("azure", "Standard_NC4as_T4_v3"): _Row(0.526, "2024"),
    ("azure", "Standard_NC24ads_A100_v4"): _Row(3.673, "2024"),
}


def table_price(machine: Machine) -> tuple[NewPrice | None, bool]:
    """The price of a machine by its type, None if unknown, and whether it is an upper limit.

    Where no spot price is known, or the machine does not say whether it is a spot one, the price on
    demand is taken, as the upper limit that it is: whoever keeps to a budget rather stops early.
    """
    row = _TABLE.get((machine.cloud, machine.instance_type))
    if row is None:
        return None, False
    if machine.spot and row.max_spot is not None:
        return NewPrice(row.max_spot, f"highest US spot price, {SPOT_AS_OF}"), False
    listed = f"list price on demand in {_REGIONS[machine.cloud]}, {row.listed}"
    if machine.spot is False:
        return NewPrice(row.on_demand, listed), False
    return NewPrice(row.on_demand, f"at most: {listed}"), True


class PriceLookup:
    """Looks up what a machine costs; keeps AWS's last price where it gives none later."""

    def __init__(
        self, machine: Machine, base: str, send: Callable[[NewPrice], None], report: Report
    ) -> None:
        """Prepare to look up; `base` is the address of the machine's metadata service."""
        self._machine = machine
        self._base = base
        self._send = send
        self._report = report
        self._reported = ""
        self._had_spot_price = False

    def check(self) -> None:
        """Look up the price once, and send it to the trainer."""
        price, problem = self._spot_price()
        if price is not None:
            self._had_spot_price = True
        elif self._had_spot_price:
            problem += "; keeping the last price"
        else:
            price, problem = self._from_table(problem)
        if price is not None:
            self._send(price)
        if problem and problem != self._reported:
            self._report(problem, "warning")
        self._reported = problem

    def _spot_price(self) -> tuple[NewPrice | None, str]:
        """AWS's spot price, or why there is none; neither for another machine."""
        if self._machine.cloud != "aws" or not self._machine.spot:
            return None, ""
        try:
            return aws_spot_price(self._machine, self._base), ""
        except PriceError as error:
            return None, f"no spot price from AWS ({error})"
        except Exception as error:
            # boto3 reads files of the person's own, which can hold anything.
            _log.exception("reading the price failed")
            return None, f"no spot price from AWS ({type(error).__name__}: {error})"

    def _from_table(self, problem: str) -> tuple[NewPrice | None, str]:
        """The price in the table, and what is to be reported about it."""
        price, upper_limit = table_price(self._machine)
        name = self._machine.instance_type or "this machine"
        problems = [problem] if problem else []
        if price is None:
            problems.append(f"no price is known for {name}; give --price in $ an hour")
        elif upper_limit:
            problems.append(
                f"no spot price is known for {name}: counting its price on demand, the most that "
                f"it can cost; give --price in $ an hour"
            )
        elif problem:
            problems.append("using the table's price")
        return price, "; ".join(problems)
