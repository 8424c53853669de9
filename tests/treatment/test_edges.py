"""Fades live in the handles: what the timeline plays is not touched."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from testkit.model import media, use

from nlecompanion.model import Region, Use
from nlecompanion.timeline.regions import plan_regions
from nlecompanion.treatment.edges import apply_edges, plan_edges

FADE_S = 0.005


def region(one: Use, handles_s: float = 2) -> Region:
    (made,) = plan_regions([one], {one.media_url: media()}, Fraction(handles_s), 48_000)
    return made


def faded(of: Region, block_samples: int = 10_000) -> np.ndarray:
    edges = plan_edges(of, FADE_S)
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
def test_the_recordings_own_edge_stays(start_s: float, end: int) -> None:
    assert faded(region(use(start_s=start_s)))[end, 0] == 1


def test_without_handles_there_is_no_fade() -> None:
    assert (faded(region(use(start_s=10), handles_s=0)) == 1).all()


@pytest.mark.parametrize("block_samples", [1, 77, 48_000])
def test_blocks_do_not_matter(block_samples: int) -> None:
    of = region(use(start_s=10, duration_s=0.5), handles_s=0.01)
    assert np.array_equal(faded(of, block_samples), faded(of, 10**9))
