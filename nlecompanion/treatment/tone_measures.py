"""The floor of a sound, measured before and after: colour, level, edges, steadiness, loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.tone_grid import Real, ToneGrid, as_db, floor_frames, quiet_db

#: Levels of the floor are compared over stretches of about this length.
_STRETCH_S = 0.4
#: How much of a region counts as its edge.
_EDGE_S = 1.5
#: Without gaps, the quietest frames stand in.
_QUIETEST_PERCENT = 10
#: What rises further above most of the gaps is a word that no span holds, cut off or missed.
_WORD_DB = 10.0


@dataclass(frozen=True, slots=True)
class Floor:
    """A sound's floor with nobody speaking.

    `band_db`: third octaves from 100 Hz on; `level_db`: all of them; dBFS, averaged over the
    channels. `start_db`, `end_db`: the level of gaps in the first and last 1.5 s, None without any.
    `deviation_db`: how far stretches of 0.4 s lie from their median, nine of ten of them.
    `lowest_db`: the quietest 0.1 s of the whole sound, over all frequencies and channels.
    `from_gaps` is False where the quietest frames stand in.
    """

    band_db: tuple[float, ...]
    level_db: float
    start_db: float | None
    end_db: float | None
    deviation_db: float
    lowest_db: float
    from_gaps: bool


class FloorMeter:
    """Measures sound given in blocks; a few values a frame are kept."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._grid = ToneGrid.at(rate_hz)
        self._rest = np.zeros((0, channels), np.float32)
        self._bands: list[Real] = []
        self._totals: list[Real] = []
        self._length_samples = 0

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        hop = self._grid.hop_samples
        self._length_samples += len(block)
        sound = np.concatenate([self._rest, block])
        frames = self._grid.frames(len(sound))
        # About 3 s at once, so that long blocks need no more memory than short ones.
        for first in range(0, frames, 64):
            count = min(64, frames - first)
            part = sound[first * hop :][: (count - 1) * hop + self._grid.frame_samples]
            self._bands.append(self._grid.band_powers(self._grid.spectra(part)))
            fresh = part[: count * hop].reshape(count, -1)
            self._totals.append(np.einsum("fs,fs->f", fresh, fresh) / fresh.shape[1])
        self._rest = sound[frames * hop :]

    def finish(self, speech: Sequence[Span]) -> Floor | None:
        """The floor in the gaps of `speech`; None where there is no whole frame."""
        if not self._bands:
            return None
        bands, totals = np.concatenate(self._bands), np.concatenate(self._totals)
        gaps = self._grid.gap_frames(speech, self._length_samples)
        from_gaps = bool(gaps.any())
        power = bands.sum(axis=1, dtype=np.float64)
        if from_gaps:
            most_db = quiet_db(power[gaps])
            gaps &= as_db(power) <= (-140 if most_db is None else most_db) + _WORD_DB
        else:
            gaps = power <= np.percentile(power, _QUIETEST_PERCENT)
        edge = max(1, round(_EDGE_S * self._grid.rate_hz / self._grid.hop_samples))
        place = floor_frames(power[gaps])
        mean = bands[gaps][place].mean(axis=0, dtype=np.float64) if place.any() else 0 * bands[0]
        return Floor(
            band_db=tuple(float(level) for level in as_db(mean)),
            level_db=float(as_db(np.asarray([mean.sum()]))[0]),
            start_db=_level_db(power[:edge][gaps[:edge]]),
            end_db=_level_db(power[-edge:][gaps[-edge:]]),
            deviation_db=self._deviation_db(power, gaps),
            lowest_db=self._lowest_db(totals),
            from_gaps=from_gaps,
        )

    def _deviation_db(self, power: NDArray[np.float64], gaps: NDArray[np.bool_]) -> float:
        step = max(1, round(_STRETCH_S * self._grid.rate_hz / self._grid.hop_samples))
        quiet = power[gaps]
        count = len(quiet) // step
        if count < 2:
            return 0.0
        # The median of a stretch: a thump in it is an event, not an opened floor.
        levels_db = np.median(as_db(quiet[: count * step]).reshape(count, step), axis=1)
        return float(np.percentile(np.abs(levels_db - np.median(levels_db)), 90))

    def _lowest_db(self, totals: Real) -> float:
        step = min(len(totals), max(1, round(0.1 * self._grid.rate_hz / self._grid.hop_samples)))
        sums = np.cumsum(np.concatenate([[0.0], totals.astype(np.float64)]))
        return float(as_db((sums[step:] - sums[:-step]) / step).min())


def _level_db(power: NDArray[np.float64]) -> float | None:
    return float(as_db(power.mean(keepdims=True))[0]) if len(power) else None


def colour_difference_db(one: Sequence[float], other: Sequence[float]) -> float:
    """Mean absolute difference of two floors' third octaves, levels included."""
    return float(np.mean(np.abs(np.asarray(one) - np.asarray(other))))


def edge_step_db(earlier: Floor, later: Floor) -> float | None:
    """The step of the floor from one clip to the next; None where an edge has no gap."""
    if earlier.end_db is None or later.start_db is None:
        return None
    return abs(later.start_db - earlier.end_db)


def loop_correlation(sound: Samples, least_lag_samples: int) -> float:
    """The largest normalised autocorrelation at any lag from `least_lag_samples` to half the sound.

    Up to that lag noise resembles itself by its colour; beyond it only by repetition.
    """
    import scipy.fft

    mono = sound.mean(axis=1, dtype=np.float64)
    mono -= mono.mean()
    power = np.abs(scipy.fft.rfft(mono, scipy.fft.next_fast_len(2 * len(mono)))) ** 2
    correlation = scipy.fft.irfft(power)[: len(mono) // 2]
    lags = np.arange(len(correlation))
    # Fewer samples overlap at longer lags.
    correlation *= len(mono) / (len(mono) - lags)
    if correlation[0] <= 0 or least_lag_samples >= len(correlation):
        return 0.0
    return float(np.abs(correlation[least_lag_samples:]).max() / correlation[0])
