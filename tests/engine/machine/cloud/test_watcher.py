"""What the watch makes of a service that is there, away, and there again."""

import json

import pytest
from fake_metadata import after

from engine.machine.cloud.connect import connect
from engine.machine.cloud.machine import Machine, SpotNotice
from engine.machine.cloud.metadata import MetadataError, OddReplyError
from engine.machine.cloud.watcher import Watcher


class Ear:
    """Remembers all that it is told."""

    def __init__(self):
        self.machines, self.notices, self.gone, self.told = [], [], 0, []

    def machine_known(self, machine):
        self.machines.append(machine)

    def noticed(self, notice):
        self.notices.append(notice.text)

    def notice_gone(self):
        self.gone += 1

    def happened(self, text, severity):
        self.told.append((severity, text))


@pytest.fixture
def ear():
    return Ear()


def test_it_looks_every_five_seconds_and_tells_each_thing_once(fake, ear):
    watcher = Watcher("aws", connect("aws", fake.url), ear)
    assert [watcher.look() for _ in range(3)] == [5.0, 5.0, 5.0]
    assert [machine.instance_type for machine in ear.machines] == ["g5.xlarge"]
    assert (ear.notices, ear.told) == ([], [])
    fake.take_away(100)
    watcher.look()
    watcher.look()
    assert ear.notices == ["AWS terminates this machine"]


def test_a_warning_gives_way_to_the_end_and_an_end_can_be_taken_back(fake, ear):
    watcher = Watcher("aws", connect("aws", fake.url), ear)
    fake.aws["events/recommendations/rebalance"] = json.dumps({"noticeTime": after(0)})
    watcher.look()
    fake.take_away(100)
    watcher.look()
    # An end that comes closer is told anew.
    fake.take_away(50)
    watcher.look()
    # One that moves away is not: the earlier one is kept to.
    fake.take_away(110)
    watcher.look()
    assert [text.split()[1] for text in ear.notices] == ["is", "terminates", "terminates"]
    fake.aws.pop("spot/instance-action")
    fake.aws.pop("events/recommendations/rebalance")
    watcher.look()
    watcher.look()
    assert ear.gone == 1


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_a_service_with_trouble_is_asked_less_often_and_told_of_once(fake, ear, name):
    watcher = Watcher(name, connect(name, fake.url), ear)
    fake.fault = "500"
    assert [watcher.look() for _ in range(6)] == [5.0, 10.0, 20.0, 40.0, 60.0, 60.0]
    [(severity, text)] = ear.told
    assert severity == "warning"
    assert "500" in text
    assert "no notice of an interruption can be seen" in text
    fake.fault = ""
    assert watcher.look() == 5.0
    assert "answers again" in ear.told[-1][1]
    assert len(ear.machines) == 1
    # One that has answered is asked again soon: a notice comes half a minute before the end.
    fake.fault = "500"
    assert max(watcher.look() for _ in range(9)) == 15.0


@pytest.mark.parametrize("name", ["aws", "gcp", "azure"])
def test_odd_replies_are_told_once_and_end_nothing(fake, ear, name):
    watcher = Watcher(name, connect(name, fake.url), ear)
    watcher.look()
    fake.fault = "garbage"
    assert [watcher.look() for _ in range(20)] == [5.0] * 20
    assert 1 <= len(ear.told) <= 2
    fake.fault = ""
    watcher.look()
    assert (ear.notices, ear.gone) == ([], 0)


class Scripted:
    """A cloud that does one thing after the other."""

    def __init__(self, *acts):
        self.acts = list(acts)

    def identity(self):
        return Machine("gcp")

    def notice(self):
        act = self.acts.pop(0)
        if isinstance(act, Exception):
            raise act
        return act


def test_no_answer_takes_no_notice_back(ear):
    notice = SpotNotice("GCP preempts this machine", 30.0, 30.0)
    acts = [notice, MetadataError("is away"), OddReplyError("mumbles"), notice]
    watcher = Watcher("gcp", Scripted(*acts), ear)
    for _ in range(4):
        watcher.look()
    assert (len(ear.notices), ear.gone) == (1, 0)


def test_a_fault_of_our_own_is_told_once_and_the_watch_goes_on(ear):
    notice = SpotNotice("GCP preempts this machine", 30.0, 30.0)
    waited = []

    def wait(seconds):
        waited.append(seconds)
        return len(waited) > 3

    acts = [ZeroDivisionError("by zero"), ZeroDivisionError("by zero"), notice]
    Watcher("gcp", Scripted(*acts), ear).run(wait)
    assert waited == [0.0, 60.0, 60.0, 5.0]
    [(severity, text)] = ear.told
    assert severity == "error"
    assert "by zero" in text
    assert ear.notices == ["GCP preempts this machine"]
