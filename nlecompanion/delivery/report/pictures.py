"""Waveform and spectrogram of a few seconds, small enough to lie inside a page."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from nlecompanion.delivery.report.png import png
from nlecompanion.model import Samples

#: The waveform's own units: columns, and half its height.
WAVE_COLUMNS, WAVE_HALF = 240, 20
COLUMNS, ROWS = 288, 72
LOW_HZ, HIGH_HZ = 80.0, 16_000.0
#: What lies this far under the loudest is black.
RANGE_DB = 72.0
_LEVELS = 24
_FRAME_S = 0.04
_TINY = 1e-12
#: Dark to light, evenly in lightness: it reads in grey and for colour-blind eyes as well.
_ANCHORS = (
    (8, 9, 20),
    (46, 32, 92),
    (112, 40, 120),
    (184, 66, 96),
    (238, 122, 62),
    (252, 236, 170),
)


def waveform_path(sound: Samples, full: float) -> str:
    """An SVG path of the peaks: `WAVE_COLUMNS` wide, 2 * `WAVE_HALF` high.

    `sound` of shape (samples, channels); `full` is the level that fills the height.
    """
    if not len(sound):
        return ""
    edges = np.linspace(0, len(sound), WAVE_COLUMNS + 1).astype(int)
    starts = np.minimum(edges[:-1], len(sound) - 1)
    scale = WAVE_HALF / max(full, _TINY)
    # Along time first: a maximum over so short an axis as the channels takes many times longer.
    highest = np.maximum.reduceat(sound, starts).max(axis=1) * scale
    lowest = np.minimum.reduceat(sound, starts).min(axis=1) * scale
    top = np.clip(np.rint(WAVE_HALF - highest), 0, 2 * WAVE_HALF).astype(int)
    bottom = np.clip(np.rint(WAVE_HALF - lowest), 0, 2 * WAVE_HALF).astype(int)
    heights = np.maximum(bottom - top, 1)
    return "".join(
        f"M{column} {first}v{height}"
        for column, (first, height) in enumerate(zip(top, heights, strict=True))
    )


def spectrogram_db(sound: Samples, rate_hz: int) -> NDArray[np.float64]:
    """Levels in dB, shape (`ROWS`, `COLUMNS`), high frequencies first, 80 Hz to 16 kHz.

    Frequencies lie as the ear has them (mel, O'Shaughnessy 1987). Rows beyond half the sampling
    rate, and sound too short for a frame, hold nothing.
    """
    frame = int(_FRAME_S * rate_hz)
    powers = np.zeros((ROWS, COLUMNS))
    if frame >= 2 and len(sound):
        share = np.full(sound.shape[1], 1 / sound.shape[1])
        mono = np.pad(sound.astype(np.float64) @ share, (frame // 2, frame))
        starts = np.linspace(0, max(len(sound) - 1, 0), COLUMNS).astype(int)
        frames = np.lib.stride_tricks.sliding_window_view(mono, frame)[starts]
        spectra = np.square(np.abs(np.fft.rfft(frames * np.hanning(frame), axis=1)))
        powers = _rows(spectra, rate_hz / frame, rate_hz / 2)
    return np.asarray(10 * np.log10(powers + _TINY))


def _rows(spectra: NDArray[np.float64], step_hz: float, most_hz: float) -> NDArray[np.float64]:
    edges_hz = _hz_from_mel(np.linspace(_mel(LOW_HZ), _mel(HIGH_HZ), ROWS + 1))
    powers = np.zeros((ROWS, len(spectra)))
    for row, (low_hz, high_hz) in enumerate(itertools.pairwise(edges_hz)):
        if low_hz >= most_hz:
            break
        first = min(round(low_hz / step_hz), spectra.shape[1] - 1)
        end = max(first + 1, round(high_hz / step_hz))
        powers[ROWS - 1 - row] = spectra[:, first:end].mean(axis=1)
    return powers


def _mel(frequency_hz: float) -> float:
    return float(2595 * np.log10(1 + frequency_hz / 700))


def _hz_from_mel(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(700 * (10 ** (mel / 2595) - 1))


def spectrogram_png(levels_db: NDArray[np.float64], loudest_db: float) -> bytes:
    """The levels as a picture; `loudest_db` is the brightest colour."""
    share = (levels_db - loudest_db + RANGE_DB) / RANGE_DB
    indices = np.clip(np.floor(share * _LEVELS), 0, _LEVELS - 1).astype(np.uint8)
    return png(indices, _palette())


def _palette() -> NDArray[np.uint8]:
    anchors = np.array(_ANCHORS, np.float64)
    at = np.linspace(0, len(anchors) - 1, _LEVELS)
    columns = [np.interp(at, np.arange(len(anchors)), anchors[:, c]) for c in range(3)]
    return np.rint(np.stack(columns, axis=1)).astype(np.uint8)
