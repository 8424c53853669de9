"""Small makers of the frozen types, so that tests say only what matters to them."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from nlecompanion.model import AudioStream, MediaFile, Span, Use


def use(number: int = 1, start_s: float = 10, duration_s: float = 4, **changes: Any) -> Use:
    """A stereo use at 25 fps; its record range begins where its source does."""
    span = Span(Fraction(start_s), Fraction(duration_s))
    made = Use(
        id=f"A1-{number:03}",
        name="A003",
        track="A1",
        track_number=1,
        record=span,
        source=span,
        media_url="file:///media/A003.mov",
        media_start_s=Fraction(3600),
        channels=(0, 1),
        addresses=(f"t1/c{number}", f"t2/c{number}"),
        frame_rate=Fraction(25),
    )
    return replace(made, **changes)


def media(duration_s: float = 100, channels: int = 2, **changes: Any) -> MediaFile:
    """A stereo 48 kHz file of 100 s."""
    layout = {1: "mono", 2: "stereo", 6: "5.1"}.get(channels, f"{channels} channels")
    stream = AudioStream(0, "pcm_s24le", 48_000, channels, layout, Fraction(0), None)
    made = MediaFile(
        path=Path("/media/A003.mov"),
        container="mov",
        size_bytes=1,
        modified_ns=1,
        duration_s=Fraction(duration_s),
        streams=(stream,),
        video_rate=Fraction(25),
        start_timecode_s=Fraction(3600),
    )
    return replace(made, **changes)
