"""From a source clip on a track to the media file: mob by mob, with exact times.

A source clip's start counts in the edit units of the slot that it stands in, from the origin of
the slot that it points to (AAF Object Specification 1.1, `SourceClip`, `MobSlot`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from nlecompanion.model import LeftAlone, Reason

from .descriptors import FileSound, file_sound, locator_urls
from .document import AafDocument, media_kind
from .essence import essence_url
from .sounds import heard_in
from .values import (
    AafObject,
    class_of,
    is_a,
    items_of,
    length_of,
    rate_of,
    tagged_values,
    text_of,
    value_of,
    whole_number,
)

_MAX_STEPS = 32
_NO_FILE = frozenset({"TapeDescriptor", "FilmDescriptor"})


@dataclass(frozen=True, slots=True)
class Origin:
    """Where else the same sound lies: the file that was imported, from its first instant."""

    url: str
    channel: int | None
    start_s: Fraction


@dataclass(frozen=True, slots=True)
class Source:
    """What one source clip plays: `start_s` counts from the file's first sample.

    `channel` is zero-based, None for all of the file's; `media_start_s` is the timecode of its
    first sample, None where no tape or import says it.
    """

    name: str
    url: str
    channel: int | None
    start_s: Fraction
    media_start_s: Fraction | None
    sound: FileSound
    origins: tuple[Origin, ...] = field(default=())


def source_of(document: AafDocument, clip: AafObject, rate: Fraction) -> Source | LeftAlone:
    """The file behind a source clip that stands in a slot of `rate`, or why there is none."""
    name, imported, into_s = "", "", Fraction(0)
    seen = set()
    for _ in range(_MAX_STEPS):
        mob = document.mob(value_of(clip, "SourceID"))
        if mob is None:
            return _offline(name, "its source is not in the document")
        name = name or text_of(mob, "Name")
        # Media Composer's note of what was imported, without the volume names of its locators.
        imported = str(tagged_values(mob, "UserComments").get("UNC Path", imported))
        number = whole_number(clip, "SourceMobSlotID")
        slot = next((s for s in mob.slots if s.slot_id == number), None)
        if slot is None or slot.segment is None:
            return _offline(name, f"{text_of(mob, 'Name') or 'its source'} has no track {number}")
        if (str(mob.mob_id), number) in seen:
            return _offline(name, "its sources point at each other in a circle")
        seen.add((str(mob.mob_id), number))
        slot_rate = rate_of(slot)
        at_s = into_s + whole_number(clip, "StartTime") / rate
        at_s += whole_number(slot, "Origin") / slot_rate
        if is_a(mob, "SourceMob"):
            descriptor = value_of(mob, "EssenceDescription")
            if class_of(descriptor) in _NO_FILE:
                return _offline(name, "the document names only its tape. Export with linked media")
            return _file(document, mob, slot, at_s, name, imported)
        found = _inside(slot.segment, at_s, slot_rate, is_a(mob, "CompositionMob"))
        if isinstance(found, LeftAlone):
            return found
        clip, into_s, rate = found, at_s, slot_rate
    return _offline(name, f"its sources lie more than {_MAX_STEPS} deep")


def _offline(name: str, what: str) -> LeftAlone:
    return LeftAlone(Reason.OFFLINE, f"{name}: {what}" if name else what)


def _inside(
    segment: AafObject, at_s: Fraction, rate: Fraction, nested: bool
) -> AafObject | LeftAlone:
    """The source clip that a master clip or subclip plays from its start to its end."""
    if is_a(segment, "Sequence"):
        components = items_of(segment, "Components")
        if len(components) != 1:
            return LeftAlone(Reason.NESTED, "it plays a sequence inside the sequence")
        segment = components[0]
    if nested and not is_a(segment, "SourceClip"):
        return LeftAlone(Reason.NESTED, "it plays a sequence inside the sequence")
    found = heard_in(segment)
    if found is None or not found.clips:
        return (found and found.left_alone) or LeftAlone(Reason.OFFLINE, "its source is empty")
    if found.left_alone is not None:
        return found.left_alone
    if len(found.clips) > 1:
        return LeftAlone(Reason.UNSUPPORTED, "its master clip joins several files")
    if at_s < 0 or at_s * rate > length_of(segment):
        return LeftAlone(
            Reason.MEDIA_TOO_SHORT,
            f"it starts {float(at_s):.2f} s into a source of {length_of(segment)} units",
        )
    return found.clips[0]


def _file(
    document: AafDocument,
    mob: AafObject,
    slot: AafObject,
    at_s: Fraction,
    name: str,
    imported: str,
) -> Source | LeftAlone:
    descriptor = value_of(mob, "EssenceDescription")
    sound = file_sound(descriptor)
    channel = _channel(mob, slot, sound.channels)
    origin, media_start_s = _behind(document, slot)
    urls = locator_urls(descriptor)
    origins: list[Origin] = []
    if document.file.content.get("EssenceData", None, allkeys=False) is not None and (
        mob.mob_id in document.file.content.essencedata
    ):
        urls = [essence_url(mob, name)]
    else:
        origins += [Origin(url, channel, at_s) for url in urls[1:]]
        if origin is not None:
            far, far_slot, far_s = origin
            far_channel = _channel(far, far_slot, 0)
            origins += [
                Origin(url, far_channel, at_s + far_s)
                for url in (imported, *locator_urls(value_of(far, "EssenceDescription")))
                if url and url not in urls
            ]
    if not urls and origins:
        first, *origins = origins
        return Source(
            name, first.url, first.channel, first.start_s, media_start_s, sound, tuple(origins)
        )
    if not urls:
        return _offline(name, "the document names no media file for it")
    return Source(name, urls[0], channel, at_s, media_start_s, sound, tuple(origins))


def _channel(mob: AafObject, slot: AafObject, channels: int) -> int | None:
    """Which of the file's channels the slot is: by its track number, else by its place.

    A file with one channel has no other; 0 channels means that nobody says how many there are.
    """
    if channels == 1:
        return 0
    sounding = [s for s in mob.slots if "Sound" in media_kind(s)]
    physical = whole_number(slot, "PhysicalTrackNumber")
    numbers = [whole_number(s, "PhysicalTrackNumber") for s in sounding]
    told = physical > 0 and numbers.count(physical) == 1 and (not channels or physical <= channels)
    if told and (len(sounding) > 1 or channels > 1 or physical > 1):
        return physical - 1
    if len(sounding) > 1:
        return [s.slot_id for s in sounding].index(slot.slot_id)
    return 0 if told else None


def _behind(
    document: AafDocument, slot: AafObject
) -> tuple[tuple[AafObject, AafObject, Fraction] | None, Fraction | None]:
    """The import mob behind a file, its slot and where the file begins in it; and the timecode."""
    rate = rate_of(slot)
    segment = slot.segment
    if is_a(segment, "Sequence"):
        segment = next(iter(items_of(segment, "Components")), None)
    if not is_a(segment, "SourceClip"):
        return None, None
    mob = document.mob(value_of(segment, "SourceID"))
    if mob is None or not is_a(mob, "SourceMob"):
        return None, None
    at_s = whole_number(segment, "StartTime") / rate
    start_s = _timecode_s(mob)
    media_start_s = None if start_s is None else start_s + at_s
    number = whole_number(segment, "SourceMobSlotID")
    far = next((s for s in mob.slots if s.slot_id == number), None)
    kind = class_of(value_of(mob, "EssenceDescription"))
    # Somewhere inside a tape's day says nothing of where a file begins.
    if kind in _NO_FILE or far is None or at_s != 0 or "Sound" not in media_kind(far):
        return None, media_start_s
    return (mob, far, at_s), media_start_s


def _timecode_s(mob: AafObject) -> Fraction | None:
    clocks = [slot for slot in mob.slots if class_of(slot.segment) == "Timecode"]
    clocks.sort(key=lambda slot: whole_number(slot, "PhysicalTrackNumber"))
    if not clocks:
        return None
    first = clocks[0]
    return (whole_number(first.segment, "Start") + whole_number(first, "Origin")) / rate_of(first)
