"""What DeepFilterNet3's graphs are given: the sound's spectrum, in bands and in bins, normalised.

Written from Schröter et al., "DeepFilterNet: A Low Complexity Speech Enhancement Framework" (2022)
and "DeepFilterNet: Perceptually Motivated Real-Time Speech Enhancement" (2023). Sound has 48 kHz.
Frame t is centred on sample 480 t. Spectra are complex64 and scaled by 1/960, as the model was
trained.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Real = NDArray[np.float32]
Spectra = NDArray[np.complex64]

RATE_HZ = 48_000
FRAME_SAMPLES = 960
HOP_SAMPLES = 480
BINS = FRAME_SAMPLES // 2 + 1
#: Bands of equal width on the ERB scale, each of at least two bins.
BANDS = 32
_LEAST_BINS = 2
#: The lowest bins, up to 4.8 kHz, are filtered; the rest gets a gain a band.
FILTERED_BINS = 96
#: The graphs see a frame this many frames before they answer for it.
LOOKAHEAD_FRAMES = 2
#: exp(-hop / 1 s) to three digits, as the model was trained.
_SMOOTHING = 0.99
# What the running means start from, linear from the first to the last band or bin.
_MEAN_START_DB = (-60.0, -90.0)
_MAGNITUDE_START = (1e-3, 1e-4)
_SPREAD_DB = 40.0
#: Frames that are transformed at once; their spectra fit into a processor's cache.
_BATCH_FRAMES = 128


@lru_cache(maxsize=1)
def band_widths() -> tuple[int, ...]:
    """Bins of each band, 481 in all: ERB number = 9.265 ln(1 + f / 228.8) (Glasberg and Moore)."""
    quality, scale_hz = 9.265, 24.7 * 9.265
    top = quality * np.log1p(RATE_HZ / 2 / scale_hz)
    edges_hz = scale_hz * np.expm1(np.arange(1, BANDS + 1) * top / BANDS / quality)
    edges = np.floor(edges_hz / (RATE_HZ / FRAME_SAMPLES) + 0.5).astype(int)
    widths, reached = [], 0
    for edge in edges:
        widths.append(max(_LEAST_BINS, int(edge) - reached))
        reached += widths[-1]
    # The last band takes the bin at half the rate too, and gives what the narrow ones took.
    widths[-1] += BINS - reached
    return tuple(widths)


def frame_count(length_samples: int) -> int:
    """How many frames touch that many samples."""
    return -(-length_samples // HOP_SAMPLES) + 1


def spectra_of(channel: Real) -> Spectra:
    """Spectra of one channel of n samples: (frame_count(n), 481)."""
    import scipy.fft

    count = frame_count(len(channel))
    padded = np.zeros((count + 1) * HOP_SAMPLES, np.float32)
    padded[HOP_SAMPLES : HOP_SAMPLES + len(channel)] = channel
    frames = sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]
    window = _window() / np.float32(FRAME_SAMPLES)
    spectra = np.empty((count, BINS), np.complex64)
    for first in range(0, count, _BATCH_FRAMES):
        at = slice(first, first + _BATCH_FRAMES)
        spectra[at] = scipy.fft.rfft(frames[at] * window, axis=1, overwrite_x=True)
    return spectra


def sound_of(spectra: Spectra, length_samples: int) -> Real:
    """Inverse of `spectra_of`: that many samples, no delay."""
    import scipy.fft

    out = np.zeros((len(spectra) + 1, HOP_SAMPLES), np.float32)
    window = _window() * np.float32(FRAME_SAMPLES)
    for first in range(0, len(spectra), _BATCH_FRAMES):
        part = spectra[first : first + _BATCH_FRAMES]
        pieces = scipy.fft.irfft(part, FRAME_SAMPLES, axis=1) * window
        out[first : first + len(part)] += pieces[:, :HOP_SAMPLES]
        out[first + 1 : first + 1 + len(part)] += pieces[:, HOP_SAMPLES:]
    return out.reshape(-1)[HOP_SAMPLES : HOP_SAMPLES + length_samples]


def band_feature(spectra: Spectra) -> Real:
    """Levels of the bands less their running mean: (1, 1, frames, 32)."""
    power = spectra.real**2 + spectra.imag**2
    starts = np.cumsum((0, *band_widths()[:-1]))
    means = np.add.reduceat(power, starts, axis=1) / np.asarray(band_widths(), np.float32)
    levels_db = 10 * np.log10(means.astype(np.float64) + 1e-10)
    return _early((levels_db - _running_mean(levels_db, _MEAN_START_DB)) / _SPREAD_DB)[None, None]


def bin_feature(spectra: Spectra) -> Real:
    """Real and imaginary parts over the root of the running mean magnitude: (1, 2, frames, 96)."""
    low = spectra[:, :FILTERED_BINS].astype(np.complex128)
    low /= np.sqrt(_running_mean(np.abs(low), _MAGNITUDE_START))
    return np.stack([_early(low.real), _early(low.imag)])[None]


def _running_mean(values: NDArray[np.float64], start: tuple[float, float]) -> NDArray[np.float64]:
    """m(t) = 0.99 m(t-1) + 0.01 values(t), down each column."""
    from scipy.signal import lfilter

    before = np.linspace(start[0], start[1], values.shape[1]) * _SMOOTHING
    mean, _ = lfilter([1 - _SMOOTHING], [1, -_SMOOTHING], values, axis=0, zi=before[None])
    return np.asarray(mean)


def _early(feature: NDArray[np.float64]) -> Real:
    """The rows moved `LOOKAHEAD_FRAMES` up, zeros below."""
    moved = np.zeros(feature.shape, np.float32)
    moved[: max(0, len(feature) - LOOKAHEAD_FRAMES)] = feature[LOOKAHEAD_FRAMES:]
    return moved


@lru_cache(maxsize=1)
def _window() -> Real:
    """Vorbis' power-complementary window: its square and that of the next frame sum to one."""
    phase = (np.arange(FRAME_SAMPLES) + 0.5) / FRAME_SAMPLES
    window: Real = np.sin(np.pi / 2 * np.sin(np.pi * phase) ** 2).astype(np.float32)
    return window
