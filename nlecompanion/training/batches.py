"""What a batch is: band sums of mixtures and of the voices in them.

A network that gives one real gain a band needs three numbers a band from a mixture x = s + b: the
powers of x and s, and the real part of their product. They give its error exactly,
|g·x - s|² = g²·|x|² - 2g·Re(x·s*) + |s|², so nothing finer is ever computed.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Band sums, each of shape (items, frames, 285), and what each item counts for."""

    mix: Tensor
    product: Tensor
    voice: Tensor
    #: (items, 285): 0 where a voice's recording had no such band to learn from.
    counted: Tensor
    #: (items,): True where there is any voice.
    spoken: Tensor


def heard(mix: Tensor, voice: Tensor) -> Tensor:
    """In which items there is any voice: a pause or a cut-off may take away all that was said."""
    return voice.sum((1, 2)) > 1e-4 * mix.sum((1, 2))
