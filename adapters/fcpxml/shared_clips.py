"""Multicam and compound clips: what they show stands once in the document, for all their uses.

Nothing inside may change, since other clips show it too. Where one sound plays in the range, the
clip's own switch silences just that one, and it can be replaced exactly; else it is left alone.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from lxml import etree

from nlecompanion.model import LeftAlone, Reason, Span

from .document import Document
from .emit import audio_window, has_audio, own_edges
from .retime import mapping_of, rate_scaled
from .sounds import Edges, Level, Place, Sound, first_reason
from .times import time_of

if TYPE_CHECKING:
    from .walk import Walk

_NEXT_MOVE = "Choose Clip > Break Apart Clip Items and export again."
_INSIDE = f"a compound or multicam clip inside another one. {_NEXT_MOVE}"


def multicam(walk: Walk, clip: etree._Element, here: Place, start_s: Fraction) -> list[Sound]:
    """A sound for each angle that the clip chooses, switched at its `mc-source`."""
    media = walk.document.media.get(clip.get("ref", ""))
    camera = None if media is None else media.find("multicam")
    if camera is None:
        return []
    sources = list(clip.iterfind("mc-source"))
    if here.shared or not sources:
        why = _INSIDE if here.shared else f"a multicam clip without mc-source. {_NEXT_MOVE}"
        refused = _refused(walk, clip, clip, f"{here.path}:mc-clip", here, start_s, why)
        return [refused] if _has_sound(walk.document, clip, frozenset()) else []
    found = []
    for index, source in enumerate(sources):
        angle = next(
            (a for a in camera.iterfind("mc-angle") if a.get("angleID") == source.get("angleID")),
            None,
        )
        if angle is None:
            continue
        enable = source.get("srcEnable", "all")
        on = enable in ("all", "audio") and clip.get("srcEnable", "all") != "video"
        first_s = time_of(camera, "tcStart") or Fraction(0)
        roles = tuple(source.iterfind("audio-role-source"))
        inner = _heard(walk, clip, angle, here, start_s, first_s, roles)
        address = f"{here.path}:mc-clip#{index}"
        found += _one(walk, clip, source, address, here, start_s, inner, on)
    return found


def compound(walk: Walk, clip: etree._Element, here: Place, start_s: Fraction) -> list[Sound]:
    """The sound of a compound clip, switched at the clip."""
    media = walk.document.media.get(clip.get("ref", ""))
    sequence = None if media is None else media.find("sequence")
    spine = None if sequence is None else sequence.find("spine")
    if sequence is None or spine is None:
        return []
    address = f"{here.path}:ref-clip"
    if here.shared:
        why = _INSIDE
        refused = _refused(walk, clip, clip, address, here, start_s, why)
        return [refused] if _has_sound(walk.document, clip, frozenset()) else []
    first_s = time_of(sequence, "tcStart") or Fraction(0)
    roles = tuple(clip.iterfind("audio-role-source"))
    inner = _heard(walk, clip, spine, here, start_s, first_s, roles)
    on = clip.get("srcEnable", "all") != "video"
    return _one(walk, clip, clip, address, here, start_s, inner, on)


def _heard(
    walk: Walk,
    clip: etree._Element,
    spine: etree._Element,
    here: Place,
    start_s: Fraction,
    first_s: Fraction,
    roles: tuple[etree._Element, ...],
) -> list[Sound]:
    """What plays inside within the clip's range, without what is switched off there."""
    window = audio_window(clip, here, start_s, walk.length_s(clip))
    inside = replace(
        here,
        window=window
        if here.window is None
        else (max(window[0], here.window[0]), min(window[1], here.window[1])),
        levels=(Level(clip, here.shift_s, *window), *here.levels),
        left_alone=None,
        roles=roles,
        sync=None,
        components=(),
        edges=Edges(),
        shared=True,
        path="",
    )
    outside, walk.sounds = walk.sounds, []
    try:
        walk.storyline(spine, inside, first_s)
        return [sound for sound in walk.sounds if not sound.is_off]
    finally:
        walk.sounds = outside


def _one(
    walk: Walk,
    clip: etree._Element,
    switch: etree._Element,
    address: str,
    here: Place,
    start_s: Fraction,
    inner: list[Sound],
    on: bool,
) -> list[Sound]:
    if not inner:
        return []
    off = None
    if clip.get("enabled", "1") == "0":
        off = LeftAlone(Reason.DISABLED)
    elif not on:
        off = LeftAlone(Reason.DISABLED, "its sound is switched off")
    if len(inner) > 1:
        refused = _refused(walk, clip, switch, address, here, start_s, _several(clip, inner))
        roles = {sound.role for sound in inner}
        role = roles.pop() if len(roles) == 1 else ""
        reason = first_reason(off, refused.left_alone)
        return [replace(refused, role=role, left_alone=reason)]
    (only,) = inner
    crossing = None
    if only.edges != Edges():
        why = f"a transition inside it acts on the sound. {_NEXT_MOVE}"
        crossing = LeftAlone(Reason.NESTED, why)
    window = audio_window(clip, here, start_s, walk.length_s(clip))
    reason = first_reason(
        here.left_alone,
        off,
        mapping_of(clip).why_left_alone(),
        rate_scaled(clip, walk.document.rate),
        only.left_alone,
        crossing,
    )
    return [
        replace(
            only,
            address=address,
            switch=switch,
            name=clip.get("name", "") or only.name,
            lane=here.lane,
            edges=own_edges(here, clip, window, only.record),
            left_alone=reason,
        )
    ]


def _several(clip: etree._Element, inner: list[Sound]) -> str:
    kind = "a multicam angle" if clip.tag == "mc-clip" else "a compound clip"
    return f"{kind} with {len(inner)} sounds, which only go on and off together. {_NEXT_MOVE}"


def _refused(
    walk: Walk,
    clip: etree._Element,
    switch: etree._Element,
    address: str,
    here: Place,
    start_s: Fraction,
    why: str,
) -> Sound:
    start, end = audio_window(clip, here, start_s, walk.length_s(clip))
    if here.window is not None:
        start, end = max(start, here.window[0]), min(end, here.window[1])
    off = LeftAlone(Reason.DISABLED) if clip.get("enabled", "1") == "0" else None
    return Sound(
        address=address,
        switch=switch,
        name=clip.get("name", ""),
        record=Span(start, max(end - start, Fraction(0))),
        source_s=start_s,
        asset=None,
        channels=None,
        role="",
        lane=here.lane,
        host=here.host,
        left_alone=first_reason(off, here.left_alone, LeftAlone(Reason.NESTED, why)),
    )


def _has_sound(document: Document, clip: etree._Element, seen: frozenset[str]) -> bool:
    """Whether anything that a compound or multicam clip shows has sound, at any depth."""
    ref = clip.get("ref", "")
    media = document.media.get(ref)
    if media is None or ref in seen:
        return False
    for element in media.iter("asset-clip", "audio"):
        asset = document.asset_of(element)
        if asset is None or has_audio(asset):
            return True
    return any(
        _has_sound(document, inner, seen | {ref}) for inner in media.iter("ref-clip", "mc-clip")
    )
