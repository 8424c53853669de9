"""What is said, where somebody has written it down: a subtitle file beside the timeline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import Span, TimelineFacts

SUFFIXES = (".srt", ".vtt", ".ass")
MAX_BYTES = 16 * 1024 * 1024
#: `ANNA: Where is it?`, as scripts and many subtitle files write the speaker.
_SPEAKER = re.compile(r"^([^\W\d_][\w .'-]{0,30}):\s+(?=\S)")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the script; `span` counts from the timeline's first frame."""

    span: Span
    text: str
    character: str = ""


def find_script(document: Path) -> Path | None:
    """`NAME.srt`, `.vtt` or `.ass` beside `NAME.xml`, in this order; None where there is none."""
    for suffix in SUFFIXES:
        beside = document.with_suffix(suffix)
        if beside.is_file():
            return beside
    return None


def read_script(path: Path, facts: TimelineFacts) -> tuple[Line, ...]:
    """The lines of a subtitle file, in order.

    A file whose times count on the timeline's timecode (its first line lies after the timeline's
    start, which is not zero) is counted from the first frame.

    Raises:
        UnsupportedDocument: no subtitle file, or too large to be one.
    """
    import pysubs2

    if path.stat().st_size > MAX_BYTES:
        raise UnsupportedDocument(
            f"{path.name} has {path.stat().st_size} bytes; a subtitle file has at most {MAX_BYTES}."
        )
    try:
        subtitles = pysubs2.load(str(path), encoding="utf-8-sig", errors="replace")
    except (pysubs2.exceptions.Pysubs2Error, ValueError, OverflowError) as error:
        raise UnsupportedDocument(
            f"{path.name} could not be read as subtitles: {error or type(error).__name__}. "
            f"Save it as .srt in UTF-8."
        ) from error
    events = sorted(
        (e for e in subtitles if e.type == "Dialogue" and e.end > e.start and e.plaintext.strip()),
        key=lambda event: event.start,
    )
    start_s = Fraction(facts.start_frame) / facts.rate
    shift_s = start_s if events and start_s and Fraction(events[0].start, 1000) >= start_s else 0
    return tuple(
        _line(
            e.plaintext, e.name, Fraction(e.start, 1000) - shift_s, Fraction(e.end, 1000) - shift_s
        )
        for e in events
    )


def _line(text: str, name: str, start_s: Fraction, end_s: Fraction) -> Line:
    text = " ".join(text.split())
    speaker = _SPEAKER.match(text)
    if speaker and not name:
        name, text = speaker[1], text[speaker.end() :]
    return Line(Span(start_s, end_s - start_s), text, name.strip())


def lines_in(script: Sequence[Line], span: Span) -> tuple[Line, ...]:
    """The lines of which at least half, or which fill at least half of `span`, lie in it."""
    found = []
    for line in script:
        shared_s = min(line.span.end_s, span.end_s) - max(line.span.start_s, span.start_s)
        if shared_s > 0 and 2 * shared_s >= min(line.span.duration_s, span.duration_s):
            found.append(line)
    return tuple(found)
