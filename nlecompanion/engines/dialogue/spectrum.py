"""Short-time spectra with exact length and no delay, and their sums over bands."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

from nlecompanion.engines.dialogue import bands

#: A full-scale sine reads about 1 in its loudest bin.
_SCALE = 4.0 / bands.WINDOW_SAMPLES
#: Frames that are transformed at once: they fit into a processor's cache, and no memory is asked
#: of the system for them. All at once takes five times as long (measured).
_BATCH_FRAMES = 128
_OVERLAPS = bands.WINDOW_SAMPLES // bands.HOP_SAMPLES


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


class Frames:
    """The frames of `analyse` over sound of shape (channels, n), a batch at a time.

    Spectra are worked out whenever they are asked for: that is cheaper than to keep them.
    """

    def __init__(self, sound: Tensor) -> None:
        self._length_samples = sound.shape[-1]
        half = bands.WINDOW_SAMPLES // 2
        self._framed = functional.pad(sound, (half, half)).unfold(
            -1, bands.WINDOW_SAMPLES, bands.HOP_SAMPLES
        )
        self.count = self._framed.shape[1]
        self._window = _window() * _SCALE

    def spectra(self) -> Iterator[tuple[slice, Tensor]]:
        """Which frames, and their spectra: complex64 of shape (channels, frames, 1025)."""
        for first in range(0, self.count, _BATCH_FRAMES):
            frames = slice(first, min(first + _BATCH_FRAMES, self.count))
            yield frames, torch.fft.rfft(self._framed[:, frames] * self._window)

    def changed(self, change: Callable[[slice, Tensor], Tensor]) -> Tensor:
        """Sound of the same shape, whose spectra are what `change` makes of these."""
        channels = len(self._framed)
        blocks = torch.zeros(channels, self.count + _OVERLAPS - 1, bands.HOP_SAMPLES)
        # Windowed twice and overlapped: where all frames are there, their squares sum to 3/2.
        window = _window() * (2 / 3 / _SCALE)
        for frames, spectra in self.spectra():
            waves = torch.fft.irfft(change(frames, spectra), bands.WINDOW_SAMPLES)
            parts = waves.mul_(window).view(channels, -1, _OVERLAPS, bands.HOP_SAMPLES)
            for later in range(_OVERLAPS):
                blocks[:, frames.start + later : frames.stop + later] += parts[:, :, later]
        self._even_out(blocks)
        half = bands.WINDOW_SAMPLES // 2
        return blocks.flatten(1)[:, half : half + self._length_samples]

    def _even_out(self, blocks: Tensor) -> None:
        """Scales the hops at both ends, which fewer frames share, to the level of the others."""
        squares = _window().square().view(_OVERLAPS, bands.HOP_SAMPLES)
        last = self.count + _OVERLAPS - 1
        for hop in {*range(min(_OVERLAPS, last)), *range(max(0, last - _OVERLAPS), last)}:
            there = [later for later in range(_OVERLAPS) if 0 <= hop - later < self.count]
            blocks[:, hop] *= 1.5 / squares[there].sum(0).clamp(min=1e-11)


def band_powers(spectra: Tensor) -> Tensor:
    """Power in each band: (…, 1025) complex to (…, 285) float32."""
    return _in_bands(spectra.real.square() + spectra.imag.square())


def mean_band_powers(spectra: Tensor) -> Tensor:
    """The mean of `band_powers` over the channels: (channels, …, 1025) to (…, 285)."""
    squares = torch.view_as_real(spectra).square().mean(dim=0)
    return _in_bands(squares[..., 0] + squares[..., 1])


def _in_bands(power: Tensor) -> Tensor:
    return torch.cat([power[..., : bands.SINGLE_BINS], wide_sums(power)], dim=-1)


def wide_sums(power: Tensor) -> Tensor:
    """Sums over the 29 wide bands of values of shape (…, 1025)."""
    return power[..., bands.SINGLE_BINS :] @ _wide_matrix()


def expand(gains: Tensor) -> Tensor:
    """Gains of bands, (…, 285), to gains of bins, (…, 1025)."""
    wide = gains[..., bands.SINGLE_BINS :] @ _wide_matrix().t()
    return torch.cat([gains[..., : bands.SINGLE_BINS], wide], dim=-1)


def _wide_matrix() -> Tensor:
    index = torch.from_numpy(bands.band_of_bin())[bands.SINGLE_BINS :] - bands.SINGLE_BINS
    return torch.nn.functional.one_hot(index, bands.WIDE_BANDS).float()
