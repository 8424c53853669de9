"""Room tone found in the original recording: the sound of the place with nobody speaking.

Taken from gaps in speech, where they are steady enough to be the place rather than music or
somebody else; else estimated under speech and music (`tone_minimum`). What is kept are spectra of
short grains, from which `tone_growing` makes any length.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Span
from nlecompanion.treatment.stems import Read
from nlecompanion.treatment.tone_grid import (
    SILENCE_POWER,
    Mask,
    Real,
    ToneGrid,
    as_db,
    floor_frames,
)
from nlecompanion.treatment.tone_minimum import MinimumStatistics

_MOST_GRAINS = 64
#: Lines that rise further above their surroundings are hum or whistles, which would warble.
_LINE_DB = 6.0
_LINE_REACH_BINS = 12
#: Over the median of its third octave, a grain's power beyond this (2 dB) is an event.
_EVENT_POWER = 1.6
#: Below it lies dither, not a place.
_LEAST_DBFS = -95.0


@dataclass(frozen=True, slots=True)
class ToneKey:
    """Regions with the same key were recorded in the same place and share one tone."""

    media: str
    channels: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RoomTone:
    """The tone of a place. It does not say which place: equal sound makes equal tones.

    `grains` is complex64 (grains, bins, channels) on the grid of `rate_hz`. `band_db` are the
    floor's third octaves from 100 Hz on, `level_db` all of them together, in dBFS, averaged over
    the channels. `estimated`: not from gaps, but by minimum statistics. `heard_s` is how much
    sound it rests on; `unsteadiness_db` how much its bands vary from grain to grain.
    """

    rate_hz: int
    grains: NDArray[np.complex64]
    band_db: tuple[float, ...]
    level_db: float
    estimated: bool
    heard_s: float
    unsteadiness_db: float

    @property
    def channels(self) -> int:
        """Channels of the tone."""
        return int(self.grains.shape[2])

    @property
    def digest(self) -> str:
        """SHA-256 of all that is heard of it."""
        held = hashlib.sha256(f"{self.rate_hz} {self.grains.shape} {self.estimated}".encode())
        held.update(np.asarray([self.level_db, *self.band_db], "<f8").tobytes())
        held.update(np.ascontiguousarray(self.grains, "<c8").data)
        return held.hexdigest()


@dataclass(frozen=True, slots=True)
class NoRoomTone:
    """Why there is none."""

    reason: str


@dataclass(frozen=True, slots=True)
class FindingLimits:
    """What counts as room tone.

    `least_gap_s`: gaps in all; `most_unsteady_db`: spread of a band's level over the gaps (steady
    noise has 1 to 3, music mostly 4 to 10); `may_estimate`: whether minimum statistics stand in.
    """

    least_gap_s: float = 0.4
    most_unsteady_db: float = 4.5
    may_estimate: bool = True


def find_room_tone(
    read: Read,
    length_samples: int,
    rate_hz: int,
    speech: Sequence[Span],
    limits: FindingLimits | None = None,
    *,
    music: bool = False,
) -> RoomTone | NoRoomTone:
    """The tone of the ORIGINAL sound that `read(position, count)` gives; two passes over it.

    `speech` counts from its first sample. `music`: there is some in the gaps.
    """
    limits = limits or FindingLimits()
    grid = ToneGrid.at(rate_hz)
    if not grid.frames(length_samples):
        return NoRoomTone(f"{length_samples / rate_hz:.2f} s of sound are too short for it")
    gaps = grid.gap_frames(speech, length_samples)
    found: RoomTone | NoRoomTone
    if music:
        found = NoRoomTone("there is music in the gaps")
    else:
        found = _from_gaps(read, grid, gaps, limits)
    if isinstance(found, RoomTone) or not limits.may_estimate:
        return found
    return _estimated(read, length_samples, grid, found)


def _from_gaps(
    read: Read, grid: ToneGrid, gaps: Mask, limits: FindingLimits
) -> RoomTone | NoRoomTone:
    frames = np.flatnonzero(gaps)
    hop_s = grid.hop_samples / grid.rate_hz
    if len(frames) * hop_s < limits.least_gap_s:
        return NoRoomTone(
            f"{len(frames) * hop_s:.1f} s of gaps; {limits.least_gap_s:g} s are needed"
        )
    bands = _gap_bands(read, grid, frames)
    total = bands.sum(axis=1)
    if np.sum(total > SILENCE_POWER) * hop_s < limits.least_gap_s:
        return NoRoomTone("the gaps are digital silence")
    kept = floor_frames(total)
    if kept.sum() * hop_s < limits.least_gap_s:
        return NoRoomTone("the gaps differ too much from one another")
    unsteadiness_db = _unsteadiness_db(bands[kept])
    if unsteadiness_db > limits.most_unsteady_db:
        return NoRoomTone(
            f"the gaps are too unsteady ({unsteadiness_db:.1f} dB; at most "
            f"{limits.most_unsteady_db:g} dB): music or voices",
        )
    chosen = frames[kept]
    picks = chosen[np.unique(np.linspace(0, len(chosen) - 1, _MOST_GRAINS).astype(int))]
    grains = np.concatenate(
        [grid.spectra(read(int(at) * grid.hop_samples, grid.frame_samples)) for at in picks]
    )
    level = float(np.mean(total[kept], dtype=np.float64))
    grains = _without_events(_evened(grains, level, grid), grid)
    return _tone(grid, grains, float(kept.sum()) * hop_s, unsteadiness_db)


def _gap_bands(read: Read, grid: ToneGrid, frames: NDArray[np.intp]) -> Real:
    """Band powers of these frames, read run by run, at most 64 frames at once."""
    cuts = np.flatnonzero(np.diff(frames) > 1) + 1
    bands = []
    for run in np.split(frames, cuts):
        for first in range(0, len(run), _MOST_GRAINS):
            part = run[first : first + _MOST_GRAINS]
            count = (len(part) - 1) * grid.hop_samples + grid.frame_samples
            sound = read(int(part[0]) * grid.hop_samples, count)
            bands.append(grid.band_powers(grid.spectra(sound)))
    return np.concatenate(bands)


def _unsteadiness_db(bands: Real) -> float:
    """How far a band's level lies from its mean over time (RMS), the median over the bands."""
    return float(np.median(np.std(as_db(bands), axis=0)))


