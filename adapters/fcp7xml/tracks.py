"""The new sound tracks: as many as the clips have elements, like the tracks they came from."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree

from nlecompanion.model import CleanedClip, CleanTrack

from ..xml_safe import xml_text
from .clips import original_of, stand_in
from .document import ITEMS, Dialect
from .edit import set_text
from .items import Crossing, Placed
from .media import FileShelf
from .values import TICKS_HZ, text_of

_TRACK_TYPES = {1: "Mono", 2: "Stereo", 6: "5.1"}


@dataclass(frozen=True, slots=True, eq=False)
class _New:
    """A new clip beside the original that it stands in for."""

    clip: CleanedClip
    original: Placed
    element: etree._Element


def new_tracks(
    track: CleanTrack, originals: Mapping[str, Placed], shelf: FileShelf, first_number: int
) -> list[etree._Element]:
    """The elements of one clean track; `first_number` is the number of the first among them."""
    width = max(len(clip.like) for clip in track.clips)
    lanes: list[list[_New]] = [[] for _ in range(width)]
    for clip in track.clips:
        for place, address in enumerate(clip.like):
            original = original_of(clip, originals[address])
            element = stand_in(clip, original, place, shelf, mono=len(clip.like) == 1)
            if not track.enabled and shelf.document.dialect is not Dialect.PREMIERE:
                # Others than Premiere do not all keep a track's own flag.
                set_text(element, "enabled", "FALSE", ("end", "name"))
            lanes[place].append(_New(clip, original, element))
    elements = [_frame(track, lane, n, width, shelf) for n, lane in enumerate(lanes)]
    for lane, element in zip(lanes, elements, strict=True):
        _fill(element, lane, shelf)
    _link(lanes, elements, first_number)
    return elements


def _frame(
    track: CleanTrack, lane: list[_New], place: int, width: int, shelf: FileShelf
) -> etree._Element:
    """An empty track like the one that the lane's first clip came from."""
    first = lane[0].original
    original = first.element.getparent() if first.track is None else first.track
    if original is None:
        raise ValueError("a clip stands outside any track")
    element = etree.Element("track", dict(original.attrib))
    element.text = original.text
    # No other place in the format holds a track's name; editors that do not know it ignore it.
    element.set("MZ.TrackName", xml_text(track.name))
    if shelf.document.dialect is Dialect.PREMIERE:
        if original.get("totalExplodedTrackCount") != str(width):
            element.set("premiereTrackType", _TRACK_TYPES.get(width, "Multichannel"))
        element.set("currentExplodedTrackIndex", str(place))
        element.set("totalExplodedTrackCount", str(width))
    for child in original:
        if child.tag not in ITEMS and isinstance(child.tag, str):
            element.append(deepcopy(child))
    if element.find("locked") is not None:
        set_text(element, "locked", "FALSE")
    if element.find("enabled") is not None or not track.enabled:
        set_text(element, "enabled", "TRUE" if track.enabled else "FALSE")
    return element


def _fill(track: etree._Element, lane: list[_New], shelf: FileShelf) -> None:
    """Puts the clips in, with the transitions that touch them."""
    items: list[etree._Element] = []
    for n, new in enumerate(lane):
        left = lane[n - 1] if n > 0 else None
        right = lane[n + 1] if n + 1 < len(lane) else None
        before, after = new.original.before, new.original.after
        if before is not None and (left is None or left.original.after is not before):
            items.append(_one_sided(before, new.original, "start", shelf))
        items.append(new.element)
        if after is not None and right is not None and right.original.before is after:
            items.append(deepcopy(after.element))
        elif after is not None:
            items.append(_one_sided(after, new.original, "end", shelf))
    for item in items:
        item.tail = track.text
    track[0:0] = items


def _one_sided(crossing: Crossing, placed: Placed, side: str, shelf: FileShelf) -> etree._Element:
    """The half of a transition that belongs to one clip: from black, or to black.

    It keeps its outer ends, so that the clip's fade takes the same frames as before.
    """
    element = deepcopy(crossing.element)
    if not text_of(element, "alignment").startswith(side):
        set_text(element, "alignment", f"{side}-black", ("end", "start"))
    start = max(crossing.start, placed.outer_start) if side == "start" else crossing.start
    end = min(crossing.end, placed.outer_end) if side == "end" else crossing.end
    set_text(element, "start", str(start))
    set_text(element, "end", str(end))
    if element.find("cutPointTicks") is not None:
        length = 0 if side == "start" else end - start
        ticks = round(length * TICKS_HZ / shelf.document.rate)
        set_text(element, "cutPointTicks", str(ticks))
    return element


def _link(lanes: list[list[_New]], tracks: list[etree._Element], first_number: int) -> None:
    """Links each new clip to the others of its own use, in the original's form."""
    places = {
        id(child): (first_number + n, index)
        for n, track in enumerate(tracks)
        for index, child in enumerate((item for item in track if item.tag in ITEMS), start=1)
    }
    members: dict[int, list[_New]] = {}
    for lane in lanes:
        for new in lane:
            members.setdefault(id(new.clip), []).append(new)
    for group in members.values():
        if len(group) > 1:
            for new in group:
                _link_one(new, group, places)


def _link_one(new: _New, group: list[_New], places: Mapping[int, tuple[int, int]]) -> None:
    original = new.original.element
    old_links = {text_of(link, "linkclipref"): link for link in original.iterfind("link")}
    links: list[etree._Element] = []
    for other in group:
        old = old_links.get(other.original.element.get("id", ""))
        if old is None:
            continue
        link = deepcopy(old)
        track_number, index = places[id(other.element)]
        set_text(link, "linkclipref", other.element.get("id", ""))
        if link.find("trackindex") is not None:
            set_text(link, "trackindex", str(track_number))
        if link.find("clipindex") is not None:
            set_text(link, "clipindex", str(index))
        links.append(link)
    source = new.element.find("sourcetrack")
    place = len(new.element) if source is None else new.element.index(source) + 1
    for offset, link in enumerate(links):
        new.element.insert(place + offset, link)


def unnamed(dialect: Dialect, name: str) -> str:
    """What the receipt says where an editor shows no track names from this format."""
    return f"{dialect.value} reads no track names from this format; {name} shows as a number there"
