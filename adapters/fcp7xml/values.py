"""Numbers, rates and timecode as xmeml writes them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from lxml import etree

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.units import exact_rate, frames_from_timecode, nominal_rate, timecode_from_frames

#: Premiere's clock: divisible by every frame rate and every usual sample rate.
TICKS_HZ = 254_016_000_000
#: Positions beyond it (about 500 years at 60 frames a second) are damage or an attack.
MAX_FRAMES = 10**12

_TRUE = ("TRUE", "1", "YES")
_FALSE = ("FALSE", "0", "NO")
_NUMBER = re.compile(r"^[+-]?\d{1,24}(?:\.\d{1,12})?$")


class BadValue(UnsupportedDocument):
    """An element that should hold a number, a rate or a timecode holds something else."""


@dataclass(frozen=True, slots=True)
class Timecode:
    """Where a medium's or a sequence's own clock starts: `frame` counts at `rate`."""

    frame: int
    rate: Fraction
    drop_frame: bool

    @property
    def start_s(self) -> Fraction:
        """Seconds from midnight."""
        return self.frame / self.rate


def text_of(element: etree._Element | None, path: str) -> str:
    """The stripped text at `path`; empty where there is none."""
    if element is None:
        return ""
    return (element.findtext(path) or "").strip()


def parts_of(element: etree._Element) -> dict[str, etree._Element]:
    """The first child of each name: one walk costs as much as a single search."""
    parts: dict[str, etree._Element] = {}
    for child in element:
        parts.setdefault(str(child.tag), child)
    return parts


def part_text(parts: Mapping[str, etree._Element], tag: str) -> str:
    """The stripped text of the part `tag`; empty where there is none."""
    part = parts.get(tag)
    return "" if part is None else (part.text or "").strip()


def is_false(element: etree._Element, path: str) -> bool:
    """Whether the flag at `path` says FALSE; a missing flag does not."""
    return text_of(element, path).upper() in _FALSE


def says_false(text: str) -> bool:
    """Whether a flag's text says FALSE."""
    return text.upper() in _FALSE


def is_true(element: etree._Element | None, path: str) -> bool:
    """Whether the flag at `path` says TRUE; a missing flag does not."""
    return text_of(element, path).upper() in _TRUE


def whole_number(element: etree._Element, path: str) -> int | None:
    """The whole number at `path`, None where there is none.

    Raises:
        BadValue: text that is not a whole number within `MAX_FRAMES`.
    """
    return frame_number(text_of(element, path), path)


def frame_number(text: str, name: str) -> int | None:
    """The whole number in `text`, None where it is empty; `name` is for the message.

    Raises:
        BadValue: not a whole number within `MAX_FRAMES`.
    """
    if not text:
        return None
    if text.isascii() and text.isdigit() and len(text) <= 12:
        return int(text)
    value = Fraction(text) if _NUMBER.match(text) else None
    if value is None or value.denominator != 1 or abs(value) > MAX_FRAMES:
        raise BadValue(f"<{name}> holds {text[:40]!r}, which is not a frame number")
    return int(value)


def tick_number(element: etree._Element, path: str) -> int | None:
    """Premiere's ticks at `path`; None where there are none that make sense."""
    text = text_of(element, path)
    return int(text) if re.fullmatch(r"-?\d{1,24}", text) else None


def rate_of(element: etree._Element | None) -> Fraction | None:
    """The exact rate in the `<rate>` child: timebase, times 1000/1001 where ntsc is TRUE.

    Raises:
        BadValue: a rate of 0, NaN, or none at all in words.
    """
    return rate_in(None if element is None else element.find("rate"))


def rate_in(rate: etree._Element | None) -> Fraction | None:
    """The exact rate in a `<rate>` element, None where there is none.

    Raises:
        BadValue: a rate of 0, NaN, or none at all in words.
    """
    if rate is None:
        return None
    parts = parts_of(rate)
    text = part_text(parts, "timebase")
    if not text:
        return None
    return _rate(text, part_text(parts, "ntsc").upper() in _TRUE)


@lru_cache(maxsize=256)
def _rate(text: str, ntsc: bool) -> Fraction:
    try:
        timebase = exact_rate(float(text))
    except ValueError as error:
        raise BadValue(f"<timebase> holds {text[:40]!r}: {error}") from error
    if ntsc and timebase.denominator == 1:
        return timebase * 1000 / 1001
    return timebase


def timecode_of(element: etree._Element | None, fallback_rate: Fraction) -> Timecode | None:
    """The `<timecode>` child: its frame number, or its text where there is no number.

    Raises:
        BadValue: neither of them can be read.
    """
    timecode = None if element is None else element.find("timecode")
    if timecode is None:
        return None
    rate = rate_of(timecode) or fallback_rate
    string = text_of(timecode, "string")
    display = text_of(timecode, "displayformat").upper()
    drop_frame = display == "DF" or (not display and ";" in string)
    frame = whole_number(timecode, "frame")
    if frame is None and string:
        try:
            frame = frames_from_timecode(string, counting_rate(rate, drop_frame), drop_frame)
        except ValueError as error:
            raise BadValue(f"<timecode>: {error}") from error
    return Timecode(frame or 0, rate, drop_frame)


def counting_rate(rate: Fraction, drop_frame: bool) -> Fraction:
    """The rate that timecode numbers are counted at.

    Premiere writes drop-frame timecode with ntsc FALSE for sound files in a 30-frame sequence;
    the numbers are dropped all the same.
    """
    nominal = nominal_rate(rate)
    if drop_frame and rate.denominator == 1 and nominal % 30 == 0:
        return Fraction(nominal * 1000, 1001)
    return rate


def timecode_text(frame: int, rate: Fraction, drop_frame: bool) -> str:
    """`HH:MM:SS:FF`, or Premiere's `HH;MM;SS;FF` for drop-frame."""
    text = timecode_from_frames(frame, counting_rate(rate, drop_frame), drop_frame)
    return text.replace(":", ";") if ";" in text else text


def common_rate(first: Fraction, second: Fraction) -> Fraction:
    """The slowest rate at which whole numbers name every instant of both."""
    return Fraction(
        math.lcm(first.numerator, second.numerator),
        math.gcd(first.denominator, second.denominator),
    )
