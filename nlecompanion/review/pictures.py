"""What is drawn of a use's sound: peaks every 10 ms and a spectrogram, before and as delivered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlecompanion.delivery.report.pictures import spectrogram_db, spectrogram_png
from nlecompanion.model import Samples
from nlecompanion.work.listening_types import Listening, Rung, mixed

PEAKS_HZ = 100
_FULL = 127


def peaks(blocks: Iterable[Samples], rate_hz: int, length_samples: int) -> NDArray[np.int8]:
    """Lowest and highest sample of all channels every 10 ms: int8 of shape (points, 2), 127 = full
    scale; the last point over what there is.
    """
    hop = max(1, rate_hz // PEAKS_HZ)
    points = -(-length_samples // hop)
    lowest, highest = np.full(points, np.inf), np.full(points, -np.inf)
    position = 0
    for block in blocks:
        first = position // hop
        starts = np.arange(first, -(-(position + len(block)) // hop)) * hop - position
        edges = np.maximum(starts, 0)
        here = slice(first, first + len(edges))
        low = np.minimum.reduceat(block.min(axis=1), edges)
        high = np.maximum.reduceat(block.max(axis=1), edges)
        lowest[here] = np.minimum(lowest[here], low)
        highest[here] = np.maximum(highest[here], high)
        position += len(block)
    both = np.stack([lowest, highest], axis=1)
    scaled: NDArray[np.int8] = np.clip(np.rint(both * _FULL), -_FULL, _FULL).astype(np.int8)
    return scaled


def rendered(rung: Rung, folder: Path, rate_hz: int) -> Iterator[Samples]:
    """The rung as it would be delivered, but for limited peaks."""
    factors = None
    if rung.ride is not None:
        factors = np.frombuffer((folder / rung.ride).read_bytes(), "<f4")
    position = 0
    for block in mixed(rung, folder):
        dry = block.dry
        if factors is not None:
            places = (position + np.arange(len(dry))) * PEAKS_HZ / rate_hz
            gains = np.interp(places, np.arange(factors.size), factors)
            dry = dry * gains.astype(np.float32)[:, None]
        yield dry + block.tone
        position += len(block.dry)


def draw(listening: Listening, rung: Rung, folder: Path, name: str) -> None:
    """Writes `peaks-NAME.bin`, `before-NAME.png` and `after-NAME.png` for that rung."""
    import soundfile

    rate_hz, length = listening.rate_hz, listening.length_samples
    original, _ = soundfile.read(folder / listening.original, dtype="float32", always_2d=True)
    before = np.asarray(original, np.float32)
    after = np.concatenate(list(rendered(rung, folder, rate_hz)))
    lines = [peaks([sound], rate_hz, length).tobytes() for sound in (before, after)]
    (folder / f"peaks-{name}.bin").write_bytes(b"".join(lines))
    levels = [spectrogram_db(sound, rate_hz) for sound in (before, after)]
    loudest_db = max(float(level.max()) for level in levels)
    for side, level in zip(("before", "after"), levels, strict=True):
        (folder / f"{side}-{name}.png").write_bytes(spectrogram_png(level, loudest_db))
