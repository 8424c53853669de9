"""Nested sequences: one sound inside is worked on, everything else is refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from testkit.fcp7xml import Clip, Media, Track
from testkit.fcp7xml_conform import Conformed
from testkit.fcp7xml_nested import RATE, nested_xml, shown

from nlecompanion.model import Reason, Span

FILM = Media(Path("/media/film.mov"), RATE, 9000, start_frame=1000)
SLOW = Media(Path("/media/slow.mov"), Fraction(24_000, 1001), 9000)
TALK = Clip(FILM, 100, 200, 700)


def conform(folder: Path, outer: Clip, *inner: Clip, **track: object) -> Conformed:
    tracks = (Track((outer,)), Track((Clip(FILM, 0, 50, 10),)))
    inside = Track(inner)
    return Conformed(folder, nested_xml(tracks, (replace(inside, **track),)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("outer", "record", "source_in"),
    [
        (shown(500, 900, 0), (600, 700), 700),  # the whole nested sequence
        (shown(500, 560, 120), (500, 560), 720),  # a window inside the sound
        (shown(500, 560, 80), (520, 560), 700),  # it begins in the window
        (shown(500, 560, 180), (500, 520), 780),  # it ends in the window
    ],
)
def test_the_one_sound_inside_is_a_use(
    tmp_path: Path, outer: Clip, record: tuple[int, int], source_in: int
) -> None:
    done = conform(tmp_path, outer, TALK)
    use = done.uses[0]
    assert use.left_alone is None
    start, end = record
    assert use.record == Span(Fraction(start, 25), Fraction(end - start, 25))
    assert use.source.start_s == Fraction(source_in, 25)
    assert use.media_start_s == Fraction(1000, 25)
    assert use.channels == (0, 1)
    assert len(use.addresses) == 2


def test_the_clean_clip_stands_in_the_outer_sequence(tmp_path: Path) -> None:
    done = conform(tmp_path, shown(500, 560, 120), TALK)
    done.check_undo()
    clean = next(use for use in done.clean_uses() if use.record.start_s == 20)
    assert clean.record == Span(Fraction(20), Fraction(60, 25))
    # 1000 frames of the film's clock, 700 of its own in, 20 that the window cuts away.
    assert (clean.media_start_s or 0) + clean.source.start_s == Fraction(1720, 25)
    off = [c for c in done.plan.disable if c.startswith(("A1/", "A2/"))]
    assert len(off) == 2
    assert all(len(list(track.iter("clipitem"))) for track in done.tracks)


def test_a_second_reading_sees_it_disabled_in_the_same_place(tmp_path: Path) -> None:
    done = conform(tmp_path, shown(500, 900, 0), TALK)
    (again, *_), before = Conformed(tmp_path, done.delivered).uses, done.uses[0]
    assert again.left_alone is not None
    assert again.left_alone.reason is Reason.DISABLED
    assert (again.record, again.source, again.channels) == (
        before.record,
        before.source,
        before.channels,
    )


@pytest.mark.parametrize(
    ("inner", "words"),
    [
        ((TALK, Clip(FILM, 300, 400, 50)), "with 2 sounds"),
        ((replace(TALK, speed_percent=50.0),), "left alone (retimed"),
        ((Clip(SLOW, 100, 200, 700),), "does not fall on a frame"),
    ],
)
def test_what_cannot_be_exact_is_refused_with_a_sentence(
    tmp_path: Path, inner: tuple[Clip, ...], words: str
) -> None:
    use = conform(tmp_path, shown(500, 903, 101), *inner).uses[0]
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.NESTED
    assert words in use.left_alone.detail
    assert use.left_alone.detail.endswith("export the nested sequence by itself.")


def test_sound_that_is_off_inside_does_not_count(tmp_path: Path) -> None:
    other = Clip(FILM, 300, 400, 50, enabled=False)
    assert conform(tmp_path, shown(500, 900, 0), TALK, other).uses[0].left_alone is None


def test_a_nested_sequence_that_is_silent_is_left_alone_without_a_fuss(tmp_path: Path) -> None:
    for off in (conform(tmp_path, shown(500, 560, 300), TALK),):
        assert off.uses[0].left_alone is not None
        assert off.uses[0].left_alone.reason is Reason.NO_SPEECH
    muted = conform(tmp_path, shown(500, 900, 0), TALK, enabled=False).uses[0]
    assert muted.left_alone is not None
    assert muted.left_alone.reason is Reason.NO_SPEECH


def test_a_disabled_nested_clip_stays_disabled(tmp_path: Path) -> None:
    use = conform(tmp_path, shown(500, 900, 0, enabled=False), TALK).uses[0]
    assert use.left_alone is not None
    assert use.left_alone.reason is Reason.DISABLED
    assert use.record.start_s == 24


def test_another_frame_rate_inside_is_refused(tmp_path: Path) -> None:
    slow = Clip(SLOW, 100, 200, 700)
    data = nested_xml((Track((shown(500, 900, 0),)),), (Track((slow,)),), SLOW.rate)
    use = Conformed(tmp_path, data).uses[0]
    assert use.left_alone is not None
    assert "frame rate of its own" in use.left_alone.detail