def _evened(grains: NDArray[np.complex64], level: float, grid: ToneGrid) -> NDArray[np.complex64]:
    """All grains as loud as the floor: a grain that is louder by chance would come back as such."""
    power = grid.band_powers(grains).sum(axis=1, dtype=np.float64)
    scale = np.sqrt(level / np.maximum(power, SILENCE_POWER)).astype(np.float32)
    evened: NDArray[np.complex64] = grains * scale[:, None, None]
    return evened


def _without_events(grains: NDArray[np.complex64], grid: ToneGrid) -> NDArray[np.complex64]:
    """Bands of single grains, a breath or a far word, down to what the band has in most grains:
    drawn again and again, they would come back all over the tone.
    """
    powers = grid.band_powers(grains)
    usual = np.median(powers, axis=0)
    calm = grains.copy()
    for band, (low, high) in enumerate(grid.band_edges()):
        # Noise itself varies by 1 / sqrt(bins).
        most = usual[band] * max(_EVENT_POWER, 1 + 4 / (high - low) ** 0.5)
        scale = np.sqrt(np.minimum(1, most / np.maximum(powers[:, band], SILENCE_POWER)))
        calm[:, low:high] *= scale.astype(np.float32)[:, None, None]
    return calm


def _estimated(
    read: Read, length_samples: int, grid: ToneGrid, without: NoRoomTone
) -> RoomTone | NoRoomTone:
    tracker = MinimumStatistics(grid)
    step = (tracker.window_frames - 1) * grid.hop_samples + grid.frame_samples
    windows = 0
    for start in range(0, length_samples - step + 1, step):
        tracker.push(grid.spectra(read(start, step)))
        windows += 1
    grains = tracker.finish()
    if grains is None:
        why = "and none can be estimated from less than 1.5 s of sound without silence"
        return NoRoomTone(f"{without.reason}, {why}")
    return _tone(grid, grains, windows * step / grid.rate_hz, 0.0, estimated=True)


def _tone(
    grid: ToneGrid,
    grains: NDArray[np.complex64],
    heard_s: float,
    unsteadiness_db: float,
    *,
    estimated: bool = False,
) -> RoomTone | NoRoomTone:
    grains = _without_lines(grains)
    bands = grid.band_powers(grains).mean(axis=0, dtype=np.float64)
    if 10 * np.log10(bands.sum() + 1e-20) < _LEAST_DBFS:
        return NoRoomTone(f"the floor lies below {_LEAST_DBFS:g} dBFS: no sound of a place")
    return RoomTone(
        rate_hz=grid.rate_hz,
        grains=grains,
        band_db=tuple(float(level) for level in as_db(bands)),
        level_db=float(as_db(np.asarray([bands.sum()]))[0]),
        estimated=estimated,
        heard_s=heard_s,
        unsteadiness_db=unsteadiness_db,
    )


def _without_lines(grains: NDArray[np.complex64]) -> NDArray[np.complex64]:
    """Hum and whistles down to 6 dB above their surroundings: the tone is noise."""
    from scipy.ndimage import median_filter

    power = np.mean(np.sum(grains.real**2 + grains.imag**2, axis=2), axis=0, dtype=np.float64)
    around = median_filter(power, 2 * _LINE_REACH_BINS + 1, mode="nearest")
    most = around * 10 ** (_LINE_DB / 10) / np.log(2)  # a median of chi-square powers lies low
    scale = np.sqrt(np.minimum(1, most / np.maximum(power, 1e-30))).astype(np.float32)
    cleaned: NDArray[np.complex64] = grains * scale[None, :, None]
    return cleaned
