"""Which lines mains hum has, to 0.1 Hz: what a notch must know and a diagnosis need not."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.spectra import FrameStream, power_of
from nlecompanion.model import Samples

#: Frames of about this: lines stand 1 Hz clear of what a voice leaves between them.
_FRAME_S = 2.73
_TOP_HZ = 1000.0
_AROUND_HZ = 8.0
_LOBE_HZ = 1.1
#: Mains are held to 1 % (EN 50160, 4.2.1); a diagnosis names them to 0.1 Hz.
_TOLERANCE_HZ = 0.15
_FLOOR_POWER = 1e-14
_MOST_ORDERS = 16


class HumLineMeter:
    """Mean logarithmic spectrum of a signal up to 1 kHz; memory does not grow.

    Over time a steady line keeps its level in the mean of logarithms, while what comes and goes,
    a voice or music, nearly vanishes from it.
    """

    def __init__(self, rate_hz: int, channels: int) -> None:
        frame = 1 << round(math.log2(_FRAME_S * rate_hz))
        self._stream = FrameStream(frame, frame // 2, channels)
        self._bin_hz = rate_hz / frame
        self._bins = min(frame // 2, round((_TOP_HZ + _AROUND_HZ) / self._bin_hz))
        self._sum = np.zeros(self._bins)
        self._frames = 0

    def push(self, block: Samples) -> None:
        """Takes the next block, float32 of shape (samples, channels)."""
        for spectra in self._stream.push(block):
            mean = power_of(spectra[:, :, : self._bins]).mean(axis=1, dtype=np.float64)
            for frame in mean:
                self._sum += np.log10(frame + _FLOOR_POWER)
            self._frames += len(mean)

    def finish(self, hum_hz: float | None) -> tuple[float | None, tuple[tuple[int, float], ...]]:
        """The exact fundamental near `hum_hz`, and (order, dB over the neighbours) of each line.

        Nothing where `hum_hz` is None or the sound is shorter than a frame.
        """
        if hum_hz is None or not self._frames:
            return hum_hz, ()
        level_db = 10 * self._sum / self._frames
        found = [_line(level_db, order * hum_hz, self._bin_hz) for order in range(1, _MOST_ORDERS)]
        orders = np.arange(1, _MOST_ORDERS)
        over_db = np.array([over for _, over in found])
        clear = over_db > 10
        exact_hz = hum_hz
        if clear.any():
            places = np.array([place for place, _ in found])[clear]
            # Higher orders tell the fundamental more finely.
            exact_hz = float(np.sum(places * orders[clear]) / np.sum(orders[clear] ** 2.0))
        return exact_hz, tuple(
            (int(order), float(over))
            for order, over in zip(orders, over_db, strict=True)
            if over > 0
        )


def _line(level_db: NDArray[np.float64], frequency_hz: float, bin_hz: float) -> tuple[float, float]:
    """Where the line near that frequency lies, and how far it stands over what is around it."""
    reach = max(1, round((_TOLERANCE_HZ + 0.005 * frequency_hz) / bin_hz))
    around = round(_AROUND_HZ / bin_hz)
    centre = round(frequency_hz / bin_hz)
    if centre - around < 1 or centre + around >= len(level_db):
        return frequency_hz, 0.0
    top = centre - reach + int(np.argmax(level_db[centre - reach : centre + reach + 1]))
    left, own, right = level_db[top - 1 : top + 2]
    bend = left - 2 * own + right
    place = (top + (np.clip((left - right) / (2 * bend), -0.5, 0.5) if bend < 0 else 0)) * bin_hz
    near = level_db[centre - around : centre + around + 1]
    distance_hz = np.abs(np.arange(-around, around + 1) + centre - top) * bin_hz
    floor_db = float(np.median(near[distance_hz > _LOBE_HZ]))
    return float(place), max(0.0, float(own) - floor_db)
