"""What the document itself says against working on a clip."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason

from .document import Xmeml
from .values import is_false, is_true, part_text, says_false, text_of


def why_left_alone(
    document: Xmeml, element: etree._Element, parts: Mapping[str, etree._Element]
) -> LeftAlone | None:
    """The reason that stands in the clip or in its track, None where there is none."""
    track = element.getparent()
    if track in document.tracks_off:
        return LeftAlone(Reason.MUTED, "its track is disabled")
    if says_false(part_text(parts, "enabled")):
        return LeftAlone(Reason.DISABLED)
    if element.tag == "generatoritem":
        return LeftAlone(Reason.GENERATED, text_of(element, "name"))
    if "sequence" in parts or "media" in parts:
        name = text_of(document.sequence_of(element), "name") or text_of(element, "name")
        return LeftAlone(Reason.NESTED, f"a nested sequence: {name}")
    if "multiclip" in parts:
        return LeftAlone(
            Reason.NESTED,
            "a multicam clip, of which the document does not say exactly what sounds. Flatten it "
            "in the editor and export again.",
        )
    return ("filter" in parts and _speed(element)) or _file(document, element, parts)


def speed_of(element: etree._Element) -> Fraction | None:
    """The constant speed that a Time Remap filter sets (1 = as recorded), None without one."""
    effect = _remap(element)
    text = text_of(effect, "parameter[parameterid='speed']/value")
    if effect is None or is_true(effect, "parameter[parameterid='variablespeed']/value"):
        return None
    try:
        speed = Fraction(text) / 100
    except (ValueError, ZeroDivisionError):
        return None
    backwards = is_true(effect, "parameter[parameterid='reverse']/value")
    return -abs(speed) if backwards else speed


def retiming(
    record: int, source: int, sequence_rate: Fraction, clip_rate: Fraction
) -> LeftAlone | None:
    """A clip whose length on the timeline is not the length of its source, by over a frame.

    `record` and `source` are its lengths in frames of the sequence and of the clip.
    """
    if source < 0:
        return LeftAlone(Reason.REVERSED)
    if record == 0:
        return LeftAlone(Reason.TOO_SHORT, "it has no length")
    if record == source and sequence_rate == clip_rate:
        return None
    record_s, source_s = record / sequence_rate, source / clip_rate
    # Premiere rounds in and out apart from start and end: a frame of either rate is no retiming.
    if abs(record_s - source_s) <= max(1 / sequence_rate, 1 / clip_rate):
        return None
    if source_s == 0:
        return LeftAlone(Reason.FROZEN)
    return LeftAlone(Reason.RETIMED, f"{float(source_s / record_s) * 100:.1f} % speed")


def _remap(element: etree._Element) -> etree._Element | None:
    for found in element.iterfind("filter"):
        if text_of(found, "effect/effectid") == "timeremap" and not is_false(found, "enabled"):
            return found.find("effect")
    return None


def _speed(element: etree._Element) -> LeftAlone | None:
    effect = _remap(element)
    if effect is None:
        return None
    speed = speed_of(element)
    if speed is None:
        return LeftAlone(Reason.RETIMED, "variable speed")
    if speed == 0:
        return LeftAlone(Reason.FROZEN)
    if speed < 0:
        return LeftAlone(Reason.REVERSED, f"{float(-speed) * 100:g} % speed")
    if speed != 1:
        return LeftAlone(Reason.RETIMED, f"{float(speed) * 100:g} % speed")
    return None


def _file(
    document: Xmeml, element: etree._Element, parts: Mapping[str, etree._Element]
) -> LeftAlone | None:
    file = document.file_of(element, parts.get("file"))
    if text_of(file, "pathurl"):
        return None
    if text_of(file, "mediaSource"):
        return LeftAlone(Reason.GENERATED, text_of(file, "mediaSource"))
    return LeftAlone(Reason.OFFLINE, "the document names no media file for it")
