"""Filters for a sound of any length, by starting the network afresh every ten seconds.

The network's recurrent layers remember for long (measured: after 14 s of context the voice still
differs from that of the whole by -28 to -50 dB), so no bearable context makes a block agree with
the whole, and the graphs neither take nor give their state. But what it remembers is worth little:
started afresh 3 s before a stretch it gives 0.08 dB less SI-SDR there than with 16 s of history. So
the stretches are part of the method: they lie on a fixed grid, and each depends on its own
surroundings only. It also bounds the memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nlecompanion.engines.deepfilternet.features import (
    BANDS,
    FILTERED_BINS,
    LOOKAHEAD_FRAMES,
    Spectra,
)
from nlecompanion.engines.deepfilternet.graphs import TAPS, Filters, Graphs

#: From one stretch to the next. Takes begin on this grid: see the engine's geometry.
SEGMENT_FRAMES = 1_000
#: Frames that the network hears before a stretch.
_WARM_UP_FRAMES = 300
#: A stretch takes over from the one before it over this long …
_FADE_FRAMES = 20
#: … and alone this long before its own begin, so that resampling there hears nothing of the other.
_SETTLED_FRAMES = 4
#: Channels whose difference is ten times as strong as their sum have opposite polarity.
_OPPOSITE = 10.0


def filters_of(graphs: Graphs, channels: list[Spectra]) -> Filters:
    """Filters for one or two channels alike: spectra of shape (frames, 481) each."""
    count = len(channels[0])
    whole = Filters(
        np.zeros((count, BANDS), np.float32),
        np.zeros((count, FILTERED_BINS, TAPS), np.complex64),
    )
    for start in range(0, count, SEGMENT_FRAMES):
        end = min(count, start + SEGMENT_FRAMES)
        low = max(0, start - _WARM_UP_FRAMES)
        heard = _heard([one[low : end + LOOKAHEAD_FRAMES] for one in channels])
        found = graphs.filters(heard)
        _join(whole.gains, found.gains, low, start, end)
        _join(whole.taps, found.taps, low, start, end)
    return whole


def _heard(channels: list[Spectra]) -> Spectra:
    """What the network listens to: the mean, or the difference where it would cancel the voice."""
    if len(channels) == 1:
        return channels[0]
    left, right = channels
    mean: Spectra = (left + right) * np.float32(0.5)
    difference: Spectra = (left - right) * np.float32(0.5)
    opposite = np.vdot(difference, difference).real > _OPPOSITE * np.vdot(mean, mean).real
    return difference if opposite else mean


def _join(whole: NDArray[Any], found: NDArray[Any], low: int, start: int, end: int) -> None:
    """Puts the stretch [start, end) of `found`, whose rows begin at `low`, into `whole`."""
    if start:
        alone = start - _SETTLED_FRAMES
        fade = slice(alone - _FADE_FRAMES, alone)
        rising = (np.arange(_FADE_FRAMES, dtype=np.float32) + np.float32(0.5)) / _FADE_FRAMES
        rising = rising.reshape(-1, *(1,) * (whole.ndim - 1))
        whole[fade] += rising * (found[fade.start - low : alone - low] - whole[fade])
        start = alone
    whole[start:end] = found[start - low : end - low]
