"""The network: dilated convolutions in time over compressed band powers, giving a gain a band.

Two frames make one token (21 ms). Each token's 570 features become a vector; residual blocks look
at the past and the future through convolutions of three taps, written as one matrix product each;
the head gives each band's gain from the vector, from the band's own level and from how that stands
out in time and frequency, so that fine structure (harmonics) need not pass through the vector. Not
causal; its reach is finite and known (`reach_frames`), so that long files can be cut without seams.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from nlecompanion.engines.dialogue import bands

#: Features do not fall below this power, relative to the local mean.
_FLOOR = 1e-9
#: Local means do not fall below this power (about -100 dB under a full-scale sine).
_SILENCE = 1e-10


@dataclass(frozen=True, slots=True)
class NetworkShape:
    """What decides the shapes of the weights and the reach of the network."""

    width: int = 256
    frames_per_token: int = 2
    level_radius_frames: int = 140
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 1, 4, 16, 32, 2, 8)
    #: Whether the head sees each band's surroundings in time and frequency.
    surroundings: bool = True

    @property
    def reach_frames(self) -> int:
        """Frames on either side that can change a frame's gains."""
        by_blocks = self.frames_per_token * (sum(self.dilations) + 1)
        around = SURROUNDINGS_RADIUS_FRAMES if self.surroundings else 0
        return self.level_radius_frames + max(by_blocks, around)

    def to_json(self) -> dict[str, Any]:
        """A form that JSON can hold; `from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> NetworkShape:
        """Inverse of `to_json`; shapes from before the surroundings have none."""
        read = {"surroundings": False, **values, "dilations": tuple(values["dilations"])}
        return cls(**read)


#: How many numbers `surroundings` gives a band and frame, and how far they reach.
SURROUNDINGS = 5
SURROUNDINGS_RADIUS_FRAMES = 41


def surroundings(features: Tensor) -> tuple[Tensor, ...]:
    """How each band stands out from what surrounds it: five tensors of the features' shape.

    Against 0.1 s around it, that against 0.9 s, its unrest over 0.3 s (a held note has hardly any,
    a gliding voice much), against its two neighbours in frequency, and these against eight.
    """
    short = _smooth(_smooth(features, 1), 3)
    long = _smooth(_smooth(short, 9), 27)
    steps = functional.pad(features.diff(dim=1).abs(), (0, 0, 1, 0))
    unrest = _smooth(_smooth(_smooth(steps, 1), 3), 9)
    near = _smooth(features.mT, 1).mT
    wide = _smooth(near.mT, 3).mT
    return features - short, short - long, unrest, features - near, near - wide


def _smooth(values: Tensor, step: int) -> Tensor:
    """Mean of each row of (batch, rows, n) and the rows `step` before and after it."""
    padded = functional.pad(values, (0, 0, step, step), mode="replicate")
    total = padded[:, : -2 * step] + values
    return total.add_(padded[:, 2 * step :]).mul_(1 / 3)


def _norm(stream: Tensor) -> Tensor:
    return functional.rms_norm(stream, stream.shape[-1:])


class Block(nn.Module):
    """A residual step: norm, three dilated taps as one product, squared ReLU, product."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.taps = nn.Parameter(torch.randn(width, 3 * width) / (3 * width) ** 0.5)
        self.mix = nn.Parameter(torch.zeros(width, width))

    def forward(self, stream: Tensor) -> Tensor:
        """Stream of shape (batch, tokens, width) to the same shape."""
        reach, tokens = self.dilation, stream.shape[1]
        padded = functional.pad(_norm(stream), (0, 0, reach, reach))
        stacked = torch.cat([padded[:, k * reach : k * reach + tokens] for k in range(3)], dim=-1)
        hidden = functional.relu(functional.linear(stacked, self.taps.to(stream.dtype)))
        return stream + functional.linear(hidden * hidden, self.mix.to(stream.dtype))


class DialogueNetwork(nn.Module):
    """Band powers to band gains between 0 and 1."""

    feature_mean: Tensor
    feature_scale: Tensor
    level_weights: Tensor

    def __init__(self, shape: NetworkShape) -> None:
        super().__init__()
        self.shape = shape
        inputs = shape.frames_per_token * bands.BANDS
        self.enter = nn.Parameter(torch.randn(shape.width, inputs) / inputs**0.5)
        self.blocks = nn.ModuleList(Block(shape.width, dilation) for dilation in shape.dilations)
        self.head = nn.Parameter(torch.zeros(2 * inputs, shape.width))
        self.head_bias = nn.Parameter(torch.zeros(2 * inputs))
        if shape.surroundings:
            self.around = nn.Parameter(torch.zeros(SURROUNDINGS * bands.BANDS, shape.width))
            self.around_bias = nn.Parameter(torch.zeros(SURROUNDINGS * bands.BANDS))
        self.register_buffer("feature_mean", torch.full((bands.BANDS,), -10.0))
        self.register_buffer("feature_scale", torch.full((bands.BANDS,), 0.3))
        # Rumble must not set the level: bands count by frequency up to 1 kHz.
        weights = torch.from_numpy(bands.band_centres_hz()).div(1000.0).clamp(max=1.0)
        self.register_buffer("level_weights", weights, persistent=False)

    def products(self) -> list[tuple[Tensor, Tensor, int]]:
        """Each block's weights of taps and mix, and its dilation."""
        blocks = (block for block in self.blocks if isinstance(block, Block))
        return [(block.taps, block.mix, block.dilation) for block in blocks]

    def features(self, power: Tensor) -> Tensor:
        """Log powers relative to the local level: (batch, frames, 285) to the same shape."""
        level = (power @ self.level_weights).unsqueeze(1)
        radius = self.shape.level_radius_frames
        local = functional.avg_pool1d(
            level, 2 * radius + 1, 1, radius, ceil_mode=False, count_include_pad=False
        )
        relative = power / (local.squeeze(1).unsqueeze(-1) + _SILENCE)
        return (torch.log(relative + _FLOOR) - self.feature_mean) * self.feature_scale

    def forward(self, power: Tensor, compute: torch.dtype = torch.float32) -> Tensor:
        """Gains of shape (batch, frames, 285) for powers of that shape, float32.

        `compute` is the type of the matrix products: bfloat16 in training where that is fast.
        """
        batch, frames, _ = power.shape
        per_token = self.shape.frames_per_token
        padding = -frames % per_token
        features = functional.pad(self.features(power), (0, 0, 0, padding))
        shape = (batch, -1, per_token, bands.BANDS)
        tokens = features.reshape(batch, -1, per_token * bands.BANDS)
        stream = functional.linear(tokens.to(compute), self.enter.to(compute))
        for block in self.blocks:
            stream = block(stream)
        vector = _norm(stream)
        head = functional.linear(vector, self.head.to(compute)).float() + self.head_bias
        offset, slope = head.chunk(2, dim=-1)
        logits = torch.addcmul(offset + tokens, slope, tokens).reshape(shape)
        if self.shape.surroundings:
            around = functional.linear(vector, self.around.to(compute)).float() + self.around_bias
            slopes = around.unsqueeze(2).chunk(SURROUNDINGS, dim=-1)
            for one, value in zip(slopes, surroundings(features), strict=True):
                logits = torch.addcmul(logits, one, value.reshape(shape))
        return torch.sigmoid(logits.reshape(batch, -1, bands.BANDS)[:, :frames])
