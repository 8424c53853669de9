"""Mains hum: steady lines at multiples of 50 or 60 Hz, and how loud they are.

In frames of over a second mains lines stand within two bins and keep their level; a voice's and an
instrument's partials do not. So each bin's 15th percentile over time is looked at, in which what
comes and goes on top vanishes, and three or more lines must fit one fundamental.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import FLOOR_POWER, as_db
from nlecompanion.diagnosis.spectra import Powers

#: Grids are held to 0.2 Hz normally, 0.5 Hz at worst (EN 50160, 4.2.1).
_FUNDAMENTALS_HZ = np.concatenate(
    [mains_hz + np.arange(-0.5, 0.501, 0.05) for mains_hz in (50.0, 60.0)]
)
_TOP_HZ = 1000.0
_HARMONICS = 12
_LINES_NEEDED = 3
#: The first two, which lie under most voices, are enough where they stand out by this.
_STRONG_DB = 15.0
#: A line's 15th percentile stands 10 dB above its neighbours'; its lower levels hardly differ.
_PROMINENCE_DB = 10.0
_PERCENTS = (5, 15, 30)
_MOST_SPREAD_DB = 6.0
_TOLERANCE_BINS = 0.7
_AROUND_BINS = 16
_LOBE_BINS = 2
_MIN_FRAMES = 4
#: Lines are looked for in stretches of about this; what hums only at times is found as well.
_CHUNK_S = 20.0
#: Hum is named where it is in this part of the sound.
_MIN_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Hum:
    """Mains hum: its fundamental, the level of all its lines together, and how many stand out.

    `level_dbfs` is the lines' mean square, averaged over the channels; `share` the part of the
    time that it was found in.
    """

    fundamental_hz: float
    level_dbfs: float
    lines: int
    share: float


@dataclass(frozen=True, slots=True)
class _Chunk:
    frames: int
    found: tuple[float, float, int] | None  # fundamental, mean square, lines


class HumMeter:
    """Wants the mixture's long spectra (about 1.4 s a frame) of the decimated signal."""

    def __init__(self, low_rate_hz: float, frame: int, hop_samples: int) -> None:
        self._bin_hz = low_rate_hz / frame
        self._bins = min(frame // 2, int(_TOP_HZ / self._bin_hz) + 2 * _AROUND_BINS)
        self._chunk_frames = max(_MIN_FRAMES, round(_CHUNK_S * low_rate_hz / hop_samples))
        self._logs: list[NDArray[np.float32]] = []
        self._chunks: list[_Chunk] = []

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        mean = power[:, :, : self._bins].mean(axis=1)
        for frame in mean:
            self._logs.append(np.log10(frame + np.float32(FLOOR_POWER)))
            if len(self._logs) == 2 * self._chunk_frames:
                self._close(self._chunk_frames)

    def finish(self) -> Hum | None:
        """None where no hum was found, or the sound is shorter than about 2.5 s."""
        if len(self._logs) >= _MIN_FRAMES:
            self._close(len(self._logs))
        frames = sum(chunk.frames for chunk in self._chunks)
        hums = [(c.frames, c.found) for c in self._chunks if c.found is not None]
        humming = sum(count for count, _ in hums)
        if not frames or humming < _MIN_SHARE * frames:
            return None
        longest = max(hums, key=lambda hum: (hum[1][2], hum[1][1]))[1]
        power = sum(count * found[1] for count, found in hums) / humming
        return Hum(longest[0], float(as_db(np.array([power]))[0]), longest[2], humming / frames)

    def _close(self, count: int) -> None:
        logs = 10 * np.stack(self._logs[:count])
        del self._logs[:count]
        self._chunks.append(_Chunk(count, _lines(logs, self._bin_hz)))


def _lines(logs_db: NDArray[np.float32], bin_hz: float) -> tuple[float, float, int] | None:
    """Fundamental in Hz, mean square and number of mains lines in dB spectra (frames, bins)."""
    from scipy.ndimage import median_filter

    low_db, line_db, high_db = np.percentile(logs_db.astype(np.float64), _PERCENTS, axis=0)
    around_db = median_filter(line_db, 2 * _AROUND_BINS + 1, mode="nearest")
    left, own, right = line_db[:-2], line_db[1:-1], line_db[2:]
    peak = (own >= left) & (own > right) & (own - around_db[1:-1] > _PROMINENCE_DB)
    peak &= (high_db - low_db)[1:-1] < _MOST_SPREAD_DB
    bend = np.minimum(left - 2 * own + right, -1e-6)
    place = np.full(line_db.shape, np.inf)
    place[1:-1] = np.where(peak, np.arange(1, len(own) + 1) + (left - right) / (2 * bend), np.inf)

    wanted = np.outer(_FUNDAMENTALS_HZ / bin_hz, np.arange(1, _HARMONICS + 1))
    nearest = np.minimum(np.rint(wanted).astype(int), len(place) - 2)
    off = np.stack([np.abs(place[nearest + step] - wanted) for step in (-1, 0, 1)]).min(axis=0)
    there = off < _TOLERANCE_BINS
    fit = there.sum(axis=1) - 0.1 * np.where(there, off, 0).sum(axis=1)
    best = int(np.argmax(fit))
    lines = int(there[best].sum())
    first_two = nearest[best, :2]
    strong = (line_db - around_db)[first_two].min() > _STRONG_DB and there[best, :2].all()
    if not strong and (lines < _LINES_NEEDED or not there[best, :4].any()):
        return None
    power = 10 ** (line_db / 10) - 10 ** (around_db / 10)
    total = sum(
        float(power[at - _LOBE_BINS : at + _LOBE_BINS + 1].sum())
        for at in nearest[best, there[best]]
    )
    return float(_FUNDAMENTALS_HZ[best]), total, lines
