"""Carries a conform plan out on a copy of the document."""

from __future__ import annotations

import re
import shutil
from bisect import bisect_right
from collections.abc import Set
from pathlib import Path

from lxml import etree

from nlecompanion.errors import DocumentError
from nlecompanion.model import ConformPlan, Loss, TimelineMarker

from ..fcp7xml.edit import insert, put_after, put_first
from ..xml_safe import write_xml, xml_text
from .clips import Shelf
from .document import BUNDLE_INFO, STORY, Document, open_document
from .runs import connected, runs_of
from .sounds import Host, Sound
from .times import BadTime, time_of, time_text
from .walk import Walk, walk

_LANE = re.compile(r"^-?[0-9]{1,5}$")
#: DTD order: what may stand before anchored items, and the markers after those.
_BEFORE = (
    "note",
    "param",
    "text",
    "text-style-def",
    "conform-rate",
    "timeMap",
    "object-tracker",
    "mc-source",
)
_MARKERS = (
    "marker",
    "chapter-marker",
    "rating",
    "keyword",
    "analysis-marker",
    "hidden-clip-marker",
)


def patch_document(path: Path, plan: ConformPlan, target: Path) -> tuple[Loss, ...]:
    """Writes the conformed copy of `path` to `target`; a bundle becomes a bundle.

    Raises:
        DocumentError: the plan names an address that the document does not have.
    """
    document = open_document(path)
    found = walk(document)
    sounds = {sound.address: sound for sound in found.sounds}
    wanted = {a for track in plan.tracks for clip in track.clips for a in clip.like}
    for address in (*wanted, *plan.disable):
        if address not in sounds:
            raise DocumentError(
                f"{document.name} has no clip at {address}. It is not the document that the plan "
                "was made from; run the timeline again."
            )
    losses: list[Loss] = []
    _add_clips(document, plan, sounds, losses)
    for address in plan.disable:
        switch_off(document, sounds[address])
    _rename(document.project, plan.timeline_name)
    last: dict[etree._Element, etree._Element] = {}
    known = {_marker_says(element) for element in document.sequence.iter("marker")}
    for marker in plan.markers:
        _add_marker(document, found, marker, known, last, losses)
    _write(document, path, target)
    return tuple(losses)


def _add_clips(
    document: Document, plan: ConformPlan, sounds: dict[str, Sound], losses: list[Loss]
) -> None:
    shelf = Shelf(document)
    lane = _lowest_lane(document)
    last: dict[etree._Element, etree._Element] = {}
    for track in plan.tracks:
        lane -= 1
        for run in runs_of(track.clips, sounds, losses):
            sound = sounds[run[0].clip.like[0]]
            if sound.host is None:
                raise DocumentError(f"{document.name}: {sound.address} has no place to anchor to.")
            offset_s = run[0].clip.record.start_s + sound.host.shift_s
            element = connected(run, track, lane, offset_s, shelf, losses)
            host = sound.host.element
            before = last.get(host)
            if before is None:
                _anchor(host, element)
            else:
                put_after(before, element)
            last[host] = element
    resources = document.xml.tree.getroot().find("resources")
    if resources is None:
        if shelf.assets:
            raise DocumentError(f"{document.name} holds no resources. Export the project again.")
        return
    before = resources[-1] if len(resources) else None
    for asset in shelf.assets:
        if before is None:
            put_first(resources, asset)
        else:
            put_after(before, asset)
        before = asset


def _lowest_lane(document: Document) -> int:
    lanes = [0]
    for element in document.sequence.iter():
        text = element.get("lane") or ""  # a comment has no attributes at all
        if _LANE.match(text):
            lanes.append(int(text))
    return min(lanes)


def _anchor(host: etree._Element, element: etree._Element) -> None:
    """Puts a connected clip after those that are there, where the DTD wants it."""
    anchored = tuple({str(child.tag) for child in host if child.tag in STORY})
    insert(host, element, anchored or _leading(host))


def _leading(host: etree._Element) -> tuple[str, ...]:
    tags = {str(child.tag) for child in host}
    return tuple(t for t in tags if t in _BEFORE or t.startswith("adjust-"))


