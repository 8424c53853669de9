"""Mixing batches on spectra: levels, colours, pauses, automation, crowds and lost bandwidth."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands
from nlecompanion.training.batches import Batch, heard
from nlecompanion.training.codec import coded
from nlecompanion.training.pools import Pool

_NEVER_HZ = 1e6
_CUTOFFS_HZ = (3400.0, 4000.0, 5500.0, 8000.0, 11000.0, 15500.0)


@dataclass(frozen=True, slots=True)
class MixingRules:
    """How likely each kind of mixture is. The defaults are those of the shipped weights."""

    lowest_ratio_db: float = -9.0
    highest_ratio_db: float = 15.0
    no_voice: float = 0.11
    no_background: float = 0.07
    second_voice: float = 0.07
    pauses: float = 0.3
    automation: float = 0.3
    colour: float = 0.7
    lost_bandwidth: float = 0.12
    crowd: float = 0.06
    effort: float = 0.12
    codec: float = 0.15


def mix_batch(
    voices: Pool, backgrounds: Pool, items: int, rules: MixingRules, seed: tuple[int, ...]
) -> Batch:
    """One batch, the same for the same pools and seed."""
    rng = np.random.default_rng(seed)
    voice, bandwidth_hz = _voices(voices, items, rules, rng)
    background = _backgrounds(backgrounds, items, rng)
    _add_crowds(background, voices, rules.crowd, rng)
    frames = voices.frames
    spoken = rng.random(items) >= rules.no_voice
    envelope = _pauses(items, frames, rules.pauses, rng) * spoken[:, None]
    colour = _colours(items, rules.colour, 5.0, rng) * _efforts(items, rules.effort, rng)
    voice = _shaped(voice, colour, envelope)
    quiet = (rng.random(items) < rules.no_background) & spoken
    automation = _automation(items, frames, rules.automation, rng)
    background = _shaped(background, _colours(items, rules.colour, 7.0, rng), automation)
    ratio_db = rng.uniform(rules.lowest_ratio_db, rules.highest_ratio_db, items)
    ratio_db[quiet] = 70.0
    background = _at_ratio(voice, background, ratio_db)
    passband, counted = _bandwidths(bandwidth_hz, rules.lost_bandwidth, rng)
    level = 10 ** (rng.uniform(-60.0, 0.0, (items, 1)) / 20)
    scale = _tensor(passband * level, voices.device)
    seen = _tensor(counted, voices.device)
    batch = _sums(_scaled(voice, scale), _scaled(background, scale), seen, rng)
    return coded(batch, rules.codec, rng)


Spectra = tuple[Tensor, Tensor]


def _tensor(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.asarray(values, dtype=np.float32)).to(device)


def _voices(
    pool: Pool, items: int, rules: MixingRules, rng: np.random.Generator
) -> tuple[Spectra, Tensor]:
    slots, offsets = _draw(pool, items, rng)
    low, wide = pool.take(slots, offsets)
    bandwidth_hz = pool.bandwidth_hz[slots].clone()
    second = np.flatnonzero(rng.random(items) < rules.second_voice)
    if len(second):
        more, more_offsets = _draw(pool, len(second), rng)
        extra_low, extra_wide = pool.take(more, more_offsets)
        _add(low, wide, second, (extra_low, extra_wide), rng.uniform(-8.0, 3.0, len(second)))
        bandwidth_hz[second] = torch.minimum(bandwidth_hz[second], pool.bandwidth_hz[more])
    return (low, wide), bandwidth_hz


def _backgrounds(pool: Pool, items: int, rng: np.random.Generator) -> Spectra:
    low, wide = pool.take(*_draw(pool, items, rng))
    count = rng.choice([1, 2, 3], items, p=[0.5, 0.38, 0.12])
    for layer in (2, 3):
        rows = np.flatnonzero(count >= layer)
        if len(rows):
            extra = pool.take(*_draw(pool, len(rows), rng))
            _add(low, wide, rows, extra, rng.uniform(-10.0, 4.0, len(rows)))
    return low, wide


def _add(low: Tensor, wide: Tensor, rows: np.ndarray, extra: Spectra, gain_db: np.ndarray) -> None:
    """Adds sounds to some items; powers of unrelated sounds add in the wide bands."""
    gain = _tensor(10 ** (gain_db / 20), low.device)[:, None, None]
    index = torch.from_numpy(rows).to(low.device)
    low[index] += extra[0] * gain
    wide[index] = (wide[index] ** 2 + (extra[1] * gain) ** 2).sqrt()


def _add_crowds(background: Spectra, voices: Pool, chance: float, rng: np.random.Generator) -> None:
    """Puts many people talking at once among some backgrounds."""
    low, wide = background
    for row in np.flatnonzero(rng.random(len(low)) < chance):
        count = int(rng.integers(6, 13))
        each_low, each_wide = voices.take(*_draw(voices, count, rng))
        level = _tensor(10 ** (rng.uniform(-9.0, 0.0, (count, 1, 1)) / 20), low.device)
        crowd_low = (each_low * level).sum(0, keepdim=True)
        crowd_wide = (each_wide * level).square().sum(0, keepdim=True).sqrt()
        gain_db = rng.uniform(-6.0, 6.0, 1) - 10.0 * np.log10(count)
        _add(low, wide, np.array([row]), (crowd_low, crowd_wide), gain_db)


def _draw(pool: Pool, count: int, rng: np.random.Generator) -> tuple[Tensor, list[int]]:
    slots = torch.from_numpy(rng.integers(0, len(pool.low), count))
    return slots, [int(offset) for offset in rng.integers(0, pool.frames, count)]


def _colours(items: int, chance: float, most_db: float, rng: np.random.Generator) -> np.ndarray:
    """Equaliser curves in amplitude, (items, 285): a tilt, a low shelf and two bells."""
    octaves = np.log2(np.maximum(bands.band_centres_hz(), 20.0) / 1000.0)[None, :]
    curve_db = rng.uniform(-0.4, 0.4, (items, 1)) * most_db * octaves
    for _ in range(2):
        centre, width = rng.uniform(-4.0, 4.0, (items, 1)), rng.uniform(0.3, 1.5, (items, 1))
        gain_db = rng.uniform(-most_db, most_db, (items, 1))
        curve_db = curve_db + gain_db * np.exp(-np.square((octaves - centre) / width))
    shelf_db = rng.uniform(-20.0, 4.0, (items, 1)) * (rng.random((items, 1)) < 0.4)
    curve_db = curve_db + shelf_db / (1.0 + 2.0 ** (4.0 * (octaves + 3.2)))
    curve_db *= rng.random((items, 1)) < chance
    return np.asarray(10 ** (curve_db / 20))


def _efforts(items: int, chance: float, rng: np.random.Generator) -> np.ndarray:
    """Raised voices: their spectra fall 2 to 5 dB an octave less between 300 Hz and 2.4 kHz.

    Vocal effort lifts the upper partials (Traunmüller & Eriksson 2000); free speech is mostly read.
    """
    octaves = np.log2(np.clip(bands.band_centres_hz(), 300.0, 2400.0) / 300.0)[None, :]
    rise_db = rng.uniform(2.0, 5.0, (items, 1)) * (rng.random((items, 1)) < chance)
    return np.asarray(10 ** (rise_db * octaves / 20))


def _pauses(items: int, frames: int, chance: float, rng: np.random.Generator) -> np.ndarray:
    """Gains (items, frames) that are 0 for a stretch in some items: nobody speaks there."""
    envelope = np.ones((items, frames))
    for row in np.flatnonzero(rng.random(items) < chance):
        length = int(rng.integers(frames // 10, frames // 2 + 1))
        start = int(rng.integers(-length // 2, frames - length // 2))
        envelope[row, max(start, 0) : max(start + length, 0)] = 0.0
    return envelope


def _automation(items: int, frames: int, chance: float, rng: np.random.Generator) -> np.ndarray:
    """Gains (items, frames) of a background: ducking, fades, a stretch that is nearly silent."""
    envelope = np.ones((items, frames))
    times = np.arange(frames)
    for row in np.flatnonzero(rng.random(items) < chance):
        points = np.sort(rng.integers(0, frames, 4))
        points = points + np.arange(4)
        depth_db = rng.uniform(-20.0, 0.0, 4) - 25.0 * (rng.random(4) < 0.15)
        envelope[row] = 10 ** (np.interp(times, points, depth_db) / 20)
    return envelope


def _shaped(spectra: Spectra, colour: np.ndarray, envelope: np.ndarray) -> Spectra:
    colours = _tensor(colour, spectra[0].device).unsqueeze(1)
    gains = _tensor(envelope, spectra[0].device).unsqueeze(-1)
    low = spectra[0] * (colours[..., : bands.SINGLE_BINS] * gains)
    return low, spectra[1] * (colours[..., bands.SINGLE_BINS :] * gains)


def _scaled(spectra: Spectra, gains: Tensor) -> Spectra:
    low = spectra[0] * gains[:, None, : bands.SINGLE_BINS]
    return low, spectra[1] * gains[:, None, bands.SINGLE_BINS :]


def _energy(spectra: Spectra) -> Tensor:
    low, wide = spectra
    return torch.view_as_real(low).square().sum((1, 2, 3)) + wide.square().sum((1, 2))


def _at_ratio(voice: Spectra, background: Spectra, ratio_db: np.ndarray) -> Spectra:
    wanted = _tensor(10 ** (ratio_db / 10), voice[0].device)
    loudness, noise = _energy(voice), _energy(background) + 1e-9
    # Without a voice there is no ratio; the background keeps its level.
    gain = torch.where(loudness > 0, (loudness / wanted / noise).sqrt(), 1.0)
    return background[0] * gain[:, None, None], background[1] * gain[:, None, None]


def _bandwidths(
    bandwidth_hz: Tensor, chance: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Gains of the whole mixture and what counts in the loss, both (items, 285).

    Much free speech ends at 8 kHz. Half of it is mixed with backgrounds that end there too; in the
    other half the bands above do not count, lest the network learn that voices have none.
    """
    items = len(bandwidth_hz)
    limits = bandwidth_hz.numpy().astype(float)
    centres = bands.band_centres_hz()[None, :]
    narrow = limits < 20_000.0
    together = narrow & (rng.random(items) < 0.5)
    cutoffs = np.where(together, limits, _NEVER_HZ)
    lossy = rng.random(items) < chance
    cutoffs[lossy] = np.minimum(cutoffs[lossy], rng.choice(_CUTOFFS_HZ, int(lossy.sum())))
    octaves_above = np.log2(np.maximum(centres, 1.0) / cutoffs[:, None])
    passband = 10 ** (-np.clip(octaves_above * 400.0, 0.0, 90.0) / 20)
    counted = np.where(narrow & ~together, limits, np.inf)[:, None] >= centres
    return passband, counted


def _sums(
    voice: Spectra,
    background: Spectra,
    counted: Tensor,
    rng: np.random.Generator,
) -> Batch:
    low, wide = voice
    low_power = low.real.square() + low.imag.square()
    low_other = background[0].real.square() + background[0].imag.square()
    low_cross = low.real * background[0].real + low.imag * background[0].imag
    # In a band of n bins the product of two unrelated sounds scatters by 1 / sqrt(2n).
    widths = _tensor(bands.band_widths()[bands.SINGLE_BINS :], wide.device)
    chance = _tensor(rng.standard_normal(wide.shape, dtype=np.float32), wide.device)
    wide_cross = wide * background[1] * (chance / (2.0 * widths).sqrt()).clamp(-0.9, 0.9)
    voice_power = torch.cat([low_power, wide.square()], dim=-1)
    cross = torch.cat([low_cross, wide_cross], dim=-1)
    other = torch.cat([low_other, background[1].square()], dim=-1)
    mix = (voice_power + other + 2.0 * cross).clamp(min=0.0)
    return Batch(mix, voice_power + cross, voice_power, counted, heard(mix, voice_power))
