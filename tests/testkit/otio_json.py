"""`.otio` documents for tests: writes them in the dialects' manner, and takes a conform back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
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


def _plain() -> Json:
    first = [clip(86500.0, 100.0), gap(24.0), clip(90000.0, 60.0), clip(90060.0, 40.0)]
    second = [gap(12.0), clip(86520.0, 50.0), clip(86400.0, 30.0, enabled=False)]
    return timeline([picture(), track(first), track(second, name="Music")])


def _resolve() -> Json:
    rate = 23.976023976023978

    def sound(start: float, duration: float, link: int, channels: list[tuple[int, int]]) -> Json:
        notes = [{"Source Channel ID": c, "Source Track ID": t} for t, c in channels]
        metadata = {RESOLVE: {"Channels": notes, "Link Group ID": link}}
        return clip(start, duration, rate, metadata=metadata)

    volume = {
        "OTIO_SCHEMA": "Effect.1",
        "metadata": {RESOLVE: {"Effect Name": "Fairlight Clip Volume and Fades", "Parameters": []}},
        "name": "",
        "effect_name": "Resolve Effect",
    }
    stereo = [sound(86500.0, 100.0, 1, [(0, 0), (0, 1)]), sound(86700.0, 10.0, 2, [(0, 0), (0, 1)])]
    stereo[0]["effects"] = [volume]
    mono = [gap(30.0, rate), sound(87000.0, 77.0, 3, [(0, 1)])]
    marks = [
        {
            "OTIO_SCHEMA": "Marker.2",
            "metadata": {RESOLVE: {"Keywords": [], "Note": "look"}},
            "name": "Marker 1",
            "color": "BLUE",
            "marked_range": span(86450.0, 1.0, rate),
            "comment": "",
        }
    ]
    kinds = [
        track(
            stereo, name="Audio 1", metadata={RESOLVE: {"Audio Type": "Stereo", "Locked": False}}
        ),
        track(mono, name="Audio 2", metadata={RESOLVE: {"Audio Type": "Mono", "Locked": False}}),
    ]
    tree = timeline([picture(300.0, rate), *kinds], rate, markers=marks)
    tree["metadata"] = {RESOLVE: {"Resolve OTIO Meta Version": "1.0"}}
    return tree


def _premiere() -> Json:
    rate = 25.0

    def sound(start: float, duration: float, link: str, **more: Any) -> Json:
        channels = {
            "ChannelType": "Mono",
            "SecondaryAssignments": [{"SecondaryChannelIndex": 1}],
        }
        metadata = {
            PREMIERE: {"AudioChannels": channels, "LinkID": link, "OriginalChannelGroupIndex": 1}
        }
        return clip(start, duration, rate, metadata=metadata, **more)

    sounds = [
        sound(90000.0, 50.0, "1"),
        sound(91000.0, 50.0, "2", effects=[time_warp(2.0)]),
        sound(92000.0, 25.0, "3"),
        sound(93000.0, 35.0, "4", effects=[time_warp(1.5)]),
        sound(94000.0, 25.0, "5"),
    ]
    metadata = {PREMIERE: {"AudioFrameRate": 44100.0, "VideoFrameRate": rate}}
    tree = timeline([picture(300.0, rate), track(sounds)], rate, metadata=metadata)
    tree["global_start_time"] = rt(0.0, rate)
    tree["metadata"] = {PREMIERE: {"MetadataVersion": "1.0"}}
    return tree


def _transitions() -> Json:
    sounds = [
        transition(0.0, 6.0),
        clip(86500.0, 100.0),
        transition(5.0, 7.0),
        clip(87000.0, 50.0),
        transition(4.0, 4.0),
        clip(88000.0, 50.0, effects=[time_warp(1.5)]),
        transition(3.0, 3.0),
        clip(89000.0, 30.0),
        transition(8.0, 0.0),
    ]
    return timeline([picture(), track(sounds)])


def _trimmed() -> Json:
    sounds = [clip(86500.0, 100.0), gap(10.0), clip(87000.0, 50.0), clip(88000.0, 90.0)]
    tracks = [picture(), track(sounds, source_range=span(20.0, 200.0))]
    return timeline(tracks, source_range=span(10.0, 160.0))


def _old_schemas() -> Json:
    sound = clip(86500.0, 100.0)
    old = {key: sound[key] for key in ("metadata", "name", "effects", "markers")}
    old |= {
        "OTIO_SCHEMA": "Clip.1",
        "media_reference": media(start=86400.0),
        "source_range": None,
    }
    tree = timeline([picture(), track([gap(7.0), old, sound])])
    del tree["tracks"]["markers"]
    return tree


def _samples() -> Json:
    wav = media("/Sound Rolls/Sendung Nr. 4 #2/müde.wav", 1234567.0, 48000.0 * 600, 48000.0)
    sounds = [
        clip(1300001.0, 96001.0, 48000.0, reference=wav),
        gap(1001.0, 48000.0),
        clip(1500013.0, 50000.0, 48000.0, reference=wav),
    ]
    return timeline([picture(), track(sounds)])


def _mixed_rates() -> Json:
    slow = media(start=0.0, rate=25.0)
    sound = clip(1000.0, 48.0, 25.0, reference=slow)
    sound["source_range"]["duration"] = rt(48.0, 29.97002997002997)
    other = clip(100.0, 30.0, 29.97002997002997, reference=media(start=0.0, rate=29.97002997002997))
    return timeline([picture(300.0, 29.97002997002997), track([sound, other])], 29.97002997002997)


def _left_alone() -> Json:
    missing: Json = {
        "OTIO_SCHEMA": "MissingReference.1",
        "metadata": {},
        "name": "",
        "available_range": None,
    }
    generator = {
        "OTIO_SCHEMA": "GeneratorReference.1",
        "metadata": {},
        "name": "tone",
        "available_range": span(0.0, 100.0),
        "generator_kind": "SineTone",
        "parameters": {},
    }
    nested = {
        "OTIO_SCHEMA": "Stack.1",
        "metadata": {},
        "name": "Scene",
        "source_range": span(0.0, 40.0),
        "effects": [],
        "markers": [],
        "enabled": True,
        "children": [track([clip(86400.0, 40.0)])],
    }
    sounds = [
        clip(86400.0, 20.0, effects=[time_warp(1.0)]),
        clip(86400.0, 20.0, effects=[time_warp(2.0)]),
        clip(86400.0, 20.0, effects=[time_warp(-1.0)]),
        clip(86400.0, 20.0, effects=[time_warp(0.0, "FreezeFrame.1")]),
        clip(86400.0, 20.0, reference=missing),
        clip(86400.0, 20.0, reference=generator),
        nested,
        clip(86400.0, 20.0),
    ]
    return timeline([picture(), track(sounds), track([clip(86400.0, 9.0)], enabled=False)])


SPECIMENS: Mapping[str, Json] = {
    "plain": _plain(),
    "resolve": _resolve(),
    "premiere": _premiere(),
    "transitions": _transitions(),
    "trimmed": _trimmed(),
    "old schemas": _old_schemas(),
    "samples": _samples(),
    "mixed rates": _mixed_rates(),
    "left alone": _left_alone(),
    "collection": {
        "OTIO_SCHEMA": "SerializableCollection.1",
        "metadata": {},
        "name": "bin",
        "children": [_plain()],
    },
}


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
