"""`check --deep`: how well each transcript fits its recording, as a trained voice hears it."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.check.report import TranscriptScore
from engine.check.speaking_rate import robust_deviation
from engine.data.audio import recording_length
from engine.data.clips import Clip, scan_corpus, usable_clips
from engine.errors import InputError
from engine.evaluation.speaker_match import MelChange, speaker_changes
from engine.evaluation.teacher_forcing import Prediction, TeacherForcing
from engine.machine.device import choose_device
from engine.speech.speaker import open_speaker
from engine.speech.synthesizer import speak_sentences
from engine.voice.folder import Voice

# Clips of similar duration that are predicted together and lend each other their transcripts.
_BATCH = 16
# Batches used to find out whether the corpus must be matched to the voice's speaker.
_PROBES = 4
# Transcripts that the voice speaks to show what its own speaker sounds like.
_SPOKEN = 8
# Separation from which on no match is tried, and the factor by which one must be better.
_CLEAR, _BETTER = 5.0, 1.1
# Clips with which a corpus can be compared with itself.
_MIN_CLIPS = 4
# Share of the clips whose transcripts must be recognised, and what counts as recognised: a loss
# that so few other transcripts reach.
_RECOGNISED, _SELDOM = 0.1, 0.02
# Median focus of attention from which on a voice reads along: one that does has 0.4 and more, with
# another speaker, too; one that attends to all characters equally 0.01.
_READS_ALONG = 0.1
# A score becomes suspicious so many standard deviations from the median of the corpus, but never
# closer than this share of the way to other clips' transcripts.
_DEVIATIONS, _NEAREST = 6.0, 0.25
# Where even other clips' transcripts are closer, so many, because right ones reach them.
_MIN_DEVIATIONS = 3.0
# Attention off a steady pace that is not suspicious yet: a pause is enough for it.
_OFF_PACE = 0.15


def score_transcripts(
    voice: Path,
    dataset: Path,
    *,
    device: str = "cpu",
    on_progress: Callable[[int, int], None],
) -> tuple[TranscriptScore, ...]:
    """Rank the clips of a corpus by how badly their transcripts fit, as a trained voice hears it.

    Every clip that training would take gets a score, the worst first; from 1 on it is suspicious.
    `on_progress` gets clips done and clips in all.

    Raises:
        InputError: no such voice, device or corpus, or the voice cannot judge this one.
        EngineError: the network's weights yield numbers that are not finite.
    """
    speaker = open_speaker(Voice.open(voice))
    speaker.text2mel.to(choose_device(device))
    corpus = usable_clips(scan_corpus(dataset), speaker.vocabulary, speaker.settings.limits)
    batches = _batches(corpus.clips)
    forcing = TeacherForcing(speaker)
    on_progress(0, len(corpus.clips))
    change = _best_change(forcing, batches)
    predictions: list[Prediction] = []
    done = 0
    for batch in batches:
        predictions += forcing.predict(forcing.analyse(batch), change)
        done += len(batch)
        on_progress(done, len(corpus.clips))
    require_judgement(predictions, voice)
    return _scores(predictions)


def _best_change(forcing: TeacherForcing, batches: Sequence[Sequence[Clip]]) -> MelChange | None:
    """The change of mels with which own transcripts stand out best; None for no change."""
    count = min(_PROBES, len(batches))
    places = [len(batches) * (2 * i + 1) // (2 * count) for i in range(count)]
    probes = [forcing.analyse(batches[place]) for place in places]

    def separation(change: MelChange | None) -> float | None:
        return _separation([p for probe in probes for p in forcing.predict(probe, change)])

    plain = separation(None)
    if plain is None or plain >= _CLEAR:
        return None
    clips = [each for probe in probes for each in probe]
    speaker = forcing.speaker
    limits = speaker.settings.limits
    count = min(_SPOKEN, len(clips))
    texts = [clips[len(clips) * i // count][0].text for i in range(count)]
    pieces = speak_sentences(speaker.text2mel, speaker.vocabulary, limits, texts)
    spoken = [sentence.mel for _, sentence in pieces if sentence is not None]
    changes = speaker_changes([mel for _, mel in clips], spoken, speaker.settings.audio)
    found = [separation(change) or 0.0 for change in changes]
    best = int(np.argmax(found))
    return changes[best] if found[best] > _BETTER * max(plain, 0.0) else None


def _batches(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of similar duration together, in batches of nearly equal size."""

    def seconds(clip: Clip) -> float:
        try:
            samples, rate = recording_length(clip.path)
        except InputError:
            return 0.0  # left out when it is read
        return samples / rate

    ordered = sorted(clips, key=seconds)
    count = -(-len(ordered) // _BATCH)
    edges = [len(ordered) * i // count for i in range(count + 1)]
    return [ordered[start:end] for start, end in pairwise(edges)]


def _separation(predictions: Sequence[Prediction]) -> float | None:
    """How far own transcripts are from other clips', in standard deviations of both.

    From the median and the better side alone, so that wrong transcripts hardly count. None where
    there are no other transcripts.
    """
    own = [each.ratio for each in predictions]
    others = np.concatenate([np.empty(0), *(each.other_ratios for each in predictions)])
    if not len(others):
        return None
    apart = float(np.median(others) - np.median(own))
    return apart / max(float(np.hypot(_deviation(own), _deviation(others))), 1e-9)


def _deviation(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Standard deviation of a normal distribution with this median and 10th percentile."""
    low, median = np.quantile(values, [0.1, 0.5])
    return float(median - low) / 1.2816


def require_judgement(predictions: Sequence[Prediction], voice: Path) -> None:
    """Refuse a voice that can hardly tell any transcript from another clip's.

    In a small corpus some are told apart by chance: attention must follow the texts as well.
    """
    if sum(len(each.others) > 1 for each in predictions) < _MIN_CLIPS:
        raise InputError(
            f"--deep needs at least {_MIN_CLIPS} clips with different transcripts to compare; "
            f"check fewer by ear."
        )
    limit = np.quantile(np.concatenate([each.other_ratios for each in predictions]), _SELDOM)
    recognised = float(np.mean([each.ratio < limit for each in predictions]))
    if recognised < _RECOGNISED:
        raise InputError(
            f"The voice {voice} cannot judge these transcripts: it prefers only "
            f"{100 * recognised:.0f} % of them to those of other clips; either it has learned too "
            f"little, or the speech is too different, or nearly all transcripts are wrong, as when "
            f"the list is shifted by a line."
        )
    focus = float(np.median([each.focus for each in predictions]))
    if focus < _READS_ALONG:
        raise InputError(
            f"The voice {voice} cannot judge these transcripts: its attention does not follow any "
            f"text yet (focus {focus:.2f}, where 1 is best and at least {_READS_ALONG:g} is "
            f"needed); train it further, or name another voice."
        )


def _scores(predictions: Sequence[Prediction]) -> tuple[TranscriptScore, ...]:
    paces = np.array([each.off_diagonal for each in predictions])
    pace = float(np.median(paces))
    off_pace = max(_DEVIATIONS * robust_deviation(paces.tolist()), _OFF_PACE - pace)
    values = np.maximum(_loss_scores(predictions), (paces - pace) / off_pace)
    scores = [
        TranscriptScore(
            line=each.clip.line,
            clip_id=each.clip.clip_id,
            text=each.clip.text,
            score=float(value),
            loss=each.loss,
            other_loss=each.other_loss,
            focus=each.focus,
            off_diagonal=each.off_diagonal,
        )
        for each, value in zip(predictions, values, strict=True)
    ]
    return tuple(sorted(scores, key=lambda score: (-score.score, score.line)))


def _loss_scores(predictions: Sequence[Prediction]) -> NDArray[np.float64]:
    """How little each transcript helps to predict its clip, `(clips,)`; 1 is the limit."""
    ratios = np.array([each.ratio for each in predictions])
    middle, deviation = float(np.median(ratios)), max(_deviation(ratios), 1e-9)
    others = float(np.median(np.concatenate([each.other_ratios for each in predictions])))
    # Beyond the median of the others a transcript is no better than another's.
    gap = max(others - middle, _MIN_DEVIATIONS * deviation)
    score: NDArray[np.float64] = ratios - middle
    return score / min(max(_DEVIATIONS * deviation, _NEAREST * gap), gap)
