"""What a run costs comes to the disk, survives a kill, and is reported while nobody trains."""

import json

import pytest
from clocks import FakeClock

from engine.machine.cloud.machine import NewPrice
from engine.run.publisher import Publisher
from engine.run.snapshot import Phase, Snapshot
from engine.training.spend_recorder import SpendRecorder
from engine.voice.folder import Voice


class Run:
    """A voice that costs a dollar a second, and the recorder of its run."""

    def __init__(self, clock: FakeClock, voice: Voice, phase: Phase = Phase.PREPARING) -> None:
        self._clock = clock
        self.voice = voice
        self.publisher = Publisher(
            Snapshot(phase, voice.name, voice.folder, "text2mel", "small", "standard")
        )
        self.recorder = SpendRecorder(self.publisher, voice, "text2mel")
        self.cost = self.recorder.cost

    def train(self, seconds: int, step: int | None = None) -> None:
        """Train; with a step, record the spend up to it."""
        self.cost.start_training()
        self.wait(seconds)
        if step is not None:
            self.recorder.record(step)

    def wait(self, seconds: int) -> None:
        for _ in range(seconds):
            self._clock.now += 1
            self.recorder.check()

    def killed(self) -> "Run":
        """The next run of the voice, had the process been killed now."""
        return Run(self._clock, Voice.open(self.voice.folder))

    @property
    def entries(self) -> list[tuple[str, int, int, float, float]]:
        """Kind, first and last step, seconds and price of each entry on the disk."""
        return [
            (e.kind, e.first_step, e.last_step, e.seconds, e.price)
            for e in Voice.open(self.voice.folder).spend.entries
        ]

    @property
    def events(self) -> list[str]:
        return [event.text for event in self.publisher.snapshot.events]


@pytest.fixture
def run(make_voice, clock) -> Run:
    return Run(clock, make_voice(price=3600.0))


def test_idle_time_costs_as_much_and_is_kept_apart(run):
    run.wait(5)
    run.train(3)
    run.cost.pause_training()
    run.publisher.update(phase=Phase.PAUSED, step=10)
    run.wait(4)
    run.recorder.end()
    assert run.entries == [("idle", 10, 10, 9, 3600), ("training", 0, 10, 3, 3600)]
    snapshot = run.publisher.snapshot
    assert (snapshot.spent, snapshot.idle_usd) == (12, 9)
    assert (snapshot.voice_seconds, run.cost.run_idle_seconds) == (3, 9)
    # The end comes once, and leaves nothing open.
    run.recorder.end()
    assert Voice.open(run.voice.folder).spend.usd == 12
    assert not (run.voice.folder / "spend.open").exists()


def test_the_spend_grows_while_a_step_hangs(run):
    run.publisher.update(phase=Phase.TRAINING)
    run.train(30)
    assert run.publisher.snapshot.spent == 30


def test_entries_keep_their_price_and_steps_while_they_wait(run):
    path = run.voice.folder / "spend.jsonl"
    path.mkdir()
    run.wait(2)
    run.train(2)
    for step in (5, 10):
        run.recorder.record(step)
        run.train(2)
    run.recorder.roll_back(4)
    run.train(3, step=8)
    run.publisher.update(step=8)
    run.recorder.change_price(NewPrice(7200.0, "AWS spot"))
    run.train(1)
    run.cost.pause_training()
    run.wait(1)
    path.rmdir()
    run.publisher.update(step=9)
    run.recorder.end()
    assert sorted(run.entries) == [
        ("idle", 5, 5, 2, 3600), ("idle", 9, 9, 1, 7200), ("training", 0, 5, 2, 3600),
        ("training", 4, 8, 5, 3600), ("training", 5, 10, 2, 3600), ("training", 8, 9, 1, 7200),
    ]  # fmt: skip
    assert run.cost.spent == run.voice.spend.usd == 11 + 2 * 2


def test_a_price_that_comes_late_counts_from_the_beginning(make_voice, clock):
    run = Run(clock, make_voice())
    run.wait(5)
    run.recorder.change_price(NewPrice(3600.0, "AWS spot"))
    assert run.cost.spent == run.publisher.snapshot.spent == 5
    assert run.events == ["price: $3600/h (AWS spot)"]


def test_an_unwritable_log_is_retried_and_reported_once(run):
    path = run.voice.folder / "spend.jsonl"
    path.mkdir()
    for step in (7, 8):
        run.train(60)
        assert run.cost.entry_due
        run.recorder.record(step)
        assert not run.cost.entry_due
    path.rmdir()
    run.train(60, step=9)
    steps = [(0, 7), (7, 8), (8, 9)]
    assert run.entries == [("training", first, last, 60, 3600) for first, last in steps]
    assert sum("spend.jsonl cannot be written" in text for text in run.events) == 1
    assert "Spent so far: $60.00." in " ".join(run.events)


