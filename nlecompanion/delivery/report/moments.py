"""Which seconds of a use are shown and heard: its hardest moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from nlecompanion.diagnosis.diagnose import window_of
from nlecompanion.diagnosis.moments import windows_in
from nlecompanion.diagnosis.speech import clip_spans
from nlecompanion.model import Region, Span, Use, UseReport

#: With less of it than this, the region's hardest moment says little of a use.
_ENOUGH_S = Fraction(2)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A stretch of one use.

    `first_sample` and `end_sample` count from the media's first instant at the region's rate,
    `record` from the timeline's first frame, `speech` from the excerpt's own first sample.
    `hardest` says whether it is the moment that decided, or else the stretch with most speech.
    """

    region: Region
    first_sample: int
    end_sample: int
    record: Span
    speech: tuple[Span, ...]
    hardest: bool

    @property
    def offset_samples(self) -> int:
        """From the region's first sample, which is the cleaned file's."""
        return self.first_sample - self.region.start_sample


def excerpt(
    report: UseReport, region: Region, account: Mapping[str, Any], most_s: Fraction
) -> Excerpt | None:
    """At most `most_s` seconds of a use; None where it has no sound in the region."""
    use = report.use
    inside = _inside(window_of(use, region), region)
    if inside.duration_s <= 0:
        return None
    moment = account.get("hardest_moment", {})
    decided = _shared(
        Span(
            Fraction(str(moment.get("start_s", 0))),
            Fraction(str(moment.get("duration_s", 0))),
        ),
        inside,
    )
    hardest = decided.duration_s >= min(_ENOUGH_S, inside.duration_s)
    speech = report.diagnosis.speech if report.diagnosis is not None else ()
    span = decided if hardest else _most_speech(inside, use, region, speech)
    span = Span(span.start_s, min(span.duration_s, most_s))
    return _placed(use, region, span, speech, hardest)


def _placed(
    use: Use, region: Region, span: Span, speech: tuple[Span, ...], hardest: bool
) -> Excerpt | None:
    rate_hz = region.rate_hz
    first = region.start_sample + int(span.start_s * rate_hz)
    end = min(first + int(span.duration_s * rate_hz), region.end_sample)
    if end <= first:
        return None
    in_use_s = span.start_s - window_of(use, region).start_s
    spoken = clip_spans(speech, Span(in_use_s, span.duration_s))
    record = Span(use.record.start_s + in_use_s, Fraction(end - first, rate_hz))
    return Excerpt(region, first, end, record, tuple(spoken), hardest)


def _inside(window: Span, region: Region) -> Span:
    return _shared(window, Span(Fraction(0), Fraction(region.length_samples, region.rate_hz)))


def _shared(one: Span, other: Span) -> Span:
    start_s = max(one.start_s, other.start_s)
    return Span(start_s, max(Fraction(0), min(one.end_s, other.end_s) - start_s))


def _most_speech(inside: Span, use: Use, region: Region, speech: tuple[Span, ...]) -> Span:
    start_s = window_of(use, region).start_s

    def spoken_s(window: Span) -> Fraction:
        there = Span(window.start_s - start_s, window.duration_s)
        return sum((s.duration_s for s in clip_spans(speech, there)), Fraction(0))

    return max(windows_in([inside]), key=lambda w: (spoken_s(w), -w.start_s))
