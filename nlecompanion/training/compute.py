"""Which number type the network's matrix products are fastest in on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

#: How much faster bfloat16 must be to be worth its rounding.
_WORTH = 1.5
_SIZE = 768


def product_seconds(number: torch.dtype) -> float:
    """The best of three timings of a 768 × 768 product on the CPU."""
    matrix = torch.ones(_SIZE, _SIZE, dtype=number)
    best = float("inf")
    for _ in range(3):
        begin = time.perf_counter()
        torch.mm(matrix, matrix)
        best = min(best, time.perf_counter() - begin)
    return best


def compute_type(
    wish: str, device: torch.device, seconds: Callable[[torch.dtype], float] = product_seconds
) -> torch.dtype:
    """The type for a wish of "bfloat16", "float32" or "auto".

    "auto" takes bfloat16 on a GPU that has it and on a CPU where it is half as fast again.
    """
    if wish != "auto":
        return torch.bfloat16 if wish == "bfloat16" else torch.float32
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    if device.type != "cpu":
        return torch.float32
    faster = seconds(torch.bfloat16) * _WORTH < seconds(torch.float32)
    return torch.bfloat16 if faster else torch.float32
