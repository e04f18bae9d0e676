"""The demo: bundled recordings and weights made into a voice of one's own."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from engine.choices import NETWORKS
from engine.errors import EngineError, InputError
from engine.jobs import demo
from engine.jobs.demo import DEMO_STOPS, demo_options, next_commands
from engine.machine.lock import acquire_lock
from engine.run.commands import Finish
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.run.stop import StopPoint, StoredStop, parse_stop, store_stop
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


@pytest.fixture
def assets(make_voice, tmp_path, speech, monkeypatch) -> Path:
    """A bundle like the real one: a corpus, and a voice that names it from beside."""
    folder = tmp_path / "assets"
    shutil.copytree(speech, folder / "corpus")
    voice = make_voice("bundled", dataset=Path("../corpus"), text2mel=855, ssrn=767)
    shutil.move(voice.folder, folder / "voice")
    monkeypatch.setattr(demo, "_ASSETS", (tmp_path / "elsewhere", folder))
    return folder


@pytest.mark.parametrize("other", ["corpus", "voice.toml.123.part"])
def test_a_demo_that_has_just_begun_is_left_alone(assets, tmp_path, other):
    folder = tmp_path / "demo"
    lock = acquire_lock(folder)
    (folder / other).mkdir()
    with pytest.raises(InputError, match=f"is being trained by process {os.getpid()} since"):
        demo_options(TrainOptions(folder))
    lock.release()
    assert list((folder / other).iterdir()) == []


def test_the_demo_goes_on_from_the_bundled_voice(assets, tmp_path, training):
    folder = tmp_path / "demo"

    def run(stop, network="text2mel"):
        options = demo_options(TrainOptions(folder, network=network))
        given = {"dataset": options.dataset, "source": options.source, "demo": True}
        return training.end(training.start(folder, stop, network=network, **given))

    snapshot = run("+2")
    assert (snapshot.failure, snapshot.step, snapshot.base_step) == ("", 857, 855)
    voice = Voice.open(folder)
    assert voice.dataset == folder / "corpus"
    # The bundled SSRN would speak with the bundled speaker's pitch.
    assert voice.newest("ssrn") is None
    assert next_commands(snapshot)[0][1] == f"voicecoach demo --voice {folder} --network ssrn"
    snapshot = run("+1", "ssrn")
    assert (snapshot.base_step, voice.newest("ssrn").step) == (767, 768)
    assert next_commands(snapshot)[0][1].startswith('voicecoach say "')
    assert run("+1").step == 858
    # It stands on its own, wherever it goes.
    shutil.rmtree(assets)
    folder.rename(tmp_path / "moved")
    folder = tmp_path / "moved"
    assert run("+1").step == 859


def test_options_stay_and_a_copy_that_was_cut_off_is_completed(assets, tmp_path):
    corpus = tmp_path / "demo" / "corpus"
    (corpus / "wavs").mkdir(parents=True)
    (corpus / "metadata.csv").write_text("cut o")
    stop = parse_stop("2h")
    given = TrainOptions(tmp_path / "demo", price=2.0, device="cpu", stop=stop)
    voice = assets / "voice"
    expected = replace(given, demo=True, dataset=corpus, source=voice, next_source=voice)
    assert demo_options(given) == expected

    def contents(folder: Path) -> dict[Path, bytes]:
        files = (path for path in folder.rglob("*") if path.is_file())
        return {path.relative_to(folder): path.read_bytes() for path in files}

    assert contents(corpus) == contents(assets / "corpus")


@pytest.mark.parametrize("network", NETWORKS)
def test_a_demo_stops_by_itself_and_again(make_voice, network):
    folder = make_voice("demo", text2mel=855, ssrn=767).folder
    options = TrainOptions(folder, network=network)
    rule = parse_stop(DEMO_STOPS[network])
    assert demo_options(options).stop == rule
    # A stop that is ahead stays; once it is reached, as many steps more are made.
    store_stop(folder / network, StoredStop(StopPoint(step=9_000), "9k"))
    assert demo_options(options).stop is None
    store_stop(folder / network, None)
    assert demo_options(options).stop == rule
    assert demo_options(replace(options, stop="none")).stop == "none"


def test_a_demo_that_ended_before_it_had_its_weights_gets_them(assets, tmp_path, training):
    folder = tmp_path / "demo"
    options = demo_options(TrainOptions(folder))
    ended = training.start(folder, None, Finish(), dataset=options.dataset, source=options.source)
    training.end(ended)
    again = demo_options(TrainOptions(folder))
    snapshot = training.end(training.start(folder, "+1", source=again.source))
    assert (snapshot.phase, snapshot.base_step) == (Phase.STOPPED, 855)


def test_other_folders_are_left_alone(assets, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot be made or written"):
        demo_options(TrainOptions(tmp_path / "file" / "demo"))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").touch()
    with pytest.raises(InputError, match="not empty and is not a voice folder"):
        demo_options(TrainOptions(tmp_path / "mine"))
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_an_installation_without_the_demo_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "_ASSETS", (tmp_path / "nothing",))
    with pytest.raises(EngineError, match="install"):
        demo_options(TrainOptions(tmp_path / "demo"))
