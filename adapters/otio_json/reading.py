"""From the document to the neutral model, with notes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import LeftAlone, Reason, TimelineFacts
from nlecompanion.timeline.contract import (
    NAMESPACE,
    ItemNote,
    note_item,
    note_timeline,
)
from nlecompanion.units import can_drop_frames, exact_rate

from .dialects import premiere_rate, says_drop_frame
from .document import (
    Document,
    active_reference,
    item_range,
    label_of,
    schema_of,
)
from .nested import placed_sounds
from .placing import Placed
from .times import DocTime, Json, Rate, read_time, write_time

if TYPE_CHECKING:
    import opentimelineio as otio

DEFAULT_SAMPLE_RATE_HZ = 48_000


def timeline_rate(document: Document) -> Rate:
    """The timeline's frame rate: Premiere's own word, the global start's, or the first item's.

    Raises:
        UnsupportedDocument: the document has no time at all.
    """
    written = premiere_rate(document, "VideoFrameRate")
    first: Rate | None = Rate(exact_rate(written), written) if written else None
    for rate in _rates(document):
        if first is None or not first.is_frame_rate:
            first = rate if first is None or rate.is_frame_rate else first
        if first.is_frame_rate:
            break
    if first is None:
        raise UnsupportedDocument(
            f"{document.name} holds no clips and no start time, so it has no frame rate. "
            f"Export a timeline with clips."
        )
    return first


def _rates(document: Document) -> Iterator[Rate]:
    start = _global_start(document)
    if start is not None:
        yield start.rate
    for _, _, item in document.items():
        found = item_range(item, label_of(item, "an item"))
        if found is not None:
            yield found.duration.rate


def _global_start(document: Document) -> DocTime | None:
    start = document.timeline.get("global_start_time")
    return None if start is None else read_time(start, "The timeline's global start time")


def facts_of(document: Document) -> TimelineFacts:
    """What holds for the whole timeline."""
    rate = timeline_rate(document).exact
    start = _global_start(document)
    sample_rate_hz = premiere_rate(document, "AudioFrameRate") or DEFAULT_SAMPLE_RATE_HZ
    name = document.timeline.get("name")
    return TimelineFacts(
        name=name if isinstance(name, str) else "",
        format="otio",
        rate=rate,
        start_frame=round(start.seconds * rate) if start else 0,
        drop_frame=can_drop_frames(rate) and says_drop_frame(document),
        sample_rate_hz=round(sample_rate_hz),
    )


def read_timeline(document: Document) -> otio.schema.Timeline:
    """The neutral model of the document.

    Raises:
        UnsupportedDocument: the OpenTimelineIO library does not understand it.
    """
    placed = list(placed_sounds(document))
    facts = facts_of(document)
    timeline = _parse_with_library(document)
    timeline.name = facts.name
    note_timeline(timeline, facts)
    tracks = {index: timeline.tracks[index] for index, _ in document.audio_tracks()}
    items: dict[int, list[Any]] = {}
    for index, track in tracks.items():
        track.kind = "Audio"
        items[index] = list(track)
        for child in items[index]:
            if NAMESPACE in child.metadata:
                del child.metadata[NAMESPACE]  # notes of an earlier run
    for entry in placed:
        item = items[entry.track_index][entry.child_index or 0]
        if entry.inside is not None:
            item = _opened(tracks[entry.track_index], item, entry)
        _note(item, entry)
    return timeline


def _opened(track: Any, stack: Any, entry: Placed) -> Any:
    """Puts the one clip that sounds in a nested sequence into its place in the model."""
    import opentimelineio as otio

    inner_track, index = entry.inside or (0, 0)
    clip = stack[inner_track][index].clone()
    clip.enabled = stack.enabled
    gaps = []
    for gap_s in entry.around_s:
        time, _ = write_time(gap_s, [])
        length = otio.opentime.TimeRange(duration=_library_time(time))
        gaps.append([otio.schema.Gap(source_range=length)] if gap_s else [])
    place = track.index(stack)
    track[place : place + 1] = [*gaps[0], clip, *gaps[1]]
    return clip


def _parse_with_library(document: Document) -> otio.schema.Timeline:
    import opentimelineio as otio

    text = document.text.removeprefix("\ufeff")
    try:
        found = otio.core.deserialize_json_from_string(text)
    except otio.exceptions.UnsupportedSchemaError as error:
        raise UnsupportedDocument(
            f"{document.name} uses {_newer_schema(document) or 'a schema'}, which is newer than "
            f"OpenTimelineIO {otio.__version__} reads. Export for an older version."
        ) from error
    except (otio.exceptions.OTIOError, ValueError, KeyError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UnsupportedDocument(
            f"{document.name} is not a valid OpenTimelineIO document ({reason}). Export it again."
        ) from error
    if document.in_collection is not None:
        found = found[document.in_collection]
    return found


def _newer_schema(document: Document) -> str | None:
    """The first schema whose version is above what the library knows: `Marker.3`."""
    import opentimelineio as otio

    known = otio.core.type_version_map()
    pending: list[Any] = [document.tree]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            label = value.get("OTIO_SCHEMA")
            name, _, version = str(label).partition(".")
            if (
                name in known
                and version.isascii()
                and version.isdigit()
                and int(version[:9]) > known[name]
            ):
                return str(label)
            pending.extend(reversed(value.values()))
        elif isinstance(value, list):
            pending.extend(reversed(value))
    return None


def _note(item: Any, placed: Placed) -> None:
    left_alone = placed.left_alone
    if placed.head_cut_s or placed.tail_cut_s:
        left_alone = _trim(item, placed) or left_alone
    note_item(
        item,
        ItemNote(
            address=placed.address,
            use=placed.address,
            record=placed.record,
            channels=placed.channels,
            frame_rate=_grid(placed),
            left_alone=left_alone,
        ),
    )


def _trim(item: Any, placed: Placed) -> LeftAlone | None:
    """Gives the model's clip the source range that is heard; the document keeps its own."""
    import opentimelineio as otio

    if placed.source_start is None:
        return None
    rates = [placed.source_start.rate]
    start, exact_start = write_time(placed.source_start.seconds, rates)
    duration, exact_duration = write_time(placed.record.duration_s, rates)
    item.source_range = otio.opentime.TimeRange(_library_time(start), _library_time(duration))
    if exact_start and exact_duration:
        return None
    return LeftAlone(
        Reason.UNSUPPORTED,
        "the track's source range cuts it at an instant that no rate expresses. "
        "Trim the clip itself and export again.",
    )


def _library_time(time: Json) -> otio.opentime.RationalTime:
    import opentimelineio as otio

    return otio.opentime.RationalTime(time["value"], time["rate"])


def _grid(placed: Placed) -> Fraction | None:
    """The frame rate on whose frames both the source position and the media's start lie."""
    start = placed.source_start
    if start is None or not start.rate.is_frame_rate or schema_of(placed.item) != "Clip":
        return None
    rate = start.rate.exact
    available = active_reference(placed.item).get("available_range")
    positions_s = [start.seconds]
    if available is not None:
        positions_s.append(read_time(available.get("start_time"), "The media's start").seconds)
    on_grid = all((position_s * rate).denominator == 1 for position_s in positions_s)
    return rate if on_grid else None
