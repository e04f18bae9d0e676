"""The front door to the check of a corpus: `voicecoach check`.

What the files tell comes from `engine.check`; what needs a network, the time that
training would take and the transcripts that a voice doubts, is added here.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from engine.check.report import USUAL_STEPS, CheckReport, Doubt, Finding
from engine.check.survey import Survey, in_order, survey
from engine.checkpoints.state import specs_of
from engine.choices import NetworkName, PresetName
from engine.data.clips import METADATA
from engine.errors import InputError
from engine.networks.specs import NetworkSpec
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

TEXT2MEL_STEPS = USUAL_STEPS["text2mel"]
"""Steps that an estimate is of."""

_HIGHEST_PRICE = 1_000_000

_SSRN_SHARE = USUAL_STEPS["ssrn"] / USUAL_STEPS["text2mel"]
# Scores from which on a doubt is worth a look, and from which the text is hardly better than
# those of other clips, whose score is 2.
_SUSPICIOUS, _DISBELIEVED = 1.0, 1.5


@dataclass(frozen=True)
class CheckOptions:
    """What shall be checked, and for which voice."""

    dataset: Path
    against: Path | None = None
    """A voice whose symbols, cleaner, sound and limits count; the BBC's without one."""
    doubting: Path | None = None
    """A trained voice that says which transcripts it does not believe."""
    preset: PresetName | None = None
    """Size of the networks that are estimated; None takes those that the voice has or would get,
    or the full size."""
    steps: int = TEXT2MEL_STEPS
    """Text2Mel steps that are estimated; SSRN takes half as many."""
    price: float | None = None
    """US dollars an hour."""
    device: str = "auto"

    def __post_init__(self) -> None:
        if self.price is not None and not 0 <= self.price < _HIGHEST_PRICE:
            raise InputError(f"--price is {self.price:g}; give US dollars an hour, such as 0.99.")

    @property
    def judge(self) -> Path:
        """The voice that judges transcripts: one named for that, or the one checked against.

        Raises:
            InputError: there is neither.
        """
        voice = self.doubting or self.against
        if voice is None:
            raise InputError("--deep needs a trained voice that judges transcripts: --voice DIR.")
        return voice

    def settings(self) -> VoiceSettings:
        """What the corpus is checked against.

        Raises:
            InputError: there is no voice in the folder.
        """
        if self.against is None:
            return VoiceSettings()
        return Voice.open(self.against).settings


def require_able(order: CheckOptions, *, deep: bool, estimate: bool) -> None:
    """Refuse at once what would fail only after the files have been checked.

    Raises:
        InputError: there is no such device, or no voice that could judge transcripts.
    """
    order.settings()
    if deep:
        Voice.open(order.judge)
    if estimate:
        _sizes(order)
    if deep or estimate:
        from engine.machine.device import choose_device

        choose_device(order.device)


def check_files(
    order: CheckOptions, *, on_progress: Callable[[int, int], None], cancelled: Callable[[], bool]
) -> Survey:
    """Check the list, the texts and the recordings.

    Raises:
        InputError: there is no corpus in the folder, or no voice to check it against.
        Cancelled: `cancelled()` became true.
    """
    settings = order.settings()
    return survey(
        order.dataset,
        Vocabulary(settings.symbols, settings.cleaner),
        settings.limits,
        settings.audio,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def with_estimates(
    report: CheckReport,
    found: Survey,
    order: CheckOptions,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Add what training would take, on this machine and as the BBC measured it.

    Raises:
        InputError: there is no such device.
    """
    # torch is imported where it is used: the check of the files needs none.
    from engine.training import throughput as estimate

    settings = order.settings()
    preset, own = _sizes(order)
    plan = estimate.Plan(
        preset=preset,
        recipe=settings.recipe,
        vocabulary_size=len(settings.symbols),
        audio=settings.audio,
        limits=settings.limits,
        steps={"text2mel": order.steps, "ssrn": max(1, round(order.steps * _SSRN_SHARE))},
        price=order.price,
        own=own,
    )
    return estimate.with_estimates(
        report,
        found.shapes,
        plan,
        order.device,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def _sizes(order: CheckOptions) -> tuple[PresetName, Mapping[NetworkName, NetworkSpec]]:
    """The preset that is estimated, and the networks that the voice has already, of any size.

    Raises:
        InputError: the voice named cannot be read.
    """
    if order.preset is not None:
        return order.preset, {}
    folder = order.against or order.doubting
    if folder is None:
        return order.settings().preset, {}
    voice = Voice.open(folder)
    return voice.settings.preset, specs_of(voice)


def with_doubts(
    report: CheckReport,
    found: Survey,
    order: CheckOptions,
    *,
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> CheckReport:
    """Add the transcripts that a trained voice does not believe; suspicious ones are findings.

    Raises:
        InputError: the order names no voice, or it cannot judge.
        Cancelled: `cancelled()` became true.
    """
    from engine.evaluation.transcript_scores import rank_doubts

    doubts = rank_doubts(
        order.judge,
        order.dataset,
        device=order.device,
        on_progress=on_progress,
        cancelled=cancelled,
    )
    suspicious = [_finding(doubt, found) for doubt in doubts if doubt.score >= _SUSPICIOUS]
    return replace(report, doubts=doubts, findings=in_order([*report.findings, *suspicious]))


def _finding(doubt: Doubt, found: Survey) -> Finding:
    return Finding(
        kind="doubted-transcript",
        severity="error" if doubt.score >= _DISBELIEVED else "warning",
        line=doubt.line,
        clip_id=doubt.clip_id,
        file=found.files.get(doubt.line, METADATA),
        figure=f"the voice's loss is {doubt.loss:.4f} with it, {doubt.other_loss:.4f} with others'",
        advice="listen to it, and compare every word with its text",
        value=doubt.score,
    )
