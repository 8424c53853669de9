"""The mix at an intensity: how far the background is turned down."""

from __future__ import annotations

import numpy as np

from nlecompanion.model import Samples
from nlecompanion.units import gain_from_db


def mix(take: Samples, voice: Samples, intensity_db: float) -> Samples:
    """`voice + 10^(-intensity/20) * background`, where the background is `take - voice`.

    Both float32 of shape (samples, channels). At 0 dB the take comes back bit for bit.
    """
    if take.shape != voice.shape:
        raise ValueError(f"take and voice differ in shape: {take.shape} and {voice.shape}")
    if intensity_db == 0:
        return take
    return take + np.float32(1 - gain_from_db(-intensity_db)) * (voice - take)
