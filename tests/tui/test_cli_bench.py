"""`voicecoach bench`: ratios of ways that are timed in turn."""

import re

from typer.testing import CliRunner

from tui.cli import app


def test_every_comparison_names_both_ways_and_their_ratio() -> None:
    result = CliRunner().invoke(app, ["bench", "--device", "cpu", "--rounds", "1"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert "on cpu, preset small" in lines[-1]
    ratios = [re.search(r"([\d.]+) times as long", line) for line in lines[:-1]]
    assert len(ratios) >= 3
    assert all(ratio is not None and float(ratio[1]) > 0 for ratio in ratios)


def test_a_device_that_is_not_there_is_one_sentence() -> None:
    result = CliRunner().invoke(app, ["bench", "--device", "banana"])
    assert result.exit_code == 2
    assert "banana" in result.stderr
