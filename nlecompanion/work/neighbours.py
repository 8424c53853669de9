"""The floor of the clips beside a region's own on the timeline, as the ear compares it at the cut.

It is told from what was heard before anything is split, so that it does not depend on the order in
which the regions are worked on, nor on what becomes of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np

from nlecompanion.diagnosis.diagnose import window_within
from nlecompanion.diagnosis.levels import hops_of
from nlecompanion.diagnosis.moments import Track
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.model import Region, Span, Use
from nlecompanion.settings import Profile
from nlecompanion.units import db_from_power

#: Clips further apart than this are not compared by anyone.
BESIDE_S = Fraction(1)
#: Fewer hops of 20 ms with speech or without show no level.
_LEAST_HOPS = 10


def neighbour_floors_db(
    heard: Sequence[tuple[Region, Track]], profile: Profile
) -> Mapping[str, float]:
    """By region id: the highest floor of the clips beside its own, under their voice, whole dB.

    `heard` are the regions with their mixtures' tracks. A neighbour counts as it will be left: kept
    where its voice stands out enough, else with the least intensity that is given to any. Regions
    without a neighbour, or whose neighbours show no floor, are missing.
    """
    floors = [
        (use, region.id, floor_db)
        for region, track in heard
        for use in region.uses
        if (floor_db := _floor_db(use, region, track, profile)) is not None
    ]
    found: dict[str, float] = {}
    for region, _ in heard:
        beside = [
            floor_db
            for use, owner, floor_db in floors
            if owner != region.id and any(_is_beside(use, own) for own in region.uses)
        ]
        if beside:
            found[region.id] = float(round(max(beside)))
    return found


def _floor_db(use: Use, region: Region, track: Track, profile: Profile) -> float | None:
    """The use's floor in gaps under its speech, as it will be."""
    window = window_within(use, region)
    speech = [Span(s.start_s + window.start_s, s.duration_s)
              for s in clip_spans(track.speech, window)]  # fmt: skip
    speaking = hops_of(speech, track.powers.size)
    silent = hops_of([window], track.powers.size) & ~speaking
    if min(int(speaking.sum()), int(silent.sum())) < _LEAST_HOPS:
        return None
    voice = float(track.powers[speaking].mean())
    floor = float(np.median(track.powers[silent]))
    if voice <= 0 or floor <= 0:
        return None
    floor_db = db_from_power(floor) - db_from_power(voice)
    return floor_db if -floor_db >= profile.keep_sbr_db else floor_db - profile.min_intensity_db


def _is_beside(use: Use, other: Use) -> bool:
    if (use.track_number, use.track) != (other.track_number, other.track):
        return False
    gap_s = max(use.record.start_s - other.record.end_s, other.record.start_s - use.record.end_s)
    return gap_s <= BESIDE_S
