"""`voicecoach report`: everything that one page says about a voice.

It leaves the voice folder as it is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.advice.advice import advise_voice
from engine.advice.best import find_best, recommend
from engine.advice.comparisons import describe_comparisons
from engine.advice.intervals import summarise
from engine.advice.kept import kept_checkpoints
from engine.checkpoints.state import EMA_FILE, WEIGHTS_FILE, read_state
from engine.choices import NETWORKS, NetworkName
from engine.errors import InputError, VoicecoachError
from engine.jobs.info import describe
from engine.run.curves import AttentionPlot, LossCurve
from engine.run.evaluation import (
    Advice,
    CheckpointScores,
    Evaluation,
    Recommendation,
    SentenceMeasures,
)
from engine.run.sample import KeptCheckpoint, Sample
from engine.voice.attention_plots import read_plots
from engine.voice.comparisons import Comparison, read_comparisons
from engine.voice.evaluations import read_evaluations
from engine.voice.folder import Voice
from engine.voice.history import read_curve
from engine.voice.layout import CheckpointEntry
from engine.voice.samples import read_samples
from engine.voice.spend import SpendEntry

_MAX_PLOTS = 9
_MAX_SENTENCES = 8
_MAX_SAMPLES = 6
"""Of a sentence: the base, the best, the newest, and others between them."""
_MAX_FILES = 30
_MAX_DAYS = 40
# A day as `SpendEntry.start` begins with it.
_DATE = len("2026-01-31")


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence as several checkpoints spoke it."""

    sentence: str
    original: Path | None
    """The recording of it, where it is a held-out clip's."""
    samples: tuple[Sample, ...]
    """The oldest step first."""


@dataclass(frozen=True, slots=True)
class SpeakingFile:
    """The weights of a checkpoint that speak, and their checksum when they were saved."""

    step: int
    name: str
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class SpendDay:
    """What a day of training cost, and what it bought."""

    date: str
    """UTC; empty for the days before the others."""
    network: str
    seconds: float
    """Of training."""
    idle_seconds: float
    usd: float
    """Idle time included."""
    first_step: int
    last_step: int
    held_out_before: float | None = None
    held_out_after: float | None = None


@dataclass(frozen=True, slots=True)
class NetworkReport:
    """What there is to show of a network."""

    network: NetworkName
    curve: LossCurve
    plots: tuple[AttentionPlot, ...]
    """Oldest first, of steps far apart."""
    checkpoints: tuple[KeptCheckpoint, ...]
    """On disk, oldest first."""
    sentences: tuple[SpokenSentence, ...]
    files: tuple[SpeakingFile, ...]
    comparisons: tuple[Comparison, ...]
    standings: tuple[str, ...] = ()
    """What the answers to blind comparisons say, in sentences without their full stop."""
    evaluations: tuple[Evaluation, ...] = ()
    """What was measured of its checkpoints, oldest first."""
    scores: tuple[CheckpointScores, ...] = ()
    """The same in figures."""
    advice: Advice | None = None
    recommended: Recommendation | None = None

    @property
    def misread(self) -> tuple[SentenceMeasures, ...]:
        """The sentences that the best checkpoint misread when it was evaluated."""
        found = [one for one in self.evaluations if one.step == self.best]
        return tuple(one for each in found for one in each.sentences if one.misreadings)

    @property
    def best(self) -> int | None:
        """The step to export; None where that is not known."""
        return self.recommended.step if self.recommended else None

    @property
    def base(self) -> int | None:
        """The step that training began from, where its checkpoint is on disk."""
        return next((one.step for one in self.checkpoints if one.base), None)


@dataclass(frozen=True, slots=True)
class Report:
    """What one page says about a voice."""

    written: str
    """When, in UTC: `2026-01-31 14:02`."""
    description: dict[str, Any] = field(repr=False)
    """As `engine.jobs.info.describe` has it, with the traces of this machine."""
    networks: tuple[NetworkReport, ...]
    """Those that have anything to show."""
    days: tuple[SpendDay, ...]
    """The oldest first."""


def report_on(folder: Path, spoken: Path, on_trouble: Callable[[str], None]) -> Report:
    """Gather what there is to say about a voice.

    Args:
        folder: the voice folder.
        spoken: a folder for the sounds that the best checkpoint and the base make for the report.
        on_trouble: takes a sentence where they cannot.

    Raises:
        InputError: there is no voice in the folder, or a part of it cannot be read.
        EngineError: the spend cannot be read.
    """
    voice = Voice.open(folder)
    description = describe(folder)
    found = (_network_report(voice, network) for network in NETWORKS)
    networks = [one for one in found if one.checkpoints or one.curve.steps]
    return Report(
        written=f"{datetime.now(UTC):%Y-%m-%d %H:%M}",
        description=description,
        networks=tuple(_with_contrast(voice, one, spoken, on_trouble) for one in networks),
        days=tuple(_days(voice)),
    )


def _with_contrast(
    voice: Voice, network: NetworkReport, folder: Path, on_trouble: Callable[[str], None]
) -> NetworkReport:
    """Have the best and the base speak where they have not; SSRN needs the corpus for that."""
    if network.network == "ssrn" or not network.checkpoints:
        return network
    newest = network.checkpoints[-1].step
    steps = {newest if network.best is None else network.best, network.base} - {None}
    try:
        from engine.jobs.report_samples import spoken_by

        sentences = spoken_by(voice, network.sentences, sorted(filter(None, steps)), folder)
    except VoicecoachError as error:
        on_trouble(str(error))
        return network
    return replace(network, sentences=tuple(sentences))


