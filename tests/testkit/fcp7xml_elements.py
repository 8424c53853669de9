"""The recurring elements of Final Cut Pro 7 XML, for the test writer."""

from __future__ import annotations

from fractions import Fraction

from lxml import etree

from nlecompanion.units import timecode_from_frames

TICKS_HZ = 254_016_000_000


def effect(effect_id: str, parameter: str, value: str) -> etree._Element:
    return el(
        "filter",
        el(
            "effect",
            el("name", effect_id),
            el("effectid", effect_id),
            el("parameter", el("parameterid", parameter), el("value", value)),
        ),
    )


def characteristics(rate_hz: int) -> etree._Element:
    return el("samplecharacteristics", el("depth", "16"), el("samplerate", str(rate_hz)))


def rate_element(rate: Fraction) -> etree._Element:
    ntsc = rate.denominator == 1001
    timebase = rate * 1001 / 1000 if ntsc else rate
    return el("rate", el("timebase", str(timebase)), el("ntsc", "TRUE" if ntsc else "FALSE"))


def timecode_element(
    frame: int, rate: Fraction, drop_frame: bool, with_frame: bool
) -> etree._Element:
    return el(
        "timecode",
        rate_element(rate),
        el("string", timecode_from_frames(frame, rate, drop_frame)),
        el("frame", str(frame)) if with_frame else None,
        el("displayformat", "DF" if drop_frame else "NDF"),
    )


def ticks_of(frames: int, rate: Fraction) -> int:
    return round(frames * TICKS_HZ / rate)


def el(tag: str, *content: str | etree._Element | None) -> etree._Element:
    element = etree.Element(tag)
    for part in content:
        if isinstance(part, str):
            element.text = part
        elif part is not None:
            element.append(part)
    return element
