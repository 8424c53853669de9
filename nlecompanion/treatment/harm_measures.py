"""Symptoms of over-processing, each measured on powers over time and frequency.

Everything is relative to the take: what an output did to it, not what it sounds like alone. The
output's overall gain does not count: levels are compared after the voice's own has been matched.
Silence in the output never helps a measure: gains are followed 80 dB down, and what leaves a
steady background for a hole is a change like any other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.treatment.readability import band_powers
from nlecompanion.treatment.sii import BANDS, CENTRES_HZ
from nlecompanion.treatment.spectra import HOP_S, Mask, Powers, WindowSpectra

Levels = NDArray[np.float64]

#: Gains are followed this far down; below it lies nothing that anyone could hear under a voice.
DEEPEST_DB = -80.0
#: Fewer frames than these cannot show a modulation of 4 Hz, or a distribution.
MIN_FRAMES = 40
#: Consonants: fricatives and bursts.
CONSONANTS_HZ = (4000.0, 10_000.0)
_VOICE_HZ = (300.0, 3400.0)
#: Bands in which warble and pumping are followed; lower ones have too few bins to be steady.
_FIRST_BAND = int(np.searchsorted(CENTRES_HZ, 250))
#: A background whose level in 4 to 10 kHz scatters no more than this, a frame, is steady.
STEADY_DB = 3.0
_RING_FRAMES = (5, 20)
#: What the background itself reaches in gaps, now and then.
_GAP_QUANTILE = 0.95
#: No band's breathing counts for more.
_MOST_DB = 40.0
_FAST_FRAMES, _SLOW_FRAMES = 3, 25
_TINY = 1e-20


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What all outputs of a window are held against; made once.

    `take` (frames, bands) powers; `alone` (frames, bands): the background rules there. `voiced`
    (frames,): the voice rules in its middle range. `consonants` (frames,): fricatives and bursts
    that stand out of the take; `consonant_floor` is the background's power there in the take.
    """

    spectra: WindowSpectra
    take_bins: Powers
    take: Levels
    alone: Mask
    voiced: Mask
    voice: Levels
    consonants: Mask
    consonant_floor: float
    voice_power: float


def reference(spectra: WindowSpectra) -> Reference:
    """The take's side of every measure."""
    take_bins = spectra.take
    take = band_powers(spectra, take_bins)
    voice, background = (band_powers(spectra, p) for p in (spectra.voice, spectra.background))
    alone = (background > 10 * voice) & (background > _TINY) & spectra.speech[:, None]
    alone |= spectra.gap[:, None]
    middle = spectra.bins(*_VOICE_HZ)
    voiced = spectra.speech & (
        spectra.voice[:, middle].sum(axis=1) > 10 * spectra.background[:, middle].sum(axis=1)
    )
    consonants, floor = _consonants(spectra, take_bins)
    ruled = voiced if voiced.sum() >= MIN_FRAMES // 2 else spectra.speech
    power = float(take_bins[ruled].sum(axis=1, dtype=np.float64).mean()) if ruled.any() else 0.0
    return Reference(spectra, take_bins, take, alone, voiced, voice, consonants, floor, power)


def voice_gain(ref: Reference, out_bins: Powers) -> float:
    """The output's power gain where the voice rules, 300 to 3400 Hz; 1 where it never does."""
    if ref.voiced.sum() < MIN_FRAMES // 2:
        return 1.0
    middle = ref.spectra.bins(*_VOICE_HZ)
    before = float(ref.take_bins[ref.voiced, middle].sum(dtype=np.float64))
    after = float(out_bins[ref.voiced, middle].sum(dtype=np.float64))
    # A gain of nothing (an output that lost its voice) must not excuse everything else.
    return min(max(after / max(before, _TINY), 0.1), 10.0)


def gains_db(ref: Reference, out: Levels) -> Levels:
    """The effective gain of each band and frame, not below -80 dB."""
    mean = ref.take.sum(axis=0) / max(len(ref.take), 1)
    base = np.maximum(mean * 1e-7, _TINY)
    gain = (out + base * 10 ** (DEEPEST_DB / 10)) / (ref.take + base)
    levels: Levels = np.maximum(10 * np.log10(np.maximum(gain, _TINY)), DEEPEST_DB)
    return levels


def warble_db(ref: Reference, gain_db: Levels) -> tuple[float | None, int]:
    """RMS of the band gains' 4 to 16 Hz modulation where the background rules; its worst frame.

    Musical noise and watery sound are gains that waver at the rate of syllables where there are
    none. The band is the difference of moving means over 30 ms and 250 ms.
    """
    alone = ref.alone[:, _FIRST_BAND:].astype(np.float64)
    if alone.sum() < MIN_FRAMES * alone.shape[1] / 2:
        return None, 0
    level = gain_db[:, _FIRST_BAND:]
    swing = _masked_mean(level, alone, _FAST_FRAMES) - _masked_mean(level, alone, _SLOW_FRAMES)
    squares = np.square(swing) * alone
    worst = int(np.argmax(_masked_mean(squares.mean(axis=1)[:, None], None, _SLOW_FRAMES)[:, 0]))
    return float(np.sqrt(squares.sum() / alone.sum())), worst


