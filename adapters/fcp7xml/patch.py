"""Carries a conform plan out on a copy of the document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lxml import etree

from nlecompanion.model import ConformPlan, Loss, TimelineMarker

from ..xml_safe import write_xml
from .clips import move_of, original_of
from .document import Dialect, Xmeml, open_xmeml
from .edit import insert, leaf, nested, put_after, set_text
from .items import Placed
from .media import FileShelf, Ids
from .nested import placed_sounds
from .tracks import new_tracks, unnamed
from .values import text_of

#: The marker colours of Premiere's palette as its XML writes them, 0xAABBGGRR in decimal; its
#: default is green, and green is not written.
_PREMIERE_COLORS = {
    "RED": 4281740498,
    "YELLOW": 4281049552,
    "PURPLE": 4289825711,
    "ORANGE": 4280578025,
    "WHITE": 4294967295,
    "BLUE": 4294741314,
    "CYAN": 4292277273,
}
_RGB = {
    "RED": (255, 0, 0),
    "YELLOW": (255, 255, 0),
    "PURPLE": (160, 32, 240),
    "ORANGE": (255, 165, 0),
    "WHITE": (255, 255, 255),
    "BLUE": (0, 0, 255),
    "CYAN": (0, 255, 255),
    "GREEN": (0, 255, 0),
}


def patch_document(path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
    """Writes the conformed copy of `path` to `target`.

    Raises:
        DocumentError: the plan names an address that the document does not have.
    """
    document = open_xmeml(path)
    originals = _originals(document, plan)
    losses: list[Loss] = []
    _add_tracks(document, plan, originals, losses)
    for address in plan.disable:
        # FCP7 writes the flag after the places, and takes it anywhere.
        set_text(document.element_at(address), "enabled", "FALSE", ("end", "name"))
    set_text(document.sequence, "name", plan.timeline_name, ("uuid", "updatebehavior"))
    _add_markers(document, plan.markers)
    write_xml(document.xml, target)
    return tuple(losses)


def _originals(document: Xmeml, plan: ConformPlan) -> dict[str, Placed]:
    wanted = {a for track in plan.tracks for clip in track.clips for a in clip.like}
    for address in (*wanted, *plan.disable):
        document.element_at(address)
    tracks, _ = placed_sounds(document)
    return {item.address: item for track in tracks for item in track}


def _add_tracks(
    document: Xmeml, plan: ConformPlan, originals: dict[str, Placed], losses: list[Loss]
) -> None:
    tracks = [track for track in plan.tracks if track.clips]
    if not tracks:
        return
    needed: dict[str, int] = {}
    for clip in (clip for track in tracks for clip in track.clips):
        reach = max(
            move_of(clip, original_of(clip, originals[address])).source_out for address in clip.like
        )
        needed[clip.media.id] = max(needed.get(clip.media.id, 0), reach)
    ids = Ids.of(document.xml.tree.getroot())
    shelf = FileShelf(document, ids, needed, losses)
    last = document.audio_tracks[-1]
    number = len(document.audio_tracks)
    for track in tracks:
        for element in new_tracks(track, originals, shelf, number + 1):
            put_after(last, element)
            last = element
            number += 1
        if document.dialect is not Dialect.PREMIERE:
            losses.append(Loss(track.name, unnamed(document.dialect, track.name)))


def _add_markers(document: Xmeml, markers: Sequence[TimelineMarker]) -> None:
    """Those that the sequence does not have yet: a second run must not repeat them."""
    sequence = document.sequence
    known = {_marker_says(element) for element in sequence.iterfind("marker")}
    for marker in markers:
        element = _marker(document, marker)
        if _marker_says(element) not in known:
            after = ("marker",) if sequence.find("marker") is not None else ("media", "timecode")
            insert(sequence, element, after)


def _marker_says(element: etree._Element) -> tuple[str, ...]:
    return tuple(text_of(element, path) for path in ("in", "name", "comment"))


def _marker(document: Xmeml, marker: TimelineMarker) -> etree._Element:
    frame = round(marker.record.start_s * document.rate)
    element = nested(
        "marker",
        ("comment", marker.comment),
        ("name", marker.name),
        ("in", str(frame)),
        ("out", "-1"),
    )
    color = marker.color.upper()
    if document.dialect is Dialect.PREMIERE:
        if color in _PREMIERE_COLORS:
            element.append(leaf("pproColor", str(_PREMIERE_COLORS[color])))
    elif color in _RGB:
        parts = zip(("alpha", "red", "green", "blue"), (255, *_RGB[color]), strict=True)
        element.append(nested("color", *((tag, str(value)) for tag, value in parts)))
    return element
