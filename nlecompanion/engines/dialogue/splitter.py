"""The dialogue engine on the engine contract."""

from __future__ import annotations

from math import gcd, lcm

import numpy as np
import torch
from torch import Tensor

from nlecompanion.engines.contract import EngineInfo, Geometry
from nlecompanion.engines.dialogue import bands, spectrum
from nlecompanion.engines.dialogue.inference import Inference
from nlecompanion.engines.dialogue.network import DialogueNetwork
from nlecompanion.engines.dialogue.refine import BINS, GROUP_FRAMES, REACH_FRAMES, refined
from nlecompanion.engines.guards import require_finite, split_of
from nlecompanion.model import Samples, Split, Take

#: Context is shared by more sound in longer blocks: half a minute would cost a seventh more.
_BLOCK_S = 60.0
_FADE_S = 0.1
#: A grid coarser than this many seconds is not worth keeping to; the crossfade hides the rest.
_COARSEST_GRID_S = 10.0


class DialogueEngine:
    """Voice and background by one network gain a band and frame, and a filter found from them.

    Mono and stereo get one gain for all channels, from the mean of their powers, so that a stereo
    image does not move. Of more than two channels each is split on its own: dialogue sits in one
    of them (the centre of a 5.1, one microphone of several).
    """

    def __init__(self, info: EngineInfo, network: DialogueNetwork) -> None:
        self._info = info
        self._shape = network.shape
        self._gains = Inference(network)

    @property
    def info(self) -> EngineInfo:
        """Name, version, licence."""
        return self._info

    def geometry(self, rate_hz: int, channels: int) -> Geometry:
        """A minute, with all the context that can change a gain.

        Blocks lie on the grid of the tokens and filters, so that cutting changes nothing.
        """
        del channels
        step = bands.HOP_SAMPLES * lcm(self._shape.frames_per_token, GROUP_FRAMES)
        # Resampled positions are whole steps where 48000 n / rate is a multiple of a step.
        grid = step * rate_hz // gcd(step * rate_hz, bands.RATE_HZ)
        if grid > _COARSEST_GRID_S * rate_hz:
            grid = 1
        # Two windows and the resampler's filter reach beyond the network and the filter.
        reach_frames = self._shape.reach_frames + REACH_FRAMES + 8
        reach_samples = reach_frames * bands.HOP_SAMPLES
        context = -(-reach_samples * rate_hz // bands.RATE_HZ)
        return Geometry(
            block_samples=grid * max(1, round(_BLOCK_S * rate_hz / grid)),
            context_samples=grid * -(-context // grid),
            fade_samples=round(_FADE_S * rate_hz),
        )

    @torch.inference_mode()
    def split(self, take: Take) -> Split:
        """Voice and background; silence stays silence.

        Raises:
            EngineError: NaN or infinite samples.
        """
        require_finite(take.samples, take.rate_hz)
        if not take.samples.any():
            return split_of(np.zeros_like(take.samples), take)
        groups = [take.samples] if take.samples.shape[1] <= 2 else np.hsplit(
            take.samples, take.samples.shape[1]
        )  # fmt: skip
        voices = [self._voice(group, take.rate_hz) for group in groups]
        return split_of(np.concatenate(voices, axis=1), take)

    def _voice(self, samples: Samples, rate_hz: int) -> Samples:
        """Voice of channels that share their gains, same shape."""
        if not samples.any():
            return np.zeros_like(samples)
        sound = torch.from_numpy(
            np.ascontiguousarray(_resampled(samples, rate_hz, bands.RATE_HZ).T)
        )
        frames = spectrum.Frames(sound)
        power, low = _looked_at(frames, len(sound))
        gains = self._gains(power)
        voice_low = refined(low, gains[:, BINS])

        def voiced(part: slice, spectra: Tensor) -> Tensor:
            spectra *= spectrum.expand(gains[part])
            spectra[..., BINS] = voice_low[:, part]
            return spectra

        voice = frames.changed(voiced)
        restored = _resampled(voice.T.numpy(), bands.RATE_HZ, rate_hz)
        result = np.zeros_like(samples)
        count = min(len(samples), len(restored))
        result[:count] = restored[:count]
        return result


def _looked_at(frames: spectrum.Frames, channels: int) -> tuple[Tensor, Tensor]:
    """Band powers, averaged over the channels, (frames, 285); and the refined bins' spectra."""
    power = torch.empty(frames.count, bands.BANDS)
    low = torch.empty(channels, frames.count, BINS.stop - BINS.start, dtype=torch.complex64)
    for part, spectra in frames.spectra():
        power[part] = spectrum.mean_band_powers(spectra)
        low[:, part] = spectra[..., BINS]
    return power, low


def _resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Zero-delay polyphase resampling of (samples, channels)."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    divisor = gcd(from_hz, to_hz)
    changed = resample_poly(samples, to_hz // divisor, from_hz // divisor, axis=0)
    return np.asarray(changed, dtype=np.float32)
