"""Markers as Media Composer writes them: descriptive markers on an event track of their own."""

from __future__ import annotations

import math
from collections.abc import Sequence

from nlecompanion.model import TimelineMarker

from .document import AafDocument, Clock
from .making import data_definition, new_object
from .values import AafObject, fraction_of, is_a, items_of, text_of, value_of, whole_number

_COLORS = {
    "RED": (41471, 12134, 6564),
    "YELLOW": (58981, 58981, 6553),
    "CYAN": (13107, 52428, 52428),
    "GREEN": (13107, 52428, 13107),
}
_FIRST_ID = 1000


def add_markers(document: AafDocument, clock: Clock, markers: Sequence[TimelineMarker]) -> None:
    """An event track with the markers, over the first sound track."""
    data = data_definition(document.file, "DescriptiveMetadata")
    sequence = new_object(document.file, "Sequence", data)
    sequence["Components"].value = [_marker(document, clock, marker) for marker in markers]
    slot = new_object(document.file, "EventMobSlot")
    slot["SlotID"].value = _free_id(document)
    slot["EditRate"].value = f"{clock.rate.numerator}/{clock.rate.denominator}"
    number = whole_number(document.tracks[0], "PhysicalTrackNumber") if document.tracks else 1
    slot["PhysicalTrackNumber"].value = max(number, 1)
    slot["Segment"].value = sequence
    document.top.slots.append(slot)


def not_there_yet(
    document: AafDocument, clock: Clock, markers: Sequence[TimelineMarker]
) -> list[TimelineMarker]:
    """Those markers that an earlier run has not left on the composition."""
    there = set()
    for slot in document.top.slots:
        if is_a(slot, "EventMobSlot") and slot.segment is not None:
            rate = fraction_of(value_of(slot, "EditRate"))
            for event in items_of(slot.segment, "Components") if rate else ():
                position = whole_number(event, "Position") / (rate or 1)
                there.add((position, text_of(event, "Comment")))
    return [
        marker
        for marker in markers
        if (_position(marker, clock) / clock.rate, _text(marker)) not in there
    ]


def _position(marker: TimelineMarker, clock: Clock) -> int:
    return math.floor(marker.record.start_s * clock.rate)


def _text(marker: TimelineMarker) -> str:
    text = f"{marker.name}\n{marker.comment}" if marker.comment else marker.name
    return text.replace("\0", "").strip()


def _free_id(document: AafDocument) -> int:
    taken = {slot.slot_id for slot in document.top.slots}
    return next(n for n in range(_FIRST_ID, _FIRST_ID + len(taken) + 1) if n not in taken)


def _marker(document: AafDocument, clock: Clock, marker: TimelineMarker) -> AafObject:
    data = data_definition(document.file, "DescriptiveMetadata")
    made = new_object(document.file, "DescriptiveMarker", data)
    text = _text(marker)
    color = marker.color if marker.color in _COLORS else "RED"
    red, green, blue = _COLORS[color]
    made["Position"].value = _position(marker, clock)
    made["Length"].value = max(1, math.ceil(marker.record.duration_s * clock.rate))
    made["Comment"].value = text
    # Media Composer's own dictionaries spell it so.
    user = "CommentMarkerUSer" if "CommentMarkerUSer" in made.allkeys() else "CommentMarkerUser"
    made[user].value = "nlecompanion"
    made["CommentMarkerColor"].value = {"red": red, "green": green, "blue": blue}
    if document.tracks:
        made["DescribedSlots"].value = {document.tracks[0].slot_id}
    for name, value in (("_ATN_CRM_COLOR", color.title()), ("_ATN_CRM_COM", text)):
        made["CommentMarkerAttributeList"].append(
            document.file.create.TaggedValue(name, value, "aafString")
        )
    return made