# A process that is killed.


def test_a_killed_process_hides_ten_seconds_at_most(run):
    run.publisher.update(phase=Phase.TRAINING, step=7)
    run.train(39)
    again = run.killed()
    assert again.cost.spent == pytest.approx(39, abs=10)
    assert again.cost.training_seconds == again.cost.spent
    [(kind, first, last, *_)] = run.entries
    assert (kind, first, last) == ("training", 0, 7)
    again.recorder.start()
    again.recorder.end()
    assert "previous run was killed; its last 30s ($30.00) were added to the spend" in again.events
    assert run.killed().cost.spent == again.cost.spent


def test_a_recorded_entry_hides_nothing_that_is_still_open(run):
    run.wait(3)
    run.train(20)
    # A step that hangs: its time stays open, and the idle time before it does not.
    run.recorder.record(0)
    again = run.killed()
    assert (again.cost.spent, again.cost.idle_usd) == (23, 3)


def test_an_entry_is_counted_once_wherever_the_kill_comes(run):
    path = run.voice.folder / "spend.jsonl"
    path.mkdir()
    run.train(5, step=10)
    run.publisher.update(step=16)
    run.train(6)
    before = (run.voice.folder / "spend.open").read_bytes()
    path.rmdir()
    # The log takes the entry at last, and the process is killed before `spend.open` follows.
    run.recorder.flush()
    (run.voice.folder / "spend.open").write_bytes(before)
    again = run.killed()
    assert run.entries == [("training", 0, 10, 5, 3600), ("training", 10, 16, 5, 3600)]
    assert again.cost.spent == 10
    (run.voice.folder / "spend.open").write_bytes(before)
    assert run.killed().cost.spent == 10


@pytest.mark.parametrize("content", [b"", b"0\n{", b"\xff\xfe", b"0\n" + b"[" * 9000, b"x" * 99999])
def test_a_damaged_file_of_open_entries_costs_nothing(make_voice, clock, content):
    voice = make_voice(price=3600.0)
    (voice.folder / "spend.open").write_bytes(content)
    assert Run(clock, voice).cost.spent == 0


# What is reported.


@pytest.mark.slow
def test_a_wait_is_reported_hourly_and_its_figures_move(make_voice, clock):
    run = Run(clock, make_voice(price=1.0), Phase.TRAINING)
    run.publisher.update(phase=Phase.PAUSED)
    run.wait(1)
    assert run.events == ["paused; the machine still costs $1.00/h"]
    # Every ten seconds while somebody may look whether they move, then every minute.
    for seconds, shown in ((9, 0), (15, 20), (275, 290), (40, 290), (80, 410)):
        run.wait(seconds)
        assert run.publisher.snapshot.wait_seconds == pytest.approx(shown)
    assert run.publisher.snapshot.wait_usd == pytest.approx(410 / 3600)
    assert len(run.events) == 1
    run.wait(3600)
    assert run.events[1:] == ["paused for 1h00m ($1.00); the machine still costs $1.00/h"]
    run.publisher.update(phase=Phase.TRAINING)
    run.wait(1)
    assert run.publisher.snapshot.idle_usd == pytest.approx(run.cost.idle_usd)


def test_a_suspended_process_reports_what_that_cost(run, clock):
    run.train(5)
    clock.now += 300
    run.recorder.check()
    assert "this process was suspended for 5m, which cost $300.00" in run.events


@pytest.mark.parametrize(
    ("damaged", "message"), [([0], "line 1 cannot be read"), ([0, 2], "2 lines cannot be read")]
)
def test_a_damaged_log_is_reported_when_a_run_begins(run, damaged, message):
    run.recorder.end()
    entry = {"start": "a", "end": "b", "network": "ssrn", "first_step": 0, "last_step": 1}
    lines = [json.dumps(entry | {"seconds": 3.0, "price": 3600.0})] * 3
    for number in damaged:
        lines[number] = "\x00 of a disk"
    (run.voice.folder / "spend.jsonl").write_text("\n".join(lines) + "\n")
    again = run.killed()
    again.recorder.start()
    again.recorder.end()
    [warning] = again.publisher.snapshot.warnings
    assert message in warning.text
    assert again.cost.spent == 3.0 * (3 - len(damaged))
