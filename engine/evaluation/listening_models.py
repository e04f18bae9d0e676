"""Models that listen to speech: a recogniser, a predictor of naturalness, an encoder of speakers.

Nothing is downloaded: packages ship their weights, of which tensors alone are read. They are
imported when a model is loaded, for they are optional, and large.
"""

import importlib
import re
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from engine.text import english

RATE = 16_000
"""Hz; what all of them listen at."""

Sound = NDArray[np.float32]
"""16 kHz, `(samples,)`, at any loudness but silence."""

# Loudness (RMS) and seconds of silence on both sides at which the recogniser hears a sound.
_RMS, _PAUSE = 0.1, 0.3
_SPEAKER_ENCODER = Path(__file__).with_name("speaker_encoder.safetensors")
# The speaker encoder was trained with these (Wan et al. 2018; Resemblyzer's hparams): 25 ms windows
# every 10 ms, 40 mel bands, excerpts of 1.6 s, which overlap by half; RMS of -30 dB at least.
_WINDOW, _HOP, _BANDS, _EXCERPT, _WIDTH = 400, 160, 40, 160, 256
_LEAST_RMS = 10 ** (-30 / 20)
# Below its loudest part by so many dB is silence, which says nothing about a speaker.
_SILENCE_DB = 40


def load_recogniser() -> Callable[[Sound, str], float]:
    """Return what measures the errors of a speech recogniser on a sentence, in percent.

    They are insertions, deletions and substitutions of letters, in relation to those of the text,
    and at most 100; pocketsphinx writes down what it hears, in English.
    """
    pocketsphinx: Any = importlib.import_module("pocketsphinx")
    # "batch": each sound is normalised by itself, so that their order does not matter. The limits
    # halve the time that noise takes; what is heard of speech stays the same.
    decoder = pocketsphinx.Decoder(cmn="batch", maxhmmpf=3000, maxwpf=5, loglevel="FATAL")

    def error_rate(sound: Sound, text: str) -> float:
        level = np.clip(sound * (_RMS / np.sqrt(np.mean(sound**2))), -1, 1)
        pcm = (np.pad(level, round(_PAUSE * RATE)) * 32767).astype(np.int16)
        decoder.start_utt()
        decoder.process_raw(pcm.tobytes(), full_utt=True)
        decoder.end_utt()
        heard = decoder.hyp()
        spoken = _words(text)
        wrong = edit_distance(spoken, heard.hypstr if heard else "")
        return 100 * min(1.0, wrong / max(len(spoken), 1))

    return error_rate


def _words(text: str) -> str:
    """A text as the recogniser would write it down."""
    return " ".join(re.findall(r"[a-z']+", english.spoken(text).lower()))


def edit_distance(first: str, second: str) -> int:
    """Return how many characters must be inserted, deleted or replaced to make one the other."""
    row = list(range(len(second) + 1))
    for number, character in enumerate(first, start=1):
        diagonal, row[0] = row[0], number
        for place, other in enumerate(second, start=1):
            changed = diagonal + (character != other)
            diagonal, row[place] = row[place], min(changed, row[place] + 1, row[place - 1] + 1)
    return row[-1]


def load_naturalness() -> Callable[[Sound, str], float]:
    """Return what predicts how natural listeners would find a sound, from 1 to 5 (Distill-MOS)."""
    sqa: Any = _import_without_torchaudio("distillmos.sqa")
    with redirect_stdout(None):  # it prints where its weights are
        model = sqa.ConvTransformerSQAModel().eval()

    @torch.inference_mode()
    def naturalness(sound: Sound, _: str) -> float:
        return float(model(torch.from_numpy(sound)[None]))

    return naturalness


def _import_without_torchaudio(name: str) -> ModuleType:
    """Import a module that needs torchaudio only to read files, which we do ourselves.

    torchaudio is made for CUDA, and cannot be imported beside a torch for the CPU.
    """
    if name in sys.modules or "torchaudio" in sys.modules:
        return importlib.import_module(name)
    sys.modules["torchaudio"] = ModuleType("torchaudio")
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules["torchaudio"]


class _SpeakerEncoder(nn.Module):
    """Turns excerpts of mel spectrograms into unit vectors (Wan et al. 2018)."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BANDS, _WIDTH, num_layers=3, batch_first=True)
        self.linear = nn.Linear(_WIDTH, _WIDTH)

    def forward(self, mels: torch.Tensor) -> torch.Tensor:
        """Turn mels `(B, T, 40)` into vectors `(B, 256)`."""
        _, (hidden, _) = self.lstm(mels)
        return nn.functional.normalize(self.linear(hidden[-1]).relu(), dim=1)


def load_speaker_encoder() -> Callable[[Sound], Sound]:
    """Return what turns a sound into a unit vector `(256,)` that tells speakers apart.

    Its weights come with voicecoach; speaker_encoder.md says where from.
    """
    model = _SpeakerEncoder().eval()
    model.load_state_dict(load_file(_SPEAKER_ENCODER))

    @torch.inference_mode()
    def encode(sound: Sound) -> Sound:
        vector = model(torch.from_numpy(_excerpts(sound))).mean(0)
        encoded: Sound = nn.functional.normalize(vector, dim=0).numpy()
        return encoded

    return encode


def _excerpts(sound: Sound) -> Sound:
    """Overlapping excerpts of the mel spectrogram of what is not silence, `(B, 160, 40)`."""
    # They bring numba, which takes seconds.
    from librosa.effects import split
    from librosa.feature import melspectrogram

    parts = split(sound, top_db=_SILENCE_DB)
    speech = np.concatenate([sound[start:end] for start, end in parts])
    speech = speech * max(1.0, _LEAST_RMS / float(np.sqrt(np.mean(speech**2))))
    padded = np.pad(speech, (0, max(0, _EXCERPT * _HOP - len(speech))))
    mel = melspectrogram(y=padded, sr=RATE, n_fft=_WINDOW, hop_length=_HOP, n_mels=_BANDS).T.astype(
        np.float32
    )
    starts = range(0, len(mel) - _EXCERPT + 1, _EXCERPT // 2)
    return np.stack([mel[start : start + _EXCERPT] for start in starts])
