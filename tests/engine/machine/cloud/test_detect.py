"""Which cloud a machine is of, by strings that real machines have."""

import pytest

from engine.errors import InputError
from engine.machine.cloud.detect import chosen_cloud, cloud_of_firmware

AMAZON = {"sys_vendor": "Amazon EC2", "product_name": "g5.xlarge", "bios_vendor": "Amazon EC2"}
XEN = {"sys_vendor": "Xen", "product_name": "HVM domU", "bios_vendor": "Xen"}
TAG = "7783-7084-3265-9085-8269-3286-77"


@pytest.fixture
def machine(tmp_path):
    def make(**strings):
        for name, text in strings.items():
            (tmp_path / name).write_bytes(text if isinstance(text, bytes) else f"{text}\n".encode())
        return tmp_path

    return make


@pytest.mark.parametrize(
    ("strings", "cloud"),
    [
        (AMAZON, "aws"),
        (XEN | {"bios_version": "4.11.amazon"}, "aws"),
        ({"sys_vendor": "Google", "product_name": "Google Compute Engine"}, "gcp"),
        ({"sys_vendor": "Microsoft Corporation", "chassis_asset_tag": TAG}, "azure"),
        # The same makers outside of their clouds.
        (XEN | {"bios_version": "4.11.4"}, None),
        ({"sys_vendor": "Google", "product_name": "Eve"}, None),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, None),
        ({"sys_vendor": "LENOVO", "chassis_asset_tag": "No Asset Information"}, None),
        ({"sys_vendor": b"\xff\xfeAmazon EC2" + b"x" * 10_000}, None),
        ({}, None),
    ],
)
def test_the_firmware_names_the_cloud_or_none(machine, strings, cloud):
    assert cloud_of_firmware(machine(**strings)) == cloud


def test_the_option_counts_before_environment_and_firmware(machine, monkeypatch):
    amazon = machine(**AMAZON)
    monkeypatch.setenv("VOICECOACH_CLOUD", "gcp")
    assert chosen_cloud("azure", amazon) == "azure"
    assert chosen_cloud("none", amazon) is None
    assert chosen_cloud("auto", amazon) == "aws"
    assert chosen_cloud(None, amazon) == "gcp"
    monkeypatch.delenv("VOICECOACH_CLOUD")
    assert chosen_cloud(None, amazon) == "aws"
    monkeypatch.setenv("VOICECOACH_CLOUD", "oracle")
    with pytest.raises(InputError, match="VOICECOACH_CLOUD is 'oracle'"):
        chosen_cloud(None, amazon)
