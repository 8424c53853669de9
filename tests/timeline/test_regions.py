"""Uses become regions: handles, merging, frame grids, and what a file cannot serve."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testkit.model import media, use

from nlecompanion.model import LeftAlone, Reason, Use
from nlecompanion.timeline.regions import plan_regions, settle

HANDLES_S = Fraction(2)
URL = use().media_url


def test_handles_are_added_and_clamped_to_the_file() -> None:
    regions = plan_regions(
        [use(1, start_s=1), use(2, start_s=95)], {URL: media()}, HANDLES_S, 48_000
    )
    assert [(r.start_sample, r.end_sample) for r in regions] == [
        (0, 7 * 48_000),
        (93 * 48_000, 100 * 48_000),
    ]


def test_uses_that_touch_share_a_region_and_others_do_not() -> None:
    regions = plan_regions([use(1, 10), use(2, 17), use(3, 60)], {URL: media()}, HANDLES_S, 48_000)
    assert [[u.id for u in r.uses] for r in regions] == [["A1-001", "A1-002"], ["A1-003"]]


def test_other_channels_are_another_region() -> None:
    regions = plan_regions([use(1), use(2, channels=(0,))], {URL: media()}, HANDLES_S, 48_000)
    assert sorted(r.channels for r in regions) == [(0,), (0, 1)]


def test_two_starts_of_one_path_stay_apart() -> None:
    regions = plan_regions(
        [use(1), use(2, media_start_s=Fraction(0))], {URL: media()}, HANDLES_S, 48_000
    )
    assert [r.media_start_s for r in regions] == [3600, 0]
    assert regions[0].id != regions[1].id


@given(
    st.sampled_from([Fraction(24000, 1001), Fraction(30000, 1001), Fraction(60000, 1001), 24, 25]),
    st.integers(0, 2000),
    st.sampled_from([44_100, 48_000, 96_000]),
)
def test_the_cleaned_in_point_is_a_whole_frame(rate: Fraction, in_frame: int, rate_hz: int) -> None:
    rate = Fraction(rate)
    wanted = use(1, frame_rate=rate)
    span = type(wanted.source)(in_frame / rate, 50 / rate)
    wanted = use(1, frame_rate=rate, source=span)
    (region,) = plan_regions([wanted], {URL: media(1000)}, HANDLES_S, rate_hz)
    in_frames = (span.start_s - Fraction(region.start_sample, rate_hz)) * rate
    assert in_frames.denominator == 1
    assert in_frames >= 0
    covered_s = Fraction(region.end_sample, rate_hz)
    assert covered_s >= min(Fraction(1000), span.end_s)


def test_transitions_count_as_used() -> None:
    (region,) = plan_regions(
        [use(1, lead_s=Fraction(1), tail_s=Fraction(3))], {URL: media()}, HANDLES_S, 48_000
    )
    assert (region.start_sample, region.end_sample) == (7 * 48_000, 19 * 48_000)


def test_left_alone_uses_make_no_region() -> None:
    left = use(1, left_alone=LeftAlone(Reason.RETIMED))
    assert plan_regions([left], {URL: media()}, HANDLES_S, 48_000) == ()


@pytest.mark.parametrize(
    ("wanted", "reason"),
    [
        (use(start_s=98), Reason.MEDIA_TOO_SHORT),
        (use(start_s=-1), Reason.MEDIA_TOO_SHORT),
        (use(channels=(2, 3)), Reason.NO_AUDIO),
    ],
)
def test_what_the_file_cannot_serve_is_said(wanted: Use, reason: Reason) -> None:
    settled = settle(wanted, media())
    assert settled.left_alone is not None
    assert settled.left_alone.reason is reason
    assert settled.left_alone.detail


def test_a_frame_more_than_the_file_holds_is_rounding() -> None:
    assert settle(use(start_s=96, duration_s=4.03), media()).left_alone is None


def test_our_own_files_are_not_cleaned_again() -> None:
    settled = settle(use(), media(cleaned_by_us=True))
    assert settled.left_alone is not None
    assert settled.left_alone.reason is Reason.ALREADY_CLEANED


def test_a_document_without_start_counts_from_zero_or_from_timecode() -> None:
    from_zero = settle(use(start_s=10, media_start_s=None), media())
    from_timecode = settle(use(start_s=3610, media_start_s=None), media())
    assert from_zero.source == from_timecode.source
    assert from_zero.media_start_s == from_timecode.media_start_s == 3600


def test_no_channels_means_all_of_the_first_stream() -> None:
    assert settle(use(channels=None), media(channels=6)).channels == (0, 1, 2, 3, 4, 5)


def test_a_list_that_counts_timecode_is_read_on_the_medias_clock() -> None:
    # From zero the range would fit as well, and be the wrong sound.
    late = media(start_timecode_s=Fraction(10))
    wanted = use(start_s=15, media_start_s=None, counts_timecode=True)
    settled = settle(wanted, late)
    assert settled.source.start_s == 5
    assert settled.media_start_s == 10


def test_a_list_at_another_rate_than_its_media_is_not_guessed_at() -> None:
    counts: dict[str, Any] = {"media_start_s": None, "counts_timecode": True}
    counts["rate_is_guessed"] = True
    wanted = use(start_s=3615, frame_rate=Fraction(24), **counts)
    settled = settle(wanted, media())
    assert settled.left_alone is not None
    assert settled.left_alone.reason is Reason.UNSUPPORTED
    assert "FPS: 25" in settled.left_alone.detail
