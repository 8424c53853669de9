"""What the network is trained for.

Two parts, both over band sums (see `mixing`): the error-to-voice ratio of each item in dB, which is
what SI-SDR measures, and the distance of compressed magnitudes weighted by Bark widths, which is
nearer to what PESQ, STOI and ears judge. In the second, voice taken away costs more than
background left in.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands
from nlecompanion.training.batches import Batch


@dataclass(frozen=True, slots=True)
class LossWeights:
    """How much each part counts."""

    magnitude: float = 20.0
    lost_voice: float = 2.0
    #: Errors this far below the voice cost nothing more.
    enough_db: float = 32.0


def error_ratio_db(gains: Tensor, batch: Batch, enough_db: float = 60.0) -> Tensor:
    """10·log10 of error over voice, one number an item; over the mixture where nobody speaks.

    With the sign turned it is the SNR of the estimate.
    """
    counted = batch.counted.unsqueeze(1)
    error = (gains * gains * batch.mix - 2.0 * gains * batch.product + batch.voice) * counted
    voice = (batch.voice * counted).sum((1, 2))
    reference = torch.where(batch.spoken, voice, (batch.mix * counted).sum((1, 2))) + 1e-20
    floor = 10 ** (-enough_db / 10)
    return 10.0 * torch.log10(error.sum((1, 2)).clamp(min=0.0) / reference + floor)


def input_ratio_db(batch: Batch) -> Tensor:
    """The same for gains of 1: what leaving the mixture as it is would give."""
    return error_ratio_db(torch.ones(()), batch)


def magnitude_distance(gains: Tensor, batch: Batch, lost_voice: float) -> Tensor:
    """Weighted mean square distance of magnitudes to the power 0.3, one number an item."""
    weights = torch.from_numpy(bands.bark_widths()).to(batch.mix.device) * batch.counted
    reference = (
        torch.where(batch.spoken, (batch.voice).sum((1, 2)), batch.mix.sum((1, 2)))
        / batch.mix.shape[1]
        + 1e-20
    )
    scale = (bands.BANDS * 0.2 / reference)[:, None, None]
    # The offset keeps the slope at zero finite: 75 dB under the mean band.
    target = (batch.voice * scale + 1e-7).pow(0.15)
    estimate = (gains * gains * (batch.mix * scale) + 1e-7).pow(0.15)
    distance = (estimate - target).square()
    distance = torch.where(estimate < target, lost_voice * distance, distance)
    return (distance.mean(1) * weights).sum(1) / weights.sum(1)


def training_loss(gains: Tensor, batch: Batch, weights: LossWeights) -> Tensor:
    """The mean over the batch, a scalar."""
    ratio = error_ratio_db(gains, batch, weights.enough_db)
    distance = magnitude_distance(gains, batch, weights.lost_voice)
    return (0.1 * ratio + weights.magnitude * distance).mean()
