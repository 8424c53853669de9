"""Voice and background on their way through the treatment, side by side.

Every step between the split and the mix keeps the two apart and is linear in them: gains are
found from the voice and laid on both, so that the intensity stays one number that can be chosen
last, by the tool or by the editor.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nlecompanion.model import Samples

#: Reads `count` samples a channel from `position`: float32 of shape (count, channels).
Read = Callable[[int, int], Samples]


@dataclass(frozen=True, slots=True, eq=False)
class Stems:
    """One block of voice and background: float32, both of shape (samples, channels).

    A step takes an iterable of blocks of any length and yields blocks of any length, as many
    samples in all as it was given, none of them later or earlier.
    """

    voice: Samples
    background: Samples

    def __post_init__(self) -> None:
        if self.voice.shape != self.background.shape or self.voice.ndim != 2:
            raise ValueError(
                f"voice and background differ in shape: {self.voice.shape} and "
                f"{self.background.shape}"
            )
        if self.voice.dtype != np.float32 or self.background.dtype != np.float32:
            raise ValueError("stems are float32")

    def __len__(self) -> int:
        return len(self.voice)
