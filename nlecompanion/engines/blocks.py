"""Splits regions of any length in constant memory, without seams.

The region is cut into blocks at multiples of the engine's `block_samples`. Each block is split with
its context on either side; the voices of neighbours are joined by a linear (equal-gain) crossfade
centred on the border: both are estimates of the same voice, so they are coherent, and gains that
sum to one keep their level. The background is what the joined voice leaves of the take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nlecompanion.engines.contract import Engine, Geometry
from nlecompanion.engines.guards import require_finite, require_kept_promise, split_of
from nlecompanion.errors import EngineError
from nlecompanion.model import Samples, Split, Take

#: Gives samples [start, end) of a region: float32 of shape (end - start, channels).
Read = Callable[[int, int], Samples]


def split_blocks(
    engine: Engine, read: Read, length_samples: int, rate_hz: int, channels: int
) -> Iterator[Split]:
    """Consecutive splits that cover exactly `length_samples`, about a block each.

    `read(start, end)` is asked for every sample once, in order, so it may be a stream. A block
    that is silent together with its context is silent in both parts; the engine is not called.

    Raises:
        EngineError: NaN or infinite input, a reader that gives another shape, or an engine that
            fails or breaks its promises.
    """
    geometry = engine.geometry(rate_hz, channels)
    _check(engine.info.name, geometry)
    window = _Window(read, rate_hz, channels)
    fade = geometry.fade_samples
    tail: Samples | None = None
    for start in range(0, length_samples, geometry.block_samples):
        end = min(start + geometry.block_samples, length_samples)
        low = max(0, start - geometry.context_samples)
        high = min(length_samples, end + geometry.context_samples)
        take = Take(window.samples(low, high), rate_hz)
        voice = _voice(engine, take, low)
        first = start - fade // 2 if start else 0
        last = end - fade // 2 if end < length_samples else end
        part = voice[first - low : last - low].copy()
        if tail is not None and fade:
            # A last block may end before the fade does; the tail is as short then.
            part[: len(tail)] = _crossfade(tail, part[: len(tail)], fade)
        tail = voice[last - low : last - low + fade].copy()
        yield split_of(part, Take(take.samples[first - low : last - low], rate_hz))


def _check(name: str, geometry: Geometry) -> None:
    fade, context = geometry.fade_samples, geometry.context_samples
    if not 0 <= fade <= min(context, geometry.block_samples) or geometry.block_samples < 1:
        raise EngineError(
            f"The engine {name!r} asks for blocks of {geometry.block_samples} samples with "
            f"{context} of context and fades of {fade}; a fade must fit into both."
        )


def _voice(engine: Engine, take: Take, low: int) -> Samples:
    if not take.samples.any():
        return np.zeros_like(take.samples)
    name = engine.info.name
    try:
        split = engine.split(take)
    except EngineError:
        raise
    except Exception as error:
        # Engines are plug-ins: whatever one raises must not end the uses that come after.
        raise EngineError(
            f"The engine {name!r} failed on samples {low} to {low + len(take.samples)}: "
            f"{type(error).__name__}: {error}. Use another engine, for example dsp."
        ) from error
    require_kept_promise(name, take, split, low)
    return split.voice.samples


def _crossfade(old: Samples, new: Samples, fade_samples: int) -> Samples:
    """From `old` to `new`, sampled at the middle of each step so that it is symmetric."""
    ramp = (np.arange(len(old), dtype=np.float32) + np.float32(0.5)) / np.float32(fade_samples)
    joined: Samples = old + ramp[:, None] * (new - old)
    return joined


class _Window:
    """A sliding view of the region that reads each sample once."""

    def __init__(self, read: Read, rate_hz: int, channels: int) -> None:
        self._read = read
        self._rate_hz = rate_hz
        self._held: Samples = np.zeros((0, channels), np.float32)
        self._start = 0

    def samples(self, low: int, high: int) -> Samples:
        """Samples [low, high); `low` and `high` never go back."""
        kept = self._held[low - self._start :]
        end = low + len(kept)
        fresh = np.asarray(self._read(end, high), np.float32) if high > end else kept[:0]
        if fresh.shape != (high - end, kept.shape[1]):
            raise EngineError(
                f"The sound's reader gave {fresh.shape} for samples {end} to {high} of "
                f"{kept.shape[1]} channel(s). The media may have changed; run again."
            )
        require_finite(fresh, self._rate_hz, end)
        self._held = np.concatenate([kept, fresh])
        self._start = low
        return self._held
