"""The undo of a conform in FCPXML, by plain lxml and without the adapter."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy

from lxml import etree

from nlecompanion.model import ConformPlan

STORY = frozenset(
    {
        "asset-clip",
        "audio",
        "audition",
        "caption",
        "clip",
        "gap",
        "live-drawing",
        "mc-clip",
        "ref-clip",
        "spine",
        "sync-clip",
        "title",
        "transition",
        "video",
    }
)
MARKERS = frozenset(["marker", "chapter-marker", "rating", "keyword", "analysis-marker"])
_SWITCHES = ("srcEnable", "enabled")


def canonical(data: bytes) -> bytes:
    """Canonical XML (C14N 1.0) of a document."""
    return bytes(etree.tostring(etree.fromstring(data), method="c14n"))


def _alone(element: etree._Element) -> bytes:
    copy = deepcopy(element)
    copy.tail = None
    return bytes(etree.tostring(copy, method="c14n"))


def repeated_ids(data: bytes) -> list[str]:
    """Ids that stand on more than one element."""
    counts = Counter(str(e.get("id")) for e in etree.fromstring(data).iter() if e.get("id"))
    return [name for name, count in counts.items() if count > 1]


def canonical_picture(data: bytes) -> list[object]:
    """All that is seen: every story element with picture, its own settings, and whether it shows.

    Children that are story elements stand in the list for themselves.
    """
    root = etree.fromstring(data)
    seen = {asset.get("id") for asset in root.iter("asset") if asset.get("hasVideo") == "1"}
    picture: list[object] = []
    for element in root.iter(*STORY, "mc-source"):
        if not _is_seen(element, seen):
            continue
        shows = element.get("srcEnable", "all") in ("all", "video")
        switches = {"srcEnable"} if shows else {"srcEnable", "enabled"}
        attributes = {k: v for k, v in element.attrib.items() if k not in switches}
        own = [
            _alone(child)
            for child in element
            # lxml 6.1 crashes on the C14N of a lone comment.
            if isinstance(child.tag, str) and child.tag not in STORY | MARKERS | {"mc-source"}
        ]
        picture.append((element.tag, sorted(attributes.items()), shows, own))
    return picture


def _is_seen(element: etree._Element, seen: set[str | None]) -> bool:
    """Whether it has to do with picture; storylines and transitions of sound alone have not."""
    if element.tag == "spine":
        return not len(element) or any(_is_seen(child, seen) for child in element)
    if element.tag == "transition":
        return element.find("filter-video") is not None
    return element.tag != "audio" and (element.tag != "asset-clip" or element.get("ref") in seen)


def element_at(root: etree._Element, address: str) -> etree._Element:
    """The element of `/3/0:asset-clip#1`: story children by number, then the component's."""
    places, _, tag = address.partition(":")
    element = root.find(".//project/sequence/spine")
    assert element is not None
    for place in places.split("/")[1:]:
        element = [child for child in element if child.tag in STORY][int(place)]
    name, _, component = tag.partition("#")
    assert element.tag == name, f"{address} is a {element.tag!r}"
    if name == "mc-clip" and component:
        return element.findall("mc-source")[int(component)]
    if component and component != "rest":
        return element.findall("audio-channel-source")[int(component)]
    return element


def untouched(data: bytes, address: str) -> bytes:
    """The element at an address without what is anchored to it and the markers on it."""
    element = deepcopy(element_at(etree.fromstring(data), address))
    element.tail = None
    for child in list(element):
        if child.tag in MARKERS or (child.tag in STORY and child.get("lane", "0") != "0"):
            element.remove(child)
        else:
            child.tail = None
    element.text = None
    return bytes(etree.tostring(element, method="c14n"))


def added_assets(original: bytes, delivered: bytes) -> list[etree._Element]:
    """The assets that the delivered document has and the original has not."""
    old = {asset.get("id") for asset in etree.fromstring(original).iter("asset")}
    return [a for a in etree.fromstring(delivered).iter("asset") if a.get("id") not in old]


def added_clips(original: bytes, delivered: bytes) -> list[etree._Element]:
    """The clips that play those assets."""
    new = {asset.get("id") for asset in added_assets(original, delivered)}
    clips = etree.fromstring(delivered).iter("asset-clip", "audio")
    return [clip for clip in clips if clip.get("ref") in new]


def undo(original: bytes, delivered: bytes, plan: ConformPlan) -> bytes:
    """The delivered document without the plan's assets, clips, markers, switches and name.

    Raises:
        AssertionError: it holds more or less than the plan says.
    """
    old, new = etree.fromstring(original), etree.fromstring(delivered)
    known = {asset.get("id") for asset in old.iter("asset")}
    assets = [asset for asset in new.iter("asset") if asset.get("id") not in known]
    assert len(assets) == len({c.media.id for track in plan.tracks for c in track.clips})
    ids = {asset.get("id") for asset in assets}
    clips = [clip for clip in new.iter("asset-clip", "audio") if clip.get("ref") in ids]
    assert len(clips) == sum(len(track.clips) for track in plan.tracks)
    for spine in _added_storylines(new, ids):
        _remove(spine)
    for element in (*assets, *(clip for clip in clips if clip.get("lane") is not None)):
        _remove(element)
    for marker in reversed(plan.markers):
        found = [
            m
            for m in new.iter("marker")
            if m.get("value") == marker.name and m.get("note", "") == marker.comment
        ]
        assert found, f"marker {marker.name!r} is missing"
        _remove(found[-1])
    _undo_switches(old, new, plan)
    _undo_name(old, new, plan)
    return bytes(etree.tostring(new.getroottree()))


def _added_storylines(root: etree._Element, ids: set[str | None]) -> list[etree._Element]:
    """Connected storylines that hold nothing but new clips, and the crossfades between them."""
    return [
        spine
        for spine in root.iter("spine")
        if spine.get("lane") is not None
        and len(spine)
        and all(child.tag == "transition" or child.get("ref") in ids for child in spine)
    ]


def _remove(element: etree._Element) -> None:
    parent = element.getparent()
    assert parent is not None
    parent.remove(element)


def _undo_switches(old: etree._Element, new: etree._Element, plan: ConformPlan) -> None:
    before, after = list(old.iter()), list(new.iter())
    assert len(before) == len(after)
    changed = 0
    for was, now in zip(before, after, strict=True):
        assert was.tag == now.tag
        different = [name for name in _SWITCHES if was.get(name) != now.get(name)]
        assert len(different) < 2
        for name in different:
            changed += 1
            assert (name, now.get(name)) in {
                ("srcEnable", "video"),
                ("srcEnable", "none"),
                ("enabled", "0"),
            }
            value = was.get(name)
            if value is None:
                del now.attrib[name]
            else:
                now.set(name, value)
    assert changed == len(set(plan.disable))


def _undo_name(old: etree._Element, new: etree._Element, plan: ConformPlan) -> None:
    was, now = old.find(".//project"), new.find(".//project")
    assert was is not None
    assert now is not None
    assert now.get("name", "") == plan.timeline_name
    if was.get("name", "") != plan.timeline_name:
        # A project of the old uid would pass for the one in the library.
        assert "uid" not in now.attrib
    for name in ("name", "uid"):
        value = was.get(name)
        if value is not None:
            now.set(name, value)
        else:
            now.attrib.pop(name, None)
