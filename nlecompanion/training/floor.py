"""Lowering the stationary noise of voice recordings before they are used as targets."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from nlecompanion.engines.dialogue.bands import RATE_HZ
from nlecompanion.engines.dialogue.spectrum import analyse, synthesise

#: Recordings whose quiet frames lie this far below their loud ones are left alone.
_GOOD_FLOOR_DB = 52.0
_MOST_DB = 18.0
_PIECE_SAMPLES = 60 * RATE_HZ


def lower_floor(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Spectral subtraction of the quietest frames' mean, at most 18 dB; same length.

    Long recordings are taken minute by minute. A minute with a low floor, or without pauses to
    measure one in, comes back unchanged.
    """
    count = max(1, round(len(samples) / _PIECE_SAMPLES))
    return np.concatenate([_lowered(piece) for piece in np.array_split(samples, count)])


def _lowered(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.no_grad():
        spectra = analyse(torch.from_numpy(samples))
        power = spectra.real.square() + spectra.imag.square()
        frames_db = 10 * torch.log10(power.sum(-1) + 1e-12)
        loud_db, quiet_db = torch.quantile(frames_db, 0.95), torch.quantile(frames_db, 0.08)
        if loud_db - quiet_db > _GOOD_FLOOR_DB or loud_db - quiet_db < 20.0:
            return samples
        quiet = frames_db < quiet_db + 3.0
        noise = power[quiet].mean(dim=0) * 2.0
        smooth = torch.nn.functional.avg_pool2d(power.unsqueeze(0), (3, 3), 1, (1, 1)).squeeze(0)
        gains = (1.0 - noise / (smooth + 1e-12)).clamp(min=10 ** (-_MOST_DB / 10)).sqrt()
        return np.asarray(synthesise(spectra * gains, len(samples)).numpy(), dtype=np.float32)