def kurtosis_ratio(ref: Reference, out_bins: Powers) -> float | None:
    """How much spikier the gaps' spectrum has become: the log2 kurtosis ratio, mean over bands.

    Kurtosis of the power spectrum over time and neighbouring bins, output over take (Uemura,
    Takahashi, Saruwatari, Shikano and Kondo, IWAENC 2008): musical noise is isolated peaks.
    """
    gap = ref.spectra.gap
    if gap.sum() < MIN_FRAMES:
        return None
    before, after = ref.take_bins[gap], out_bins[gap]
    ratios = []
    for centre_hz in CENTRES_HZ[_FIRST_BAND:]:
        bins = ref.spectra.bins(centre_hz * 0.89, centre_hz * 1.12)
        first, second = _kurtosis(before[:, bins]), _kurtosis(after[:, bins])
        if first is not None and second is not None:
            ratios.append(np.log2(second / first))
    return float(np.mean(ratios)) if ratios else None


def lost_consonants_db(ref: Reference, out_bins: Powers, voice_power_gain: float) -> float | None:
    """How far 4 to 10 kHz fell in fricatives and bursts, against the voice's middle range.

    The background's share, as the take's gaps show it, is allowed to go.
    """
    if ref.consonants.sum() < 5:
        return None
    high = ref.spectra.bins(*CONSONANTS_HZ)
    before = ref.take_bins[ref.consonants, high].sum(axis=1, dtype=np.float64) - ref.consonant_floor
    after = out_bins[ref.consonants, high].sum(axis=1, dtype=np.float64) / voice_power_gain
    each_db = 10 * np.log10(np.maximum(after, _TINY) / np.maximum(before, _TINY))
    # Each consonant counts once: one loud "s" must not excuse the ones that are gone.
    return float(-np.clip(each_db, -20, 3).mean())


def pumping_db(ref: Reference, out: Levels, voice_power_gain: float) -> float | None:
    """How much higher the background stands under speech than in gaps, against the take, dB.

    Under speech it is heard in the bands and moments that it rules, and between the harmonics of
    a steady background, less the voice's own share. Positive or negative: both breathe.
    """
    gap, speech = ref.spectra.gap, ref.spectra.speech
    if gap.sum() < MIN_FRAMES or speech.sum() < MIN_FRAMES:
        return None
    gap_mean = ref.take[gap].mean(axis=0)
    spread = np.std(10 * np.log10(np.maximum(ref.take[gap], _TINY)), axis=0)
    under = ref.alone & speech[:, None]
    under |= speech[:, None] & (spread < 6)[None, :] & (ref.take < 1.5 * gap_mean)
    differences, weights = [], []
    for band in range(_FIRST_BAND, BANDS):
        rows = under[:, band]
        if rows.sum() < 10 or gap_mean[band] <= _TINY:
            continue
        said = ref.voice[rows, band].sum() * voice_power_gain
        heard = out[rows, band].sum()
        if said > 0.5 * max(heard, out[gap, band].sum() / gap.sum() * rows.sum()):
            continue  # what is left of the background is less than what the voice's share is unsure
        here = (heard - said) / max(ref.take[rows, band].sum() - said / voice_power_gain, _TINY)
        there = out[gap, band].sum() / max(ref.take[gap, band].sum(), _TINY)
        floor = 10 ** (DEEPEST_DB / 10)
        change_db = 10 * np.log10(max(here, floor) / max(there, floor))
        differences.append(np.clip(change_db, -_MOST_DB, _MOST_DB))
        weights.append(min(int(rows.sum()), 100))
    return float(np.average(differences, weights=weights)) if differences else None


def unsteady_db(ref: Reference, out: Levels) -> float | None:
    """How much more the floor in gaps wanders than the take's, slower than 250 ms, dB."""
    gap = ref.spectra.gap
    if gap.sum() < MIN_FRAMES:
        return None
    weights = gap[:, None].astype(np.float64)
    levels = []
    for powers in (out, ref.take):
        total = powers[:, _FIRST_BAND:].sum(axis=1)
        base = max(float(ref.take[:, _FIRST_BAND:].sum(axis=1).mean()) * 1e-8, _TINY)
        level = 10 * np.log10(np.maximum(total, base))[:, None]
        levels.append(float(np.std(_masked_mean(level, weights, _SLOW_FRAMES)[gap, 0])))
    return levels[0] - levels[1]


