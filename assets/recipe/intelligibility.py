"""Measure whether a voice can be understood: a recogniser picks one of 40 sentences.

pocketsphinx hears each clip with a grammar that allows only the held-out sentences
(held-out.txt), which the voice was never trained on. It cannot be charmed by a falling
loss: what it picks is what was said, or the clip counts as not understood.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import librosa
import numpy as np
import soundfile
from pocketsphinx import Decoder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
HELD_OUT = HERE / "held-out.txt"

RATE = 16000
"""Hz; what pocketsphinx's bundled English model listens at."""

RMS = 0.1
"""Loudness at which every clip is heard, so that a soft voice is not marked down."""

PAUSE_S = 0.3
"""Seconds of silence put around a clip: the grammar expects a pause at both ends."""


def read_sentences(path: Path = HELD_OUT) -> list[str]:
    """Return the sentences of a plain text file, one a line; empty lines do not count."""
    return [line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()]


def spoken_form(sentence: str) -> str:
    """Return the words as the recogniser writes them: lower case, no punctuation."""
    return " ".join(re.findall(r"[a-z']+", sentence.lower()))


def grammar_of(sentences: Sequence[str]) -> str:
    """Return a JSGF grammar that allows exactly one of the sentences."""
    alternatives = " | ".join(spoken_form(sentence) for sentence in sentences)
    return f"#JSGF V1.0;\ngrammar heldout;\npublic <s> = {alternatives};\n"


@lru_cache(maxsize=4)
def decoder_for(sentences: tuple[str, ...]) -> Decoder:
    """Return a recogniser for these sentences; ValueError names words it has no sound for."""
    # "batch": each clip is normalised by itself, so that the order of clips does not matter.
    # Every sentence is one path of the grammar: looking for a better path in the lattice of
    # words (bestpath) can only lose it.
    decoder = Decoder(lm=None, cmn="batch", bestpath=False, loglevel="FATAL")
    words = {word for sentence in sentences for word in spoken_form(sentence).split()}
    unknown = sorted(word for word in words if decoder.lookup_word(word) is None)
    if unknown:
        raise ValueError(f"not in pocketsphinx's dictionary: {', '.join(unknown)}; use other words")
    decoder.add_jsgf_string("heldout", grammar_of(sentences))
    decoder.activate_search("heldout")
    return decoder


def recognise(wav: np.ndarray, sample_rate: int, sentences: Sequence[str]) -> int | None:
    """Return the index of the sentence that was heard, or None where none was.

    `wav` is (samples,) float at any rate and loudness; silence is put around it.
    """
    if not np.isfinite(wav).all() or np.abs(wav).max(initial=0.0) == 0.0:
        return None
    sound = librosa.resample(wav.astype(np.float32), orig_sr=sample_rate, target_sr=RATE)
    sound = np.clip(sound * (RMS / np.sqrt(np.mean(sound**2))), -1.0, 1.0)
    sound = np.pad(sound, round(PAUSE_S * RATE))
    decoder = decoder_for(tuple(sentences))
    decoder.start_utt()
    decoder.process_raw((sound * 32767).astype(np.int16).tobytes(), full_utt=True)
    decoder.end_utt()
    heard = decoder.hyp()
    forms = [spoken_form(sentence) for sentence in sentences]
    return forms.index(heard.hypstr) if heard is not None and heard.hypstr in forms else None


def clip_path(folder: Path, number: int) -> Path:
    """Return where the clip of sentence `number` (counted from 1) lies: 01.wav and so on."""
    return folder / f"{number:02}.wav"


def speak_with_voice(voice_dir: Path, sentences: Sequence[str], out_dir: Path) -> None:
    """Let a voice speak every sentence into out_dir/01.wav, 02.wav …, through the command line.

    RuntimeError carries what `voicecoach say` complained about.
    """
    for number, sentence in enumerate(sentences, start=1):
        out = clip_path(out_dir.resolve(), number)
        say = ["say", sentence, "--voice", str(voice_dir.resolve()), "--out", str(out)]
        done = subprocess.run(
            [sys.executable, "-m", "tui", *say], cwd=ROOT, capture_output=True, text=True
        )
        if done.returncode != 0:
            raise RuntimeError(f"voicecoach {' '.join(say)} failed: {done.stderr.strip()}")


def speak_with_flite(sentences: Sequence[str], out_dir: Path) -> None:
    """Let flite's slt speak every sentence into out_dir/01.wav, 02.wav …"""
    for number, sentence in enumerate(sentences, start=1):
        out = clip_path(out_dir, number)
        subprocess.run(["flite", "-voice", "slt", "-t", sentence, "-o", str(out)], check=True)


def measure(folder: Path, sentences: Sequence[str]) -> int:
    """Recognise every clip of the folder, print what was heard, return how many were right."""
    right = 0
    for index, sentence in enumerate(sentences):
        path = clip_path(folder, index + 1)
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        heard = recognise(sound.mean(axis=1), rate, sentences)
        right += heard == index
        if heard == index:
            print(f"{path.name}  OK     {sentence}")
        else:
            what = "nothing" if heard is None else sentences[heard]
            print(f"{path.name}  WRONG  {sentence}  heard: {what}")
    print(f"{right} of {len(sentences)} understood")
    return right


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure clips, a voice or flite; 0 if at least --at-least sentences were understood."""
    parser = argparse.ArgumentParser(
        description="Count the held-out sentences that a recogniser understands.",
        epilog="Example: python assets/recipe/intelligibility.py --voice voices/demo --at-least 36",
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--wavs", type=Path, help="a folder with 01.wav, 02.wav … in order")
    source.add_argument("--voice", type=Path, help="a voice folder; `voicecoach say` speaks")
    source.add_argument("--flite", action="store_true", help="flite's own slt voice")
    parser.add_argument("--at-least", type=int, default=36, help="fewer right: exit code 1")
    parser.add_argument("--keep", type=Path, help="keep what was spoken in this folder")
    options = parser.parse_args(arguments)
    sentences = read_sentences()
    try:
        with tempfile.TemporaryDirectory() as scratch:
            folder = options.wavs or options.keep or Path(scratch)
            folder.mkdir(parents=True, exist_ok=True)
            if options.voice:
                speak_with_voice(options.voice, sentences, folder)
            elif options.flite:
                speak_with_flite(sentences, folder)
            return 0 if measure(folder, sentences) >= options.at_least else 1
    except FileNotFoundError as trouble:
        hint = "run `apt install flite`" if trouble.filename == "flite" else "is it there?"
        print(f"intelligibility.py: cannot find {trouble.filename}: {hint}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as trouble:
        print(f"intelligibility.py: {trouble}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
