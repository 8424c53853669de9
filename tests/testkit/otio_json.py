"""`.otio` for tests: parts to build documents of, and the undo of a conform; no adapter in it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from nlecompanion.model import ConformPlan

Json = dict[str, Any]

RESOLVE = "Resolve_OTIO"
PREMIERE = "PremierePro_OTIO"


def rt(value: float, rate: float = 24.0) -> Json:
    """A RationalTime."""
    return {"OTIO_SCHEMA": "RationalTime.1", "rate": rate, "value": value}


def span(start: float, duration: float, rate: float = 24.0) -> Json:
    """A TimeRange."""
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "duration": rt(duration, rate),
        "start_time": rt(start, rate),
    }


def media(
    url: str = "file:///Volumes/Rushes/A003%20take.mov",
    start: float = 86400.0,
    duration: float = 24000.0,
    rate: float = 24.0,
) -> Json:
    """An ExternalReference whose timecode starts at `start`."""
    return {
        "OTIO_SCHEMA": "ExternalReference.1",
        "metadata": {},
        "name": "",
        "available_range": span(start, duration, rate),
        "available_image_bounds": None,
        "target_url": url,
    }


def clip(
    start: float,
    duration: float,
    rate: float = 24.0,
    name: str = "A003",
    reference: Json | None = None,
    **more: Any,
) -> Json:
    """A Clip.2 that plays `duration` frames from timecode frame `start`."""
    return {
        "OTIO_SCHEMA": "Clip.2",
        "metadata": {},
        "name": name,
        "source_range": span(start, duration, rate),
        "effects": [],
        "markers": [],
        "enabled": True,
        "media_references": {"DEFAULT_MEDIA": reference or media(rate=rate)},
        "active_media_reference_key": "DEFAULT_MEDIA",
        **more,
    }


def gap(duration: float, rate: float = 24.0) -> Json:
    """A Gap.1."""
    return {
        "OTIO_SCHEMA": "Gap.1",
        "metadata": {},
        "name": "",
        "source_range": span(0.0, duration, rate),
        "effects": [],
        "markers": [],
        "enabled": True,
    }


def transition(before: float, after: float, rate: float = 24.0) -> Json:
    """A cross fade that reaches `before` and `after` frames over the cut."""
    return {
        "OTIO_SCHEMA": "Transition.1",
        "metadata": {},
        "name": "Cross Fade 0dB",
        "in_offset": rt(before, rate),
        "out_offset": rt(after, rate),
        "transition_type": "SMPTE_Dissolve",
    }


def time_warp(scalar: float, schema: str = "LinearTimeWarp.1") -> Json:
    """A time effect."""
    return {
        "OTIO_SCHEMA": schema,
        "metadata": {},
        "name": "",
        "effect_name": schema.partition(".")[0],
        "time_scalar": scalar,
    }


def track(children: list[Json], kind: str = "Audio", name: str = "A1", **more: Any) -> Json:
    """A Track.1."""
    return {
        "OTIO_SCHEMA": "Track.1",
        "metadata": {},
        "name": name,
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
        "children": children,
        "kind": kind,
        **more,
    }


def stack(children: list[Json], source_range: Json | None, **more: Any) -> Json:
    """A Stack.1, as a nested sequence is written."""
    return {
        "OTIO_SCHEMA": "Stack.1",
        "metadata": {},
        "name": "Scene",
        "source_range": source_range,
        "effects": [],
        "markers": [],
        "enabled": True,
        "children": children,
        **more,
    }


def timeline(tracks: list[Json], rate: float = 24.0, name: str = "Cut 3", **more: Any) -> Json:
    """A Timeline.1 that starts at 01:00:00:00 (of a 24 fps clock)."""
    stack: Json = {
        "OTIO_SCHEMA": "Stack.1",
        "metadata": {},
        "name": "tracks",
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
        "children": tracks,
    }
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "metadata": {},
        "name": name,
        "global_start_time": rt(86400.0, rate),
        "tracks": {**stack, **more},
    }


def picture(duration: float = 500.0, rate: float = 24.0) -> Json:
    """A picture track with one clip."""
    return track([clip(86400.0, duration, rate)], kind="Video", name="V1")


def write(path: Path, tree: object, indent: int | None = 4) -> Path:
    """Writes a tree as the library does, and gives the path back."""
    path.write_text(json.dumps(tree, indent=indent, ensure_ascii=False), encoding="utf-8")
    return path


def loads(data: bytes) -> Any:
    """The tree with every number as it is spelt, so that 1, 1.0 and 1e0 all differ."""
    text = data.decode("utf-8-sig")
    text = re.sub(r"(?<=[\s:,\[])(-?)Inf(?=[\s,\]}])", r"\1Infinity", text)
    return json.loads(
        text,
        parse_int="int {}".format,
        parse_float="float {}".format,
        parse_constant="constant {}".format,
    )


def canonical(data: bytes) -> str:
    """The document in a form in which equal documents are equal texts."""
    return json.dumps(loads(data), sort_keys=True)


def timeline_of(tree: Any) -> Json:
    """The timeline, also of a collection."""
    found = tree["children"][0] if tree["OTIO_SCHEMA"].startswith("Serializable") else tree
    assert isinstance(found, dict)
    return found


def item_at(tree: Any, address: str) -> Json:
    """The item of an address `tracks/3/children/17`."""
    _, track_index, _, index = address.split("/")
    found = timeline_of(tree)["tracks"]["children"][int(track_index)]["children"][int(index)]
    assert isinstance(found, dict)
    return found


def undo(original: bytes, delivered: bytes, plan: ConformPlan) -> bytes:
    """Takes from `delivered` what the plan says was added, after checking that it is there.

    `original` only says whether an item had an `enabled` member and what the timeline was called.
    Numbers come back as their spelling; `canonical` takes them for what they were.
    """
    before, after = loads(original), loads(delivered)
    stack = timeline_of(after)["tracks"]
    old_stack = timeline_of(before)["tracks"]
    for wanted in reversed(plan.tracks):
        assert stack["children"].pop()["name"] == wanted.name
    for marker in reversed(plan.markers):
        assert stack["markers"].pop()["comment"] == marker.comment
    if plan.markers and not stack["markers"] and "markers" not in old_stack:
        del stack["markers"]
    assert timeline_of(after)["name"] == plan.timeline_name
    _restore(timeline_of(after), timeline_of(before), "name")
    for address in plan.disable:
        item = item_at(after, address)
        assert item["enabled"] is False
        _restore(item, item_at(before, address), "enabled")
    return json.dumps(after).encode()


def _restore(holder: Json, old: Json, key: str) -> None:
    del holder[key]
    if key in old:
        holder[key] = old[key]