def floor_drop_db(
    ref: Reference, out_bins: Powers, voice_power_gain: float, neighbour_floor_db: float | None
) -> tuple[float | None, float | None]:
    """How far the floor in gaps fell below the take's or the neighbours', and its level, dB.

    Levels are relative to the voice; below -70 dB nobody hears a floor, so it counts as -70.
    """
    gap = ref.spectra.gap
    if gap.sum() < MIN_FRAMES // 2 or ref.voice_power <= _TINY:
        return None, None
    lowest = ref.voice_power * 1e-7
    # The middle of the gap's levels: one door slam is not the floor.
    before = float(np.median(ref.take_bins[gap].sum(axis=1, dtype=np.float64)))
    after = float(np.median(out_bins[gap].sum(axis=1, dtype=np.float64))) / voice_power_gain
    level_db = 10 * np.log10(max(after, lowest) / ref.voice_power)
    kept_db = 10 * np.log10(max(before, lowest) / ref.voice_power)
    if neighbour_floor_db is not None:
        kept_db = max(neighbour_floor_db, -70.0)
    return float(kept_db - level_db), float(level_db)


def decay_loss_db(ref: Reference, out_bins: Powers, voice_power_gain: float) -> float | None:
    """How far the room's ring after words fell, dB; None where it does not stand out of the gaps.

    50 to 200 ms after a stretch of speech ends, while the take is 6 dB above its floor and louder
    than its other gaps: music and traffic that come and go are no ring.
    """
    spectra = ref.spectra
    if spectra.gap.sum() < MIN_FRAMES // 2:
        return None
    ends = np.flatnonzero(spectra.speech[:-1] & ~spectra.speech[1:])
    after = np.zeros(spectra.frames, dtype=bool)
    for end in ends:
        after[end + _RING_FRAMES[0] : end + _RING_FRAMES[1]] = True
    take = ref.take_bins.sum(axis=1, dtype=np.float64)
    elsewhere = take[spectra.gap & ~after]
    loudest = np.quantile(elsewhere, _GAP_QUANTILE) if elsewhere.size >= MIN_FRAMES else 0.0
    ring = max(4 * float(np.median(take[spectra.gap])), float(loudest), _TINY)
    after &= ~spectra.speech & (take > ring)
    if after.sum() < 5:
        return None
    out = out_bins[after].sum(axis=1, dtype=np.float64) / voice_power_gain
    return float(np.median(10 * np.log10(take[after] / np.maximum(out, take[after] * 1e-8))))


def _consonants(spectra: WindowSpectra, take_bins: Powers) -> tuple[Mask, float]:
    """Frames of speech whose 4 to 10 kHz stand 6 dB out of what the gaps hold, and that floor."""
    high = spectra.bins(*CONSONANTS_HZ)
    level = take_bins[:, high].sum(axis=1, dtype=np.float64)
    none = np.zeros(len(level), dtype=bool)
    if not spectra.speech.any() or level[spectra.speech].max() <= _TINY:
        return none, 0.0
    said = spectra.voice[:, high].sum(axis=1, dtype=np.float64)
    under = spectra.background[:, high].sum(axis=1, dtype=np.float64)
    audible = spectra.speech & (level > level[spectra.speech].max() * 1e-3)
    ruled = audible & (said > 4 * under)
    gap = level[spectra.gap]
    if len(gap) < MIN_FRAMES or gap.max() <= _TINY:
        return ruled, float(under[ruled].mean()) if ruled.any() else 0.0
    if np.std(10 * np.log10(np.maximum(gap, gap.max() * 1e-6))) > STEADY_DB:
        # Under drums no burst can be told from the voice's but by the split.
        return ruled, float(under[ruled].mean()) if ruled.any() else 0.0
    # Whatever the split says: it may have taken the consonants for background.
    return audible & (level > 4 * np.quantile(gap, 0.95)), float(gap.mean())


def _kurtosis(powers: Powers) -> float | None:
    """E[x⁴] / E[x²]² of powers, each bin over its own mean."""
    mean = powers.mean(axis=0, dtype=np.float64)
    if (mean <= _TINY).all():
        return None
    squares = np.square(powers[:, mean > _TINY] / mean[mean > _TINY])
    return float(np.square(squares).mean() / np.square(squares.mean()))


def _masked_mean(values: Levels, weights: Levels | None, frames: int) -> Levels:
    """Moving mean over an odd number of frames, of the frames with weight only."""
    from scipy.ndimage import uniform_filter1d

    if weights is None:
        smooth: Levels = uniform_filter1d(values, frames, axis=0, mode="nearest")
        return smooth
    above = uniform_filter1d(values * weights, frames, axis=0, mode="constant")
    spread = np.ascontiguousarray(np.broadcast_to(weights, values.shape))
    below = uniform_filter1d(spread, frames, axis=0, mode="constant")
    mean: Levels = above / np.maximum(below, 1e-9)
    return mean


def seconds_of(frame: int) -> float:
    """Where a frame's centre lies in its window."""
    return (frame + 0.5) * HOP_S
