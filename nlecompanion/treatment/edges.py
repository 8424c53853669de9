"""Fades where a cleaned file begins and ends, inside its handles only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlecompanion.model import Region, Samples


@dataclass(frozen=True, slots=True)
class Edges:
    """Fade lengths in samples at the first and last sample of a region of `length_samples`."""

    length_samples: int
    fade_in_samples: int
    fade_out_samples: int


def plan_edges(region: Region, fade_s: float) -> Edges:
    """Fades of at most `fade_s`, never reaching into what the timeline plays.

    The region's ends are cut out of the middle of a recording, which is the only discontinuity
    that we make; the ends of uses are not touched, for the next clip may continue there. Where
    the region begins or ends with its media, the recording's own edge stays.
    """
    rate_hz = region.rate_hz
    first = min(math.floor((u.source.start_s - u.lead_s) * rate_hz) for u in region.uses)
    last = max(math.ceil((u.source.end_s + u.tail_s) * rate_hz) for u in region.uses)
    wanted = round(fade_s * rate_hz)
    at_media_end = region.end_sample >= region.media.duration_s * rate_hz
    return Edges(
        length_samples=region.length_samples,
        fade_in_samples=max(0, min(wanted, first - region.start_sample))
        if region.start_sample > 0
        else 0,
        fade_out_samples=0 if at_media_end else max(0, min(wanted, region.end_sample - last)),
    )


def apply_edges(block: Samples, position: int, edges: Edges) -> Samples:
    """The block that begins at sample `position` of the region, faded where an edge lies in it."""
    end = position + len(block)
    tail_start = edges.length_samples - edges.fade_out_samples
    if position >= edges.fade_in_samples and end <= tail_start:
        return block
    index = np.arange(position, end)
    gain = np.ones(len(block), np.float32)
    if edges.fade_in_samples:
        gain *= _raised(index / edges.fade_in_samples)
    if edges.fade_out_samples:
        gain *= _raised((edges.length_samples - 1 - index) / edges.fade_out_samples)
    return block * gain[:, None]


def _raised(position: np.ndarray | Sequence[float]) -> np.ndarray:
    """Raised cosine from 0 to 1."""
    return (0.5 - 0.5 * np.cos(np.pi * np.clip(position, 0, 1))).astype(np.float32)
