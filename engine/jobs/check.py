"""`voicecoach check`: a report on a corpus.

What the files show comes from `engine.check`; what needs a network is added here: the time that
training would take, and how well each transcript fits.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from engine.check.clean_copy import origin_of
from engine.check.kinds import finding
from engine.check.report import (
    USUAL_STEPS,
    CheckReport,
    Finding,
    Severity,
    TranscriptScore,
    in_order,
)
from engine.check.survey import Survey, judge, measure_corpus
from engine.checkpoints.state import specs_of
from engine.choices import CleanerName, NetworkName, PresetName
from engine.data.clips import METADATA, scan_corpus
from engine.errors import InputError
from engine.networks.specs import NetworkSpec
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

Progress = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]
"""Shows a task with this title; what it yields is called with what is done and the total."""

_SSRN_SHARE = USUAL_STEPS["ssrn"] / USUAL_STEPS["text2mel"]
# Score from which on a transcript is suspicious; that of another clip's transcript is 2.
_SUSPICIOUS = 1.0
# Letters below which a text says too little to be told from another: spelled letters, one word.
_FEW_LETTERS = 10


@dataclass(frozen=True)
class CheckOptions:
    """What to check, and for which voice."""

    dataset: Path
    against: Path | None = None
    """A voice whose symbols, cleaner, audio and limits apply; the BBC's without one."""
    vocabulary: str | None = None
    """Symbols of a voice to come, in place of those."""
    cleaner: CleanerName | None = None
    """How that voice would read text."""
    deep: bool = False
    """Score the transcripts."""
    voice: Path | None = None
    """A trained voice that scores transcripts; `against` without one."""
    estimate: bool = True
    """Time a few training steps."""
    preset: PresetName | None = None
    """Size of the networks in the estimate; None is the voice's, or the full size."""
    steps: int = USUAL_STEPS["text2mel"]
    """Text2Mel steps in the estimate; SSRN takes half as many."""
    price: float | None = None
    """US dollars an hour."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.deep and not (self.voice or self.against):
            raise InputError("--deep needs a trained voice to score transcripts: --voice DIR.")

    def settings(self) -> VoiceSettings:
        """What the corpus is checked against.

        Raises `InputError` where there is no such voice, or a symbol can never be read.
        """
        settings = VoiceSettings() if self.against is None else Voice.open(self.against).settings
        return settings.reading(self.vocabulary, self.cleaner)

    def sizes(self) -> tuple[PresetName, Mapping[NetworkName, NetworkSpec]]:
        """The preset that is estimated, and the networks that the voice already has."""
        folder = self.against or self.voice
        if self.preset is not None or folder is None:
            return self.preset or VoiceSettings().preset, {}
        voice = Voice.open(folder)
        return voice.settings.preset, specs_of(voice)


def check(options: CheckOptions, progress: Progress) -> tuple[CheckReport, InputError | None]:
    """Check the files of a corpus, and what the options ask for besides.

    Returns:
        The report, and why the transcripts could not be scored, if so.

    Raises:
        InputError: there is no such corpus, voice or device.
    """
    settings = options.settings()
    voice = None if options.against is None else Voice.open(options.against)
    _require_voice_and_device(options)
    with progress("checking the recordings") as show:
        measured = measure_corpus(
            scan_corpus(options.dataset),
            Vocabulary(settings.symbols, settings.cleaner),
            settings.limits,
            settings.audio,
            on_progress=show,
        )
        files = judge(measured, left_out=left_out_of(voice, options.dataset))
    report, refusal = files.report, None
    if options.deep and report.usable:
        try:
            with progress("scoring the transcripts") as show:
                report = _with_scores(report, files, options, show)
        except InputError as error:
            # The findings so far are still shown.
            refusal = error
    if options.estimate and report.usable:
        with progress("timing training steps") as show:
            report = _with_estimates(report, files, options, show)
    return report, refusal


def left_out_of(voice: Voice | None, dataset: Path) -> tuple[str, ...]:
    """Ids of the clips that a voice leaves out: of its own corpus, or of what that is a copy of."""
    if voice is None or voice.settings.dataset is None:
        return ()
    theirs = (str(voice.dataset), origin_of(voice.dataset).source)
    return voice.settings.left_out if str(dataset.resolve()) in theirs else ()


def _require_voice_and_device(options: CheckOptions) -> None:
    """Refuse at once what would otherwise fail only after the files have been checked."""
    if options.deep:
        Voice.open(options.voice or options.against or Path())
    if options.estimate:
        options.sizes()
    if options.deep or options.estimate:
        # torch is imported where it is used: the check of the files needs none.
        from engine.machine.device import choose_device

        choose_device(options.device)


def _with_estimates(
    report: CheckReport, files: Survey, options: CheckOptions, show: Callable[[int, int], None]
) -> CheckReport:
    from engine.training.throughput import EstimateRequest, with_estimates

    preset, existing = options.sizes()
    request = EstimateRequest(
        replace(options.settings(), preset=preset),
        steps={"text2mel": options.steps, "ssrn": max(1, round(options.steps * _SSRN_SHARE))},
        device=options.device,
        price=options.price,
        existing=existing,
    )
    return with_estimates(report, files.shapes, request, on_progress=show, cancelled=lambda: False)


def _with_scores(
    report: CheckReport, files: Survey, options: CheckOptions, show: Callable[[int, int], None]
) -> CheckReport:
    """Add how well each transcript fits; bad ones become findings."""
    from engine.evaluation.transcript_scores import score_transcripts

    scores = score_transcripts(
        options.voice or options.against or Path(),
        options.dataset,
        device=options.device,
        on_progress=show,
    )
    # What is left out needs no second opinion.
    left_out = {row.line for row in report.left_out}
    scores = tuple(sorted((score for score in scores if score.line not in left_out), key=_is_short))
    suspicious = [_finding(score, files) for score in scores if score.score >= _SUSPICIOUS]
    return replace(report, doubts=scores, findings=in_order([*report.findings, *suspicious]))


def _is_short(score: TranscriptScore) -> bool:
    """Whether a score is a hint at most, and comes after the others."""
    return sum(map(str.isalnum, score.text)) < _FEW_LETTERS


def _finding(score: TranscriptScore, files: Survey) -> Finding:
    figure = (
        f"the text hardly helps: loss {score.loss:.3f} with it, "
        f"{score.other_loss:.3f} with another clip's"
    )
    severity: Severity | None = None
    if _is_short(score):
        severity, figure = "note", f"{figure}; for so short a text that says little"
    found = finding("doubted-transcript", figure, score.score, severity)
    return found.at(files.files.get(score.line, METADATA), score.line, score.clip_id)
