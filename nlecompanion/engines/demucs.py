"""Demucs v4 (Hybrid Transformer Demucs, Rouard, Massa & Défossez 2023): its vocals are the voice.

The model works at 44.1 kHz in stereo. A take is resampled to that by a linear-phase polyphase
filter and back, without delay; what lies above the model's band (from about 20 kHz) ends in the
background. Mono is given on both channels and averaged; of more than two channels each is worked
on by itself, as mono, so that the centre of 5.1 is treated and nothing is dropped. The take's level
is not normalised: the model does so itself, segment by segment.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from nlecompanion.engines import demucs_weights
from nlecompanion.engines.contract import EngineInfo, Geometry, Readiness
from nlecompanion.engines.guards import require_finite, split_of
from nlecompanion.engines.weights import weights_folder
from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Split, Take

if TYPE_CHECKING:
    import torch

INFO = EngineInfo(
    name="demucs",
    title="Demucs v4 (htdemucs), the vocals of a mix",
    version="1",
    licence="code MIT; weights for scientific purposes only",
    source="https://github.com/adefossez/demucs",
    weights=f"{demucs_weights.BAG}, fetched on request",
    licence_notice=(
        "Demucs' authors: \"The model weights are not covered by the MIT license, and are "
        'provided only for scientific purposes." (github.com/facebookresearch/demucs/issues/327)'
    ),
)
#: Share of a segment that is joined with the next: demucs' own default.
_OVERLAP = 0.25
#: Steps of a block; two more on either side are context (see `geometry`).
_BLOCK_STEPS, _CONTEXT_STEPS = 20, 2


class Demucs:
    """Splits with one or more models (a bag), each with its share in the voice."""

    def __init__(self, models: Sequence[tuple[Any, float]], weights: str) -> None:
        self.info = replace(INFO, weights=weights)
        self._models = models
        first = models[0][0]
        self._native_hz = int(first.samplerate)
        self._channels = int(first.audio_channels)
        self._segment = min(int(model.segment * model.samplerate) for model, _ in models)

    def geometry(self, rate_hz: int, channels: int) -> Geometry:  # noqa: ARG002
        """Blocks of whole steps between segments, so that they are cut at the same places.

        A segment (1.33 steps) that covers any sample of a block lies within two steps of it.
        """
        step = self._step(rate_hz)
        step_samples = step * rate_hz // self._native_hz
        return Geometry(
            block_samples=_BLOCK_STEPS * step_samples,
            context_samples=_CONTEXT_STEPS * step_samples,
            fade_samples=min(rate_hz // 50, step_samples // 4),
        )

    def split(self, take: Take) -> Split:
        """See the module."""
        import torch

        require_finite(take.samples, take.rate_hz)
        length, channels = take.samples.shape
        voice = np.zeros_like(take.samples)
        groups = (
            [[0, 1]]
            if channels == self._channels == 2
            else [[channel] for channel in range(channels)]
        )
        for group in groups:
            part = take.samples[:, group]
            if not part.any():
                continue
            native = _resampled(part, take.rate_hz, self._native_hz)
            with torch.inference_mode():
                estimate = self._separated(torch.from_numpy(native.T.copy()), take.rate_hz)
            found = np.ascontiguousarray(estimate.numpy().T)
            voice[:, group] = _resampled(found, self._native_hz, take.rate_hz)[:length]
        return split_of(voice, take)

    def _step(self, rate_hz: int) -> int:
        """From one segment to the next at the model's rate; a whole number at the take's too."""
        grain = self._native_hz // math.gcd(self._native_hz, rate_hz)
        step = int(self._segment * (1 - _OVERLAP)) // grain * grain
        if step * _CONTEXT_STEPS <= self._segment + step // 4:
            raise EngineError(
                f"Demucs cannot cut sound at {rate_hz} Hz evenly. Use another engine, or convert "
                f"the media to 48000 Hz."
            )
        return step

    def _separated(self, mix: torch.Tensor, rate_hz: int) -> torch.Tensor:
        """The voice in (channels, samples) at the model's rate, by overlapping segments."""
        import torch
        from demucs.apply import TensorChunk, apply_model

        wide = mix.expand(self._channels, -1) if len(mix) == 1 else mix
        weight = _triangle(self._segment)
        total = torch.zeros_like(wide)
        weights = torch.zeros(wide.shape[1])
        for start in range(0, wide.shape[1], self._step(rate_hz)):
            chunk = TensorChunk(wide[None], start, self._segment)  # type: ignore[no-untyped-call]
            at = slice(start, start + chunk.length)
            for model, share in self._models:
                parts = apply_model(model, chunk, shifts=0, split=False, progress=False)
                voice = parts[0, model.sources.index(demucs_weights.VOICE)]
                total[:, at] += voice * weight[: chunk.length] * share
                weights[at] += weight[: chunk.length] * share
        total /= weights
        return total.mean(0, keepdim=True) if len(mix) == 1 else total


class DemucsFactory:
    """Ready once its weights have been fetched or put into the folder by hand."""

    info = INFO
    #: Not measured: the weights could not be had. It stands above dsp, because a model that knows
    #: voices beats one that knows stationary noise only, and below engines measured on dialogue,
    #: because this one learnt singing in music, runs many times slower, and has weights that not
    #: everybody may use. Published figures (MUSDB) are of singing and do not compare.
    merit_db: float | None = 5.0
    merit_pesq: float | None = None

    def readiness(self) -> Readiness:
        """Looks for the files."""
        return demucs_weights.readiness(weights_folder("demucs"))

    def create(self) -> Demucs:
        """Loads the models from the folder, offline.

        Raises:
            WeightsMissing: with the command that fetches them.
            EngineError: damaged files.
        """
        return Demucs(*demucs_weights.load(weights_folder("demucs")))

    def fetch(self) -> None:
        """Fetches the weights from where demucs' own loader does; show `licence_notice` first.

        Raises:
            EngineError: the fetch failed; nothing is left half-fetched.
        """
        demucs_weights.fetch(weights_folder("demucs"))


def _triangle(segment_samples: int) -> torch.Tensor:
    """Weights of a segment's samples: 1 in the middle, falling to either end."""
    import torch

    rising = torch.arange(1, segment_samples // 2 + 1, dtype=torch.float32)
    falling = torch.arange(segment_samples - segment_samples // 2, 0, -1, dtype=torch.float32)
    return torch.cat([rising, falling]) / (segment_samples - segment_samples // 2)


def _resampled(samples: Samples, from_hz: int, to_hz: int) -> Samples:
    """Linear-phase, sample 0 stays at 0; ceil(length * to / from) samples, float32."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    shared_hz = math.gcd(from_hz, to_hz)
    result: Samples = resample_poly(samples, to_hz // shared_hz, from_hz // shared_hz, axis=0)
    return result.astype(np.float32, copy=False)


FACTORY = DemucsFactory()
