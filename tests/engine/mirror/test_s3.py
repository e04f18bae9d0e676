"""A mirror on S3: a server that speaks it, on this machine, and training that is real."""

from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.torch import load_file

from engine.errors import EngineError
from engine.mirror.fetch import FetchOptions
from engine.mirror.layout import read_index
from engine.mirror.restore import restore_from_mirror as restore
from engine.mirror.store import MirrorError, open_store
from engine.mirror.store import file_fingerprint as fingerprint
from engine.run.commands import Continue, Finish, Pause, SaveCheckpoint
from engine.run.options import TrainOptions
from engine.run.snapshot import Phase
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow

ADDRESS = "s3://bucket/voices/alice"


class Store:
    """moto's S3 server on a port of its own, which can go down and come up with all it holds."""

    port = 0
    _server = None

    def up(self) -> None:
        from moto.server import ThreadedMotoServer

        self._server = ThreadedMotoServer("127.0.0.1", self.port, verbose=False)
        self._server.start()
        _, self.port = self._server.get_host_and_port()

    def down(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import fsspec
    from moto.server import DomainDispatcherApplication  # noqa: F401 (pays for the import)

    store = Store()
    store.up()
    for name, value in {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{store.port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "MOTO_ALLOW_NONEXISTENT_REGION": "true",
    }.items():
        monkeypatch.setenv(name, value)
    fsspec.filesystem("s3", skip_instance_cache=True).mkdir("bucket")
    yield store
    store.down()
    import moto.backends

    moto.backends.get_backend("s3").reset()


def weights(voice: Voice, step: int) -> dict:
    folder = voice.checkpoint_folder("text2mel", step)
    return {
        (path.name, name): tensor
        for path in folder.glob("*.safetensors")
        for name, tensor in load_file(path).items()
    }


def test_a_run_goes_on_without_its_store_and_elsewhere(
    make_voice, copy_voice, training, store, speech, tmp_path, monkeypatch
):
    monkeypatch.setattr("engine.mirror.uploader._IDLE_SECONDS", 0.02)
    monkeypatch.setattr("engine.mirror.uploader._LAST_TRY_SECONDS", 0.1)
    monkeypatch.setattr("engine.mirror.uploader.backoff", lambda failures: 0.1)
    straight = make_voice()
    moved = copy_voice(straight, "moved")
    options = restore(TrainOptions(moved.folder, mirror=ADDRESS), FetchOptions())
    mirror = {"mirror": options.mirror, "mirror_sequence": options.mirror_sequence}
    # Paused, so that the steps do not hold up the server in this process.
    session = training.start(moved, None, Pause(), **mirror, price=1.0, attended=True)
    training.until(session, lambda s: s.mirror is not None and s.mirror.safe_step == 0)

    store.down()
    session.send(Continue())
    training.until(session, lambda s: s.step >= 5)
    session.send(SaveCheckpoint())
    behind = training.until(session, lambda s: s.mirror.trouble and s.mirror.pending)
    # No step waits for a store that is not there: they are made as before.
    training.until(session, lambda s: s.step >= behind.step + 20)
    assert session.snapshot().mirror.trouble

    store.up()
    session.send(Finish())
    last = training.end(session)
    assert last.phase is Phase.STOPPED
    assert (last.mirror.safe_step, last.mirror.trouble) == (last.step, "")
    assert f"mirror: step {last.step:,} is safe at {ADDRESS}" in training.texts(last)
    assert read_index(open_store(ADDRESS)).newest_step("text2mel") == last.step

    fresh = tmp_path / "fresh"
    options = restore(TrainOptions(fresh, dataset=speech, restore=ADDRESS), FetchOptions())
    here = Voice.open(fresh)
    for path in here.checkpoint_folder("text2mel", last.step).iterdir():
        there = moved.checkpoint_folder("text2mel", last.step) / path.name
        assert fingerprint(path) == fingerprint(there), path.name
    assert here.history("text2mel").read_bytes() == moved.history("text2mel").read_bytes()
    assert here.spend.usd == moved.spend.usd > 0

    stop = str(last.step + 7)
    assert training.end(training.start(fresh, stop)).saved
    assert training.end(training.start(straight, stop)).saved
    ours, theirs = weights(here, last.step + 7), weights(straight, last.step + 7)
    assert ours.keys() == theirs.keys()
    assert all(ours[name].equal(theirs[name]) for name in ours)
    assert here.spend.usd > moved.spend.usd


def test_a_file_is_vouched_for_or_read_back(store, tmp_path, monkeypatch):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(b"x" * 11 * 2**20)  # S3 takes parts of 5 MiB or more
    target, mark = open_store(ADDRESS), fingerprint(path)
    with monkeypatch.context() as patch:
        patch.setattr(target, "_blocks", None)
        target.put(path, "a/weights.safetensors", mark)
    # As in a bucket that is encrypted with a key of one's own: the ETag is no MD5 of ours.
    mark = replace(mark, md5="00" * 16)
    target.put(path, "a/weights.safetensors", mark)
    mark = replace(mark, info=replace(mark.info, sha256="00" * 32))
    with pytest.raises(MirrorError, match="did not arrive"):
        target.put(path, "a/weights.safetensors", mark)


def test_a_store_without_the_bucket_or_down_is_not_empty(store, tmp_path, monkeypatch):
    monkeypatch.setattr("engine.mirror.restore._TRIES", 2)
    reports: list[str] = []
    fetching = FetchOptions(reports.append, wait=lambda seconds: reports.append("waited"))
    with pytest.raises(MirrorError, match="bucket does not exist") as caught:
        restore(TrainOptions(tmp_path / "v", mirror="s3://nowhere/alice"), fetching)
    assert caught.value.refused
    assert reports == []
    store.down()
    with pytest.raises(EngineError, match="when the mirror can be reached"):
        restore(TrainOptions(tmp_path / "v", mirror=ADDRESS), fetching)
    assert reports.count("waited") == 1
    assert not (tmp_path / "v").exists()
