"""A machine that is taken away in the middle of a run, and what is left of the run then."""

import json
import socket
import time

import pytest
from fake_metadata import after

from engine.errors import EngineError
from engine.machine.cloud import notices
from engine.machine.cloud.machine import (
    Clock,
    Interruption,
    NoticeGone,
    SpotNotice,
)
from engine.run.commands import Finish, Pause
from engine.run.publisher import Publisher
from engine.run.snapshot import MirrorState, Phase, Snapshot
from engine.training import checkpoint_writer, spot
from engine.training.spot import SpotDeadline, margin
from engine.voice.folder import Voice

pytestmark = pytest.mark.slow


def end_in(seconds, text="AWS terminates this machine"):
    return Clock(time.time(), time.monotonic()).notice(text, seconds)


def steps(voice):
    return [entry.step for entry in voice.checkpoints("text2mel")]


def said(snapshot, text):
    return any(text in event.text for event in snapshot.events)


@pytest.fixture
def started(make_voice, training):
    """A voice at step 5, and a run of it that has made some steps."""

    def start(stop=None, *commands, **options):
        voice = make_voice(text2mel=5, base_step=5)
        session = training.start(voice, stop, *commands, **options)
        training.until(session, lambda s: s.step > 7)
        return voice, session

    return start


@pytest.fixture
def ended(training):
    """The last snapshot of a run that its machine ended, which is no failure."""

    def end(session):
        snapshot = training.end(session)
        assert (snapshot.phase, snapshot.interrupted, session.error) == (Phase.STOPPED, True, None)
        return snapshot

    return end


@pytest.fixture
def close_to_the_edge(monkeypatch):
    """Train up to a fraction of a second before the deadline, so that no test waits for it."""
    monkeypatch.setattr(spot, "_MIN_MARGIN_SECONDS", 0.1)
    monkeypatch.setattr(spot, "_WRITE_FACTOR", 0.0)


@pytest.fixture
def look_often(monkeypatch):
    monkeypatch.setattr(notices, "_POLL_SECONDS", 0.02)


@pytest.mark.parametrize(
    ("write", "step", "seconds"), [(0.2, None, 10), (0.2, 0.01, 10), (6, 0.5, 19), (0.1, 8, 16.3)]
)
def test_slow_writes_or_steps_make_the_margin_longer(write, step, seconds):
    assert margin(write, step) == pytest.approx(seconds)


@pytest.fixture
def publisher(make_voice):
    folder = make_voice().folder
    return Publisher(Snapshot(Phase.TRAINING, "v", folder, "text2mel", "small", "standard"))


@pytest.mark.parametrize(
    ("mirror", "left"),
    [
        (None, 100),
        (MirrorState("s3://there"), 100),
        (MirrorState("s3://there", seconds=30), 70),
        # No more than one arrives, and that is the one that was saved at once.
        (MirrorState("s3://there", seconds=60), 100),
        (MirrorState("s3://there", seconds=30, trouble="Could not connect"), 100),
    ],
)
def test_the_last_checkpoint_gets_time_to_reach_the_mirror(publisher, mirror, left):
    publisher.update(mirror=mirror)
    now = [1000.0]
    deadline = SpotDeadline(publisher, monotonic=lambda: now[0])
    notice = Interruption("AWS terminates this machine", time.time() + 110, now[0] + 110)
    deadline.handle(notice, lambda: 0.0, None)
    now[0] += left - 0.1
    assert not deadline.reached
    now[0] += 0.2
    assert deadline.reached


def test_a_warning_after_a_notice_sets_no_end(publisher):
    deadline = SpotDeadline(publisher)
    deadline.handle(end_in(0), lambda: 0.0, None)
    assert (deadline.known, deadline.reached) == (True, True)
    deadline.handle(SpotNotice("AWS is likely to take it"), lambda: 0.0, None)
    assert (deadline.known, deadline.reached) == (False, False)
    told, warned = publisher.snapshot.notices
    assert (told.kind, warned.text) == ("spot", "AWS is likely to take it: saving at once")


