"""Volume, panner, enhancements and filters of a sound, carried over to the clip that stands in.

A new clip has two places for them, its channel component and itself; a sound in nested clips may
have more than fit. `why_not` says so before anything is promised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason, Span

from .sounds import Edges, Level
from .times import BadTime, time_of, time_text

ENHANCEMENTS = (
    "adjust-loudness",
    "adjust-noiseReduction",
    "adjust-humReduction",
    "adjust-EQ",
    "adjust-matchEQ",
    "adjust-voiceIsolation",
)
#: Final Cut's lowest level; it plays nothing there.
SILENT_DB = Fraction(-96)

_AMOUNT = re.compile(r"^\s*([+-]?\d{1,6}(?:\.\d{1,9})?)\s*dB\s*$")


@dataclass(slots=True)
class Carried:
    """Copies for the new clip: on itself, and on its channel component."""

    clip_volume: etree._Element | None = None
    clip_panner: etree._Element | None = None
    clip_filters: list[etree._Element] = field(default_factory=list)
    component: list[etree._Element] = field(default_factory=list)


def amount_db(volume: etree._Element) -> Fraction:
    """The level in an `adjust-volume`; 0 where it is none that can be read."""
    match = _AMOUNT.match(volume.get("amount", "0dB"))
    return Fraction(match[1]) if match else Fraction(0)


def _volume(level: Level) -> etree._Element | None:
    return level.element.find("adjust-volume")


def _moving(level: Level) -> bool:
    """Whether its volume changes over time: fades or keyframes."""
    volume = _volume(level)
    return volume is not None and len(volume) > 0


def why_not(levels: Sequence[Level], record: Span) -> LeftAlone | None:
    """What the levels say against working on the sound: silent, or more than can be carried."""
    for level in levels:
        volume = _volume(level)
        if volume is not None and not len(volume) and amount_db(volume) <= SILENT_DB:
            return LeftAlone(Reason.MUTED, "its volume is turned all the way down")
    moving = [level for level in levels if _moving(level)]
    static_db = len(moving) > 1 and any(_static_db(level) for level in levels)
    if len(moving) > 2 or (len(moving) == 2 and static_db):
        return LeftAlone(Reason.UNSUPPORTED, "fades or keyframes on several nested levels")
    if len(moving) == 2 and not _is_component(moving[0]):
        return LeftAlone(Reason.UNSUPPORTED, "fades or keyframes on two nested levels")
    for level in moving:
        volume = _volume(level)
        for tag, cut in (
            ("fadeIn", level.start_s != record.start_s),
            ("fadeOut", level.end_s != record.end_s),
        ):
            if cut and volume is not None and next(volume.iter(tag), None) is not None:
                return LeftAlone(Reason.UNSUPPORTED, "a nested clip's fade lies outside its use")
    for tag in ("adjust-panner", *ENHANCEMENTS):
        if sum(level.element.find(tag) is not None for level in levels) > 1:
            return LeftAlone(Reason.UNSUPPORTED, f"{tag} on two nested levels")
    return None


def _is_component(level: Level) -> bool:
    return level.element.tag in ("audio-channel-source", "audio-role-source")


def _static_db(level: Level) -> Fraction:
    volume = _volume(level)
    return Fraction(0) if volume is None or len(volume) else amount_db(volume)


def carried(
    levels: Sequence[Level], edges: Edges, shift_s: Fraction, own: etree._Element | None
) -> Carried:
    """What the new clip takes over; `shift_s` is its own `record = local + shift_s`.

    `own` is the element that the new clip stands in for; its component keeps its place.
    """
    result = Carried()
    moving = [_shifted(level, shift_s) for level in levels if _moving(level)]
    component_volume: etree._Element | None = None
    if len(moving) == 2:
        component_volume, result.clip_volume = moving
    elif moving:
        (result.clip_volume,) = moving
    static_db = sum((_static_db(level) for level in levels), Fraction(0))
    if static_db:
        static = etree.Element("adjust-volume", amount=f"{float(static_db):g}dB")
        if result.clip_volume is None:
            result.clip_volume = static
        else:
            component_volume = static
    _fade(result, edges)
    for level in levels:
        inner = _is_component(level)
        result.component += _copies(level.element, ENHANCEMENTS)
        panners = _copies(level.element, ("adjust-panner",))
        result.clip_panner = panners[0] if panners else result.clip_panner
        filters = _copies(level.element, ("filter-audio",))
        if inner and level.element is own:
            result.component += filters + _copies(level.element, ("mute",))
        else:
            result.clip_filters += filters
    if component_volume is not None:
        result.component.append(component_volume)
    result.component.sort(key=_component_order)
    return result


def _component_order(element: etree._Element) -> int:
    """DTD order: enhancements, volume, filters, mutes."""
    order = (*ENHANCEMENTS, "adjust-volume", "filter-audio", "mute")
    return order.index(str(element.tag))


def _copies(element: etree._Element, tags: Sequence[str]) -> list[etree._Element]:
    copies = [deepcopy(child) for child in element if child.tag in tags]
    for copy in copies:
        copy.tail = None
    return copies


def _shifted(level: Level, shift_s: Fraction) -> etree._Element:
    """The volume with its keyframes counted on the new clip's clock."""
    volume = _volume(level)
    if volume is None:
        raise ValueError("a level without a volume moves nothing")
    copy = deepcopy(volume)
    copy.tail = None
    move_s = level.shift_s - shift_s
    if move_s:
        for keyframe in copy.iter("keyframe"):
            try:
                at_s = time_of(keyframe, "time")
            except BadTime:
                continue
            if at_s is not None:
                keyframe.set("time", time_text(at_s + move_s))
    return copy


def _fade(result: Carried, edges: Edges) -> None:
    """A transition from or to silence becomes the clip's own fade, where it has none."""
    for tag, length_s in (("fadeIn", edges.fade_in_s), ("fadeOut", edges.fade_out_s)):
        if not length_s:
            continue
        if result.clip_volume is None:
            result.clip_volume = etree.Element("adjust-volume")
        volume = result.clip_volume
        parameter = volume.find("param[@name='amount']")
        if parameter is None:
            parameter = etree.SubElement(volume, "param", name="amount")
        if parameter.find(tag) is None:
            fade = etree.Element(tag, type="linear", duration=time_text(length_s))
            has_in = parameter.find("fadeIn") is not None
            parameter.insert(1 if tag == "fadeOut" and has_in else 0, fade)
