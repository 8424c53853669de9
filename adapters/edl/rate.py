"""At which rate a list counts. The format does not say; what it shows is weighed here.

A line `* FPS: 23.976`, or `25fps` in the file's name or the title, settles it. Else the largest
frame number does, together with the FCM line, which the format knows for 59.94 Hz video only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.units import exact_rate, nominal_rate

from .lines import Written3600

_FPS_LINE = re.compile(
    r"^\*?\s*(?:FPS|FRAME ?RATE|TIMEBASE)\s*[:=]?\s*(\d{2,3}(?:\.\d{1,6})?)\s*(?:FPS)?\s*$",
    re.IGNORECASE,
)
_FPS_WORD = re.compile(r"(?<![\d.])(\d{2,3}(?:\.\d{1,6})?)\s?fps(?![a-z])", re.IGNORECASE)
_FRAMES = re.compile(r"\d+$")
#: By so many timecodes, one in 25 of which should show frame 24, 24 frames a second are surer.
_ENOUGH_TIMECODES = 150
_NTSC_30 = Fraction(30_000, 1001)
_BY_FRAMES = (
    (30, _NTSC_30),
    (48, Fraction(48)),
    (50, Fraction(50)),
    (60, Fraction(60_000, 1001)),
    (100, Fraction(100)),
    (120, Fraction(120_000, 1001)),
)


@dataclass(frozen=True, slots=True)
class ListRate:
    """The rate, and in words why; `assumed` where the list does not state it."""

    rate: Fraction
    why: str
    assumed: bool


def rate_of(written: Written3600) -> ListRate:
    """The list's rate.

    Raises:
        UnsupportedDocument: it states a rate that its own frame numbers exceed, or none fits.
    """
    codes = [code for event in written.events for code in event.timecodes]
    largest = max(_frames(code) for code in codes)
    stated = _stated(written)
    if stated is not None:
        if largest >= nominal_rate(stated):
            raise UnsupportedDocument(
                f"{written.name} says {float(stated):g} frames a second, but has a frame number "
                f"{largest}. Correct the line, the title or the file's name that says so."
            )
        return ListRate(stated, "as it says", assumed=False)
    if _drops(written, codes):
        if largest >= 60:
            raise UnsupportedDocument(
                f"{written.name} is drop-frame, but has a frame number {largest}, which 29.97 and "
                "59.94 frames a second do not have. Export it again."
            )
        rate = _NTSC_30 if largest < 30 else Fraction(60_000, 1001)
        return ListRate(rate, "as drop-frame timecode counts", assumed=False)
    return _guess(written.name, largest, len(codes))


def _guess(name: str, largest: int, count: int) -> ListRate:
    if largest < 24 and count >= _ENOUGH_TIMECODES:
        why = f"none of its {count} timecodes has a frame above 23"
        return ListRate(Fraction(24_000, 1001), why, assumed=True)
    if largest < 25:
        return ListRate(Fraction(25), f"its largest frame number is {largest}", assumed=True)
    for frames, rate in _BY_FRAMES:
        if largest < frames:
            return ListRate(rate, f"its largest frame number is {largest}", assumed=True)
    raise UnsupportedDocument(
        f"{name} has a frame number {largest}, which no rate up to 120 frames a second has. "
        "Export it again."
    )


def _frames(code: str) -> int:
    match = _FRAMES.search(code)
    return int(match[0]) if match else 0


def _drops(written: Written3600, codes: Iterable[str]) -> bool:
    if any(event.drop_frame for event in written.events):
        return True
    return any(code[8] in ";," for code in codes)


def _stated(written: Written3600) -> Fraction | None:
    for line in written.text.lines:
        match = _FPS_LINE.match(line) if len(line) < 100 else None
        if match is not None:
            return _exact(match[1], written.name)
    for text in (written.title or "", written.name):
        match = _FPS_WORD.search(text)
        if match is not None:
            return _exact(match[1], written.name)
    return None


def _exact(text: str, name: str) -> Fraction:
    try:
        return exact_rate(float(text))
    except ValueError as error:
        raise UnsupportedDocument(f"{name}: {error}. Correct the rate that it says.") from error
