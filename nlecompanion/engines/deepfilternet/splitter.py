"""The DeepFilterNet3 engine on the engine contract."""

from __future__ import annotations

import math

import numpy as np

from nlecompanion.engines.contract import EngineInfo, Geometry
from nlecompanion.engines.deepfilternet.features import HOP_SAMPLES, RATE_HZ, sound_of, spectra_of
from nlecompanion.engines.deepfilternet.graphs import Graphs
from nlecompanion.engines.deepfilternet.segments import SEGMENT_FRAMES, filters_of
from nlecompanion.engines.guards import require_finite, split_of
from nlecompanion.model import Samples, Split, Take

#: The network starts afresh this often; whole seconds, which are whole frames at any rate.
_SEGMENT_S = SEGMENT_FRAMES * HOP_SAMPLES // RATE_HZ
_BLOCK_SEGMENTS = 6


class DeepFilterNet:
    """The voice is what the network's gains and filters leave, all of the reduction it can do.

    Mono and stereo get one set of filters, found on the sum of the channels and applied to each:
    they are linear, so a stereo image does not move. Of more than two channels each is split on
    its own, because dialogue sits in one of them.
    """

    def __init__(self, info: EngineInfo, graphs: Graphs) -> None:
        self._info = info
        self._graphs = graphs

    @property
    def info(self) -> EngineInfo:
        """Name, version, licence."""
        return self._info

    def geometry(self, rate_hz: int, channels: int) -> Geometry:  # noqa: ARG002
        """A minute, with a stretch on either side, so that any cut lies on the stretches' grid.

        A block has the samples that the whole would have: there is nothing to fade.
        """
        return Geometry(
            block_samples=_BLOCK_SEGMENTS * _SEGMENT_S * rate_hz,
            context_samples=_SEGMENT_S * rate_hz,
            fade_samples=0,
        )

    def split(self, take: Take) -> Split:
        """Voice and background; silence stays silence.

        Raises:
            EngineError: NaN or infinite samples.
        """
        require_finite(take.samples, take.rate_hz)
        channels = take.samples.shape[1]
        groups = (
            [slice(0, channels)] if channels <= 2 else [slice(c, c + 1) for c in range(channels)]
        )
        voice = np.zeros_like(take.samples)
        for group in groups:
            if take.samples[:, group].any():
                voice[:, group] = self._voice(take.samples[:, group], take.rate_hz)
        return split_of(voice, take)

    def _voice(self, samples: Samples, rate_hz: int) -> Samples:
        """Voice of channels that share their filters, same shape."""
        sound = _resampled(samples, rate_hz, RATE_HZ)
        spectra = [spectra_of(channel) for channel in sound.T]
        filters = filters_of(self._graphs, spectra)
        columns = [sound_of(filters.applied(one), len(sound)) for one in spectra]
        return _resampled(np.stack(columns, axis=1), RATE_HZ, rate_hz)[: len(samples)]


def _resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Linear-phase, sample 0 stays at 0; ceil(length * to / from) samples, float32."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    shared_hz = math.gcd(from_hz, to_hz)
    result: Samples = resample_poly(samples, to_hz // shared_hz, from_hz // shared_hz, axis=0)
    return result.astype(np.float32, copy=False)
