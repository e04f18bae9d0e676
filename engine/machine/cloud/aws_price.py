"""AWS's current spot price, by boto3: an extra, which loads late."""

import math
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from engine.machine.cloud.machine import Machine, NewPrice

# Seconds; AWS answers within one.
_CONNECT, _READ = 3, 5
_ATTEMPTS = 2


class PriceError(Exception):
    """AWS gives no price; the message says why in a few words."""


def aws_spot_price(
    machine: Machine, metadata: str, now: Callable[[], datetime] = datetime.now
) -> NewPrice:
    """Ask AWS what the machine costs as a spot machine in its zone.

    Credentials come from wherever boto3 finds them; a role of the machine from the same metadata
    service as all else.

    Args:
        machine: of AWS, with type and region.
        metadata: base address of the metadata service.
        now: tells the time of day that the source names.

    Raises:
        PriceError: boto3 is not installed, has no credentials, or gets no price in time.
    """
    try:
        import boto3.session
        import botocore.session
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError, ClientError
    except ImportError as error:
        raise PriceError("boto3 is not installed: pip install voicecoach[aws]") from error
    core = botocore.session.Session()
    core.set_config_variable("ec2_metadata_service_endpoint", metadata)
    core.set_config_variable("metadata_service_timeout", 1)
    core.set_config_variable("metadata_service_num_attempts", 1)
    config = Config(
        connect_timeout=_CONNECT,
        read_timeout=_READ,
        retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
    )
    try:
        session = boto3.session.Session(botocore_session=core, region_name=machine.region)
        client = session.client("ec2", config=config)
        response = client.describe_spot_price_history(
            InstanceTypes=[machine.instance_type],
            ProductDescriptions=["Linux/UNIX"],
            StartTime=datetime.now(UTC),
        )
    except (BotoCoreError, ClientError, ValueError) as error:
        raise PriceError(" ".join(str(error).split())[:200]) from error
    return NewPrice(*_newest(response.get("SpotPriceHistory", []), machine, now()))


def _newest(rows: list[dict[str, Any]], machine: Machine, now: datetime) -> tuple[float, str]:
    """The newest price of the machine's zone, and its source in words.

    Raises:
        PriceError: there is none.
    """
    ours = [
        row
        for row in rows
        if row.get("AvailabilityZone") == machine.zone
        and row.get("InstanceType") == machine.instance_type
    ]
    if not ours:
        raise PriceError(f"AWS names no price for {machine.instance_type} in {machine.zone}")
    newest = max(ours, key=lambda row: row.get("Timestamp", datetime.min.replace(tzinfo=UTC)))
    try:
        usd = float(newest["SpotPrice"])
    except (KeyError, ValueError) as error:
        raise PriceError("AWS names a price that is no number") from error
    if not (math.isfinite(usd) and 0 < usd < 10_000):
        raise PriceError(f"AWS names a price of {usd} US dollars an hour")
    return usd, f"AWS spot {machine.zone}, {now:%H:%M}"
