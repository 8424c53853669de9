"""Times and frame rates as FCPXML writes them: rational seconds, `1001/30000s`."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

from lxml import etree

from nlecompanion.errors import UnsupportedDocument

#: Positions beyond it (about 30 years) are damage or an attack.
MAX_S = 10**9

_TIME = re.compile(r"^(-?\d{1,24}(?:\.\d{1,12})?)(?:/(\d{1,12}))?s$")
_NAMED_RATE = re.compile(r"[pi](\d{2,4})$")
_NTSC = {"2398": 24, "2997": 30, "4795": 48, "5994": 60, "11988": 120}


class BadTime(UnsupportedDocument):
    """An attribute that should hold a time holds something else."""


def time_of(element: etree._Element, name: str) -> Fraction | None:
    """The attribute `name` in exact seconds, None where there is none.

    Raises:
        BadTime: not a time, or one beyond `MAX_S`.
    """
    text = element.get(name)
    return None if text is None else seconds(text, name)


@lru_cache(maxsize=4096)
def seconds(text: str, name: str) -> Fraction:
    """`1001/30000s`, `5s` or `0.5s` in exact seconds; `name` is for the message.

    Raises:
        BadTime: not a time, or one beyond `MAX_S`.
    """
    match = _TIME.match(text.strip())
    if match is None or (match[2] is not None and int(match[2]) == 0):
        raise BadTime(f"{name} holds {text[:40]!r}, which is not a time like 1001/30000s")
    value = Fraction(match[1]) / int(match[2] or 1)
    if abs(value) > MAX_S:
        raise BadTime(f"{name} holds {text[:40]!r}, which is beyond every timeline")
    return value


def time_text(time_s: Fraction) -> str:
    """`1001/30000s`, or `5s` for whole seconds."""
    if time_s.denominator == 1:
        return f"{time_s.numerator}s"
    return f"{time_s.numerator}/{time_s.denominator}s"


def frame_duration(form: etree._Element) -> Fraction | None:
    """How long a frame of a `format` lasts, None where it has no frame rate.

    A format of Apple's own may be a name alone, like `FFVideoFormat1080p2398`.

    Raises:
        BadTime: zero, negative, or over a second.
    """
    value = time_of(form, "frameDuration")
    if value is None:
        match = _NAMED_RATE.search(form.get("name", ""))
        return None if match is None else _named(match[1], form.get("name", ""))
    if not 0 < value <= 1:
        raise BadTime(f"frameDuration holds {form.get('frameDuration', '')[:40]!r}")
    return value


def _named(digits: str, name: str) -> Fraction | None:
    rate = Fraction(_NTSC[digits] * 1000, 1001) if digits in _NTSC else Fraction(int(digits))
    if rate == 0:
        return None
    # `1080i50` and `1080i5994` count fields.
    return (2 if re.search(r"i\d+$", name) and rate > 49 else 1) / rate