def switch_off(document: Document, sound: Sound) -> None:
    """Silences one sound, and no picture."""
    element = sound.switch
    if element.tag == "mc-source":
        # An angle that gives picture and sound keeps giving the picture.
        sounding_only = element.get("srcEnable", "all") == "audio"
        element.set("srcEnable", "none" if sounding_only else "video")
    elif element.tag == "ref-clip":
        _switch_clip(element, has_picture=True)
    elif element.tag == "asset-clip":
        asset = document.asset_of(element)
        _switch_clip(element, asset is not None and asset.get("hasVideo") == "1")
    else:
        element.set("enabled", "0")


def _switch_clip(clip: etree._Element, has_picture: bool) -> None:
    # `enabled="0"` would take the picture away with the sound.
    if has_picture and clip.get("srcEnable", "all") != "audio":
        clip.set("srcEnable", "video")
    else:
        clip.set("enabled", "0")


def _rename(project: etree._Element, name: str) -> None:
    if project.get("name", "") == name:
        return
    project.set("name", xml_text(name))
    # With its old uid the new project would pass for the one in the editor's library.
    project.attrib.pop("uid", None)


def _add_marker(
    document: Document,
    found: Walk,
    marker: TimelineMarker,
    known: Set[tuple[object, ...]],
    last: dict[etree._Element, etree._Element],
    losses: list[Loss],
) -> None:
    host = _host_at(found.hosts, marker)
    if host is None:
        losses.append(Loss(marker.name, "the project is empty and has no place for a marker"))
        return
    inside_s = marker.record.start_s - host.record.start_s
    frames = max(inside_s // document.frame_s, 0)
    last_frame = max(-(-host.record.duration_s // document.frame_s) - 1, 0)
    if host.only_s is not None:
        frames = 0
    local_s = host.record.start_s + host.shift_s + min(frames, last_frame) * document.frame_s
    if frames > last_frame or (host.only_s is not None and inside_s >= document.frame_s):
        losses.append(Loss(marker.name, "its marker stands at the nearest place that takes one"))
    element = etree.Element(
        "marker",
        start=time_text(local_s),
        duration=time_text(document.frame_s),
        value=xml_text(marker.name),
    )
    if marker.color.upper() == "RED":
        # Final Cut has no marker colours; a to-do marker is its red one.
        element.set("completed", "0")
    if marker.comment:
        element.set("note", xml_text(marker.comment))
    if _marker_says(element, host.element) in known:
        return  # an earlier run left it there
    before = last.get(host.element)
    if before is not None:
        put_after(before, element)
    else:
        tags = {str(child.tag) for child in host.element}
        after = tuple(tags.intersection(_MARKERS)) or tuple(tags & STORY)
        insert(host.element, element, after or _leading(host.element))
    last[host.element] = element


def _marker_says(
    marker: etree._Element, holder: etree._Element | None = None
) -> tuple[object, ...]:
    """What tells a marker from others: whose it is, where it stands, and its words."""
    holder = marker.getparent() if holder is None else holder
    try:
        start_s = time_of(marker, "start")
    except BadTime:
        start_s = None
    return holder, start_s, marker.get("value", ""), marker.get("note", "")


def _host_at(hosts: list[Host], marker: TimelineMarker) -> Host | None:
    """The item of the primary storyline under the marker, else the nearest before it."""
    if not hosts:
        return None
    index = bisect_right(hosts, marker.record.start_s, key=lambda host: host.record.start_s)
    return hosts[max(index - 1, 0)]


def _write(document: Document, path: Path, target: Path) -> None:
    if not path.is_dir():
        write_xml(document.xml, target)
        return
    target.mkdir(exist_ok=True)
    for item in sorted(path.rglob("*")):
        inside = item.relative_to(path)
        if item.is_symlink() or inside == Path(BUNDLE_INFO):
            continue
        if item.is_dir():
            (target / inside).mkdir(exist_ok=True)
        elif item.is_file():
            shutil.copyfile(item, target / inside)
    write_xml(document.xml, target / BUNDLE_INFO)
