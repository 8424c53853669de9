"""Muon for the blocks' matrices, Adam for the rest, and an average of the weights.

Muon (Jordan et al., 2024): the momentum of a matrix is replaced by the nearest orthogonal matrix,
found by five Newton-Schulz steps; on this network it needs about half the steps of Adam.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

#: Coefficients of the quintic iteration, from the method's publication.
_QUINTIC = (3.4445, -4.7750, 2.0315)


def orthogonal(matrix: Tensor) -> Tensor:
    """Nearly the orthogonal factor of a matrix: singular values between about 0.7 and 1.2."""
    first, second, third = _QUINTIC
    wide = matrix.shape[0] <= matrix.shape[1]
    work = (matrix if wide else matrix.T).bfloat16()
    work = work / (work.float().norm().to(work.dtype) + 1e-7)
    for _ in range(5):
        gram = work @ work.T
        work = first * work + (second * gram + third * gram @ gram) @ work
    result: Tensor = (work if wide else work.T).float()
    return result


class Optimiser:
    """One step at a time; its state is a flat dictionary of tensors that safetensors can hold."""

    def __init__(self, network: nn.Module, *, muon_rate: float, adam_rate: float) -> None:
        self.parameters = dict(network.named_parameters())
        self.muon_rate = muon_rate
        self.adam_rate = adam_rate
        self.updates = 0
        self.first = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        self.second = {
            name: torch.zeros_like(p) for name, p in self.parameters.items() if not _by_muon(name)
        }
        self.average = {name: p.detach().clone() for name, p in self.parameters.items()}

    @torch.no_grad()
    def step(self, rate_scale: float, average_decay: float) -> None:
        """Applies the gradients, with both learning rates times `rate_scale`, and clears them."""
        self.updates += 1
        _clip([p.grad for p in self.parameters.values() if p.grad is not None], 2.0)
        for name, parameter in self.parameters.items():
            if parameter.grad is None:
                continue
            if _by_muon(name):
                self._muon(name, parameter, parameter.grad, rate_scale)
            else:
                self._adam(name, parameter, parameter.grad, rate_scale)
            parameter.grad = None
        # Early on the average must not be held back by the first weights.
        decay = min(average_decay, (1.0 + self.updates) / (10.0 + self.updates))
        for name, parameter in self.parameters.items():
            self.average[name].lerp_(parameter, 1.0 - decay)

    def _muon(self, name: str, parameter: Tensor, gradient: Tensor, rate_scale: float) -> None:
        momentum = self.first[name].lerp_(gradient, 0.05)
        direction = orthogonal(gradient.lerp(momentum, 0.95))
        rows, columns = parameter.shape
        rate = self.muon_rate * rate_scale
        parameter.mul_(1.0 - rate * 0.01)
        parameter.add_(direction, alpha=-rate * max(1.0, rows / columns) ** 0.5)

    def _adam(self, name: str, parameter: Tensor, gradient: Tensor, rate_scale: float) -> None:
        first = self.first[name].lerp_(gradient, 0.1)
        second = self.second[name].mul_(0.98).addcmul_(gradient, gradient, value=0.02)
        unbiased_first = first / (1.0 - 0.9**self.updates)
        unbiased_second = second / (1.0 - 0.98**self.updates)
        rate = self.adam_rate * rate_scale
        parameter.addcdiv_(unbiased_first, unbiased_second.sqrt() + 1e-8, value=-rate)

    def tensors(self) -> dict[str, Tensor]:
        """All state but `updates`."""
        kinds = {"first": self.first, "second": self.second, "average": self.average}
        return {f"{kind}.{name}": t for kind, held in kinds.items() for name, t in held.items()}

    def load(self, tensors: dict[str, Tensor], updates: int) -> None:
        """Inverse of `tensors`."""
        self.updates = updates
        for name, held in self.tensors().items():
            held.copy_(tensors[name])


def _by_muon(name: str) -> bool:
    return name.startswith("blocks.")


def _clip(gradients: Iterable[Tensor], largest: float) -> None:
    held = list(gradients)
    norm = torch.stack([gradient.norm() for gradient in held]).norm()
    if norm > largest:
        for gradient in held:
            gradient.mul_(largest / norm)
