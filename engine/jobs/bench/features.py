"""How fast recordings become features, by librosa's way of making them."""

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from engine.data.audio import AudioSpec, recording_length
from engine.data.clips import Corpus, Limits, scan_corpus, usable_clips
from engine.data.features import FeatureStore
from engine.jobs.bench.report import OURS, PLAIN, Measure, measured
from engine.jobs.bench.timing import Effort, in_turn
from engine.jobs.demo import demo_assets
from engine.text.vocabulary import BBC_SYMBOLS, Vocabulary


def measure_features(clips: int, effort: Effort) -> Measure:
    """Time the features of so many of the demo's clips, in seconds of one core; with their files.

    The ceiling is what the Fourier transforms alone take.
    """
    audio, limits = AudioSpec(), Limits()
    corpus = usable_clips(scan_corpus(demo_assets() / "corpus"), Vocabulary(BBC_SYMBOLS), limits)
    corpus = replace(corpus, clips=corpus.clips[:clips])
    lengths = [recording_length(clip.path) for clip in corpus.clips]
    seconds = sum(samples / rate for samples, rate in lengths)
    frames = torch.rand(round(seconds * audio.sample_rate / audio.hop_length), audio.n_fft)
    ways = {
        OURS: lambda: _ours(corpus, audio, limits),
        PLAIN: lambda: _librosa(corpus, audio),
        "transforms": lambda: torch.fft.rfft(frames),
    }
    times = in_turn(ways, effort, time.process_time)
    least = min(times.pop("transforms")) / seconds, "Fourier transforms"
    return measured("features", "second of sound", times, units=seconds, ceiling=least)


def _ours(corpus: Corpus, audio: AudioSpec, limits: Limits) -> None:
    with tempfile.TemporaryDirectory(prefix="voicecoach-bench-") as folder:
        FeatureStore.open(
            corpus, audio, limits, Path(folder),
            on_progress=lambda done, total: None, cancelled=lambda: False,
        )  # fmt: skip


def _librosa(corpus: Corpus, audio: AudioSpec) -> None:
    import librosa

    for clip in corpus.clips:
        waveform, _ = librosa.load(clip.path, sr=audio.sample_rate)
        trimmed, _ = librosa.effects.trim(waveform, top_db=audio.trim_db)
        emphasised = np.append(trimmed[0], trimmed[1:] - audio.preemphasis * trimmed[:-1])
        spectrum = librosa.stft(
            emphasised, n_fft=audio.n_fft, hop_length=audio.hop_length, win_length=audio.win_length
        )
        magnitude = np.abs(spectrum)
        bank = librosa.filters.mel(sr=audio.sample_rate, n_fft=audio.n_fft, n_mels=audio.n_mels)
        for amplitude in (magnitude, bank @ magnitude):
            level = 20 * np.log10(np.maximum(1e-5, amplitude))
            np.clip((level - audio.ref_db + audio.max_db) / audio.max_db, 1e-8, 1)
