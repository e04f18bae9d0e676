"""What is wrong with a sound that is meant to be speech, measured without a model."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.data.spectrograms import analyse, is_silent, trim
from engine.speech.loudness import level

_Samples = NDArray[np.float32]

# Blocks of a sound, in seconds, and how far below its loud ones a quiet one lies, in dB.
_BLOCK_SECONDS, _QUIET_DB = 0.01, 35.0
# Flat tops: samples in a row that are equal up to this share of the peak, and how near the peak.
_FLAT_SAMPLES, _EQUAL, _NEAR_PEAK = 3, 1e-3, 0.8
# Sound that comes again: after so many seconds, for so many at least, and nearer to what it was
# than this share of what two moments of the sound usually differ by.
_LEAST_LAG, _MOST_LAG, _LEAST_LOOP, _SAME = 0.2, 1.5, 0.4, 0.35
# Frames above this share of the loudest are heard; pairs of moments that are compared.
_LOUD, _PAIRS = 0.4, 2_000
# Coefficients of a frame's cepstrum that say what is spoken; the one left out is the loudness.
# What lies further below the loudest moment is not heard, in dB.
_CEPSTRA, _HEARD_DB = 13, 50.0


def measure_sound(
    waveform: _Samples, audio: AudioSpec, pauses: int = 0, pause_seconds: float = 0.0
) -> dict[str, float]:
    """Measure silence, clipping and loops of a sound `(samples,)`.

    Args:
        waveform: the samples.
        audio: the constants of the voice.
        pauses: how many pauses it has that are meant, between sentences.
        pause_seconds: their length.

    Returns:
        By their names in `engine.advice.measures`.
    """
    if is_silent(waveform):
        return {"silence": len(waveform) / audio.sample_rate, "clipping": 0.0, "looping": 0.0}
    silences = sorted(_silences(trim(waveform, audio.trim_db), audio.sample_rate), reverse=True)
    silences = [one - pause_seconds * (place < pauses) for place, one in enumerate(silences)]
    return {
        "silence": max(0.0, *silences, 0.0),
        "clipping": 100 * _flat_share(waveform),
        "looping": 100 * _looping_share(analyse(waveform, audio)[0], audio),
    }


def mel_distortion(waveform: _Samples, recording: _Samples, audio: AudioSpec) -> float:
    """How far a sound is from a recording of the same text, in dB; 0 is the recording itself.

    The root mean square over mel bands of what the smoothed spectra differ by, at the frames that
    dynamic time warping puts side by side. Loudness does not count. Silence is as far from it as a
    flat spectrum: were it left out, nothing could be compared with it.
    """
    from librosa.sequence import dtw  # brings numba, which takes seconds

    if is_silent(waveform):
        waveform = np.zeros_like(recording)
    ours, theirs = (_cepstra(one, audio) for one in (waveform, recording))
    _, path = dtw(X=ours.T, Y=theirs.T)
    differences = ours[path[:, 0]] - theirs[path[:, 1]]
    return float(np.sqrt(np.square(differences).sum(axis=1) / audio.n_mels).mean())


def _cepstra(waveform: _Samples, audio: AudioSpec) -> NDArray[np.float64]:
    """The cepstra `(T, 13)` of a sound's mels in dB."""
    from scipy.fft import dct

    decibels = analyse(level(waveform), audio)[0].astype(np.float64) * audio.max_db
    decibels = np.maximum(decibels, decibels.max() - _HEARD_DB)
    cepstra: NDArray[np.float64] = dct(decibels, axis=1, norm="ortho")[:, 1 : 1 + _CEPSTRA]
    return cepstra


def _silences(waveform: _Samples, rate: int) -> list[float]:
    """The lengths of the pauses inside a sound, in seconds."""
    length = max(1, round(_BLOCK_SECONDS * rate))
    blocks = waveform[: len(waveform) // length * length].reshape(-1, length)
    power = np.square(blocks, dtype=np.float64).mean(axis=1)
    if not len(power):
        return []
    loud = np.flatnonzero(power > np.percentile(power, 95) * 10 ** (-_QUIET_DB / 10))
    return [float(gap - 1) * length / rate for gap in np.diff(loud) if gap > 1]


def _flat_share(waveform: _Samples) -> float:
    """The share of the samples in flat tops, where something cut off what was louder."""
    level = np.abs(waveform)
    peak = float(level.max())
    windows = sliding_window_view(np.pad(waveform, (0, _FLAT_SAMPLES - 1)), _FLAT_SAMPLES)
    flat = (np.ptp(windows, axis=1) <= _EQUAL * peak) & (level >= _NEAR_PEAK * peak)
    # Each start of a row stands for the samples after it, too.
    return float(np.convolve(flat, np.ones(_FLAT_SAMPLES), "full")[: len(flat)].astype(bool).mean())


def _looping_share(mel: NDArray[np.float32], audio: AudioSpec) -> float:
    """The share of the frames `(T, n_mels)` that are nearly what was heard shortly before.

    A repeated word, a loop and a drone are alike in that; 56 recordings of three speakers differ
    from themselves by half of what two moments do and more, repeated ones by a fifth and less.
    """
    # Means of neighbours: what comes again does so a part of a frame earlier or later.
    frames = (mel[:-1].astype(np.float64) + mel[1:]) / 2
    loudness = frames.mean(axis=1)
    loud = (loudness > _LOUD * loudness.max(initial=0.0)).astype(np.float64)
    usual = _usual_difference(frames[loud > 0])
    per_second = audio.sample_rate / audio.hop_length
    again = np.zeros(len(frames), bool)
    for lag in range(round(_LEAST_LAG * per_second), round(_MOST_LAG * per_second) + 1):
        length = max(lag, round(_LEAST_LOOP * per_second))
        if lag + length > len(frames) or not usual:
            break
        either = np.maximum(loud[lag:], loud[:-lag])
        differences = np.abs(frames[lag:] - frames[:-lag]).mean(axis=1) * either
        counted = _sums(either, length)
        near = (_sums(differences, length) < _SAME * usual * counted) & (counted > length / 2)
        for start in np.flatnonzero(near):
            again[start + lag : start + lag + length] = True
    return float(again.mean()) if len(again) else 0.0


def _usual_difference(frames: NDArray[np.float64]) -> float:
    """What two frames `(T, n_mels)` of a sound usually differ by; 0 where there are not two."""
    if len(frames) < 2:
        return 0.0
    # The same sound must always have the same measures.
    one, other = np.random.default_rng(0).integers(len(frames), size=(2, _PAIRS))
    return float(np.median(np.abs(frames[one] - frames[other]).mean(axis=1)))


def _sums(values: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """The sums of each so many neighbouring values."""
    total = np.concatenate(([0.0], np.cumsum(values)))
    return total[length:] - total[:-length]
