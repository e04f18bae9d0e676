"""What the three clouds say, from a service that speaks as they do; and what is no answer."""

import contextlib
import json
import socketserver
import threading
from datetime import UTC, datetime, timedelta

import pytest
from fake_metadata import after, http_after
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import InputError
from engine.machine.cloud.machine import Clock, Interruption, Machine, SpotNotice
from engine.machine.cloud.metadata import (
    MetadataError,
    MetadataService,
    OddReplyError,
    Reply,
    parse_time,
)
from engine.machine.cloud.providers import Aws, Azure, Gcp, connect

CLOUDS = ("aws", "gcp", "azure")


def test_each_cloud_says_which_machine_this_is(fake):
    aws = Machine("aws", "g5.xlarge", "us-east-1b", "us-east-1", spot=True)
    gcp = Machine("gcp", "g2-standard-4", "us-central1-a", "us-central1", spot=True)
    azure = Machine("azure", "Standard_NC4as_T4_v3", "eastus-2", "eastus", spot=True)
    assert connect("aws", fake.url).identity() == aws
    assert connect("gcp", fake.url).identity() == gcp
    assert connect("azure", fake.url).identity() == azure
    assert aws.words == "AWS g5.xlarge us-east-1b spot"


@pytest.mark.parametrize("name", CLOUDS)
def test_without_a_notice_there_is_none(fake, name):
    assert connect(name, fake.url).notice() is None


@pytest.mark.parametrize(
    ("action", "seconds", "left"),
    [
        ("terminate", 100, 100),
        ("stop", 100, 100),
        # A slow clock of this machine promises no more than AWS; an end that lies behind is now.
        ("terminate", 5000, 120),
        ("terminate", -50, 0),
    ],
)
def test_aws_gives_two_minutes_at_most(fake, action, seconds, left):
    now = datetime(2026, 1, 1, 8, 22, tzinfo=UTC)
    said = {"action": action, "time": f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"}
    fake.aws["spot/instance-action"] = json.dumps(said)
    wall = now.timestamp()
    notice = Aws(MetadataService(fake.url), lambda: Clock(wall, 1000.0)).notice()
    assert notice == Interruption(f"AWS {action}s this machine", wall + left, 1000.0 + left)


def test_a_recommendation_and_a_hibernation_of_aws_are_warnings(fake):
    cloud = connect("aws", fake.url)
    fake.aws["events/recommendations/rebalance"] = json.dumps({"noticeTime": after(-3)})
    assert "soon" in cloud.notice().text
    assert cloud.notice().last_second is None
    fake.take_away(0, "hibernate")
    assert "hibernation" in cloud.notice().text
    assert cloud.notice().last_second is None
    fake.take_away(60)
    assert cloud.notice().last_second is not None


def test_an_expired_token_is_renewed(fake):
    cloud = connect("aws", fake.url)
    assert cloud.notice() is None
    fake.token = "token-2"
    fake.take_away(60)
    assert cloud.notice() is not None
    assert [path for _, path in fake.asked].count("/latest/api/token") == 2


def test_gcp_counts_from_the_last_check_without_a_notice(fake):
    clock = [Clock(5000.0, 100.0)]
    cloud = Gcp(MetadataService(fake.url), lambda: clock[0])
    assert cloud.notice() is None
    clock[0] = Clock(5005.0, 105.0)
    fake.gcp["preempted"] = "TRUE"
    assert (cloud.notice().deadline, cloud.notice().last_second) == (5030.0, 130.0)
    clock[0] = Clock(5010.0, 110.0)
    assert cloud.notice().last_second == 130.0


def test_maintenance_that_stops_a_machine_of_gcp_is_a_warning(fake):
    cloud = connect("gcp", fake.url)
    for said in ("NONE", "MIGRATE_ON_HOST_MAINTENANCE"):
        fake.gcp["maintenance-event"] = said
        assert cloud.notice() is None
    fake.gcp["maintenance-event"] = "TERMINATE_ON_HOST_MAINTENANCE"
    assert "for maintenance" in cloud.notice().text
    assert cloud.notice().last_second is None
    fake.gcp["preempted"] = "TRUE"
    assert cloud.notice().text == "GCP preempts this machine"


@pytest.mark.parametrize("when", [None, "soon", "", 5, {}])
def test_an_end_of_aws_without_a_time_is_a_warning(fake, when):
    fake.aws["spot/instance-action"] = json.dumps({"action": "terminate", "time": when})
    notice = connect("aws", fake.url).notice()
    assert notice == SpotNotice("AWS terminates this machine and does not say when")


@pytest.mark.parametrize("action", ["explode", ["terminate"], {}, None, 7])
def test_an_action_of_aws_that_nobody_knows_is_an_odd_reply(fake, action):
    fake.aws["spot/instance-action"] = json.dumps({"action": action, "time": after(60)})
    with pytest.raises(OddReplyError, match="names the instance action"):
        connect("aws", fake.url).notice()


def azure_event(kind, **said):
    event = {
        "EventId": "f020ba2e",
        "EventType": kind,
        "ResourceType": "VirtualMachine",
        "Resources": ["trainer_0"],
        "EventStatus": "Scheduled",
        "NotBefore": http_after(30),
    }
    return event | said


def test_azure_tells_the_first_event_that_ends_this_machine(fake):
    due = datetime(2026, 1, 1, 8, 22, tzinfo=UTC).timestamp()
    cloud = Azure(MetadataService(fake.url), lambda: Clock(due - 30, 1000.0))
    cloud.identity()
    soon, later = "Thu, 01 Jan 2026 08:22:00 GMT", "Thu, 01 Jan 2026 08:36:30 GMT"
    fake.events = [azure_event("Reboot", NotBefore=later), azure_event("Preempt", NotBefore=soon)]
    assert cloud.notice() == Interruption("Azure evicts this machine", due, 1030.0)
    fake.events = [azure_event("Preempt", EventStatus="Started", NotBefore="")]
    assert cloud.notice() == Interruption("Azure evicts this machine", due - 30, 1000.0)


def test_events_of_other_machines_and_freezes_are_no_notice(fake):
    cloud = connect("azure", fake.url)
    cloud.identity()
    fake.events = [azure_event("Preempt", Resources=["other_1"]), azure_event("Freeze")]
    assert cloud.notice() is None
    fake.events = [azure_event("Preempt", Resources=["TRAINER_0"])]
    assert cloud.notice() is not None
    # Nothing is acknowledged.
    assert {method for method, _ in fake.asked} == {"GET"}


def test_a_kind_of_event_that_nobody_knows_hides_no_eviction(fake):
    cloud = connect("azure", fake.url)
    fake.events = [azure_event("Teleport"), azure_event("Preempt")]
    assert cloud.notice() is not None
    fake.events = [azure_event("Teleport")]
    with pytest.raises(OddReplyError, match="Teleport"):
        cloud.notice()


@pytest.mark.parametrize("when", [None, "soon", 5, {}])
def test_an_azure_event_without_a_time_hides_no_other(fake, when):
    cloud = connect("azure", fake.url)
    fake.events = [azure_event("Preempt", NotBefore=when)]
    assert cloud.notice() == SpotNotice("Azure evicts this machine and does not say when")
    fake.events = [azure_event("Preempt", NotBefore=when), azure_event("Reboot")]
    assert cloud.notice().text == "Azure reboots this machine"


@pytest.mark.parametrize("name", CLOUDS)
@pytest.mark.parametrize("fault", ["garbage", "huge", "500", "redirect"])
def test_what_makes_no_sense_is_no_answer(fake, name, fault):
    fake.fault = fault
    cloud = connect(name, fake.url)
    for ask in (cloud.notice, cloud.identity):
        with pytest.raises(OddReplyError if fault in ("garbage", "huge") else MetadataError):
            ask()
    assert "/elsewhere" not in [path for _, path in fake.asked]


def test_a_service_that_says_nothing_is_left_in_good_time(fake):
    fake.fault = "silent"
    with pytest.raises(MetadataError, match="does not answer"):
        MetadataService(fake.url, timeout=0.05).ask("/latest/api/token", {})


@pytest.mark.parametrize("head", [b"", b"HTTP/1.0 200 OK\r\n\r\n"])
@pytest.mark.parametrize("drop", [b"H", b"HTTP/", b"\x1b]0;owned\x07\r\n"])
def test_a_reply_that_never_ends_is_given_up(head, drop):
    """Each drop comes before the timeout for one is over."""
    left = threading.Event()

    class Dripping(socketserver.BaseRequestHandler):
        def handle(self):
            with contextlib.suppress(OSError):
                self.request.sendall(head)
                while not left.wait(0.02):
                    self.request.sendall(drop)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dripping) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,)).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        with pytest.raises(MetadataError) as caught:
            MetadataService(url, timeout=0.1).ask("/x", {})
        left.set()
        server.shutdown()
    assert len(str(caught.value)) < 150
    assert str(caught.value).isprintable()