def test_it_saves_at_once_trains_on_and_saves_again(
    started, ended, training, tmp_path, monkeypatch
):
    told = tmp_path / "told"
    command = (
        f'ls "$VOICECOACH_VOICE/text2mel/checkpoints" > {told}.part; '
        f'echo "$VOICECOACH_DEADLINE" >> {told}.part; mv {told}.part {told}; exit 3'
    )
    voice, session = started(on_interrupt=command)
    session.send(end_in(900))
    saved = training.until(session, lambda s: (s.checkpoint_step or 0) > 5).checkpoint_step
    assert training.until(session, lambda s: s.step > saved + 2).spot_notice is not None
    # The command finds a checkpoint, and is not waited for.
    training.until(session, lambda s: said(s, "--on-interrupt exited with code 3"))
    monkeypatch.setattr(SpotDeadline, "reached", property(lambda _self: True))
    snapshot = ended(session)
    base, first, last = steps(voice)
    assert base == 5 < first < last == snapshot.step == snapshot.checkpoint_step
    assert said(snapshot, "AWS terminates this machine at ")
    assert said(snapshot, "the last safe second")
    *checkpoints, deadline = told.read_text().split()
    assert [name for name in checkpoints if name.startswith("step-")][1:]
    assert deadline.endswith("+00:00")
    assert "on_interrupt" not in (voice.folder / "voice.toml").read_text()


def test_without_a_safe_second_the_first_checkpoint_is_the_last(started, ended):
    voice, session = started()
    session.send(end_in(5))
    last = ended(session).step
    assert steps(voice) == [5, last]


def test_an_interruption_with_a_full_disk_is_no_failure(
    started, ended, close_to_the_edge, monkeypatch
):
    def refuse(checkpoint, target):
        raise EngineError("no space left")

    monkeypatch.setattr(checkpoint_writer, "save_checkpoint", refuse)
    voice, session = started()
    session.send(end_in(0))
    snapshot = ended(session)
    assert steps(voice) == [5]
    assert said(snapshot, f"step {snapshot.step:,} is lost with this machine: no space left")
    assert not snapshot.saved


def test_a_paused_run_ends_in_time_as_well(started, ended, training, close_to_the_edge):
    voice, session = started(attended=True)
    session.send(Pause())
    training.until(session, lambda s: s.phase is Phase.PAUSED)
    session.send(end_in(0.3))
    assert ended(session).step == steps(voice)[-1]


def test_a_run_that_is_still_preparing_ends_at_once(make_voice, training, ended, tmp_path):
    voice = make_voice()
    command = f"cd '{voice.folder}' && echo \"$VOICECOACH_NOTICE\" > ../ran; echo told"
    snapshot = ended(training.start(voice, None, end_in(60), on_interrupt=command))
    assert snapshot.step == 0
    assert (tmp_path / "ran").read_text() == "AWS terminates this machine\n"


def test_a_run_ended_by_its_machine_counts_as_interrupted(started, ended):
    _, session = started()
    session.send(end_in(100))
    # As the signal does with which a machine that goes down ends its processes.
    session.send(Finish())
    ended(session)


@pytest.fixture
def one_look_alone(monkeypatch):
    """Let the watcher look once by itself, and then when it is asked to."""
    monkeypatch.setattr(notices, "_POLL_SECONDS", 3600.0)


def seen_once(training, session, fake_cloud):
    """Wait until the run has asked its cloud for a notice, and there was none."""
    path = "/latest/meta-data/events/recommendations/rebalance"
    training.until(session, lambda s: ("GET", path) in fake_cloud.asked and s.step > 5)


def test_a_run_ended_before_notice_counts_as_interrupted(
    started, ended, training, fake_cloud, one_look_alone, tmp_path
):
    command = f"touch '{tmp_path}/told'"
    voice, session = started(cloud="aws", metadata_url=fake_cloud.url, on_interrupt=command)
    seen_once(training, session, fake_cloud)
    fake_cloud.take_away(60)
    session.send(Finish())
    snapshot = ended(session)
    assert steps(voice) == [5, snapshot.step]
    assert said(snapshot, "AWS terminates this machine at ")
    assert not said(snapshot, "training goes on")
    assert (tmp_path / "told").exists()


