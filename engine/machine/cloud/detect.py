"""Which cloud a machine is of, as its own firmware says."""

import os
from pathlib import Path

from engine.choices import CLOUD_CHOICES, CloudChoice, CloudName
from engine.errors import InputError

DMI = Path("/sys/class/dmi/id")
"""Where Linux shows the strings of the firmware's DMI (SMBIOS) tables."""
CLOUD_VARIABLE = "VOICECOACH_CLOUD"
"""The environment's choice where no `--cloud` is given."""

# Azure's machines have this asset tag; their vendor is that of any Hyper-V.
_AZURE_TAG = "7783-7084-3265-9085-8269-3286-77"
_MAX_STRING = 256


def chosen_cloud(asked: CloudChoice | None, dmi: Path | None = None) -> CloudName | None:
    """The cloud whose metadata service may be asked; None where not one request may leave.

    Args:
        asked: `--cloud`; None for the environment's `VOICECOACH_CLOUD`, or else `auto`.
        dmi: where the firmware's strings are, if not where Linux has them.

    Raises `InputError` where the environment names no such choice.
    """
    choice = asked or os.environ.get(CLOUD_VARIABLE) or "auto"
    if choice not in CLOUD_CHOICES:
        raise InputError(
            f"{CLOUD_VARIABLE} is {choice!r}; write one of {', '.join(CLOUD_CHOICES)}."
        )
    if choice == "auto":
        return cloud_of_firmware(dmi or DMI)
    return None if choice == "none" else choice


def cloud_of_firmware(dmi: Path) -> CloudName | None:
    """The cloud that the firmware names.

    Whole strings are compared: Google also makes laptops, and Microsoft's Hyper-V and Xen run in
    many a cellar, where a request to 169.254.169.254 would reach a stranger.
    """
    vendor, product = _string(dmi, "sys_vendor"), _string(dmi, "product_name")
    bios = _string(dmi, "bios_vendor")
    if "Amazon EC2" in (vendor, bios, _string(dmi, "board_vendor")):
        return "aws"
    # The older machines, p3 among them, are Xen's, in a version of Amazon's own.
    if "Xen" in (vendor, bios) and _string(dmi, "bios_version").endswith(".amazon"):
        return "aws"
    if vendor == "Google" and product == "Google Compute Engine":
        return "gcp"
    return "azure" if _string(dmi, "chassis_asset_tag") == _AZURE_TAG else None


def _string(dmi: Path, name: str) -> str:
    """A string of the firmware; empty where there is none, or not for us to read."""
    try:
        with (dmi / name).open("rb") as file:
            return file.read(_MAX_STRING).decode("ascii", errors="replace").strip()
    except OSError:
        return ""
