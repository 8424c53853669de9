"""How far up a recording reaches, and whether a lossy codec has been at it.

Coders at low rates zero the bands they cannot afford, frame by frame: in the spectrum of one frame
level drops by 30 dB and more within a few hundred Hz, and comes back above the hole; from frame to
frame the holes move (Derrien 2019, "Detection of genuine lossless audio files"; Hennequin et al.
2017, "Codec independent lossy audio compression detection"). Nature has no such edges; resampling
has one, that stays where it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import as_db
from nlecompanion.diagnosis.spectra import Powers

#: Bands of about this; edges lie between the means of two of them on either side.
_BAND_HZ = 190.0
_LOWEST_HZ = 3000.0
#: A frame that speaks or plays: over -60 dBFS and within 30 dB of the loudest so far.
_ACTIVE_DBFS = -60.0
_ACTIVE_UNDER_DB = 30.0
#: Steeper edges than these within one frame are not natural (clean recordings: 25 and 19 dB at
#: most in nine frames of ten).
_FALL_DB = 28.0
_RISE_DB = 22.0
#: What the mean spectrum must fall by, within half a kHz, to end there.
_END_DB = 12.0
#: An end is an end if what lies above does not move with the sound: the standard deviation of
#: a band's level over active frames; a floor of rounding or hiss has under 3 dB.
_STILL_DB = 4.0
#: A resampler's images move with the sound as well, but lie this far under its edge.
_IMAGES_DB = 30.0
_IMAGES_BANDS = 6
#: Mean level a band under which there is nothing but 16-bit rounding, or a resampler's images.
_EMPTY_DBFS = -114.0
_EMPTY_UNDER_DB = 75.0
#: The top of the edge is where two bands further down gain less than this.
_EDGE_DB = 8.0
#: Bands under the edge in which falls belong to it.
_EDGE_BANDS = 5
#: Holes a frame from which a codec is named, and by which it is certain.
_HOLES_NAMED = 0.12
_HOLES_CERTAIN = 0.6
#: Where coders cut all that lies above; sampling rates' halves are not among these.
_SHELF_HZ = (10_200.0, 18_050.0)
_HALF_RATES_HZ = (11_025.0, 12_000.0, 16_000.0)
_HALF_RATE_NEAR_HZ = 850.0
_SHELF_FALL_SHARE = 0.5
_MIN_FRAMES = 20


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """The highest frequency with sound, and traces of lossy coding.

    `holes_a_frame` counts edges inside the band that nature does not make, per active frame of
    21 ms; `band_switching_hz` is the spread (standard deviation) of where frames end;
    `shelf` tells that all frames end at one place between 10 and 18 kHz; `codec_sureness` is 0
    to 1, `codec_damaged` from 0.5 on.
    """

    highest_hz: float
    holes_a_frame: float
    band_switching_hz: float
    shelf: bool
    codec_damaged: bool
    codec_sureness: float


class BandwidthMeter:
    """Wants the mixture's (or the voice estimate's) power spectra; memory does not grow."""

    def __init__(self, rate_hz: int, frame: int) -> None:
        self._bins = max(1, round(_BAND_HZ * frame / rate_hz))
        self._bands = (frame // 2) // self._bins
        self._band_hz = self._bins * rate_hz / frame
        self._first = round(_LOWEST_HZ / self._band_hz)
        self._sum: NDArray[np.float64] = np.zeros(self._bands)
        self._db_sum: NDArray[np.float64] = np.zeros(self._bands)
        self._db_squares: NDArray[np.float64] = np.zeros(self._bands)
        self._falls: NDArray[np.int64] = np.zeros(max(0, self._bands - 3), np.int64)
        self._rises = self._falls.copy()
        self._ends: NDArray[np.int64] = np.zeros(self._bands, np.int64)
        self._loudest = 0.0
        self._frames = 0

    def push(self, power: Powers) -> None:
        """Takes power of shape (frames, channels, bins)."""
        mean = power[:, :, 1 : self._bands * self._bins + 1].mean(axis=1)
        level = mean.sum(axis=1)
        loudest = np.maximum.accumulate(np.concatenate([[self._loudest], level]))[1:]
        self._loudest = float(loudest[-1])
        active = level > np.maximum(
            loudest * 10 ** (-_ACTIVE_UNDER_DB / 10), 10 ** (_ACTIVE_DBFS / 10)
        )
        if not active.any() or self._bands < self._first + 8:
            return
        bands = mean[active].reshape(-1, self._bands, self._bins).mean(axis=2)
        self._frames += len(bands)
        self._sum += bands.sum(axis=0, dtype=np.float64)
        # Levels under 24-bit rounding say nothing about holes.
        db = 10 * np.log10(bands + np.float32(1e-15))
        self._db_sum += db.sum(axis=0, dtype=np.float64)
        self._db_squares += np.square(db).sum(axis=0, dtype=np.float64)
        drop = (db[:, :-3] + db[:, 1:-2] - db[:, 2:-1] - db[:, 3:]) / 2
        drop[:, : max(0, self._first - 2)] = 0
        inner = drop[:, 1:-1]
        top = (inner >= drop[:, :-2]) & (inner > drop[:, 2:])
        low = (inner <= drop[:, :-2]) & (inner < drop[:, 2:])
        self._falls[1:-1] += (top & (inner > _FALL_DB)).sum(axis=0)
        self._rises[1:-1] += (low & (inner < -_RISE_DB)).sum(axis=0)
        steep = drop.max(axis=1) > _FALL_DB
        # The highest steep fall of each frame: where that frame ends.
        last = drop.shape[1] - 1 - np.argmax(drop[:, ::-1] > _FALL_DB, axis=1)
        self._ends += np.bincount(last[steep], minlength=self._bands)

    def finish(self) -> Bandwidth | None:
        """None where under 20 frames (0.4 s) are loud enough, or the rate is under 9 kHz."""
        if self._frames < _MIN_FRAMES:
            return None
        end = self._end()
        highest_hz = min((end + 1) * self._band_hz, self._bands * self._band_hz)
        # Edges of the band's own end are no holes.
        inside = max(0, end - _EDGE_BANDS)
        holes = float(self._falls[:inside].sum() + self._rises[:inside].sum()) / self._frames
        places = np.arange(self._bands)
        count = int(self._ends.sum())
        spread_hz, ended = 0.0, count / self._frames
        if count:
            centre = float((places * self._ends).sum()) / count
            spread = float(((places - centre) ** 2 * self._ends).sum()) / count
            spread_hz = spread**0.5 * self._band_hz
        near_end = self._ends[max(0, end - 3) : end + 6].sum() / self._frames
        shelf = bool(
            _SHELF_HZ[0] < highest_hz < _SHELF_HZ[1]
            and near_end > _SHELF_FALL_SHARE * max(ended, 0.5)
            and min(abs(highest_hz - half) for half in _HALF_RATES_HZ) > _HALF_RATE_NEAR_HZ
        )
        sureness = float(np.clip(0.5 * holes / _HOLES_NAMED, 0, 0.5))
        if holes > _HOLES_NAMED:
            sureness += 0.5 * min(1.0, (holes - _HOLES_NAMED) / (_HOLES_CERTAIN - _HOLES_NAMED))
        if shelf:
            sureness = max(sureness, 0.6)
        return Bandwidth(highest_hz, holes, spread_hz, shelf, sureness >= 0.5, sureness)

    def _end(self) -> int:
        """The last band with sound in it: the top of the edge, where there is one."""
        db = as_db(self._sum / self._frames)
        mean = self._db_sum / self._frames
        moving_db = np.sqrt(np.maximum(self._db_squares / self._frames - mean**2, 0))
        empty_dbfs = max(_EMPTY_DBFS, float(db.max()) - _EMPTY_UNDER_DB)
        there = np.flatnonzero(db > empty_dbfs)
        end = int(there[-1]) if there.size else self._bands - 1
        for band in range(end, self._first, -1):
            above = db[band + 2 :]
            if not above.size or db[max(0, band - 2) : band + 1].max() - above.max() < _END_DB:
                continue
            heard = above > empty_dbfs
            wide = db[max(0, band - _IMAGES_BANDS) : band].max() - above.max()
            if (
                wide > _IMAGES_DB
                or not heard.any()
                or np.median(moving_db[band + 2 :][heard]) < _STILL_DB
            ):
                end = band
                break
        while end > self._first and db[end - 2] - db[end] > _EDGE_DB:
            end -= 1
        return end
