"""The trained network in the form that runs fastest: the same gains, to rounding.

Each block's three dilated taps and its mixing product run as convolutions over tokens that lie
channels-last, which oneDNN computes twice as fast on one thread as the general matrix product does
(AMD EPYC, AVX-512: 210 against 90 GFLOP/s), and nothing is stacked or padded for them. The head
runs on a few hundred tokens at a time, so that what lies between its steps stays in the cache.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.backends import mkldnn
from torch.nn import functional

from nlecompanion.engines.dialogue import bands
from nlecompanion.engines.dialogue.network import SURROUNDINGS, DialogueNetwork, surroundings

#: Tokens whose gains are worked out at once.
_HEAD_TOKENS = 256
_EPSILON = torch.finfo(torch.float32).eps


class Inference:
    """Band powers to band gains, for one sound at a time."""

    def __init__(self, network: DialogueNetwork) -> None:
        self._network = network
        self._enter = _Taps(network.enter)
        self._blocks = [
            (_Taps(taps, 3, dilation), _Taps(mix)) for taps, mix, dilation in network.products()
        ]
        self._head = _Taps(network.head)
        self._around = _Taps(network.around) if network.shape.surroundings else None

    def __call__(self, power: Tensor) -> Tensor:
        """Gains of shape (frames, 285) for powers of that shape, as the network gives them."""
        frames, per_token = len(power), self._network.shape.frames_per_token
        features = self._network.features(power[None])
        features = functional.pad(features, (0, 0, 0, -frames % per_token))
        tokens = features.reshape(-1, per_token * bands.BANDS)
        vectors = _norm(self._stream(tokens))
        gains = torch.empty_like(tokens)
        around = () if self._around is None else surroundings(features)
        values = [value.view(-1, per_token, bands.BANDS) for value in around]
        for first in range(0, len(tokens), _HEAD_TOKENS):
            part = slice(first, first + _HEAD_TOKENS)
            gains[part] = self._gains(vectors[part], tokens[part], [v[part] for v in values])
        return gains.view(-1, bands.BANDS)[:frames]

    def _stream(self, tokens: Tensor) -> Tensor:
        stream = self._enter(tokens)
        for taps, mix in self._blocks:
            hidden = taps(_norm(stream)).relu_()
            stream += mix(hidden.square_())
        return stream

    def _gains(self, vectors: Tensor, tokens: Tensor, around: list[Tensor]) -> Tensor:
        offset, slope = (self._head(vectors) + self._network.head_bias).chunk(2, dim=-1)
        logits = torch.addcmul(offset + tokens, slope, tokens)
        if self._around is not None:
            slopes = self._around(vectors).add_(self._network.around_bias)
            by_frame = logits.view(len(logits), -1, bands.BANDS)
            for one, value in zip(slopes[:, None].chunk(SURROUNDINGS, dim=-1), around, strict=True):
                by_frame.addcmul_(one, value)
        return logits.sigmoid_()


def _norm(stream: Tensor) -> Tensor:
    power = torch.linalg.vector_norm(stream, dim=-1, keepdim=True).square_()
    scale: Tensor = power.div_(stream.shape[-1]).add_(_EPSILON).rsqrt_()
    return stream * scale


class _Taps:
    """A product with weights of (outputs, taps * inputs), over tokens that lie `dilation` apart."""

    def __init__(self, weights: Tensor, taps: int = 1, dilation: int = 1) -> None:
        kernel = weights.detach().view(len(weights), taps, -1).transpose(1, 2).unsqueeze(2)
        self._kernel: Tensor = kernel.contiguous(memory_format=torch.channels_last)
        self._dilation, self._padding = (1, dilation), (0, taps // 2 * dilation)
        self._one_dnn = bool(mkldnn.is_available())  # type: ignore[no-untyped-call]

    def __call__(self, tokens: Tensor) -> Tensor:
        """(tokens, inputs) to (tokens, outputs); there is silence before the first token."""
        image = tokens.t()[None, :, None]
        if self._one_dnn:
            # By itself torch takes oneDNN for kernels of several taps only.
            made: Tensor = torch.mkldnn_convolution(
                image, self._kernel, None, self._padding, (1, 1), self._dilation, 1
            )
        else:
            made = functional.conv2d(
                image, self._kernel, padding=self._padding, dilation=self._dilation
            )
        return made[0, :, 0].t()
