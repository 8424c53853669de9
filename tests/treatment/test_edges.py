"""Fades live in the handles: what the timeline plays is not touched."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from testkit.model import media, use

from nlecompanion.model import Region, Span, Use
from nlecompanion.timeline.regions import plan_regions
from nlecompanion.treatment.edges import apply_edges, joined_ends, plan_edges

FADE_S = 0.005


def region(one: Use, handles_s: float = 2) -> Region:
    (made,) = plan_regions([one], {one.media_url: media()}, Fraction(handles_s), 48_000)
    return made


def faded(
    of: Region, block_samples: int = 10_000, joined: tuple[bool, bool] = (True, True)
) -> np.ndarray:
    edges = plan_edges(of, FADE_S, joined)
    ones = np.ones((of.length_samples, 2), np.float32)
    blocks = [
        apply_edges(ones[i : i + block_samples], i, edges)
        for i in range(0, len(ones), block_samples)
    ]
    return np.concatenate(blocks)


def test_a_region_in_the_middle_fades_at_both_ends_within_its_handles() -> None:
    of = region(use(start_s=10))
    gains = faded(of)
    used = gains[2 * 48_000 : -2 * 48_000]
    assert (used == 1).all()
    assert gains[0, 0] == 0
    assert gains[-1, 0] == 0
    assert (np.diff(gains[:240, 0]) >= 0).all()
    assert (gains[240 : len(gains) - 240] == 1).all()


@pytest.mark.parametrize(("start_s", "end"), [(0, 0), (96, -1)])
def test_the_recordings_own_edge_stays_where_something_joins(start_s: float, end: int) -> None:
    assert faded(region(use(start_s=start_s)))[end, 0] == 1


def test_without_handles_there_is_no_fade_where_something_joins() -> None:
    assert (faded(region(use(start_s=10), handles_s=0)) == 1).all()


@pytest.mark.parametrize("start_s", [0, 10, 96])
@pytest.mark.parametrize("handles_s", [0, 0.002, 2])
def test_a_file_that_nothing_joins_begins_and_ends_in_silence(
    start_s: float, handles_s: float
) -> None:
    gains = faded(region(use(start_s=start_s), handles_s), joined=(False, False))
    assert abs(gains[[0, -1]]).max() < 1e-3  # -60 dBFS at full scale
    assert (gains[240:-240] == 1).all()


@pytest.mark.parametrize(
    ("neighbours", "expected"),
    [
        ([], (False, False)),
        ([use(2, start_s=14)], (False, True)),
        ([use(2, start_s=6), use(3, start_s=14)], (True, True)),
        ([use(2, start_s=14, track="A2", track_number=2)], (False, False)),
        ([use(2, start_s=14.04)], (False, False)),
    ],
)
def test_what_stands_next_to_a_clip_is_seen(
    neighbours: list[Use], expected: tuple[bool, bool]
) -> None:
    own = use(start_s=10)
    assert joined_ends(region(own), [own, *neighbours]) == expected


def test_a_transition_continues_the_sound() -> None:
    own = use(start_s=10, tail_s=Fraction(1, 2))
    assert joined_ends(region(own), [own]) == (False, True)


def test_neighbours_whose_source_goes_on_lie_in_one_file_without_a_join() -> None:
    uses = [use(1, start_s=10), use(2, start_s=14), use(3, start_s=18.5)]
    (made,) = plan_regions(uses, {uses[0].media_url: media()}, Fraction(0), 48_000)[:1]
    assert [one.id for one in made.uses] == [uses[0].id, uses[1].id]
    join = 4 * 48_000
    assert (faded(made, joined=joined_ends(made, uses))[join - 480 : join + 480] == 1).all()


def test_no_hole_is_torn_where_two_files_of_one_source_meet() -> None:
    """Two cuts of one scene, next to each other: all of both plays in full up to the cut."""
    earlier = use(1, start_s=10)
    later = replace(use(2, start_s=60), record=Span(earlier.record.end_s, Fraction(4)))
    uses = [earlier, later]
    regions = plan_regions(uses, {earlier.media_url: media()}, Fraction(1, 1000), 48_000)
    assert len(regions) == 2
    for made, own in zip(regions, uses, strict=True):
        gains = faded(made, joined=joined_ends(made, uses))
        first = int(own.source.start_s * 48_000) - made.start_sample
        played = gains[first : first + int(own.source.duration_s * 48_000)]
        cut = played[-480:] if own is earlier else played[:480]
        assert (cut == 1).all()


def test_a_file_shorter_than_two_fades_is_still_faded() -> None:
    short = region(use(start_s=10, duration_s=0.006), handles_s=0)
    gains = faded(short, joined=(False, False))
    assert gains[0, 0] == 0
    assert gains[-1, 0] == 0
    assert gains.max() > 0.9


@pytest.mark.parametrize("block_samples", [1, 77, 48_000])
def test_blocks_do_not_matter(block_samples: int) -> None:
    of = region(use(start_s=10, duration_s=0.5), handles_s=0.01)
    assert np.array_equal(faded(of, block_samples), faded(of, 10**9))
