"""The floor of a sound, measured before and after: colour, level, edges, steadiness, loops."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.tone_grid import Mask, Real, ToneGrid, as_db, floor_frames, quiet_db
from nlecompanion.units import gain_from_db

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
        self._frames = _Frames(ToneGrid.at(rate_hz), channels)
        self._bands: list[Real] = []
        self._totals: list[Real] = []

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        for spectra, fresh in self._frames.push(block):
            self._bands.append(self._frames.grid.band_powers(spectra))
            self._totals.append(_products(fresh, fresh))

    def quiet(self, speech: Sequence[Span]) -> Mask:
        """The frames in the gaps of `speech` that hold no word cut off or missed.

        What is made of this sound has its floor in the same frames.
        """
        gaps = self._frames.gaps(speech)
        if not gaps.any():
            return gaps
        power_db = as_db(np.concatenate(self._bands).sum(axis=1, dtype=np.float64))
        most_db = quiet_db(10 ** (power_db[gaps] / 10))
        return gaps & (power_db <= (-140 if most_db is None else most_db) + _WORD_DB)

    def finish(self, speech: Sequence[Span], quiet: Mask | None = None) -> Floor | None:
        """The floor in the gaps of `speech`; None where there is no whole frame.

        `quiet`: frames that another meter has found to be the gaps.
        """
        if not self._bands:
            return None
        bands, totals = np.concatenate(self._bands), np.concatenate(self._totals)
        return _floor(
            self._frames.grid, bands, totals, self.quiet(speech) if quiet is None else quiet
        )


class StemFloorMeter:
    """Measures voice and background, so that the floor of every mix of the two is known."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self._frames = _Frames(ToneGrid.at(rate_hz), 2 * channels)
        self._channels = channels
        self._bands: list[Real] = []
        self._totals: list[Real] = []

    def push(self, block: Stems) -> None:
        """Takes the next block."""
        both = np.concatenate([block.voice, block.background], axis=1)
        voice, background = slice(0, self._channels), slice(self._channels, None)
        grid = self._frames.grid
        for spectra, fresh in self._frames.push(both):
            one, other = spectra[:, :, voice], spectra[:, :, background]
            cross = 2 * grid.band_products(one, other)
            self._bands.append(np.stack([grid.band_powers(one), cross, grid.band_powers(other)]))
            first, second = fresh[:, :, voice], fresh[:, :, background]
            cross = 2 * _products(first, second)
            self._totals.append(
                np.stack([_products(first, first), cross, _products(second, second)])
            )

    def finish(self, speech: Sequence[Span], quiet: Mask) -> StemFloors | None:
        """What was measured; None where there is no whole frame. `quiet`: `FloorMeter.quiet` of
        the recording.
        """
        if not self._bands:
            return None
        frames = self._frames
        return StemFloors(
            grid=frames.grid,
            bands=np.concatenate(self._bands, axis=1),
            totals=np.concatenate(self._totals, axis=1),
            gaps=quiet,
            speaking=frames.inside(speech),
        )


@dataclass(frozen=True, slots=True, eq=False)
class StemFloors:
    """Powers of voice, of both together (twice their product) and of the background.

    `bands`: (3, frames, bands), `totals`: (3, frames), averaged over the channels; `gaps` and
    `speaking` say in which frames the floor is heard, and in which somebody speaks.
    """

    grid: ToneGrid
    bands: Real
    totals: Real
    gaps: Mask
    speaking: Mask

    def floor(self, intensity_db: float) -> Floor:
        """Of `voice + 10^(-intensity/20) * background`."""
        bands, totals = (_mixed(parts, intensity_db) for parts in (self.bands, self.totals))
        return _floor(self.grid, bands, totals, self.gaps)

    def speech_level_db(self, intensity_db: float) -> float | None:
        """Level of the speech in the same mix, less its floor, in the third octaves of the floor,
        dBFS. None where nobody speaks for a whole frame.
        """
        if not self.speaking.any():
            return None
        power = _mixed(self.bands, intensity_db).sum(axis=1, dtype=np.float64)
        floor = 10 ** (self.floor(intensity_db).level_db / 10)
        return float(as_db(np.asarray([power[self.speaking].mean() - floor]))[0])


