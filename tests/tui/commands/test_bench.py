"""`voicecoach bench`: how fast this machine is, as a table."""

import pytest
from typer.testing import CliRunner

from tui.cli import app


@pytest.mark.slow
def test_the_table_compares_two_ways_of_each_thing() -> None:
    result = CliRunner().invoke(app, ["bench", "--device", "cpu", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    first, *_, last = result.output.splitlines()
    assert ": 20,000 steps take " in first
    assert "on cpu, preset small" in last
    ratios = [line.split()[-1] for line in result.output.splitlines()[3:-2]]
    assert len(ratios) >= 3
    assert all(float(ratio) > 0 for ratio in ratios)


def test_a_device_that_is_not_there_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["bench", "--device", "banana"])
    assert result.exit_code == 2
    assert "banana" in result.stderr
