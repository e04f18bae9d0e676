"""`check --deep`: the clips whose transcript a trained voice does not believe."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.check.report import Doubt
from engine.checkpoints.checkpoint import inference_network, load_checkpoint
from engine.data.audio import recording_length
from engine.data.clips import Clip, open_corpus
from engine.errors import Cancelled, InputError
from engine.evaluation.speaker_match import matches
from engine.evaluation.teacher_forcing import Evidence, Hearing, TeacherForcing, hear
from engine.machine.device import choose_device
from engine.networks.text2mel import Text2Mel
from engine.speech.synthesizer import Synthesizer
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice
from engine.voice.settings import VoiceSettings

# Clips of like duration that are predicted together and lend each other their transcripts.
_BATCH = 16
# Batches by which it is found out how the voice hears this corpus best.
_PROBES = 4
# Transcripts that the voice speaks to tell what its own speaker sounds like.
_SPOKEN = 8
# Separation at which another way of hearing need not be looked for, and the factor by which it
# has to be better.
_CLEAR = 5.0
_BETTER = 1.1
# Clips with which a corpus can be compared with itself.
_FEWEST = 4
# Share of the clips whose transcripts have to be recognised, and what counts as recognised: a
# loss that so few strangers' transcripts reach.
_RECOGNISED = 0.1
_SELDOM = 0.02
# Focus of attention in the middle of the corpus from which on a voice reads along: one that does
# has 0.4 and more, with another speaker, too; one that looks at all characters alike 0.01.
_READS_ALONG = 0.1
# Suspicion begins so many standard deviations off the middle of the corpus, but never nearer
# than this share of the way to strangers' transcripts.
_DEVIATIONS = 6.0
_NEAREST = 0.25
# Where even strangers' are not so many off, it begins here, for right ones reach them.
_MIN = 3.0
# Weight of attention's focus and pace beside the loss, all in standard deviations.
_ATTENTION = 0.25
# Attention off a steady pace that is not suspicious yet: a pause is enough for as much.
_OFF_PACE = 0.15


def rank_doubts(
    voice: Path,
    dataset: Path,
    *,
    device: str = "cpu",
    on_progress: Callable[[int, int], None],
    cancelled: Callable[[], bool],
) -> tuple[Doubt, ...]:
    """Rank the clips of a corpus by how little a trained voice believes their transcripts.

    Args:
        voice: a voice with a trained Text2Mel, best of the same speaker.
        dataset: the corpus, in LJ Speech layout; nothing is written there.
        device: `auto`, `cpu` or `cuda:N`.
        on_progress: called with clips done and clips in all, from the calling thread.
        cancelled: asked between batches.

    Returns:
        A doubt for every clip that training would take, the least believed first; a score of 1
        or more is suspicious.

    Raises:
        InputError: no such voice, device or corpus, or the voice cannot judge this one.
        EngineError: the network's weights yield numbers that are not finite.
        Cancelled: `cancelled()` was true.
    """
    opened = Voice.open(voice)
    settings = opened.settings
    network, vocabulary = _text2mel_of(opened)
    network.to(choose_device(device))
    corpus = open_corpus(dataset, vocabulary, settings.limits, settings.audio)
    forcing = TeacherForcing(network, vocabulary, settings.limits)
    batches = _batches(corpus.clips)
    on_progress(0, len(corpus.clips))
    hearing = _best_hearing(forcing, batches, settings, cancelled)
    evidence: list[Evidence] = []
    done = 0
    for batch in batches:
        evidence.extend(_examine(forcing, batch, settings, [hearing], cancelled)[0])
        done += len(batch)
        on_progress(done, len(corpus.clips))
    _require_judgement(evidence, voice)
    return _judge(evidence)


def _text2mel_of(voice: Voice) -> tuple[Text2Mel, Vocabulary]:
    """The voice's newest Text2Mel and the symbols that it reads."""
    entry = voice.newest("text2mel")
    if entry is None:
        raise InputError(
            f"The voice {voice.folder} cannot judge transcripts: its Text2Mel has no checkpoint; "
            f"train it first."
        )
    checkpoint = load_checkpoint(entry.path, with_optimizer=False)
    network = inference_network(checkpoint)
    if not isinstance(network, Text2Mel):
        raise InputError(f"{entry.path} holds an {checkpoint.network}, not a text2mel.")
    bands = voice.settings.audio.n_mels
    if network.spec.n_mels != bands:
        raise InputError(
            f"{entry.path} was trained on {network.spec.n_mels} mel bands, but "
            f"{voice.folder / 'voice.toml'} says n_mels = {bands}; set it back."
        )
    return network, Vocabulary(checkpoint.symbols, voice.settings.cleaner)


