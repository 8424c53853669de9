"""Clips that a crossfade joins: they become one connected storyline with the same transition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from fractions import Fraction

from lxml import etree

from nlecompanion.model import CleanedClip, CleanTrack, Loss

from .clips import Shelf, stand_in
from .sounds import Crossfade, Edges, Sound
from .times import time_text


@dataclass(frozen=True, slots=True, eq=False)
class Link:
    """A clip of a run, and the crossfade that joins it to the next one of it."""

    clip: CleanedClip
    sound: Sound
    crossfade: Crossfade | None = None


def sound_of(clip: CleanedClip, sounds: Mapping[str, Sound]) -> Sound:
    """What a new clip is made after; of it a plain one takes the form only."""
    sound = sounds[clip.like[0]]
    if not clip.plain:
        return sound
    return replace(sound, levels=(), component=None, edges=Edges())


def runs_of(
    clips: Sequence[CleanedClip], sounds: Mapping[str, Sound], losses: list[Loss]
) -> list[list[Link]]:
    """The clips of a track, those together that crossfades join; others' are losses."""
    runs: list[list[Link]] = []
    joined = False
    for index, clip in enumerate(clips):
        sound = sound_of(clip, sounds)
        after = clips[index + 1] if index + 1 < len(clips) else None
        crossfade = sound.edges.cross_out
        if after is None or not _joins(clip, crossfade, after, sound_of(after, sounds)):
            crossfade = None
        if sound.edges.cross_in is not None and not joined:
            losses.append(_hard_cut(clip, "start"))
        if sound.edges.cross_out is not None and crossfade is None:
            losses.append(_hard_cut(clip, "end"))
        link = Link(clip, sound, crossfade)
        if joined:
            runs[-1].append(link)
        else:
            runs.append([link])
        joined = crossfade is not None
    return runs


def _hard_cut(clip: CleanedClip, side: str) -> Loss:
    return Loss(
        clip.use_id,
        f"the crossfade at its {side} is a hard cut: what lies on its other side was not cleaned "
        "together with it, or the cleaned file has no handle for it",
    )


def _joins(
    clip: CleanedClip, crossfade: Crossfade | None, after: CleanedClip, next_sound: Sound
) -> bool:
    """Whether the same transition stands between two clips, and both files reach under it."""
    other = next_sound.edges.cross_in
    if crossfade is None or other is None or other.element is not crossfade.element:
        return False
    cut_s = clip.record.end_s
    tail_s = clip.media.duration_s - clip.source_in_s - clip.record.duration_s
    return (
        cut_s == after.record.start_s
        and crossfade.record.end_s - cut_s <= tail_s
        and cut_s - crossfade.record.start_s <= after.source_in_s
    )


def connected(
    run: Sequence[Link],
    track: CleanTrack,
    lane: int,
    offset_s: Fraction,
    shelf: Shelf,
    losses: list[Loss],
) -> etree._Element:
    """The run as a connected clip, or as a connected storyline where it has more than one."""
    if len(run) == 1:
        return stand_in(run[0].clip, run[0].sound, track, lane, offset_s, shelf, losses)
    spine = etree.Element("spine", lane=str(lane), offset=time_text(offset_s))
    first_s = run[0].clip.record.start_s
    for link in run:
        at_s = link.clip.record.start_s - first_s
        element = stand_in(link.clip, link.sound, track, lane, at_s, shelf, losses)
        del element.attrib["lane"]
        spine.append(element)
        if link.crossfade is not None:
            spine.append(_sound_only(link.crossfade, first_s))
    return spine


def _sound_only(crossfade: Crossfade, first_s: Fraction) -> etree._Element:
    original = crossfade.element
    copy = etree.Element("transition")
    if original.get("name") is not None:
        copy.set("name", original.get("name", ""))
    copy.set("offset", time_text(crossfade.record.start_s - first_s))
    copy.set("duration", time_text(crossfade.record.duration_s))
    for child in original.iterfind("filter-audio"):
        element = deepcopy(child)
        element.tail = None
        copy.append(element)
    return copy
