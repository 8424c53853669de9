"""Short-time spectra with exact length and no delay, and their sums over bands."""

from __future__ import annotations

import torch
from torch import Tensor

from nlecompanion.engines.dialogue import bands

#: A full-scale sine reads about 1 in its loudest bin.
_SCALE = 4.0 / bands.WINDOW_SAMPLES


def _window() -> Tensor:
    return torch.hann_window(bands.WINDOW_SAMPLES, dtype=torch.float32)


def analyse(samples: Tensor) -> Tensor:
    """Complex spectra of shape (…, frames, 1025) of float32 samples of shape (…, n).

    Frame t is centred on sample 512·t; there are n // 512 + 1 frames.
    """
    spectra = torch.stft(
        samples,
        bands.WINDOW_SAMPLES,
        bands.HOP_SAMPLES,
        window=_window(),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    return spectra.transpose(-1, -2) * _SCALE


def synthesise(spectra: Tensor, length_samples: int) -> Tensor:
    """Inverse of `analyse`: samples of shape (…, length_samples)."""
    return torch.istft(
        spectra.transpose(-1, -2) / _SCALE,
        bands.WINDOW_SAMPLES,
        bands.HOP_SAMPLES,
        window=_window(),
        center=True,
        length=length_samples,
    )


def band_powers(spectra: Tensor) -> Tensor:
    """Power in each band: (…, 1025) complex to (…, 285) float32."""
    power = spectra.real.square() + spectra.imag.square()
    return torch.cat([power[..., : bands.SINGLE_BINS], wide_sums(power)], dim=-1)


def wide_sums(power: Tensor) -> Tensor:
    """Sums over the 29 wide bands of values of shape (…, 1025)."""
    return power[..., bands.SINGLE_BINS :] @ _wide_matrix()


def expand(gains: Tensor) -> Tensor:
    """Gains of bands, (…, 285), to gains of bins, (…, 1025)."""
    return gains[..., torch.from_numpy(bands.band_of_bin())]


def _wide_matrix() -> Tensor:
    index = torch.from_numpy(bands.band_of_bin())[bands.SINGLE_BINS :] - bands.SINGLE_BINS
    return torch.nn.functional.one_hot(index, bands.WIDE_BANDS).float()
