"""Random cuts in both dialects: whatever an editor cuts, the conform keeps it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from testkit.fcp7xml import Clip, Media, Track, premiere_xml, resolve_xml
from testkit.fcp7xml_conform import Writer, conform

from nlecompanion.model import Span

RATES = (
    Fraction(25),
    Fraction(24_000, 1001),
    Fraction(24),
    Fraction(30_000, 1001),
    Fraction(60),
    Fraction(50),
)


@st.composite
def timelines(draw: st.DrawFn) -> tuple[tuple[Track, ...], Fraction]:
    """Tracks of a random cut: mixed rates, clocks and channels, gaps, joins, things left alone."""
    rate = draw(st.sampled_from(RATES))
    tracks = []
    for _ in range(draw(st.integers(1, 3))):
        channels = draw(st.sampled_from((1, 2, 6)))
        clips: list[Clip] = []
        position = draw(st.integers(0, 50))
        for _ in range(draw(st.integers(0, 5))):
            media = Media(
                Path(f"/media/{draw(st.integers(0, 3))} é.mov"),
                draw(st.sampled_from(RATES)),
                100_000,
                channels,
                draw(st.integers(0, 100_000)),
            )
            length = draw(st.integers(12, 400))
            clips.append(
                Clip(
                    media,
                    position,
                    position + length,
                    draw(st.integers(12, 5000)),
                    draw(st.sampled_from((True, True, False))),
                    draw(st.sampled_from((100.0, 100.0, 100.0, 50.0))),
                    draw(st.booleans()),
                )
            )
            position += length + draw(st.sampled_from((0, 0, 7)))
        joins = tuple(
            n
            for n in range(len(clips) - 1)
            if clips[n].end == clips[n + 1].start and draw(st.booleans())
        )
        tracks.append(Track(tuple(clips), "", channels, draw(st.booleans()), joins))
    return tuple(tracks), rate


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(timelines(), st.sampled_from((premiere_xml, resolve_xml)), st.sampled_from((0, 2)))
def test_any_cut_survives_the_conform(
    tmp_path: Path, cut: tuple[tuple[Track, ...], Fraction], writer: Writer, handles_s: int
) -> None:
    tracks, rate = cut
    done = conform(tmp_path, writer, *tracks, rate=rate, handles_s=Fraction(handles_s))
    written = [clip for track in tracks for clip in track.clips]
    assert len(done.uses) == len(written)
    for use, clip in zip(done.uses, written, strict=True):
        assert use.record == Span(clip.start / rate, (clip.end - clip.start) / rate)
        if use.left_alone is None:
            assert clip.enabled
            assert clip.speed_percent == 100
            # The writer rounds a transition's overlap to the media's frames.
            off_s = abs(use.source.start_s - clip.source_in / clip.media.rate)
            assert off_s <= 1 / clip.media.rate
            assert use.media_start_s == clip.media.start_frame / clip.media.rate
    clean = done.clean_uses()
    eligible = {use.id: use for use in done.uses if use.left_alone is None}
    assert len(clean) == len(eligible)
    before = sorted((u.media_start_s or 0) + u.source.start_s for u in eligible.values())
    after = sorted((u.media_start_s or 0) + u.source.start_s for u in clean)
    one_sided = any(track.crossfades for track in tracks)
    if not one_sided:
        assert before == after
        assert sorted(u.record.start_s for u in clean) == sorted(
            u.record.start_s for u in eligible.values()
        )
