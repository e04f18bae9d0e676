"""`voicecoach train` with a mirror: one command for the first machine and for those after it."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from paths import DEMO_VOICE, SPEECH
from typer.testing import CliRunner

from engine.mirror.uploader import Uploader
from engine.run.options import TrainOptions
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.voice.folder import Voice
from tui.cli import app


@pytest.fixture
def mirror(tmp_path: Path) -> str:
    """A folder that mirrors a voice called alice."""
    address = str(tmp_path / "mirror")
    alice = Voice.open(Path(shutil.copytree(DEMO_VOICE, tmp_path / "alice")))
    alice.save(replace(alice.settings, mirror=address, id="ab" * 16, dataset=SPEECH))
    publisher = Publisher(Snapshot(Phase.TRAINING, "alice", alice.folder, "text2mel", "", ""))
    options = TrainOptions(alice.folder, mirror=address, mirror_sequence=0)
    uploader = Uploader(alice, options, publisher)
    uploader.start()
    assert uploader.finish(60)
    return address


@pytest.fixture
def options_of(monkeypatch: pytest.MonkeyPatch):
    """Give `train` some arguments; return what it told, and the order that would be carried out."""

    def run(*arguments: str) -> tuple[str, TrainOptions]:
        orders: list[TrainOptions] = []
        monkeypatch.setattr(
            "tui.commands.train.run_training",
            lambda make_options, **more: orders.append(make_options()) or 0,
        )
        result = CliRunner().invoke(app, ["train", *arguments])
        assert result.exit_code == 0, result.output
        return result.stdout, orders[0]

    return run


def refusal(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["train", *arguments, "--headless"])
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1
    return result.stderr


@pytest.mark.slow
def test_the_same_command_begins_and_goes_on(mirror, options_of, tmp_path):
    command = (
        *(str(SPEECH), "--voice", str(tmp_path / "vm" / "alice")),
        *("--from", str(DEMO_VOICE), "--mirror", mirror, "--headless"),
    )
    told, options = options_of(*command)
    assert f"fetching alice from its mirror {mirror}" in told
    assert "text2mel at step 10,000 fetched" in told
    assert "ssrn at step 8,000 fetched" in told
    assert (options.mirror, options.source, options.restore) == (mirror, None, None)
    there, here = (Voice.open(tmp_path / name) for name in ("alice", "vm/alice"))
    assert here.settings == there.settings
    told, options = options_of(*command)
    assert "fetch" not in told
    assert options.source is None


@pytest.mark.slow
def test_from_takes_a_mirror_for_what_it_is(mirror, options_of, tmp_path):
    fresh = tmp_path / "fresh"
    told, options = options_of("--voice", str(fresh), "--from", mirror)
    assert "fetching alice" in told
    assert f"nothing is written to {mirror}" in told
    assert options.mirror is None
    # From a voice, another one starts: nothing is fetched.
    other = str(tmp_path / "other")
    told, options = options_of(str(SPEECH), "--voice", other, "--from", str(tmp_path / "alice"))
    assert told == ""
    assert (options.source, options.mirror) == (tmp_path / "alice", None)


@pytest.mark.slow
def test_what_cannot_be_is_one_sentence(mirror, tmp_path):
    new = ("--voice", str(tmp_path / "new"))
    assert "contains a password" in refusal(*new, "--from", "s3://user:geheim@bucket/alice")
    assert "of an unsupported kind" in refusal(*new, "--from", "gopher://bucket/alice")
    other = Path(shutil.copytree(DEMO_VOICE, tmp_path / "bob"))
    said = refusal(str(SPEECH), "--voice", str(other), "--mirror", mirror)
    assert "holds a voice already" in said
    assert "alice" in said
    assert not (tmp_path / "new").exists()
