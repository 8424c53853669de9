"""Small `.otio` documents, one for each habit of the editors and each trap of the format."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from testkit.otio_json import (
    PREMIERE,
    RESOLVE,
    Json,
    clip,
    gap,
    media,
    picture,
    rt,
    span,
    stack,
    time_warp,
    timeline,
    track,
    transition,
)


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
    nested = stack([track([clip(86400.0, 40.0)]), track([clip(86500.0, 40.0)])], span(0.0, 40.0))
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


def _nested() -> Json:
    """Stacks with one sound in them, whole and in part, with picture, and off."""
    inside = [gap(10.0), clip(86450.0, 40.0)]
    sounds = [
        clip(86400.0, 20.0),
        stack([picture(50.0), track(inside)], None),
        stack([track(inside)], span(20.0, 25.0)),
        stack([track(inside), track([clip(86500.0, 9.0)], enabled=False)], span(0.0, 30.0)),
        stack([track([clip(86450.0, 40.0)], source_range=span(5.0, 30.0))], span(2.0, 20.0)),
        clip(86400.0, 20.0),
        stack([track(inside)], None, enabled=False),
        stack([track(inside)], span(0.0, 10.0)),
    ]
    return timeline([picture(), track(sounds)])


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
    "nested": _nested(),
    "collection": {
        "OTIO_SCHEMA": "SerializableCollection.1",
        "metadata": {},
        "name": "bin",
        "children": [_plain()],
    },
}
