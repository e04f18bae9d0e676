"""What checkpoints of a voice are evaluated with: held-out clips, sentences, the usual pace."""

import logging
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec, load_recording
from engine.data.clips import METADATA, Clip, find_recording, require_layout
from engine.data.metadata import parse_lines, read_bytes, recording_key, split_lines
from engine.data.spectrograms import analyse, coarse_frames, is_silent, trim
from engine.errors import InputError
from engine.evaluation.held_out_loss import HeldOutClip
from engine.speech.loudness import level
from engine.voice.folder import Voice, read_corpus_report

_log = logging.getLogger(__name__)

# Sentences that are spoken of a voice: held-out ones first, then its own, then these.
_SENTENCES = 20
_OURS = (
    "Seven grey geese crossed the frozen lake before the sun came up.",
    "Could you tell me which platform the late train leaves from?",
    "She sold her old bicycle, bought a map, and walked to the coast.",
    "The judge asked for quiet; nobody in the room said a word.",
    "That that is true does not make it easy to say.",
    "Our neighbour's youngest daughter plays the trumpet every evening.",
    "No, I don't think so.",
    "Fresh bread and strong coffee are all we need this morning.",
    "The instructions were printed in very small letters on the back of the box.",
    "Thick fog drifted over the bridge while the ships waited outside the harbour.",
    "He has a hat, a coat, a scarf and a pair of gloves.",
    "What would happen if the measurements turned out to be wrong?",
)
# Recordings that the pace is learned from.
_PACED = 60
_MARKS = re.compile(r"[^\w\s']")


@dataclass(frozen=True)
class Pace:
    """How long this speaker takes for a text: seconds by letters and by marks."""

    weights: NDArray[np.float64]

    def seconds(self, text: str) -> float:
        """What a cleaned text should take."""
        return max(0.1, float(_features(text) @ self.weights))


@dataclass(frozen=True)
class Material:
    """What the checkpoints of a voice are evaluated with."""

    held_out: tuple[HeldOutClip, ...]
    """Empty where the recordings are not here."""
    sentences: tuple[str, ...]
    """What is spoken, cleaned: the held-out texts first."""
    pace: Pace | None
    """None where too few recordings are here to learn it from."""


def load_material(voice: Voice) -> Material:
    """Read what a voice is evaluated with; recordings that cannot be read are left out."""
    rows = _rows(voice)
    held_out = tuple(_held_out_clips(voice, rows))
    texts = [one.clip.text for one in held_out]
    texts += filter(None, map(voice.vocabulary.clean, voice.settings.sentences))
    if voice.settings.cleaner == "english":
        texts += map(voice.vocabulary.clean, _OURS)
    sentences = tuple(dict.fromkeys(texts))[: max(_SENTENCES, len(held_out))]
    return Material(held_out, sentences, _learn_pace(voice, rows))


def seconds_of(waveform: NDArray[np.float32], audio: AudioSpec) -> float:
    """How long a sound is without the silence around it."""
    return len(trim(waveform, audio.trim_db)) / audio.sample_rate


def _rows(voice: Voice) -> dict[str, str]:
    """The transcripts of the voice's corpus by clip; none where it is not here."""
    try:
        require_layout(voice.dataset)
        rows, _ = parse_lines(split_lines(read_bytes(voice.dataset / METADATA)))
    except InputError as error:
        _log.info("evaluated without recordings: %s", error)
        return {}
    return {recording_key(row.clip_id): row.text for row in rows}


def _held_out_clips(voice: Voice, rows: Mapping[str, str]) -> Iterable[HeldOutClip]:
    for clip_id in _held_out_ids(voice):
        text = voice.vocabulary.clean(rows.get(recording_key(clip_id), ""))
        path = find_recording(voice.dataset, clip_id) if text else None
        if path is not None and (one := _analysed(Clip(0, clip_id, path, text), voice)) is not None:
            yield one


def _held_out_ids(voice: Voice) -> list[str]:
    """Those of the last run, or else all that were ever held out."""
    reported = read_corpus_report(voice).get("held_out")
    return [one for one in reported or voice.settings.held_out if isinstance(one, str)]


def _analysed(clip: Clip, voice: Voice) -> HeldOutClip | None:
    """Analyse a recording; None where training would leave it out."""
    audio, limits = voice.settings.audio, voice.settings.limits
    waveform = _load(clip.path, audio)
    if waveform is None or len(clip.text) >= limits.max_characters:
        return None
    trimmed = trim(waveform, audio.trim_db)
    if coarse_frames(len(trimmed), audio) > limits.max_coarse_frames:
        return None
    # Training reads its features from a cache of float16.
    mel, magnitude = (one.astype(np.float16).astype(np.float32) for one in analyse(waveform, audio))
    return HeldOutClip(clip, level(trimmed), mel[:: audio.reduction], magnitude)


def _load(path: Path, audio: AudioSpec) -> NDArray[np.float32] | None:
    try:
        waveform = load_recording(path, audio.sample_rate)
    except InputError as error:
        _log.info("evaluated without a recording: %s", error)
        return None
    return None if is_silent(waveform) else waveform


def _learn_pace(voice: Voice, rows: Mapping[str, str]) -> Pace | None:
    """Learn how long texts take from some recordings of the corpus."""
    audio, clean = voice.settings.audio, voice.vocabulary.clean
    step = max(1, len(rows) // _PACED)
    seconds, features = [], []
    for clip_id, text in list(rows.items())[::step][:_PACED]:
        path = find_recording(voice.dataset, clip_id)
        waveform = None if path is None else _load(path, audio)
        if waveform is not None and (cleaned := clean(text)):
            seconds.append(seconds_of(waveform, audio))
            features.append(_features(cleaned))
    return _fit_pace(np.array(features), np.array(seconds)) if len(seconds) > 3 else None


def _fit_pace(features: NDArray[np.float64], seconds: NDArray[np.float64]) -> Pace:
    """Fit seconds to features, without the texts that do not fit: some transcripts are wrong."""
    kept = np.ones(len(seconds), bool)
    for _ in range(3):
        weights = np.linalg.lstsq(features[kept], seconds[kept], rcond=None)[0]
        errors = np.abs(np.log(np.maximum(features @ weights, 0.1) / seconds))
        kept = errors <= 3 * 1.4826 * np.median(errors)
    return Pace(np.asarray(weights, np.float64))


def _features(text: str) -> NDArray[np.float64]:
    letters = sum(map(str.isalnum, text))
    return np.array([1.0, letters, len(_MARKS.findall(text))])
