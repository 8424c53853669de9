"""Sound in chunks at fixed places, so that a measurement does not depend on how it was cut."""

from __future__ import annotations

import numpy as np

from nlecompanion.model import Samples


class Chunks:
    """Sound regrouped into chunks of `chunk_samples`, given as float32 (channels, samples)."""

    def __init__(self, chunk_samples: int, channels: int) -> None:
        self._held: Samples = np.zeros((chunk_samples, channels), np.float32)
        self._filled = 0

    def push(self, block: Samples) -> list[Samples]:
        """The chunks that the block completes."""
        done = []
        position = 0
        while position < len(block):
            count = min(len(block) - position, len(self._held) - self._filled)
            self._held[self._filled : self._filled + count] = block[position : position + count]
            self._filled += count
            position += count
            if self._filled == len(self._held):
                done.append(self._held.T.copy())
                self._filled = 0
        return done

    def rest(self) -> Samples | None:
        """What is left at the end, None where nothing is."""
        if not self._filled:
            return None
        rest = self._held[: self._filled].T.copy()
        self._filled = 0
        return rest
