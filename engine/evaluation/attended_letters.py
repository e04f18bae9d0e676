"""Where a trained voice's attention stands in a long clip, for splitting it."""

from pathlib import Path

import numpy as np

from engine.check.alignment import Floats
from engine.check.levels import HOP_SECONDS
from engine.check.splitting import Attend
from engine.check.text_places import is_letter
from engine.data.audio import load_recording
from engine.data.clips import Clip
from engine.data.spectrograms import analyse, trim_bounds
from engine.errors import InputError
from engine.evaluation.teacher_forcing import TeacherForcing, measure_attention
from engine.speech.speaker import open_speaker
from engine.text.vocabulary import Vocabulary
from engine.voice.folder import Voice

# Focus from which on attention follows the text at all: see `transcript_scores`.
_FOCUSED = 0.1
# What attention elsewhere leaves to a letter at least; what is neither for nor against it; and the
# weight of each 10 ms.
_FLOOR, _NEUTRAL, _WEIGHT = 0.01, 0.1, 0.1


def attention_of(voice: Path, vocabulary: Vocabulary) -> Attend | None:
    """Have a voice read along: see `Attend`.

    Returns:
        None where it cannot: it has no Text2Mel yet, or that was trained on other symbols than
        those of the vocabulary that reads the clips.

    Raises:
        InputError: there is no such voice.
    """
    opened = Voice.open(voice)
    try:
        speaker = open_speaker(opened)
    except InputError:
        return None  # nothing is trained yet: the corpus alone decides
    if speaker.vocabulary != vocabulary:
        return None
    forcing = TeacherForcing(speaker)
    return lambda clip, frames: _attend(forcing, clip, frames)


def _attend(forcing: TeacherForcing, clip: Clip, frames: int) -> Floats | None:
    audio = forcing.speaker.settings.audio
    waveform = load_recording(clip.path, audio.sample_rate)
    start, _ = trim_bounds(waveform, audio.trim_db)
    mel = analyse(waveform, audio)[0][:: audio.reduction]
    attention = forcing.attend((clip, mel))
    if measure_attention(attention)[0] < _FOCUSED:
        return None
    # What is attended of a mark or a space counts for the letter before it.
    letters = [place for place, character in enumerate(clip.text) if is_letter(character)]
    sums = np.add.reduceat(attention, letters, axis=0).T.astype(np.float64)
    scores = _WEIGHT * np.log((sums + _FLOOR) / _NEUTRAL)
    seconds = np.arange(frames) * HOP_SECONDS - start / audio.sample_rate
    coarse = np.floor(seconds / audio.coarse_frame_seconds).astype(int)
    inside = (coarse >= 0) & (coarse < len(scores))
    found: Floats = np.where(inside[:, None], scores[coarse.clip(0, len(scores) - 1)], 0.0)
    return found
