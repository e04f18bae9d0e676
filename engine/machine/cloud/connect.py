"""Opens the metadata service of a cloud that has been chosen."""

import os
import time

from engine.choices import CloudName
from engine.machine.cloud.aws import BASE as AWS_BASE
from engine.machine.cloud.aws import Aws
from engine.machine.cloud.azure import BASE as AZURE_BASE
from engine.machine.cloud.azure import Azure
from engine.machine.cloud.gcp import BASE as GCP_BASE
from engine.machine.cloud.gcp import Gcp
from engine.machine.cloud.machine import Clock, Cloud
from engine.machine.cloud.metadata import METADATA_VARIABLE, MetadataService

_BASES: dict[CloudName, str] = {"aws": AWS_BASE, "gcp": GCP_BASE, "azure": AZURE_BASE}
_CLOUDS: dict[CloudName, type[Aws] | type[Gcp] | type[Azure]] = {
    "aws": Aws,
    "gcp": Gcp,
    "azure": Azure,
}


def metadata_base(name: CloudName, asked: str | None) -> str:
    """The base address of a cloud's metadata service: asked for, the environment's, or its own."""
    return asked or os.environ.get(METADATA_VARIABLE) or _BASES[name]


def connect(name: CloudName, base: str) -> Cloud:
    """Return the cloud at a base address; nothing is asked yet.

    Raises:
        InputError: the base address is none.
    """
    return _CLOUDS[name](MetadataService(base), _both_clocks)


def _both_clocks() -> Clock:
    return Clock(time.time(), time.monotonic())
