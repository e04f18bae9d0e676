"""Measure how far a voice has moved from one speaker to another, and whether it is understood.

Two measures, both of the held-out sentences: pitch (median F0) and timbre (the distance of the
mean MFCCs from those of each speaker). flite speaks the sentences for comparison.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
from intelligibility import RATE, read_sentences, recognise
from speak import find_flite, speak

from engine.errors import VoicecoachError
from engine.speech.speaker import open_speaker
from engine.voice.folder import Voice

ROOT = Path(__file__).resolve().parents[2]
EVERY_FOR_PITCH = 4
"""Pitch is tracked in every fourth sentence: that takes long, and changes little."""
SILENCE = 0.02
"""Frames softer than this, of clips with a root mean square of 0.1, have no timbre."""


@dataclass(frozen=True)
class Speech:
    """How a set of sentences sounds."""

    pitch: float
    """Median F0 in Hz."""
    timbre: np.ndarray
    """Mean MFCCs 1 to 19."""
    understood: int
    """Sentences that the recogniser picked out."""

    def distance(self, other: "Speech") -> float:
        """The Euclidean distance of the timbres."""
        return float(np.linalg.norm(self.timbre - other.timbre))


def describe(clips: Sequence[tuple[np.ndarray, int]], sentences: Sequence[str]) -> Speech:
    """Measure one clip, samples and rate, for each of the sentences."""
    frames, pitches, understood = [], [], 0
    for index, (sound, rate) in enumerate(clips):
        understood += recognise(sound, rate, sentences) == index
        sound = librosa.resample(sound.astype(np.float32), orig_sr=rate, target_sr=RATE)
        sound *= 0.1 / np.sqrt(np.mean(sound**2))
        mfcc = librosa.feature.mfcc(y=sound, sr=RATE, n_mfcc=20, n_fft=1024, hop_length=256)
        loudness = librosa.feature.rms(y=sound, frame_length=1024, hop_length=256)[0]
        frames.append(mfcc[1:, loudness > SILENCE])
        if index % EVERY_FOR_PITCH == 0:
            pitch, _, _ = librosa.pyin(sound, fmin=60, fmax=400, sr=RATE, frame_length=1024)
            pitches.append(pitch[~np.isnan(pitch)])
    pitch = float(np.median(np.concatenate(pitches)))
    return Speech(pitch, np.concatenate(frames, axis=1).mean(axis=1), understood)


def describe_flite(speaker: str, sentences: Sequence[str]) -> Speech:
    """Measure a voice of flite."""
    return describe([(speak(one, speaker, RATE), RATE) for one in sentences], sentences)


def describe_voice(folder: Path, step: int | None, sentences: Sequence[str]) -> Speech:
    """Measure a checkpoint of a voice's Text2Mel, the newest without a step."""
    speaker = open_speaker(Voice.open(folder), step)
    spoken = [speaker.speak(one) for one in sentences]
    return describe([(each.waveform, each.sample_rate) for each in spoken], sentences)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from the command line; 1 unless the voice has come to the new speaker, understood."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="Example: python assets/recipe/speaker_change.py voices/demo"
    )
    parser.add_argument("voice", type=Path, help="a voice folder")
    parser.add_argument("--steps", type=int, nargs="*", default=[], help="earlier checkpoints too")
    parser.add_argument("--old", default="slt", help="flite's voice that it had (slt)")
    parser.add_argument("--new", default="rms", help="flite's voice that it learned (rms)")
    parser.add_argument("--at-least", type=int, default=36, help="fewer understood: exit code 1")
    options = parser.parse_args(arguments)
    sentences = read_sentences()
    try:
        find_flite()
        old, new = (describe_flite(name, sentences) for name in (options.old, options.new))
        print(f"{'':16}  pitch  to {options.old}  to {options.new}  understood")

        def show(name: str, speech: Speech) -> Speech:
            far = f"{speech.distance(old):6.1f}  {speech.distance(new):6.1f}"
            print(
                f"{name:16} {speech.pitch:3.0f} Hz  {far}  {speech.understood:3} of 40", flush=True
            )
            return speech

        show(f"flite {options.old}", old)
        show(f"flite {options.new}", new)
        show("bundled voice", describe_voice(ROOT / "assets/demo/voice", None, sentences))
        for step in options.steps:
            show(f"step {step:,}", describe_voice(options.voice, step, sentences))
        last = show("newest step", describe_voice(options.voice, None, sentences))
    except (VoicecoachError, OSError) as trouble:
        print(f"speaker_change.py: {trouble}", file=sys.stderr)
        return 2
    moved = abs(last.pitch - new.pitch) < abs(last.pitch - old.pitch)
    moved = moved and last.distance(new) < last.distance(old)
    return 0 if moved and last.understood >= options.at_least else 1


if __name__ == "__main__":
    sys.exit(main())
