"""A run that stands still until the test moves it, and a player that makes no sound."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

from engine.advice.measures import Measure
from engine.run.commands import Command
from engine.run.curves import AttentionPlot, LossCurve, Losses
from engine.run.evaluation import Advice, CheckpointScores, Misreading, Recommendation, Score
from engine.run.sample import KeptCheckpoint, Sample
from engine.run.snapshot import Event, GpuReading, Phase, Snapshot
from engine.run.stop import StopPoint
from tui.audio.sound_card import PlayerStatus

NOON = datetime(2026, 3, 14, 14, 2)
SENTENCE = "Two birds sat on the old wall."


class FakeSession:
    """Shows the snapshot it was given and writes down what it is asked."""

    def __init__(
        self, snapshot: Snapshot, *, attached: bool = False, reading: bool = False
    ) -> None:
        self.current = snapshot
        self.attached, self.reading = attached, reading
        self.sent: list[Command] = []

    def snapshot(self) -> Snapshot:
        return self.current

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def change(self, **fields: object) -> None:
        self.current = replace(self.current, **fields)  # type: ignore[arg-type]


class FakePlayer:
    """Remembers what it was told to play."""

    def __init__(self, unavailable: str = "") -> None:
        self.played: list[Path] = []
        self.reason = unavailable
        self.last_error = ""
        self.browsers = 0
        self.on_page: list[tuple[Path, str]] = []

    def play(self, path: Path) -> None:
        self.played.append(path)

    def stop(self) -> None:
        pass

    def __call__(self, voice: Path, path: Path | None, title: str) -> int:
        """The listening page: how many browsers can be heard."""
        if self.browsers and path is not None:
            self.on_page.append((path, title))
        return self.browsers

    @property
    def status(self) -> PlayerStatus:
        playing = self.played[-1] if self.played and not self.reason else None
        return PlayerStatus(playing, self.reason, self.last_error)

    def unavailable(self) -> str:
        return self.reason


def at_noon() -> datetime:
    return NOON


def diagonal(characters: int = 57, frames: int = 133, width: float = 1.6) -> np.ndarray:
    """An attention that reads evenly from the first character to the last."""
    n = np.arange(characters)[:, None]
    centre = np.arange(frames)[None, :] * (characters - 1) / max(1, frames - 1)
    weights = np.exp(-((n - centre) ** 2) / (2 * width**2))
    return (weights / weights.sum(0)).astype(np.float32)


def curve(
    first: int, last: int, level: Callable[[float], float] = lambda x: 0.09 + 0.3 * 2 ** (-9 * x)
) -> LossCurve:
    steps = [first + (last - first) * i // 160 for i in range(161)]
    losses = [level(i / 160) + 0.004 * ((i * 37 % 11) / 11 - 0.5) for i in range(161)]
    held = range(0, 161, 16)
    held_out = tuple(level(i / 160) * 1.06 for i in held)
    held_out_steps = tuple(steps[i] for i in held)
    best, best_step = min(zip(held_out, held_out_steps, strict=True))
    return LossCurve(tuple(steps), tuple(losses), held_out_steps, held_out, best, best_step)


def plot(step: int, width: float = 1.6) -> AttentionPlot:
    sentence = "printing in the only sense with which we are at presentE"
    return AttentionPlot(step, sentence, diagonal(57, 133, width), "held-out LJ001-0004")


def sample(step: int, note: str = "", original: Path | None = None) -> Sample:
    path = Path(f"/data/voices/alice/samples/text2mel-{step}_ssrn-767000_two-birds.wav")
    return Sample(step, SENTENCE, path, 2.0 + step % 7 / 10, note, original)


def event(minutes_ago: int, text: str, severity: str = "information") -> Event:
    return Event(NOON.timestamp() - 60 * minutes_ago, text, severity)


def training(**fields: object) -> Snapshot:
    """The run of the design's sketch: fine-tuning from 855k, on its way to 900k."""
    snapshot = Snapshot(
        phase=Phase.TRAINING, voice="alice", voice_folder=Path("/data/voices/alice"),
        network="text2mel", preset="bbc", recipe="standard",
        device="cuda:0 NVIDIA H100 80GB HBM3", precision="bf16",
        step=871_204, base_step=855_000, first_step=855_000, checkpoint_step=871_000,
        stop=StopPoint(step=900_000), stop_text="900k", steps_per_second=212.0,
        losses=Losses(0.0912, 0.0411, 0.0462, 0.0039), held_out=0.0987, learning_rate=6.8e-5,
        run_seconds=76.4, voice_seconds=2364.0, spent=0.65, price=0.99,
        curve=curve(855_000, 871_200),
        attention=(plot(855_000, 6.0), plot(865_000, 3.0), plot(871_000)),
        samples=(sample(855_000, "base"), sample(865_000), sample(871_000)),
        events=(
            event(40, "continued from step 855,000"),
            event(2, "sample at 871,000 written"),
            event(1, "checkpoint 871,000 saved in 0.3 s"),
        ),
        sentences=(SENTENCE,), gpu=GpuReading(81, 3_100_000_000, 80_000_000_000, 61, 312.0),
    )  # fmt: skip
    return replace(snapshot, **fields)  # type: ignore[arg-type]


