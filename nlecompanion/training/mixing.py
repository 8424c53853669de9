"""Mixing batches on spectra: levels, colours, pauses, automation and lost bandwidth.

A network that gives one real gain a band needs three numbers a band from a mixture x = s + b: the
powers of x and s, and the real part of their product. They give its error exactly,
|g·x - s|² = g²·|x|² - 2g·Re(x·s*) + |s|², so nothing finer is ever computed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands
from nlecompanion.training.pools import Pool

_NEVER_HZ = 1e6
_CUTOFFS_HZ = (3400.0, 4000.0, 5500.0, 8000.0, 11000.0, 15500.0)


@dataclass(frozen=True, slots=True)
class MixingRules:
    """How likely each kind of mixture is. The defaults are those of the shipped weights."""

    lowest_ratio_db: float = -9.0
    highest_ratio_db: float = 15.0
    no_voice: float = 0.08
    no_background: float = 0.05
    second_voice: float = 0.07
    pauses: float = 0.3
    automation: float = 0.3
    colour: float = 0.7
    lost_bandwidth: float = 0.12


@dataclass(frozen=True, slots=True)
class Batch:
    """Band sums, each of shape (items, frames, 285), and what each item counts for."""

    mix: Tensor
    product: Tensor
    voice: Tensor
    #: (items, 285): 0 where a voice's recording had no such band to learn from.
    counted: Tensor
    #: (items,): True where there is any voice.
    spoken: Tensor


def mix_batch(
    voices: Pool, backgrounds: Pool, items: int, rules: MixingRules, seed: tuple[int, ...]
) -> Batch:
    """One batch, the same for the same pools and seed."""
    rng = np.random.default_rng(seed)
    voice, bandwidth_hz = _voices(voices, items, rules, rng)
    background = _backgrounds(backgrounds, items, rng)
    frames = voices.frames
    spoken = rng.random(items) >= rules.no_voice
    envelope = _pauses(items, frames, rules.pauses, rng) * spoken[:, None]
    voice = _shaped(voice, _colours(items, rules.colour, 5.0, rng), envelope)
    quiet = (rng.random(items) < rules.no_background) & spoken
    automation = _automation(items, frames, rules.automation, rng)
    background = _shaped(background, _colours(items, rules.colour, 7.0, rng), automation)
    ratio_db = rng.uniform(rules.lowest_ratio_db, rules.highest_ratio_db, items)
    ratio_db[quiet] = 70.0
    background = _at_ratio(voice, background, ratio_db)
    passband, counted = _bandwidths(bandwidth_hz, rules.lost_bandwidth, rng)
    level = 10 ** (rng.uniform(-60.0, 0.0, items) / 20)
    scale = passband * torch.from_numpy(level).float().unsqueeze(1)
    return _sums(_scaled(voice, scale), _scaled(background, scale), counted, rng)


Spectra = tuple[Tensor, Tensor]


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
        gain = torch.from_numpy(10 ** (rng.uniform(-8.0, 3.0, len(second)) / 20)).float()
        low[second] += extra_low * gain[:, None, None]
        wide[second] = (wide[second] ** 2 + (extra_wide * gain[:, None, None]) ** 2).sqrt()
        bandwidth_hz[second] = torch.minimum(bandwidth_hz[second], pool.bandwidth_hz[more])
    return (low, wide), bandwidth_hz


def _backgrounds(pool: Pool, items: int, rng: np.random.Generator) -> Spectra:
    low, wide = pool.take(*_draw(pool, items, rng))
    count = rng.choice([1, 2, 3], items, p=[0.5, 0.38, 0.12])
    for layer in (2, 3):
        rows = np.flatnonzero(count >= layer)
        if len(rows):
            extra_low, extra_wide = pool.take(*_draw(pool, len(rows), rng))
            gain = torch.from_numpy(10 ** (rng.uniform(-10.0, 4.0, len(rows)) / 20)).float()
            low[rows] += extra_low * gain[:, None, None]
            wide[rows] = (wide[rows] ** 2 + (extra_wide * gain[:, None, None]) ** 2).sqrt()
    return low, wide


def _draw(pool: Pool, count: int, rng: np.random.Generator) -> tuple[Tensor, list[int]]:
    slots = torch.from_numpy(rng.integers(0, len(pool.low), count))
    return slots, [int(offset) for offset in rng.integers(0, pool.frames, count)]


def _colours(items: int, chance: float, most_db: float, rng: np.random.Generator) -> Tensor:
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
    return torch.from_numpy(10 ** (curve_db / 20)).float()


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


def _shaped(spectra: Spectra, colour: Tensor, envelope: np.ndarray) -> Spectra:
    gains = torch.from_numpy(envelope).float().unsqueeze(-1)
    low = spectra[0] * (colour[:, None, : bands.SINGLE_BINS] * gains)
    return low, spectra[1] * (colour[:, None, bands.SINGLE_BINS :] * gains)


def _scaled(spectra: Spectra, gains: Tensor) -> Spectra:
    low = spectra[0] * gains[:, None, : bands.SINGLE_BINS]
    return low, spectra[1] * gains[:, None, bands.SINGLE_BINS :]


def _energy(spectra: Spectra) -> Tensor:
    low, wide = spectra
    return torch.view_as_real(low).square().sum((1, 2, 3)) + wide.square().sum((1, 2))


def _at_ratio(voice: Spectra, background: Spectra, ratio_db: np.ndarray) -> Spectra:
    wanted = torch.from_numpy(10 ** (ratio_db / 10)).float()
    loudness, noise = _energy(voice), _energy(background) + 1e-9
    # Without a voice there is no ratio; the background keeps its level.
    gain = torch.where(loudness > 0, (loudness / wanted / noise).sqrt(), torch.ones(()))
    return background[0] * gain[:, None, None], background[1] * gain[:, None, None]


def _bandwidths(
    bandwidth_hz: Tensor, chance: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
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
    return torch.from_numpy(passband).float(), torch.from_numpy(counted).float()


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
    widths = torch.from_numpy(bands.band_widths()[bands.SINGLE_BINS :])
    chance = torch.from_numpy(rng.standard_normal(wide.shape, dtype=np.float32))
    wide_cross = wide * background[1] * (chance / (2.0 * widths).sqrt()).clamp(-0.9, 0.9)
    voice_power = torch.cat([low_power, wide.square()], dim=-1)
    cross = torch.cat([low_cross, wide_cross], dim=-1)
    other = torch.cat([low_other, background[1].square()], dim=-1)
    mix = (voice_power + other + 2.0 * cross).clamp(min=0.0)
    # A pause may cover all that was said, or a cut-off take it all away.
    spoken = voice_power.sum((1, 2)) > 1e-4 * mix.sum((1, 2))
    return Batch(mix, voice_power + cross, voice_power, counted, spoken)
