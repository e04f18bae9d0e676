"""What is wrong with a sound that is meant to be speech, measured without a model."""

import numpy as np
from numpy.typing import NDArray

from engine.data.audio import AudioSpec
from engine.data.spectrograms import analyse, is_silent
from engine.speech.loudness import level

_Samples = NDArray[np.float32]

# Sound that comes again: after so many seconds, for so many at least, and nearer to what it was
# than this share of what two moments of the sound usually differ by.
_LEAST_LAG, _MOST_LAG, _LEAST_LOOP, _SAME = 0.2, 1.5, 0.4, 0.35
# Frames above this share of the loudest are heard; pairs of moments that are compared.
_LOUD, _PAIRS = 0.4, 2_000
# Coefficients of a frame's cepstrum that say what is spoken; the one left out is the loudness.
# What lies further below the loudest moment is not heard, in dB.
_CEPSTRA, _HEARD_DB = 13, 50.0


def looping_share(waveform: _Samples, audio: AudioSpec) -> float:
    """The share of a sound `(samples,)`, in percent, that is nearly what was heard shortly before.

    A repeated word, a loop and a drone are alike in that; 56 recordings of three speakers differ
    from themselves by half of what two moments do and more, repeated ones by a fifth and less.
    """
    if is_silent(waveform):
        return 0.0
    mel = analyse(waveform, audio)[0]  # (T, n_mels)
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
    return 100 * float(again.mean()) if len(again) else 0.0


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
