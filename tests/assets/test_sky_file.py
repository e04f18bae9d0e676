"""The file for SkyPilot, read by SkyPilot itself; and the command in it, read by voicecoach.

SkyPilot brings a hundred packages and versions of its own, so it has an environment of its own:
VOICECOACH_SKY_PYTHON names its interpreter.
"""

import json
import os
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILE = ROOT / "assets" / "cloud" / "voicecoach-spot.sky.yaml"
_READ = """
import json, sys
import sky
task = sky.Task.from_yaml(sys.argv[1])
(one, *others) = task.resources
print(json.dumps({
    "name": task.name,
    "run": task.run,
    "setup": task.setup,
    "envs": task.envs,
    "spot": all(each.use_spot for each in task.resources),
    "recovery": one.job_recovery,
    "clouds": sorted({str(each.cloud) for each in task.resources}),
    "accelerators": sorted(name for each in task.resources for name in each.accelerators),
    "mounts": {**task.file_mounts} if task.file_mounts else {},
    "storage": {path: store.source for path, store in task.storage_mounts.items()},
}))
"""


def sky_python() -> str:
    named = os.environ.get("VOICECOACH_SKY_PYTHON")
    if named:
        return named
    if find_spec("sky") is not None:
        return sys.executable
    missing = "SkyPilot is not installed; VOICECOACH_SKY_PYTHON names where it is"
    if os.environ.get("VOICECOACH_REQUIRE_PROGRAMS"):
        pytest.fail(missing)
    pytest.skip(missing)


@pytest.fixture(scope="module")
def task(tmp_path_factory) -> dict:
    """What SkyPilot makes of the file; nothing of it leaves this machine."""
    home = tmp_path_factory.mktemp("home")
    read = subprocess.run(
        [sky_python(), "-c", _READ, str(FILE)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home), "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert read.returncode == 0, read.stderr
    return json.loads(read.stdout.splitlines()[-1])


def test_skypilot_reads_a_spot_job_that_recovers(task):
    assert task["spot"] is True
    recovery = task["recovery"]
    assert recovery["strategy"].upper() == "EAGER_NEXT_REGION"
    assert recovery["recover_on_exit_codes"] == [75]
    assert len(task["accelerators"]) > 1
    # On any other, `--price auto` has nobody to ask.
    assert [cloud.lower() for cloud in task["clouds"]] == ["aws", "azure", "gcp"]
    assert "s3://my-bucket/recordings/alice" in {**task["mounts"], **task["storage"]}.values()


def test_the_command_in_it_is_one_that_voicecoach_takes(task, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from tui.cli import app

    orders = []
    monkeypatch.setattr(
        "tui.commands.train.run_training",
        lambda make, headless, **_: orders.append((make, headless)) or 0,
    )
    monkeypatch.setattr("tui.process.ranks.usable_gpus", lambda: 1)
    sky = {"SKYPILOT_NUM_NODES": "1", "SKYPILOT_NODE_RANK": "0", "SKYPILOT_NODE_IPS": "10.0.0.1"}
    envs = {**task["envs"], **sky, "HOME": str(tmp_path)}
    line = subprocess.run(
        ["bash", "-c", "set -u; voicecoach() { printf '%q ' \"$@\"; }\n" + command(task["run"])],
        env={**os.environ, **envs},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    result = CliRunner().invoke(app, shlex.split(line))
    assert result.exit_code == 0, result.output
    ((make_options, headless),) = orders
    assert headless
    order = make_options.__closure__[0].cell_contents
    assert order.mirror == "s3://my-bucket/voices/alice"
    assert order.stop.text == "900k"
    assert order.price == "auto"
    assert order.device == "auto"


def command(run: str) -> str:
    """The script with voicecoach called by its plain name."""
    assert "~/voicecoach/bin/voicecoach" in run
    return run.replace("~/voicecoach/bin/voicecoach", "voicecoach")


def test_what_it_installs_is_what_the_package_offers(task):
    import tomllib

    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = task["setup"].split(".[")[1].split("]")[0].split(",")
    assert set(asked) <= set(extras["optional-dependencies"])
    (torch,) = (need for need in extras["dependencies"] if need.startswith("torch=="))
    assert f" {torch} " in task["setup"]
