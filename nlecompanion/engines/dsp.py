"""The engine without a model: what a mixer does by hand, and no more.

Hum where it is measured, a high-pass below the voice, stationary noise turned down, gaps a little
further: gains between 0 and 1, the same on all channels, so that the stereo image does not move and
nothing is added. Music and voices in the background are not stationary and stay in the voice.
"""

from __future__ import annotations

import math

import numpy as np

from nlecompanion.engines import dsp_hum
from nlecompanion.engines.contract import EngineInfo, Geometry, Readiness
from nlecompanion.engines.dsp_noise import GROUP_FRAMES, REACH_FRAMES, noise_mask
from nlecompanion.engines.dsp_stft import Real, Stft
from nlecompanion.engines.guards import require_finite, split_of
from nlecompanion.model import Split, Take

INFO = EngineInfo(
    name="dsp",
    title="Filters and noise reduction without a model",
    version="1",
    licence="Apache-2.0",
    source="nlecompanion",
    weights="none",
)
#: Frames of about this length: two pitch periods of a deep voice, short against a syllable.
_FRAME_S = 0.043
_HIGHPASS_HZ = 75.0
_VOICE_BAND_HZ = (150.0, 8000.0)
_BLOCK_S, _SHORTEST_BLOCK_S = 60, 20
#: Blocks are shorter where more than this many samples would come together a second.
_BLOCK_SAMPLES_A_SECOND = 2 * 48_000


class Dsp:
    """Splits by one linear, time-varying mask for all channels; background = take - voice."""

    info = INFO

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        """Blocks on a grid on which they see the same frames, with all that reaches in."""
        stft = _stft(rate_hz)
        grid = math.lcm(stft.hop_samples * GROUP_FRAMES, dsp_hum.hop_samples(rate_hz))
        reach = REACH_FRAMES * stft.hop_samples + stft.frame_samples
        reach += dsp_hum.reach_samples(rate_hz)
        block_s = _BLOCK_S * _BLOCK_SAMPLES_A_SECOND / (rate_hz * channels)
        block_s = min(_BLOCK_S, max(_SHORTEST_BLOCK_S, block_s))
        return Geometry(
            block_samples=max(1, round(block_s * rate_hz / grid)) * grid,
            context_samples=-(-reach // grid) * grid,
            fade_samples=rate_hz // 50,
        )

    def split(self, take: Take) -> Split:
        """See the module."""
        require_finite(take.samples, take.rate_hz)
        if not take.samples.any():
            return split_of(np.zeros_like(take.samples), take)
        hum = dsp_hum.hum(take.samples, take.rate_hz)
        samples = take.samples if hum is None else take.samples - hum
        stft = _stft(take.rate_hz)
        bin_hz = take.rate_hz / stft.frame_samples
        low, high = (int(edge_hz / bin_hz) for edge_hz in _VOICE_BAND_HZ)
        mask = noise_mask(stft.power(samples), slice(max(1, low), high))
        mask *= _highpass(stft.bins, bin_hz)
        return split_of(stft.masked(samples, lambda at: mask[at]), take)


class DspFactory:
    """Always ready."""

    info = INFO
    #: Measured on the separation benchmark: the mean SI-SDR improvement over its conditions music
    #: (2.2), noise (4.6) and music+noise (2.3 dB), 30 mixtures of 8 s, 48 kHz mono.
    merit_db: float | None = 3.0
    merit_pesq: float | None = 1.33

    def readiness(self) -> Readiness:
        """Always ready."""
        return Readiness(ready=True)

    def create(self) -> Dsp:
        """A new one."""
        return Dsp()

    def fetch(self) -> None:
        """Nothing to fetch."""


def _stft(rate_hz: int) -> Stft:
    """Frames of a power of two, 30 to 64 ms."""
    return Stft(1 << max(5, round(math.log2(rate_hz * _FRAME_S))))


def _highpass(bins: int, bin_hz: float) -> Real:
    """The magnitude of a fourth-order Butterworth high-pass: -0.4 dB at 100 Hz, -14 at 50."""
    ratio = _HIGHPASS_HZ / (np.maximum(np.arange(bins), 1e-3) * bin_hz)
    return (1 / np.sqrt(1 + ratio**8)).astype(np.float32)


FACTORY = DspFactory()