def _batches(clips: Sequence[Clip]) -> list[list[Clip]]:
    """Clips of like duration together, in batches of nearly equal size."""

    def seconds(clip: Clip) -> float:
        samples, rate = recording_length(clip.path)
        return samples / rate

    ordered = sorted(clips, key=seconds)
    count = -(-len(ordered) // _BATCH)
    edges = [len(ordered) * i // count for i in range(count + 1)]
    return [ordered[start:end] for start, end in pairwise(edges)]


def _examine(
    forcing: TeacherForcing,
    batch: Sequence[Clip],
    settings: VoiceSettings,
    hearings: Sequence[Hearing | None],
    cancelled: Callable[[], bool],
) -> list[list[Evidence]]:
    """The evidence of a batch for each way of hearing it."""
    if cancelled():
        raise Cancelled("Not all transcripts were judged.")
    heard = hear(batch, settings.audio, settings.limits)
    return forcing.examine(heard, hearings) if heard else [[] for _ in hearings]


def _best_hearing(
    forcing: TeacherForcing,
    batches: Sequence[Sequence[Clip]],
    settings: VoiceSettings,
    cancelled: Callable[[], bool],
) -> Hearing | None:
    """The way of hearing in which own transcripts stand out best; None for as it is."""
    count = min(_PROBES, len(batches))
    probes = [batches[len(batches) * (2 * i + 1) // (2 * count)] for i in range(count)]

    def separations(hearings: Sequence[Hearing | None]) -> list[float | None]:
        found = [_examine(forcing, batch, settings, hearings, cancelled) for batch in probes]
        return [
            _separation([piece for batch in found for piece in batch[i]])
            for i in range(len(hearings))
        ]

    plain = separations([None])[0]
    if plain is None or plain >= _CLEAR:
        return None
    clips = [clip for batch in probes for clip in batch]
    tried = matches(
        [piece.mel for piece in hear(clips, settings.audio, settings.limits)],
        _speak(forcing, clips, settings, cancelled),
        settings.audio,
    )
    found = [separation or 0.0 for separation in separations(tried)]
    best = int(np.argmax(found))
    return tried[best] if found[best] > _BETTER * max(plain, 0.0) else None


def _speak(
    forcing: TeacherForcing,
    clips: Sequence[Clip],
    settings: VoiceSettings,
    cancelled: Callable[[], bool],
) -> list[NDArray[np.float32]]:
    """Coarse mels of some transcripts in the voice's own sound."""
    synthesizer = Synthesizer(
        forcing.network,
        forcing.vocabulary,
        max_frames=settings.limits.max_coarse_frames,
        max_characters=settings.limits.max_characters,
    )
    count = min(_SPOKEN, len(clips))
    chosen = [clips[len(clips) * i // count] for i in range(count)]
    return [synthesizer.mel(clip.text, cancelled=cancelled).mel for clip in chosen]


def _separation(evidence: Sequence[Evidence]) -> float | None:
    """How far own transcripts stand off from strangers', in standard deviations of both.

    From the middle and the better side alone, so that wrong transcripts count for little. None
    where there are no strangers.
    """
    own = [piece.ratio for piece in evidence]
    strange = np.concatenate([np.empty(0), *(piece.strange_ratios for piece in evidence)])
    if not len(strange):
        return None
    apart = float(np.median(strange) - np.median(own))
    return apart / max(float(np.hypot(_deviation(own), _deviation(strange))), 1e-9)


def _deviation(values: Sequence[float] | NDArray[np.float64]) -> float:
    """Standard deviation of a normal distribution with this median and 10th percentile."""
    low, median = np.quantile(values, [0.1, 0.5])
    return float(median - low) / 1.2816


def _require_judgement(evidence: Sequence[Evidence], voice: Path) -> None:
    """Refuse to judge by a voice that tells hardly any transcript from a stranger's.

    In a small corpus some are told apart by chance: attention must follow the texts as well.
    """
    if sum(len(piece.others) > 1 for piece in evidence) < _FEWEST:
        raise InputError(
            f"There are not even {_FEWEST} clips with different transcripts to compare; check "
            f"them by ear."
        )
    strange = np.concatenate([piece.strange_ratios for piece in evidence])
    limit = np.quantile(strange, _SELDOM)
    recognised = float(np.mean([piece.ratio < limit for piece in evidence]))
    if recognised < _RECOGNISED:
        raise InputError(
            f"The voice {voice} cannot judge these transcripts: it prefers only "
            f"{100 * recognised:.0f} % of them to those of other clips; either it has learned too "
            f"little, or another kind of speech, or nearly all transcripts are wrong, as when the "
            f"list is shifted by a line."
        )
    focus = float(np.median([piece.focus for piece in evidence]))
    if focus < _READS_ALONG:
        raise InputError(
            f"The voice {voice} cannot judge these transcripts: its attention does not follow any "
            f"text yet (focus {focus:.2f}, where 1 is best and {_READS_ALONG:g} the least); train "
            f"it further, or name another voice."
        )


def _judge(evidence: Sequence[Evidence]) -> tuple[Doubt, ...]:
    """Score the evidence against the corpus as a whole."""
    paces = np.array([piece.off_diagonal for piece in evidence])
    pace = float(np.median(paces))
    off_pace = max(_DEVIATIONS * _spread(paces), _OFF_PACE - pace)
    scores = np.maximum(_disbelief(evidence), (paces - pace) / off_pace)
    doubts = [
        Doubt(
            line=piece.clip.line,
            clip_id=piece.clip.clip_id,
            text=piece.clip.text,
            score=float(score),
            loss=piece.loss,
            other_loss=piece.other_loss,
            focus=piece.focus,
            off_diagonal=piece.off_diagonal,
        )
        for piece, score in zip(evidence, scores, strict=True)
    ]
    return tuple(sorted(doubts, key=lambda doubt: (-doubt.score, doubt.line)))


def _disbelief(evidence: Sequence[Evidence]) -> NDArray[np.float64]:
    """How little each transcript helps to predict its clip, `(clips,)`; 1 is the limit.

    What counts is the loss beside strangers'. How attention reads is added at a small weight:
    it decides where losses hardly differ, as with another speaker.
    """
    ratios = np.array([piece.ratio for piece in evidence])
    middle, deviation = float(np.median(ratios)), max(_deviation(ratios), 1e-9)
    strange = float(np.median(np.concatenate([piece.strange_ratios for piece in evidence])))
    # Beyond the strangers' middle a transcript is worth no more than another's.
    gap = max(strange - middle, _MIN * deviation)
    room = min(max(_DEVIATIONS * deviation, _NEAREST * gap), gap)
    astray = _standard(np.log([max(piece.off_diagonal, 1e-9) for piece in evidence]))
    blurred = _standard(np.array([-piece.focus for piece in evidence]))
    doubt: NDArray[np.float64] = ratios - middle + _ATTENTION * deviation * (astray + blurred)
    return doubt / room


def _standard(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values in standard deviations from their median, held to so many as suspicion needs."""
    centred = (values - np.median(values)) / max(_spread(values), 1e-9)
    return np.clip(centred, -_DEVIATIONS, _DEVIATIONS)


def _spread(values: NDArray[np.float64]) -> float:
    """Standard deviation by the median absolute deviation, which outliers do not move."""
    return float(np.median(np.abs(values - np.median(values)))) / 0.6745
