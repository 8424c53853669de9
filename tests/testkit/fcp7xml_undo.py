"""The undo of a conform in Final Cut Pro 7 XML, by plain lxml and without the adapter."""

from __future__ import annotations

from collections import Counter

from lxml import etree

from nlecompanion.model import ConformPlan


def canonical(data: bytes) -> bytes:
    """Canonical XML (C14N 1.0) of a document."""
    return bytes(etree.tostring(etree.fromstring(data), method="c14n"))


def canonical_picture(data: bytes) -> list[bytes]:
    """Canonical XML of every picture part."""
    return [
        bytes(etree.tostring(part, method="c14n"))
        for part in etree.fromstring(data).iterfind(".//sequence/media/video")
    ]


def repeated_ids(data: bytes) -> list[str]:
    """Ids of clips that stand on more than one, and of files defined more than once."""
    root = etree.fromstring(data)
    elements = [e for e in root.iter("clipitem", "generatoritem") if e.get("id")]
    files = [e for e in root.iter("file") if e.get("id") and e.find("pathurl") is not None]
    counts = Counter((str(e.tag), str(e.get("id"))) for e in (*elements, *files))
    return [f"{tag} {name}" for (tag, name), count in counts.items() if count > 1]


def added_tracks(original: bytes, delivered: bytes) -> list[etree._Element]:
    """The sound tracks that the delivered document has after the original's own."""
    old, new = _sequences(original, delivered)
    return new.findall("media/audio/track")[len(old.findall("media/audio/track")) :]


def undo(original: bytes, delivered: bytes, plan: ConformPlan) -> bytes:
    """The delivered document without the plan's tracks, markers, flags and name.

    Raises:
        AssertionError: it holds more or less than the plan says.
    """
    old, new = _sequences(original, delivered)
    _undo_tracks(original, delivered, new, plan)
    for marker in reversed(plan.markers):
        found = [m for m in new.findall("marker") if m.findtext("name") == marker.name]
        assert found, f"marker {marker.name!r} is missing"
        new.remove(found[-1])
    _undo_flags(old, new, plan)
    old_name, new_name = old.find("name"), new.find("name")
    assert new_name is not None
    assert new_name.text == plan.timeline_name
    if old_name is None:
        new.remove(new_name)
    else:
        new_name.text = old_name.text
    return bytes(etree.tostring(new.getroottree()))


def _sequences(original: bytes, delivered: bytes) -> tuple[etree._Element, etree._Element]:
    """The sequence that was worked on: the first that stands in no other clip."""
    found = []
    for data in (original, delivered):
        root = etree.fromstring(data)
        found.append(next(s for s in root.iter("sequence") if s.find("media") is not None))
    return found[0], found[1]


def _undo_tracks(original: bytes, delivered: bytes, new: etree._Element, plan: ConformPlan) -> None:
    count = len(added_tracks(original, delivered))
    expected = sum(max(len(clip.like) for clip in track.clips) for track in plan.tracks)
    assert count == expected, f"{count} tracks were added, the plan has {expected}"
    tracks = new.findall("media/audio/track")
    for track in tracks[len(tracks) - count :]:
        parent = track.getparent()
        assert parent is not None
        parent.remove(track)


def _undo_flags(old: etree._Element, new: etree._Element, plan: ConformPlan) -> None:
    old_clips = old.findall("media/audio/track/clipitem")
    new_clips = new.findall("media/audio/track/clipitem")
    assert len(old_clips) == len(new_clips)
    changed = 0
    for before, after in zip(old_clips, new_clips, strict=True):
        old_flag, new_flag = before.find("enabled"), after.find("enabled")
        if new_flag is None or (old_flag is not None and old_flag.text == new_flag.text):
            continue
        assert new_flag.text == "FALSE"
        changed += 1
        if old_flag is None:
            after.remove(new_flag)
        else:
            new_flag.text = old_flag.text
    assert changed == len(set(plan.disable))
