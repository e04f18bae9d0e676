"""What a machine with a GPU costs: its cloud's spot price, or else a table with its dates.

The table is a help for a budget and no offer. Prices on demand are list prices, as public price
tables gave them at the time that stands beside them; spot prices are ranges seen in a public
catalogue. Neither follows the market. Whoever knows the price gives it with `--price`.
"""

import math
from collections.abc import Callable
from datetime import UTC, datetime

from engine.choices import CloudName
from engine.formatting import brief
from engine.machine.background import Report
from engine.machine.cloud.machine import Machine, NewPrice

SPOT_AS_OF = "November 2026"
"""When the spot prices were seen, which change within days."""

# Where the prices on demand apply.
_REGIONS: dict[CloudName, str] = {"aws": "us-east-1", "gcp": "us-central1", "azure": "East US"}
# Linux, US dollars an hour, disk and traffic left out: the list price on demand, when it was on the
# list, and the highest spot price among the US regions, if known.
_TABLE: dict[tuple[CloudName, str], tuple[float, str, float | None]] = {
    ("aws", "g4dn.xlarge"): (0.526, "August 2026", 0.25),
    ("aws", "g5.xlarge"): (1.006, "August 2026", 0.51),
    ("aws", "g6.xlarge"): (0.8048, "August 2026", 0.45),
    ("aws", "p3.2xlarge"): (3.06, "August 2026", 0.75),
    ("gcp", "g2-standard-4"): (0.7068, "August 2026", None),
    ("gcp", "a2-highgpu-1g"): (3.6734, "August 2026", None),
    ("azure", "Standard_NC4as_T4_v3"): (0.526, "2024", None),
    ("azure", "Standard_NC24ads_A100_v4"): (3.673, "2024", None),
}


class PriceError(Exception):
    """AWS gives no price; the message says why in a few words."""


def table_price(machine: Machine) -> tuple[NewPrice | None, bool]:
    """The price of a machine by its type, None if unknown, and whether it is an upper limit.

    Where no spot price is known, or the machine does not say whether it is a spot one, the price on
    demand is taken, as the upper limit that it is: whoever keeps to a budget rather stops early.
    """
    row = _TABLE.get((machine.cloud, machine.instance_type))
    if row is None:
        return None, False
    on_demand, when, max_spot = row
    if machine.spot and max_spot is not None:
        return NewPrice(max_spot, f"highest US spot price, {SPOT_AS_OF}"), False
    listed = f"list price on demand in {_REGIONS[machine.cloud]}, {when}"
    if machine.spot is False:
        return NewPrice(on_demand, listed), False
    return NewPrice(on_demand, f"at most: {listed}"), True


def aws_spot_price(machine: Machine, metadata: str) -> NewPrice:
    """Ask AWS, by boto3, what the machine costs as a spot machine in its zone.

    Credentials come from wherever boto3 finds them; a role of the machine from the same metadata
    service as all else, whose base address is `metadata`.

    Raises:
        PriceError: boto3 is not installed, has no credentials, or gets no price in time.
    """
    try:
        import boto3.session
        import botocore.session
        from botocore.config import Config
    except ImportError as error:
        raise PriceError("boto3 is not installed: pip install voicecoach[aws]") from error
    # AWS answers within a second.
    retries = {"total_max_attempts": 2, "mode": "standard"}
    config = Config(connect_timeout=3, read_timeout=5, retries=retries)
    try:
        core = botocore.session.Session()
        core.set_config_variable("ec2_metadata_service_endpoint", metadata)
        core.set_config_variable("metadata_service_timeout", 1)
        core.set_config_variable("metadata_service_num_attempts", 1)
        session = boto3.session.Session(botocore_session=core, region_name=machine.region)
        response = session.client("ec2", config=config).describe_spot_price_history(
            InstanceTypes=[machine.instance_type],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC),
        )
    except Exception as error:
        # Whatever it is: boto3 reads files of the person's own, which can hold anything.
        text = " ".join(str(error).split())[:200]
        raise PriceError(text or type(error).__name__) from error
    rows = [
        row for row in response["SpotPriceHistory"] if row.get("AvailabilityZone") == machine.zone
    ]
    if not rows:
        raise PriceError(f"AWS names no price for {machine.instance_type} in {machine.zone}")
    newest = max(rows, key=lambda row: row["Timestamp"])["SpotPrice"]
    try:
        usd = float(newest)
    except ValueError:
        usd = math.nan
    if not 0 < usd < 10_000:
        raise PriceError(f"AWS names a price of {brief(newest)}")
    return NewPrice(usd, f"AWS spot {machine.zone}, {datetime.now():%H:%M}")


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
        price, problem = None, ""
        if self._machine.cloud == "aws" and self._machine.spot:
            try:
                price = aws_spot_price(self._machine, self._base)
            except PriceError as error:
                problem = f"no spot price from AWS ({error})"
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

    def _from_table(self, problem: str) -> tuple[NewPrice | None, str]:
        """The price in the table, and what is to be reported about it."""
        price, upper_limit = table_price(self._machine)
        name = self._machine.instance_type or "this machine"
        text = "using the table's price" if problem else ""
        if price is None:
            text = f"no price is known for {name}; give --price in $ an hour"
        elif upper_limit:
            text = (
                f"no spot price is known for {name}: counting its price on demand, the most that "
                f"it can cost; give --price in $ an hour"
            )
        return price, "; ".join(filter(None, (problem, text)))