def _network_report(voice: Voice, network: NetworkName) -> NetworkReport:
    checkpoints = tuple(one for one in kept_checkpoints(voice) if one.network == network)
    comparisons = tuple(one for one in read_comparisons(voice) if one.network == network)
    standings = describe_comparisons(comparisons).get(network, [])
    evaluations = read_evaluations(voice, network)
    plots = _of_one_sentence(read_plots(voice.attention_plots(network)))
    return NetworkReport(
        network=network,
        curve=read_curve(voice.history(network)),
        plots=tuple(plots[place] for place in _spread(len(plots), _MAX_PLOTS)),
        checkpoints=checkpoints,
        sentences=tuple(_sentences(voice, checkpoints, network)),
        files=tuple(_files(voice, network)),
        comparisons=comparisons,
        standings=tuple(one["standing"] for one in standings if one["answers"]),
        evaluations=evaluations,
        scores=tuple(map(summarise, evaluations)),
        advice=advise_voice(voice, network),
        recommended=recommend(voice, network),
    )


def _of_one_sentence(plots: Sequence[AttentionPlot]) -> list[AttentionPlot]:
    """The plots of the sentence that was drawn most often, not those of auditions between them."""
    drawn = Counter(plot.sentence for plot in plots).most_common(1)
    return [plot for plot in plots if plot.sentence == drawn[0][0]]


def _spread(count: int, wanted: int) -> list[int]:
    """Places among so many, the first and the last with others at equal distances between them."""
    if count <= wanted:
        return list(range(count))
    return [round(place * (count - 1) / (wanted - 1)) for place in range(wanted)]


def _sentences(
    voice: Voice, checkpoints: Sequence[KeptCheckpoint], network: NetworkName
) -> list[SpokenSentence]:
    """The sentences that most checkpoints spoke, those with a recording first."""
    spoken: dict[str, dict[int, Sample]] = {}
    for sample in read_samples(voice):
        if sample.network == network:
            # Of a step that spoke a sentence twice the newest, perhaps with a better SSRN.
            spoken.setdefault(sample.sentence, {})[sample.step] = sample
    marked = {one.step for one in checkpoints if one.best or one.base}
    found = [
        SpokenSentence(sentence, _original(by_step.values()), _chosen(by_step, marked))
        for sentence, by_step in spoken.items()
    ]
    found.sort(key=lambda one: (one.original is None, -len(one.samples)))
    return found[:_MAX_SENTENCES]


def _original(samples: Iterable[Sample]) -> Path | None:
    found = (one.original for one in samples if one.original and one.original.is_file())
    return next(found, None)


def _chosen(by_step: dict[int, Sample], marked: set[int]) -> tuple[Sample, ...]:
    """The samples of the marked steps and the newest, and some of the others."""
    steps = sorted(by_step)
    kept = {step for step in steps if step in marked or step in (steps[0], steps[-1])}
    others = [step for step in steps if step not in kept]
    kept |= {others[place] for place in _spread(len(others), max(0, _MAX_SAMPLES - len(kept)))}
    return tuple(by_step[step] for step in sorted(kept))


def _files(voice: Voice, network: NetworkName) -> list[SpeakingFile]:
    entries = voice.checkpoints(network)
    found = []
    for entry in entries[-_MAX_FILES:]:
        try:
            found.append(_speaking_file(entry))
        except (InputError, OSError):
            continue  # it is damaged, and no use to anybody
    return found


def _speaking_file(entry: CheckpointEntry) -> SpeakingFile:
    checksums = read_state(entry.path).checksums
    name = EMA_FILE if EMA_FILE in checksums else WEIGHTS_FILE
    size = (entry.path / name).lstat().st_size
    return SpeakingFile(entry.step, f"{entry.path.name}/{name}", size, checksums.get(name, ""))


def _days(voice: Voice) -> list[SpendDay]:
    """The spend by day and network; of very many days those before the last ones together."""
    rows: dict[tuple[str, str], list[SpendEntry]] = {}
    for entry in (*voice.spend.entries, *voice.spend.open_entries()):
        rows.setdefault((entry.start[:_DATE], entry.network), []).append(entry)
    merged: dict[tuple[str, str], list[SpendEntry]] = {}
    for place, ((date, network), entries) in enumerate(rows.items()):
        key = ("" if place < len(rows) - _MAX_DAYS else date, network)
        merged.setdefault(key, []).extend(entries)
    days = [_day(date, network, entries) for (date, network), entries in merged.items()]
    losses: dict[str, Mapping[int, float]] = {
        network: _losses_at_ends(voice, network, days) for network in NETWORKS
    }
    return [
        replace(
            day, held_out_before=known.get(day.first_step), held_out_after=known.get(day.last_step)
        )
        for day in days
        for known in [losses.get(day.network, {})]
    ]


def _losses_at_ends(
    voice: Voice, network: NetworkName, days: Sequence[SpendDay]
) -> Mapping[int, float]:
    ends = {
        step for day in days if day.network == network for step in (day.first_step, day.last_step)
    }
    return find_best(voice, network, ends).losses


def _day(date: str, network: str, entries: Sequence[SpendEntry]) -> SpendDay:
    trained = [one for one in entries if one.kind == "training"]
    seconds = sum(one.seconds for one in trained)
    return SpendDay(
        date=date,
        network=network,
        seconds=seconds,
        idle_seconds=sum(one.seconds for one in entries) - seconds,
        usd=sum(one.usd for one in entries),
        first_step=min(one.first_step for one in trained or entries),
        last_step=max(one.last_step for one in trained or entries),
    )