def _mixed(parts: Real, intensity_db: float) -> Real:
    gain = np.float32(gain_from_db(-intensity_db))
    # Rounding must not leave a power under zero where the two cancel each other.
    mixed: Real = np.maximum(parts[0] + gain * parts[1] + gain**2 * parts[2], 0)
    return mixed


def _products(one: Samples, other: Samples) -> Real:
    """Mean over each frame's samples and channels; (frames, samples, channels) go in."""
    means: Real = np.einsum("fsc,fsc->f", one, other) / max(1, one[0].size)
    return means


class _Frames:
    """Blocks as frames of the grid, about 3 s of them at once: long blocks take no more memory."""

    def __init__(self, grid: ToneGrid, channels: int) -> None:
        self.grid = grid
        self._rest = np.zeros((0, channels), np.float32)
        self._length_samples = 0

    def push(self, block: Samples) -> Iterator[tuple[NDArray[np.complex64], Samples]]:
        """Spectra of the frames that are whole now, and each frame's first half."""
        hop = self.grid.hop_samples
        self._length_samples += len(block)
        sound = np.concatenate([self._rest, block])
        frames = self.grid.frames(len(sound))
        self._rest = sound[frames * hop :]
        for first in range(0, frames, 64):
            count = min(64, frames - first)
            part = sound[first * hop :][: (count - 1) * hop + self.grid.frame_samples]
            yield self.grid.spectra(part), part[: count * hop].reshape(count, hop, -1)

    def gaps(self, speech: Sequence[Span]) -> Mask:
        """Frames away from all speech."""
        return self.grid.gap_frames(speech, self._length_samples)

    def inside(self, speech: Sequence[Span]) -> Mask:
        """Frames whose first half lies in speech."""
        hop_s = self.grid.hop_samples / self.grid.rate_hz
        inside = np.zeros(self.grid.frames(self._length_samples), dtype=bool)
        for span in speech:
            inside[math.ceil(span.start_s / hop_s) : math.floor(span.end_s / hop_s)] = True
        return inside


def _floor(grid: ToneGrid, bands: Real, totals: Real, gaps: Mask) -> Floor:
    from_gaps = bool(gaps.any())
    power = bands.sum(axis=1, dtype=np.float64)
    if not from_gaps:
        gaps = power <= np.percentile(power, _QUIETEST_PERCENT)
    edge = max(1, round(_EDGE_S * grid.rate_hz / grid.hop_samples))
    place = floor_frames(power[gaps])
    mean = bands[gaps][place].mean(axis=0, dtype=np.float64) if place.any() else 0 * bands[0]
    return Floor(
        band_db=tuple(float(level) for level in as_db(mean)),
        level_db=float(as_db(np.asarray([mean.sum()]))[0]),
        start_db=_level_db(power[:edge][gaps[:edge]]),
        end_db=_level_db(power[-edge:][gaps[-edge:]]),
        deviation_db=_deviation_db(grid, power[gaps]),
        lowest_db=_lowest_db(grid, totals),
        from_gaps=from_gaps,
    )


def _deviation_db(grid: ToneGrid, quiet: NDArray[np.float64]) -> float:
    step = max(1, round(_STRETCH_S * grid.rate_hz / grid.hop_samples))
    count = len(quiet) // step
    if count < 2:
        return 0.0
    # The median of a stretch: a thump in it is an event, not an opened floor.
    levels_db = np.median(as_db(quiet[: count * step]).reshape(count, step), axis=1)
    return float(np.percentile(np.abs(levels_db - np.median(levels_db)), 90))


def _lowest_db(grid: ToneGrid, totals: Real) -> float:
    step = min(len(totals), max(1, round(0.1 * grid.rate_hz / grid.hop_samples)))
    sums = np.cumsum(np.concatenate([[0.0], totals.astype(np.float64)]))
    return float(as_db((sums[step:] - sums[:-step]) / step).min())


def _level_db(power: NDArray[np.floating]) -> float | None:
    if not len(power):
        return None
    return float(as_db(power.mean(keepdims=True, dtype=np.float64))[0])


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
