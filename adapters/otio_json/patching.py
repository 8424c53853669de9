"""Puts a conform plan into the text of a `.otio` document, and changes nothing else in it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from nlecompanion.model import ConformPlan, Loss, TimelineMarker

from .cloning import TrackMaker
from .dialects import RESOLVE, marker_metadata
from .document import Document, child_list, load, metadata_of
from .nested import placed_sounds
from .placing import Window
from .reading import timeline_rate
from .source_text import Place, SourceText
from .times import Json, Rate, read_range, read_time, time_range


def conform_document(data: bytes, plan: ConformPlan, name: str) -> tuple[bytes, tuple[Loss, ...]]:
    """The document of these bytes with the plan in it.

    The plan's addresses are this adapter's own (`tracks/2/children/5`), or those that another
    adapter's notes put into the items' metadata.

    Raises:
        DocumentError: not a timeline, or the plan names what it does not have.
    """
    document = load(data, name)
    text = SourceText(document.text)
    timeline = text.root()
    if document.in_collection is not None:
        timeline = text.elements(text.members(timeline)["children"])[document.in_collection]
    losses: list[Loss] = []
    if plan.timeline_name != document.timeline.get("name"):
        _set(text, timeline, "name", plan.timeline_name)
    stack = text.members(timeline)["tracks"]
    _disable(text, stack, document, plan)
    if plan.tracks:
        losses += _add_tracks(text, stack, document, plan)
    markers = _markers(document, plan.markers) if plan.markers else []
    if markers:
        _extend(text, stack, "markers", document.stack.get("markers"), markers)
    return text.edited().encode("utf-8"), tuple(losses)


def _set(text: SourceText, holder: Place, key: str, value: object) -> None:
    existing = text.members(holder).get(key)
    if existing is None:
        text.add_member(holder, key, value)
    else:
        text.replace(existing, value)


def _extend(
    text: SourceText, holder: Place, key: str, existing: object, values: Sequence[object]
) -> None:
    if isinstance(existing, list):
        text.add_elements(text.members(holder)[key], values)
    else:
        _set(text, holder, key, list(values))


def _disable(text: SourceText, stack: Place, document: Document, plan: ConformPlan) -> None:
    """Switches the originals off; an item that does not say that it is on gets the member."""
    by_track: dict[int, set[int]] = {}
    for address in plan.disable:
        track_index, index = document.resolve(address)
        by_track.setdefault(track_index, set()).add(index)
    if not by_track:
        return
    tracks = text.elements(text.members(stack)["children"])
    for track_index, indices in by_track.items():
        places = text.elements(text.members(tracks[track_index])["children"])
        children = child_list(document.tracks[track_index], "children", "a track")
        for index in sorted(indices):
            if children[index].get("enabled") is not False:
                _set(text, places[index], "enabled", False)


def _origin_s(document: Document) -> Fraction:
    """Where the timeline's first frame lies in the stack's own time."""
    return Window.of(document.stack, "the timeline's stack").start_s


def _add_tracks(
    text: SourceText, stack: Place, document: Document, plan: ConformPlan
) -> list[Loss]:
    placed = {
        (entry.track_index, entry.child_index or 0): entry for entry in placed_sounds(document)
    }
    maker = TrackMaker(document, placed, timeline_rate(document), _origin_s(document))
    tracks = [maker.track(track) for track in plan.tracks]
    _extend(text, stack, "children", document.stack.get("children"), tracks)
    return maker.losses


def _markers(document: Document, markers: Sequence[TimelineMarker]) -> list[Json]:
    """Markers of the stack, on the timeline's frames.

    OTIO counts them in the stack's own time. Where the document's own markers visibly count from
    the timeline's start timecode instead, so do the new ones.
    """
    rate = timeline_rate(document)
    origin_s = _origin_s(document) + _marker_offset_s(document)
    known = {_says(marker) for marker in _existing_markers(document)}
    made = [_marker(document, marker, rate, origin_s) for marker in markers]
    # A second run must not repeat them.
    return [marker for marker in made if _says(marker) not in known]


def _existing_markers(document: Document) -> list[Json]:
    markers = child_list(document.stack, "markers", "the timeline's stack")
    return [marker for marker in markers if isinstance(marker, dict)]


def _says(marker: Json) -> tuple[object, ...]:
    """What tells a marker from others: where it starts, and its words."""
    found = read_range(marker.get("marked_range"), "a marker")
    words = (marker.get("name"), marker.get("comment") or metadata_of(marker, RESOLVE).get("Note"))
    return (found and found.start.seconds, *map(str, words))


def _marker_offset_s(document: Document) -> Fraction:
    start = document.timeline.get("global_start_time")
    start_s = read_time(start, "The timeline's global start time").seconds if start else Fraction(0)
    ranges = [
        read_range(marker.get("marked_range"), "a marker") for marker in _existing_markers(document)
    ]
    from_start = [found.start.seconds >= start_s for found in ranges if found is not None]
    return start_s if from_start and all(from_start) else Fraction(0)


def _marker(document: Document, marker: TimelineMarker, rate: Rate, origin_s: Fraction) -> Json:
    start = math.floor((marker.record.start_s + origin_s) * rate.exact)
    end = math.ceil((marker.record.end_s + origin_s) * rate.exact)

    def frames(count: int) -> Json:
        value: float = count if isinstance(rate.written, int) else float(count)
        return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate.written, "value": value}

    return {
        "OTIO_SCHEMA": "Marker.2",
        "metadata": marker_metadata(document, marker.comment),
        "name": marker.name,
        "color": marker.color,
        "marked_range": time_range(frames(start), frames(max(1, end - start))),
        "comment": marker.comment,
    }
