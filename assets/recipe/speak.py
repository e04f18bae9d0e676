"""Speak sentences with a voice of Debian's flite into a corpus in LJ Speech layout.

Writes OUT/metadata.csv (`id|raw|normalised`) and OUT/wavs/ID.wav or .flac: mono, 16 bit,
every clip equally loud. flite has no chance in it, so the same sentences give the same bytes.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import soundfile

SAMPLE_RATE = 22050
"""Hz; what the engine's features are computed at (slt, rms and awb speak at 16,000 Hz)."""

RMS = 0.1
"""Loudness of every clip: -20 dB below full scale."""

PEAK = 0.95
"""A clip that would rise above this at that loudness is made softer instead of clipped."""

MARGIN_S = 0.1
"""Seconds of silence kept before and after the speech; flite adds about 0.2."""

QUIET = 0.01
"""Below this part of the clip's peak it counts as silence at the ends."""


@dataclass(frozen=True)
class Recording:
    """Who speaks the clips of a corpus, and how they are stored."""

    speaker: str = "slt"
    """A voice of flite."""
    suffix: str = "wav"
    """Or flac."""
    rate: int = SAMPLE_RATE
    """Hz."""
    bits: int = 16
    """Of each sample, those that are not 0. FLAC does not store the others: at 14 a clip is a
    fifth smaller, and what is lost is softer than the noise of flite's voices."""


def find_flite() -> str:
    """Return the path of flite; FileNotFoundError says how to install it."""
    path = shutil.which("flite")
    if path is None:
        raise FileNotFoundError("flite is not installed: run `apt install flite` and try again")
    return path


def speak(sentence: str, speaker: str = "slt", rate: int = SAMPLE_RATE) -> np.ndarray:
    """Return the sentence in a voice of flite: (samples,) float32 at `rate` Hz.

    Only the silence at the ends is shortened, to at most 0.1 s each.
    """
    command = [find_flite(), "-voice", speaker, "-t", sentence, "-o", "/dev/stdout"]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    sound, own_rate = soundfile.read(io.BytesIO(spoken), dtype="float32")
    loud = np.flatnonzero(np.abs(sound) > QUIET * np.abs(sound).max())
    margin = round(MARGIN_S * own_rate)
    sound = sound[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    sound = librosa.resample(sound, orig_sr=own_rate, target_sr=rate, res_type="soxr_hq")
    gain = min(RMS / np.sqrt(np.mean(sound**2)), PEAK / np.abs(sound).max())
    return np.asarray(sound * gain, dtype=np.float32)


def coarser(sound: np.ndarray, bits: int) -> np.ndarray:
    """Return (samples,) int16 whose last bits are 0, so that only the first `bits` count."""
    step = 1 << (16 - bits)
    return (np.rint(sound * (32767 / step)) * step).astype(np.int16)


def write_corpus(sentences: Sequence[str], out: Path, prefix: str, recording: Recording) -> float:
    """Speak every sentence into the folder `out`, on all cores; return the seconds of speech.

    Clips are called PREFIX-0001 and so on, in the order of the sentences.
    """
    wavs = out / "wavs"
    wavs.mkdir(parents=True, exist_ok=True)
    width = max(2, len(str(len(sentences))))
    names = [f"{prefix}-{number:0{width}}" for number in range(1, len(sentences) + 1)]

    def clip(name: str, sentence: str) -> float:
        sound = speak(sentence, recording.speaker, recording.rate)
        samples = sound if recording.bits == 16 else coarser(sound, recording.bits)
        level = {"compression_level": 1.0} if recording.suffix == "flac" else {}
        path = wavs / f"{name}.{recording.suffix}"
        soundfile.write(path, samples, recording.rate, subtype="PCM_16", **level)
        return len(sound) / recording.rate

    with ThreadPoolExecutor(os.cpu_count() or 1) as cores:
        seconds = sum(cores.map(clip, names, sentences))
    lines = [f"{name}|{text}|{text}\n" for name, text in zip(names, sentences, strict=True)]
    (out / "metadata.csv").write_text("".join(lines), "utf-8")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Speak the sentences of a file into a corpus folder."""
    parser = argparse.ArgumentParser(
        description="Speak sentences, one a line, with flite into a corpus in LJ Speech layout.",
        epilog="Example: python assets/recipe/speak.py build/sentences.txt --out build/corpus",
    )
    parser.add_argument("sentences", type=Path, help="a text file, one sentence a line")
    parser.add_argument("--out", type=Path, required=True, help="the corpus folder to write")
    parser.add_argument("--prefix", default="slt", help="how the clips' names begin")
    parser.add_argument("--format", choices=["wav", "flac"], default="wav")
    parser.add_argument("--speaker", default="slt", help="a voice of flite (flite -lv)")
    parser.add_argument("--rate", type=int, default=SAMPLE_RATE, help="Hz")
    parser.add_argument("--bits", type=int, default=16, help="of each sample, those not 0")
    options = parser.parse_args(arguments)
    try:
        find_flite()
        text = options.sentences.read_text("utf-8")
    except OSError as trouble:
        print(f"speak.py: {trouble}", file=sys.stderr)
        return 2
    sentences = [line.strip() for line in text.splitlines() if line.strip()]
    recording = Recording(options.speaker, options.format, options.rate, options.bits)
    seconds = write_corpus(sentences, options.out, options.prefix, recording)
    count = len(sentences)
    print(f"{options.out}: {count} clips, {seconds / 60:.1f} minutes, {seconds / count:.2f} s each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
