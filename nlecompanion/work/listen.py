"""Listening to what is not worked on: somebody may speak in it."""

from __future__ import annotations

from fractions import Fraction

from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.media.extract import read_region
from nlecompanion.model import MediaFile, Use

#: Uses that are only listened to, not worked on, are judged by at most this much of their sound.
LISTEN_S = 60


def hears_speech(use: Use, media: MediaFile, rate_hz: int, min_speech_s: float) -> bool:
    """Whether there is speech in the source of a use that is not worked on.

    Raises:
        MediaError, ProgramFailed: its sound cannot be read.
    """
    start_s = max(Fraction(0), use.source.start_s)
    end_s = min(use.source.end_s, media.duration_s, start_s + LISTEN_S)
    start, end = int(start_s * rate_hz), int(end_s * rate_hz)
    if end <= start or use.channels is None:
        return False
    meter = SpeechMeter(rate_hz)
    for block in read_region(media, use.channels, rate_hz, start, end):
        meter.push(block)
    spans = speech_spans(meter.finish(), Fraction(end - start, rate_hz))
    return float(sum((span.duration_s for span in spans), Fraction(0))) >= min_speech_s
