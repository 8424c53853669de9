"""What a lossy codec does to a mixture, as factors on its band sums.

MP3, AAC and their kin quantise spectral coefficients with a step that follows the masking threshold
of their neighbourhood: weak bins beside strong ones become holes, the others take a few discrete
sizes. The loss comes after mixing, so it hits voice and background alike: one real factor a band on
the mixture, and the same on the voice in it, which the network must find and not repair.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from nlecompanion.engines.dialogue import bands
from nlecompanion.training.batches import Batch, heard

#: Signal over noise in dB that the step leaves at 1 kHz: from about 32 to 128 kbit/s.
_RATIO_DB = (5.0, 18.0)
#: How much less at 16 kHz: codecs save bits where ears are dull.
_FALL_DB = (0.0, 8.0)
#: Below this under the item's mean band nothing is coded at all: the threshold of hearing.
_UNHEARD_DB = -60.0
_AROUND_BINS = 15


def coded(batch: Batch, chance: float, rng: np.random.Generator) -> Batch:
    """The batch with some of its items as they come back from a lossy codec."""
    hit = np.flatnonzero(rng.random(len(batch.mix)) < chance)
    if len(hit) == 0:
        return batch
    rows, ratio_db, fall_db = (
        torch.from_numpy(values).to(batch.mix.device)
        for values in (hit, rng.uniform(*_RATIO_DB, len(hit)), rng.uniform(*_FALL_DB, len(hit)))
    )
    factor = codec_factor(batch.mix[rows], ratio_db.float(), fall_db.float())
    for sums in (batch.mix, batch.product, batch.voice):
        sums[rows] *= factor
    return replace(batch, spoken=heard(batch.mix, batch.voice))


def codec_factor(mix: Tensor, ratio_db: Tensor, fall_db: Tensor) -> Tensor:
    """Power after coding over power before, of the shape of `mix`, (items, frames, 285).

    `ratio_db` and `fall_db`, one an item, are the signal-to-noise ratio that the quantiser aims at
    near 1 kHz and by how much it is less at 16 kHz.
    """
    widths, centres_hz = (
        torch.from_numpy(values).to(mix.device)
        for values in (bands.band_widths(), bands.band_centres_hz())
    )
    each = mix / widths
    octaves = centres_hz.clamp(1000.0, 16_000.0).div(1000.0).log2()
    wanted_db = ratio_db[:, None] - fall_db[:, None] * octaves / 4.0
    # A uniform quantiser of step d makes noise of d²/12.
    around = functional.avg_pool2d(
        each, (3, _AROUND_BINS), 1, (1, _AROUND_BINS // 2), count_include_pad=False
    )
    unheard = each.mean((1, 2), keepdim=True) * 10 ** (_UNHEARD_DB / 10)
    square = 12.0 * around * (10 ** (-wanted_db / 10)).unsqueeze(1) + unheard + 1e-20
    single = slice(0, bands.SINGLE_BINS)
    sizes = (each[..., single] / square[..., single]).sqrt()
    kept = (sizes.round() / sizes.clamp(min=1e-6)).square()
    # Bins of a wide band scatter like noise: what lies over a quarter of the square stays.
    wide = slice(bands.SINGLE_BINS, bands.BANDS)
    low = square[..., wide] / 4.0 / each[..., wide].clamp(min=1e-20)
    return torch.cat([kept, (1.0 + low) * torch.exp(-low)], dim=-1)
