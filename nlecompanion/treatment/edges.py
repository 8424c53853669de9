"""Fades where a cleaned file begins and ends: in its handles, and else only where nothing joins.

Cuts between clips are the editor's: a file serves all uses of its stretch, so nothing is baked in
where one of them ends, and what stood next to each other stays next to each other. Treatment itself
is continuous within a file and makes no discontinuity of its own.

Neighbours whose source goes on always lie in one file (`plan_regions`): there is no join. Where two
files of one source meet, their sounds lie apart in the recording; neither plays beyond the cut, so
a cross-fade between them could only be a transition on the timeline, which is the editor's to lay.
What keeps such a cut quiet is that both carry the tone of their place, at one level.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from nlecompanion.model import Region, Samples, Use


@dataclass(frozen=True, slots=True)
class Edges:
    """Fade lengths in samples at the first and last sample of a region of `length_samples`."""

    length_samples: int
    fade_in_samples: int
    fade_out_samples: int


def joined_ends(region: Region, uses: Iterable[Use]) -> tuple[bool, bool]:
    """Whether another clip stands next to what plays the region's first and its last sound.

    `uses` are all of the timeline. What follows on without a gap on the same track continues the
    sound (or is a cut that the editor chose); a fade would tear a hole.
    """
    every = [(use.track_number, use.track, use.record) for use in uses]
    ends = {(number, track, record.end_s) for number, track, record in every}
    starts = {(number, track, record.start_s) for number, track, record in every}
    first = min(use.source.start_s - use.lead_s for use in region.uses)
    last = max(use.source.end_s + use.tail_s for use in region.uses)
    return (
        any(
            (use.track_number, use.track, use.record.start_s) in ends or use.lead_s > 0
            for use in region.uses
            if use.source.start_s - use.lead_s == first
        ),
        any(
            (use.track_number, use.track, use.record.end_s) in starts or use.tail_s > 0
            for use in region.uses
            if use.source.end_s + use.tail_s == last
        ),
    )


def plan_edges(region: Region, fade_s: float, joined: tuple[bool, bool] = (True, True)) -> Edges:
    """Fades of at most `fade_s` at the file's first and last sample.

    A file's ends are cut out of the middle of a recording, which is the only discontinuity that we
    make; the fade lies in the handle. Where the handle is too short, or the region begins or ends
    with its media, the fade reaches into what the timeline plays only if nothing is `joined` to
    that end (`joined_ends`).
    """
    rate_hz = region.rate_hz
    first = min(math.floor((u.source.start_s - u.lead_s) * rate_hz) for u in region.uses)
    last = max(math.ceil((u.source.end_s + u.tail_s) * rate_hz) for u in region.uses)
    wanted = min(round(fade_s * rate_hz), region.length_samples // 2)
    before = first - region.start_sample if region.start_sample > 0 else 0
    at_media_end = region.end_sample >= region.media.duration_s * rate_hz
    after = 0 if at_media_end else region.end_sample - last
    return Edges(
        length_samples=region.length_samples,
        fade_in_samples=_fade(wanted, before, joined[0]),
        fade_out_samples=_fade(wanted, after, joined[1]),
    )


def _fade(wanted_samples: int, handle_samples: int, joined: bool) -> int:
    return max(0, min(wanted_samples, handle_samples)) if joined else wanted_samples


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