@pytest.mark.parametrize("fault", ["", "500", "silent"])
def test_a_run_ended_by_a_person_is_not_interrupted(
    started, training, fake_cloud, one_look_alone, monkeypatch, fault
):
    monkeypatch.setattr(spot, "_CHECK_SECONDS", 0.2 if fault == "silent" else 60)
    _, session = started(cloud="aws", metadata_url=fake_cloud.url, attended=True)
    seen_once(training, session, fake_cloud)
    fake_cloud.fault = fault
    asked = len(fake_cloud.asked)
    session.send(Finish())
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.interrupted, session.error) == (Phase.STOPPED, False, None)
    assert len(fake_cloud.asked) > asked or fault == "silent"
    assert snapshot.saved


@pytest.mark.parametrize("first", ["the notice", "the end"])
def test_an_end_before_training_counts_as_interrupted(
    make_voice, training, ended, fake_cloud, one_look_alone, tones, first
):
    voice = make_voice(dataset=tones)
    session = training.start(voice, cloud="aws", metadata_url=fake_cloud.url, attended=True)
    training.until(session, lambda s: s.phase is Phase.CHECKED and s.machine is not None)
    if first == "the notice":
        session.send(end_in(60))
    else:
        fake_cloud.take_away(60)
        session.send(Finish())
    assert ended(session).step == 0


def test_a_withdrawn_notice_ends_nothing(started, training, close_to_the_edge):
    _, session = started()
    session.send(end_in(60))
    session.send(NoticeGone())
    snapshot = training.until(session, lambda s: said(s, "withdrew its notice"))
    assert snapshot.spot_notice is None
    training.until(session, lambda s: s.step > snapshot.step + 3)
    session.send(Finish())
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.interrupted) == (Phase.STOPPED, False)


@pytest.mark.parametrize("noticed", [False, True])
def test_news_saves_and_a_run_may_reach_its_stop_first(started, training, noticed):
    voice, session = started("+20")
    warning = SpotNotice("AWS is likely to reclaim this machine soon")
    session.send(end_in(100) if noticed else warning)
    snapshot = training.end(session)
    assert (snapshot.step, snapshot.interrupted) == (25, False)
    assert len(steps(voice)) == 3


def test_a_run_sees_notices_and_prices_of_its_cloud(
    started, ended, training, fake_cloud, look_often, close_to_the_edge
):
    voice, session = started("$5000", price="auto", cloud="aws", metadata_url=fake_cloud.url)
    snapshot = training.until(session, lambda s: s.price > 0)
    assert snapshot.machine.words == "AWS g5.xlarge us-east-1b spot"
    assert snapshot.price == 0.51
    assert "highest US spot price" in snapshot.price_source
    assert 'price = "auto"' in (voice.folder / "voice.toml").read_text()
    assert Voice.open(voice.folder).settings.price_auto
    fake_cloud.aws["events/recommendations/rebalance"] = json.dumps({"noticeTime": after(0)})
    training.until(session, lambda s: said(s, "likely to reclaim this machine"))
    fake_cloud.fault = "garbage"
    training.until(session, lambda s: said(s, "the metadata service of AWS gives"))
    fake_cloud.fault = ""
    fake_cloud.take_away(2)
    assert ended(session).step == steps(voice)[-1]
    assert voice.spend.entries[-1].price == 0.51


def test_outside_of_clouds_no_request_leaves(
    make_voice, training, tmp_path, monkeypatch, look_often
):
    monkeypatch.setenv("VOICECOACH_METADATA_URL", "http://127.0.0.1:9")
    monkeypatch.setattr("engine.machine.cloud.detect.DMI", tmp_path)
    tried = []

    class Watched(socket.socket):
        def connect(self, address):
            if self.family != socket.AF_UNIX:
                tried.append(address)
            return super().connect(address)

    monkeypatch.setattr(socket, "socket", Watched)
    monkeypatch.setattr(socket, "create_connection", lambda *a, **_: tried.append(a))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *a, **_: tried.append(a))
    session = training.start(make_voice(price_auto=True), "+3", cloud="auto")
    snapshot = training.end(session)
    assert (snapshot.phase, snapshot.machine) == (Phase.STOPPED, None)
    assert said(snapshot, "no price")
    assert tried == []
