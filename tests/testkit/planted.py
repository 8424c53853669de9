"""Over-processing made on purpose: very quiet in the gaps, and harmful each in its own way.

Each takes the mixture and its true or estimated voice, all float32 (samples, channels), and gives
an output of the same shape.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples, Span

Harm = Callable[[Samples, Samples, Sequence[Span], int], Samples]
_SIZE = 1024
_HOP = 256


def spectral_subtraction(
    mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int
) -> Samples:
    """Power spectral subtraction, 2x over, floor -50 dB (Berouti et al. 1979): musical noise."""
    noise = _spectrum(mix - voice)
    mean = (np.abs(noise) ** 2).mean(axis=1, keepdims=True)
    mixed = _spectrum(mix)
    power = np.abs(mixed) ** 2
    gain = np.sqrt(np.maximum(1 - 2.0 * mean / np.maximum(power, 1e-20), 1e-5))
    return _sound(mixed * gain, len(mix))


def binary_mask(mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int) -> Samples:
    """All of a bin where the voice is louder, a thousandth where not: chirps and holes."""
    mixed, wanted = _spectrum(mix), _spectrum(voice)
    keep = np.abs(wanted) > np.abs(mixed - wanted)
    return _sound(mixed * np.where(keep, 1.0, 1e-3), len(mix))


def noisy_mask(mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int) -> Samples:
    """A binary mask with one bin in forty wrong: bubbles all over."""
    mixed, wanted = _spectrum(mix), _spectrum(voice)
    keep = np.abs(wanted) > np.abs(mixed - wanted)
    wrong = np.random.default_rng(5).random(keep.shape) < 0.025
    return _sound(mixed * np.where(keep ^ wrong, 1.0, 1e-3), len(mix))


def gate(mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int) -> Samples:
    """The untouched mixture while somebody speaks, silence else, opened and closed in 10 ms."""
    return mix * _speech_gain(speech, len(mix), rate_hz, 0.0, 0.01)


def ducked_gaps(mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int) -> Samples:
    """The background 6 dB down under speech, 40 dB down between: a breathing background."""
    gain = _speech_gain(speech, len(mix), rate_hz, 10 ** (-34 / 20), 0.08)
    return (voice + 0.5 * (mix - voice)) * gain


def dull(mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int) -> Samples:
    """The voice alone, nothing above 3.5 kHz left: no consonants."""
    spectrum = _spectrum(voice)
    edge = round(3500 * _SIZE / rate_hz)
    slope = np.clip(1 - (np.arange(spectrum.shape[0]) - edge) / 8, 1e-3, 1)
    return _sound(spectrum * slope[:, None, None], len(mix))


def watery(mix: Samples, voice: Samples, speech: Sequence[Span], rate_hz: int) -> Samples:
    """The background 30 dB down, its bands wavering by +-12 dB at 5 to 12 Hz."""
    spectrum = _spectrum(mix - voice)
    rng = np.random.default_rng(7)
    times_s = np.arange(spectrum.shape[1]) * _HOP / rate_hz
    bands = np.linspace(0, 40, spectrum.shape[0]).astype(int)
    rates, phases = rng.uniform(5, 12, 41), rng.uniform(0, 6.28, 41)
    sway_db = 12 * np.sin(2 * np.pi * rates[bands][:, None] * times_s + phases[bands][:, None])
    background = _sound(spectrum * 10 ** ((sway_db - 30) / 20)[:, :, None], len(mix))
    return voice + background


HARMS: dict[str, Harm] = {
    "spectral subtraction": spectral_subtraction,
    "binary mask": binary_mask,
    "noisy mask": noisy_mask,
    "gate": gate,
    "ducked gaps": ducked_gaps,
    "dull": dull,
    "watery": watery,
}


def _speech_gain(
    speech: Sequence[Span], length: int, rate_hz: int, floor: float, slope_s: float
) -> Samples:
    from scipy.ndimage import uniform_filter1d

    gain = np.full(length, floor)
    for span in speech:
        gain[int(span.start_s * rate_hz) : int(span.end_s * rate_hz)] = 1.0
    smooth: Samples = uniform_filter1d(gain, round(slope_s * rate_hz)).astype(np.float32)
    return smooth[:, None]


def _spectrum(sound: Samples) -> NDArray[np.complex128]:
    """(bins, frames, channels)."""
    padded = np.pad(sound, ((_SIZE, 2 * _SIZE), (0, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _SIZE, axis=0)[::_HOP]
    window = np.sqrt(np.hanning(_SIZE + 1)[:_SIZE])
    return np.moveaxis(np.fft.rfft(frames * window, axis=2), 2, 0)


def _sound(spectrum: NDArray[np.complexfloating], length: int) -> Samples:
    window = np.sqrt(np.hanning(_SIZE + 1)[:_SIZE])
    frames = np.fft.irfft(np.moveaxis(spectrum, 0, 2), _SIZE, axis=2) * window
    out = np.zeros((len(frames) * _HOP + _SIZE, frames.shape[1]))
    for index, frame in enumerate(frames):
        out[index * _HOP : index * _HOP + _SIZE] += frame.T
    # Squared root-Hann windows a quarter apart sum to 2.
    sound: Samples = (out[_SIZE : _SIZE + length] / 2).astype(np.float32)
    return sound
