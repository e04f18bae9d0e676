"""`voicecoach check`: a report on a corpus.

What the files show comes from `engine.check`; what needs a network is added here: the time that
training would take, and how well each transcript fits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.check.report import USUAL_STEPS, CheckReport, Fault, Finding, Severity, TranscriptScore
from engine.check.survey import Survey, in_order, survey
from engine.checkpoints.state import specs_of
from engine.choices import NetworkName, PresetName
from engine.data.clips import METADATA, scan_corpus
from engine.errors import InputError
from engine.networks.specs import NetworkSpec
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

TEXT2MEL_STEPS = USUAL_STEPS["text2mel"]
"""Steps of an estimate, unless given."""

_MAX_PRICE = 1_000_000
_SSRN_SHARE = USUAL_STEPS["ssrn"] / USUAL_STEPS["text2mel"]
# Scores from which on a transcript is suspicious, and from which it is hardly better than those of
# other clips, whose score is 2.
_SUSPICIOUS, _WRONG = 1.0, 1.5


@dataclass(frozen=True)
class CheckOptions:
    """What to check, and for which voice."""

    dataset: Path
    against: Path | None = None
    """A voice whose symbols, cleaner, audio and limits apply; the BBC's without one."""
    voice: Path | None = None
    """A trained voice that scores transcripts; `against` without one."""
    preset: PresetName | None = None
    """Size of the networks in the estimate; None takes those that the voice has or would get, or
    the full size."""
    steps: int = TEXT2MEL_STEPS
    """Text2Mel steps in the estimate; SSRN takes half as many."""
    price: float | None = None
    """US dollars an hour."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.price is not None and not 0 <= self.price < _MAX_PRICE:
            raise InputError(f"--price is {self.price:g}; give US dollars an hour, such as 0.99.")

    @property
    def judge(self) -> Path:
        """The voice that scores transcripts: one named for that, or the one checked against.

        Raises:
            InputError: there is neither.
        """
        voice = self.voice or self.against
        if voice is None:
            raise InputError("--deep needs a trained voice to score transcripts: --voice DIR.")
        return voice

    def settings(self) -> VoiceSettings:
        """What the corpus is checked against.

        Raises:
            InputError: there is no voice in the folder.
        """
        if self.against is None:
            return VoiceSettings()
        return Voice.open(self.against).settings


def validate(options: CheckOptions, *, deep: bool, estimate: bool) -> None:
    """Refuse at once what would otherwise fail only after the files have been checked.

    Raises:
        InputError: there is no such device, or no voice that could score transcripts.
    """
    options.settings()
    if deep:
        Voice.open(options.judge)
    if estimate:
        _sizes(options)
    if deep or estimate:
        from engine.machine.device import choose_device

        choose_device(options.device)


def check_files(
    options: CheckOptions, *, on_progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> Survey:
    """Check the list, the texts and the recordings.

    Raises:
        InputError: there is no corpus in the folder, or no voice to check it against.
        Cancelled: `cancelled()` became true.
    """
    settings = options.settings()
    return survey(
        scan_corpus(options.dataset),
        Vocabulary(settings.symbols, settings.cleaner),
        settings.limits,
        settings.audio,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def add_estimates(
    report: CheckReport,
    files: Survey,
    options: CheckOptions,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Add how long training would take, on this machine and as the BBC measured it.

    Raises:
        InputError: there is no such device.
    """
    # torch is imported where it is used: the check of the files needs none.
    from engine.training import throughput as estimate

    settings = options.settings()
    preset, own = _sizes(options)
    plan = estimate.EstimateRequest(
        preset=preset,
        recipe=settings.recipe,
        vocabulary_size=len(settings.symbols),
        audio=settings.audio,
        limits=settings.limits,
        steps={"text2mel": options.steps, "ssrn": max(1, round(options.steps * _SSRN_SHARE))},
        price=options.price,
        existing=own,
    )
    return estimate.with_estimates(
        report,
        files.shapes,
        plan,
        options.device,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def _sizes(options: CheckOptions) -> tuple[PresetName, Mapping[NetworkName, NetworkSpec]]:
    """The preset that is estimated, and the networks that the voice has already, of any size.

    Raises:
        InputError: the voice named cannot be read.
    """
    if options.preset is not None:
        return options.preset, {}
    folder = options.against or options.voice
    if folder is None:
        return options.settings().preset, {}
    voice = Voice.open(folder)
    return voice.settings.preset, specs_of(voice)


def add_transcript_scores(
    report: CheckReport,
    files: Survey,
    options: CheckOptions,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Add how well each transcript fits, as a trained voice hears it; bad ones become findings.

    Raises:
        InputError: the options name no voice, or it cannot judge this corpus.
        Cancelled: `cancelled()` became true.
    """
    from engine.evaluation.transcript_scores import score_transcripts

    scores = score_transcripts(
        options.judge,
        options.dataset,
        device=options.device,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    suspicious = [_finding(score, files) for score in scores if score.score >= _SUSPICIOUS]
    return replace(report, doubts=scores, findings=in_order([*report.findings, *suspicious]))


def _finding(score: TranscriptScore, files: Survey) -> Finding:
    severity: Severity = "error" if score.score >= _WRONG else "warning"
    figure = (
        f"the text hardly helps: loss {score.loss:.3f} with it, "
        f"{score.other_loss:.3f} with another clip's"
    )
    advice = "listen to it and compare every word with its text"
    fault = Fault("doubted-transcript", severity, figure, advice, score.score)
    return fault.at(files.files.get(score.line, METADATA), score.line, score.clip_id)