def test_proxies_of_the_environment_are_not_used(fake, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    assert connect("aws", fake.url).identity().instance_type == "g5.xlarge"


def test_a_service_that_is_not_googles_gives_no_notice(fake):
    class Mute(MetadataService):
        def ask(self, path, headers, method="GET"):
            return Reply(200, "TRUE", "")

    with pytest.raises(OddReplyError, match="Google"):
        Gcp(Mute(fake.url), lambda: Clock(0.0, 0.0)).notice()


@pytest.mark.parametrize(
    "address",
    ["", "169.254.169.254", "https://a", "http://", "http://a/b", "http://a?b", "http://u@a",
     "file:///etc/passwd", "http://a:x", "http://[::1"],
)  # fmt: skip
def test_an_address_of_no_service_is_refused(address):
    with pytest.raises(InputError, match="--metadata-url"):
        MetadataService(address)


anything = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


class Saying(MetadataService):
    """A service that gives one answer to everything."""

    def __init__(self, text: str) -> None:
        self.text = text

    def ask(self, path, headers, method="GET"):
        return Reply(200, self.text, "Google")


@settings(max_examples=50)
@given(st.one_of(st.text(), anything.map(json.dumps)))
def test_no_text_does_more_than_be_an_odd_reply(text):
    def clock():
        return Clock(1000.0, 10.0)

    for cloud in (Aws, Gcp, Azure):
        for ask in ("identity", "notice"):
            with contextlib.suppress(OddReplyError):
                getattr(cloud(Saying(text), clock), ask)()


@pytest.mark.slow
@settings(max_examples=50)
@given(anything, anything, anything)
def test_no_event_does_more_than_be_an_odd_reply(kind, when, resources):
    events = [{"EventType": kind, "NotBefore": when, "Resources": resources}] * 2
    events.append({"EventType": "Preempt", "NotBefore": when})
    cloud = Azure(Saying(json.dumps({"Events": events})), lambda: Clock(1000.0, 10.0))
    with contextlib.suppress(OddReplyError):
        assert cloud.notice() is not None


def test_times_are_read_in_both_forms():
    due = datetime(2026, 1, 1, 8, 22, tzinfo=UTC).timestamp()
    for text in ("2026-01-01T08:22:00Z", "2026-01-01T08:22:00", "Thu, 01 Jan 2026 08:22:00 GMT"):
        assert parse_time(text, "it") == due
