"""Sound as a region of a real file, as the timeline stage would hand it on."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from nlecompanion.media.probe import probe
from nlecompanion.model import Region, Samples, Span, Use


def region_of(sound: Samples, rate_hz: int, path: Path) -> Region:
    """Writes the sound to `path` as WAV (float32); all of it is a region with one use."""
    import soundfile

    soundfile.write(path, sound, rate_hz, subtype="FLOAT")
    channels = tuple(range(sound.shape[1]))
    whole = Span(Fraction(0), Fraction(len(sound), rate_hz))
    use = Use(
        id="A1-001",
        name=path.stem,
        track="Dialogue",
        track_number=1,
        record=whole,
        source=whole,
        media_url=path.as_uri(),
        media_start_s=Fraction(0),
        channels=channels,
        addresses=("clip-1",),
        frame_rate=None,
    )
    return Region(
        id="region-1",
        media=probe(path),
        channels=channels,
        rate_hz=rate_hz,
        start_sample=0,
        end_sample=len(sound),
        uses=(use,),
        frame_rate=None,
        media_start_s=Fraction(0),
    )