def preparing(**fields: object) -> Snapshot:
    """The first moments: nothing is known but the voice."""
    snapshot = Snapshot(
        Phase.PREPARING, "alice", Path("/data/voices/alice"), "text2mel", "bbc", "standard"
    )
    return replace(snapshot, **fields)  # type: ignore[arg-type]


def series(**fields: object) -> Snapshot:
    """A run with a series: two sentences at every other checkpoint."""
    other = "Glue the sheet to the dark blue background."
    steps = range(855_000, 872_000, 1000)
    samples = [
        replace(
            sample(step, "base" if step == 855_000 else ""),
            sentence=sentence, heard=step < 867_000, automatic=step % 4000 != 0,
            path=Path(f"/data/voices/alice/samples/text2mel-{step}_{sentence[:3]}.wav"),
        )
        for step in steps[::2]
        for sentence in (SENTENCE, other)
    ]  # fmt: skip
    kept = [
        KeptCheckpoint(
            "text2mel", step, 0.0951 if step == 869_000 else 0.12 - (step - 855_000) / 800_000,
            best=step == 869_000, best_by=("held-out",) * (step == 869_000), base=step == 855_000,
        )
        for step in steps
    ]  # fmt: skip
    return training(
        samples=tuple(samples), checkpoints=tuple(kept), sentences=(SENTENCE, other), **fields
    )


_RANKED = partial(Measure, ranked=True)
MEASURES = {
    "held_out": _RANKED("held-out loss", "lower", "A gap to training is normal, a rise is not."),
    "held_out_training": _RANKED(
        "held-out loss in training", "lower", "Without the EMA.", beside="held_out"
    ),
    "clipping": _RANKED("clipping", "lower", "Too loud.", "%", shown=False),
    "skipped": _RANKED("skipped", "lower", "Share of the text in words passed over.", "%"),
    "pace": Measure("pace", "lower", "How far the length is off.", "%"),
    "mel_distortion": _RANKED("mel distortion", "lower", "Distance to the recording.", "dB"),
    "naturalness": _RANKED("naturalness", "higher", "The recordings' own is the ceiling."),
}
"""Measures as they may be: which there are, and which are shown, is not for a screen to say."""


def scores(**ceilings: float) -> tuple[CheckpointScores, ...]:
    """Seventeen evaluated checkpoints: better until 869k, then a little worse."""
    told = []
    for n, step in enumerate(range(855_000, 872_000, 1000)):
        left = abs(14 - n) / 14
        means = {
            "held_out": 0.0951 + 0.03 * left, "held_out_training": 0.0962 + 0.02 * left**2,
            "clipping": left, "skipped": 1.2 + 9 * left, "pace": 6.0 + 5 * left,
            "mel_distortion": 5.9 + 2.2 * left, "naturalness": 3.4 - 1.1 * left,
        }  # fmt: skip
        about = {name: abs(mean) * (0.03 + 0.05 * (n % 3)) for name, mean in means.items()}
        about |= {"held_out": 0.0, "held_out_training": 0.0}
        measured = {
            name: Score(mean, mean - about[name], mean + about[name])
            for name, mean in means.items()
        }
        told.append(CheckpointScores("text2mel", step, measured, 20, round(8 * left), ceilings))
    return tuple(told)


def judged(**fields: object) -> Snapshot:
    """A series whose checkpoints were evaluated, with what follows from that."""
    read = "printing in the only sense with which we are at presentE"
    place = read.index("sense")
    misread = Misreading("skipped", "sense", place, place + 5, 0.8, 0.9)
    stuck = Misreading("stuck", "old", 20, 23, 1.2, 2.0)
    snapshot = series()
    samples = [
        replace(one, misreadings=(misread, stuck)[: 1 + one.step % 2000 // 1000])
        if one.step in (863_000, 871_000)
        else one
        for one in snapshot.samples
    ]
    kept = [
        replace(one, best_by=("held-out", "judge")) if one.best else one
        for one in snapshot.checkpoints
    ]
    snapshot = replace(
        snapshot, samples=tuple(samples), checkpoints=tuple(kept),
        attention=(*snapshot.attention[:2], replace(plot(871_000), misreadings=(misread, stuck))),
        scores=scores(naturalness=4.1), evaluating=871_000,
        judge_absent="No recogniser takes part: voicecoach[judge] is not installed",
        advice=Advice(
            "improving",
            "still improving: +5k steps ($0.80, 49 min) are likely to cut skipped words from 4 % "
            "to 2 %",
            ("held-out loss fell by 1.4 % over the last 6,000 steps, more than its noise of 0.3 %",
             "skipped characters fell in 14 of 20 sentences since 865,000"),
            871_000,
        ),
        recommended=Recommendation(
            "text2mel", 869_000,
            ("lowest held-out loss (0.0951)", "first in the rank of the judge"),
            "clearly better than 871,000 in 3 of 4 measures",
        ),
    )  # fmt: skip
    return replace(snapshot, **fields)
