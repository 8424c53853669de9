"""Reverberation, blind: clarity C50 from how speech's levels fall and how shallow its dips are.

In each octave from 250 Hz to 4 kHz the falls of the level over 64 and 128 ms, the envelope's
modulations and the depth of its dips are taken: a room lets speech fall no faster than itself
does (Wen, Habets & Naylor 2008, "Blind estimation of reverberation time based on the distribution
of signal decay rates") and fills the dips (Houtgast & Steeneken 1985). A linear regression turns
the figures into C50 (ISO 3382-1, eq. 10: energy of the first 50 ms over the rest, in dB). It was
fitted on openly licensed speech in made rooms of 0.12 to 4.5 s; measured rooms are kept for tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.bands import FLOOR_POWER, BandLevels, hops_inside
from nlecompanion.model import Span

#: Clearer than this cannot be told from dry.
HIGHEST_C50_DB = 25.0
LOWEST_C50_DB = -10.0
_OCTAVES = slice(1, 6)
_FALLS_S = (0.064, 0.128)
_FALL_PERCENTS = (5, 20, 50)
_MIN_FALLS = 8
_MODULATIONS_HZ = ((1.0, 4.0), (4.0, 8.0), (8.0, 16.0), (16.0, 32.0))
_MIN_SPEECH_S = 1.0
#: A voice's tail is listened to as well.
_TAIL_S = 0.25
#: With this much speech, and this far over the floor, the estimate is as good as it gets.
_SURE_SPEECH_S = 4.0
_SURE_RANGE_DB = (10.0, 25.0)
#: Falls of 64 ms (log dB/s; 5th, 20th, 50th percentile), of 128 ms, modulations in dB, dips in dB.
_WEIGHTS = (6.431, 6.471, -0.897, 4.911, 5.381, 0.46, 0.143, 0.265, -0.109, -0.569, -0.395)
_BIAS_DB = -103.997


@dataclass(frozen=True, slots=True)
class Reverberation:
    """Clarity in dB, -10 (a cave) to 25 (dry, or clearer than can be measured).

    `sureness` is 0 to 1: it falls with less than 4 s of speech and with noise less than 25 dB
    under it. Rooms are audible under about 15 dB and hurt under about 5.
    """

    c50_db: float
    sureness: float


def reverberation(bands: BandLevels, speech: tuple[Span, ...]) -> Reverberation | None:
    """From the mixture where noise lies 25 dB under speech, else from the voice estimate.

    None with less than 1 s of speech, or where noise hides all falls.
    """
    speaking = hops_inside(speech, len(bands.powers), bands.hop_s)
    speech_s = float(speaking.sum() * bands.hop_s)
    if speech_s < _MIN_SPEECH_S:
        return None
    figures, range_db = room_figures(bands, speech)
    if not np.isfinite(figures).all():
        return None
    c50_db = float(np.array(_WEIGHTS) @ figures + _BIAS_DB)
    low, high = _SURE_RANGE_DB
    heard = np.clip((range_db - low) / (high - low), 0, 1)
    return Reverberation(
        float(np.clip(c50_db, LOWEST_C50_DB, HIGHEST_C50_DB)),
        float(min(1.0, speech_s / _SURE_SPEECH_S) * heard),
    )


def room_figures(bands: BandLevels, speech: tuple[Span, ...]) -> tuple[NDArray[np.float64], float]:
    """The regression's eleven figures, means over the octaves (NaN where none had any), and how
    far speech's loud hops stand over the floor in dB.
    """
    hops = len(bands.powers)
    speaking = hops_inside(speech, hops, bands.hop_s)
    near = hops_inside(speech, hops, bands.hop_s, pad_s=_TAIL_S)
    powers = bands.powers[:, _OCTAVES].astype(np.float64)
    rows, ranges = [], []
    for octave in powers.T:
        level_db = 10 * np.log10(octave + FLOOR_POWER)
        loud_db = float(np.percentile(level_db[speaking], 90))
        floor_db = float(np.percentile(level_db, 3))
        if loud_db < -100:
            continue
        falls = _falls(level_db, near, loud_db, floor_db, bands.hop_s)
        middle_db, low_db = np.percentile(level_db[speaking], (50, 10))
        dip_db = float(middle_db - max(low_db, floor_db))
        rows.append([*falls, *_modulations_db(octave[near], bands.hop_s), dip_db])
        ranges.append(loud_db - floor_db)
    if not rows:
        return np.full(len(_WEIGHTS), np.nan), 0.0
    table = np.array(rows)
    known = np.isfinite(table)
    sums = np.where(known, table, 0).sum(axis=0)
    counts = known.sum(axis=0)
    figures = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return figures, float(np.mean(ranges))


def _falls(
    level_db: NDArray[np.float64],
    near: NDArray[np.bool_],
    loud_db: float,
    floor_db: float,
    hop_s: float,
) -> list[float]:
    """Percentiles of how fast the level falls, as log of dB/s; NaN where too few falls are."""
    found: list[float] = []
    for length_s in _FALLS_S:
        hops = 2 * max(1, round(length_s / hop_s / 2))
        start, middle, end = level_db[:-hops], level_db[hops // 2 : -(hops // 2)], level_db[hops:]
        falling = (start > loud_db - 20) & (end > floor_db + 5) & near[:-hops]
        falling &= (middle < start) & (end < middle)
        rates = (start - end)[falling] / (hops * hop_s)
        if rates.size < _MIN_FALLS:
            found += [np.nan] * len(_FALL_PERCENTS)
        else:
            steep = np.percentile(rates, [100 - percent for percent in _FALL_PERCENTS])
            found += [float(value) for value in np.log(steep)]
    return found


def _modulations_db(octave: NDArray[np.float64], hop_s: float) -> list[float]:
    """Energy of the envelope's movements at four rates, against its mean, in dB."""
    envelope = np.sqrt(octave + FLOOR_POWER)
    envelope = envelope / envelope.mean() - 1
    length = len(envelope)
    power = np.abs(np.fft.rfft(envelope)) ** 2 * 2 / length**2
    at_hz = np.fft.rfftfreq(length, hop_s)
    return [
        10 * np.log10(float(power[(at_hz >= low) & (at_hz < high)].sum()) + 1e-6)
        for low, high in _MODULATIONS_HZ
    ]
