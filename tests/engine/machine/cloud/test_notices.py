"""What the watch makes of a service that is there, away, and there again."""

import json

import pytest
from fake_metadata import after

from engine.machine.cloud.machine import Interruption, Machine, NoticeGone, SpotNotice
from engine.machine.cloud.metadata import MetadataError, OddReplyError
from engine.machine.cloud.notices import NoticeWatcher
from engine.machine.cloud.providers import connect


class Watch:
    """A watcher that is called by hand, and all that it sent and reported."""

    def __init__(self, cloud):
        self.sent, self.machines, self.reports = [], [], []
        self.watcher = NoticeWatcher(
            cloud,
            self.sent.append,
            self.machines.append,
            lambda text, severity: self.reports.append((severity, text)),
        )

    def check(self, times=1):
        return [self.watcher.check() for _ in range(times)]


@pytest.fixture
def watch(fake):
    return lambda name="aws": Watch(connect(name, fake.url))


def test_it_checks_every_five_seconds_and_sends_each_change_once(fake, watch):
    aws = watch()
    assert aws.check(3) == [5.0] * 3
    assert [machine.instance_type for machine in aws.machines] == ["g5.xlarge"]
    assert (aws.sent, aws.reports) == ([], [])
    fake.take_away(100)
    aws.check(2)
    [news] = aws.sent
    assert isinstance(news, Interruption)
    assert news.text == "AWS terminates this machine"


def test_a_warning_gives_way_to_an_end_that_can_be_withdrawn(fake, watch):
    aws = watch()
    fake.aws["events/recommendations/rebalance"] = json.dumps({"noticeTime": after(0)})
    aws.check()
    # An end that comes closer is sent anew; one that moves away is not: the earlier one is kept.
    for seconds in (100, 50, 110):
        fake.take_away(seconds)
        aws.check()
    assert [type(news) for news in aws.sent] == [SpotNotice, Interruption, Interruption]
    fake.aws.pop("spot/instance-action")
    fake.aws.pop("events/recommendations/rebalance")
    aws.check(2)
    assert aws.sent[3:] == [NoticeGone()]


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_a_failing_service_is_asked_less_often_and_reported_once(fake, watch, name):
    cloud = watch(name)
    fake.fault = "500"
    assert cloud.check(6) == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    [(severity, text)] = cloud.reports
    assert severity == "warning"
    assert "500" in text
    assert "interruptions will go unnoticed" in text
    fake.fault = ""
    assert cloud.check() == [5.0]
    assert "answers again" in cloud.reports[-1][1]
    assert len(cloud.machines) == 1
    # One that has answered is asked again soon: a notice comes half a minute before the end.
    fake.fault = "500"
    assert max(cloud.check(9)) == 15.0


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_odd_replies_are_reported_once_and_end_nothing(fake, watch, name):
    cloud = watch(name)
    cloud.check()
    fake.fault = "garbage"
    assert cloud.check(20) == [5.0] * 20
    assert 1 <= len(cloud.reports) <= 2
    fake.fault = ""
    cloud.check()
    assert cloud.sent == []


def test_no_answer_withdraws_no_notice():
    notice = Interruption("GCP preempts this machine", 30.0, 30.0)
    acts = [notice, MetadataError("is away"), OddReplyError("mumbles"), notice]

    class Scripted:
        name = "gcp"

        def identity(self):
            return Machine("gcp")

        def notice(self):
            act = acts.pop(0)
            if isinstance(act, Exception):
                raise act
            return act

    gcp = Watch(Scripted())
    gcp.check(4)
    assert gcp.sent == [notice]
