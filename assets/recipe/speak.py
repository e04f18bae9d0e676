"""Speak sentences with Debian's `flite -voice slt` into a corpus in LJ Speech layout.

Writes OUT/metadata.csv (`id|raw|normalised`) and OUT/wavs/ID.wav or .flac: mono, 16 bit,
22,050 Hz, every clip equally loud. flite has no chance in it, so the same sentences give
the same bytes.
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import librosa
import numpy as np
import soundfile

SAMPLE_RATE = 22050
"""Hz; what the engine's features are computed at (flite's slt speaks at 16,000 Hz)."""

RMS = 0.1
"""Loudness of every clip: -20 dB below full scale."""

PEAK = 0.95
"""A clip that would rise above this at that loudness is made softer instead of clipped."""

MARGIN_S = 0.1
"""Seconds of silence kept before and after the speech; flite adds about 0.2."""

QUIET = 0.01
"""Below this part of the clip's peak it counts as silence at the ends."""


def find_flite() -> str:
    """Return the path of flite; FileNotFoundError says how to install it."""
    path = shutil.which("flite")
    if path is None:
        raise FileNotFoundError("flite is not installed: run `apt install flite` and try again")
    return path


def speak(sentence: str) -> np.ndarray:
    """Return the sentence in flite's voice: (samples,) float32 at 22,050 Hz.

    Only the silence at the ends is shortened, to at most 0.1 s each.
    """
    command = [find_flite(), "-voice", "slt", "-t", sentence, "-o", "/dev/stdout"]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    sound, rate = soundfile.read(io.BytesIO(spoken), dtype="float32")
    loud = np.flatnonzero(np.abs(sound) > QUIET * np.abs(sound).max())
    margin = round(MARGIN_S * rate)
    sound = sound[max(0, loud[0] - margin) : loud[-1] + 1 + margin]
    sound = librosa.resample(sound, orig_sr=rate, target_sr=SAMPLE_RATE, res_type="soxr_hq")
    gain = min(RMS / np.sqrt(np.mean(sound**2)), PEAK / np.abs(sound).max())
    return np.asarray(sound * gain, dtype=np.float32)


def write_corpus(sentences: Sequence[str], out: Path, prefix: str, suffix: str) -> float:
    """Speak every sentence into the folder `out`, on all cores; return the seconds of speech.

    Clips are called PREFIX-0001 and so on, in the order of the sentences.
    """
    wavs = out / "wavs"
    wavs.mkdir(parents=True, exist_ok=True)
    width = max(2, len(str(len(sentences))))
    names = [f"{prefix}-{number:0{width}}" for number in range(1, len(sentences) + 1)]

    def clip(name: str, sentence: str) -> float:
        sound = speak(sentence)
        soundfile.write(wavs / f"{name}.{suffix}", sound, SAMPLE_RATE, subtype="PCM_16")
        return len(sound) / SAMPLE_RATE

    with ThreadPoolExecutor(os.cpu_count() or 1) as cores:
        seconds = sum(cores.map(clip, names, sentences))
    lines = [f"{name}|{text}|{text}\n" for name, text in zip(names, sentences, strict=True)]
    (out / "metadata.csv").write_text("".join(lines), "utf-8")
    return seconds


def main(arguments: Sequence[str] | None = None) -> int:
    """Speak the sentences of a file into a corpus folder."""
    parser = argparse.ArgumentParser(
        description="Speak sentences, one a line, with flite into a corpus in LJ Speech layout.",
        epilog="Example: python assets/recipe/speak.py assets/recipe/demo.txt "
        "--out assets/demo/corpus --prefix demo --format flac",
    )
    parser.add_argument("sentences", type=Path, help="a text file, one sentence a line")
    parser.add_argument("--out", type=Path, required=True, help="the corpus folder to write")
    parser.add_argument("--prefix", default="slt", help="how the clips' names begin")
    parser.add_argument("--format", choices=["wav", "flac"], default="wav")
    options = parser.parse_args(arguments)
    try:
        find_flite()
        text = options.sentences.read_text("utf-8")
    except OSError as trouble:
        print(f"speak.py: {trouble}", file=sys.stderr)
        return 2
    sentences = [line.strip() for line in text.splitlines() if line.strip()]
    seconds = write_corpus(sentences, options.out, options.prefix, options.format)
    count = len(sentences)
    print(f"{options.out}: {count} clips, {seconds / 60:.1f} minutes, {seconds / count:.2f} s each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
