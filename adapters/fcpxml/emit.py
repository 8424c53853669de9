"""The sounds of one clip on an asset: its range, its channels, what speaks against them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from lxml import etree

from nlecompanion.model import LeftAlone, Reason, Span

from .document import Document, url_of
from .levels import why_not
from .retime import Mapping, mapping_of, rate_scaled
from .sounds import Edges, Level, Place, Sound, first_reason, full_role
from .times import time_of


def audio_window(
    clip: etree._Element, here: Place, start_s: Fraction, length_s: Fraction
) -> tuple[Fraction, Fraction]:
    """The record range of a clip's sound, which a split edit moves away from its picture's."""
    begin_s = time_of(clip, "audioStart")
    duration_s = time_of(clip, "audioDuration")
    begin_s = start_s if begin_s is None else begin_s
    duration_s = length_s if duration_s is None else max(duration_s, Fraction(0))
    return begin_s + here.shift_s, begin_s + here.shift_s + duration_s


@dataclass(frozen=True, slots=True, eq=False)
class Played:
    """What a clip plays, before its channels are told apart.

    `place.shift_s` leads from the clip's local time to the record; `window` is the record range of
    its sound before the clips around it cut it; `off` is why it is switched off as a whole.
    """

    clip: etree._Element
    place: Place
    window: tuple[Fraction, Fraction]
    asset: etree._Element | None
    role: str
    off: LeftAlone | None


def clip_sounds(
    document: Document,
    clip: etree._Element,
    here: Place,
    start_s: Fraction,
    length_s: Fraction,
) -> list[Sound]:
    """The sounds of an `asset-clip`: one, or one for each of its channel components."""
    asset = document.asset_of(clip)
    if asset is not None and not has_audio(asset):
        return []
    window = audio_window(clip, here, start_s, length_s)
    place = replace(here, levels=(Level(clip, here.shift_s, *window), *here.levels))
    played = Played(clip, place, window, asset, clip.get("audioRole", ""), _clip_off(clip))
    base = f"{here.path}:asset-clip"
    whole = asset_channels(asset)
    components = list(clip.iterfind("audio-channel-source"))
    listed = [channels_of(component.get("srcCh", "")) for component in components]
    found: list[Sound | None] = []
    if not components:
        found.append(sound(document, played, base, clip, whole))
    elif len(components) == 1 and whole in (None, listed[0]):
        found.append(sound(document, played, base, clip, listed[0], components[0]))
    else:
        for index, (part, channels) in enumerate(zip(components, listed, strict=True)):
            found.append(sound(document, played, f"{base}#{index}", part, channels, part))
        rest = tuple(sorted(set(whole or ()) - {c for some in listed for c in some or ()}))
        if rest:
            unsure = LeftAlone(Reason.UNSUPPORTED, "the document does not say whether they sound")
            played = replace(played, off=first_reason(played.off, unsure))
            found.append(sound(document, played, f"{base}#rest", clip, rest))
    return [one for one in found if one is not None]


def _clip_off(clip: etree._Element) -> LeftAlone | None:
    if clip.get("enabled", "1") == "0":
        return LeftAlone(Reason.DISABLED)
    if clip.get("srcEnable", "all") == "video":
        return LeftAlone(Reason.DISABLED, "its sound is switched off")
    return None


def element_sound(
    document: Document,
    element: etree._Element,
    here: Place,
    start_s: Fraction,
    length_s: Fraction,
) -> Sound | None:
    """The sound of an `audio` element; the clip around it may set its role by its channels."""
    asset = document.asset_of(element)
    if asset is None and element.get("ref", "") in document.effects:
        return None
    window = (start_s + here.shift_s, start_s + here.shift_s + length_s)
    channels = channels_of(element.get("srcCh", "")) or asset_channels(asset)
    source = element.get("srcID", "1")
    if channels is not None and source.isascii() and source.isdigit() and len(source) < 4:
        before = max(int(source) - 1, 0) * channel_count(asset)
        channels = tuple(channel + before for channel in channels)
    component = _component_for(here.components, channels)
    place = replace(here, levels=(Level(element, here.shift_s, *window), *here.levels))
    off = LeftAlone(Reason.DISABLED) if element.get("enabled", "1") == "0" else None
    played = Played(element, place, window, asset, element.get("role", ""), off)
    return sound(document, played, f"{here.path}:audio", element, channels, component)


def _component_for(
    components: tuple[etree._Element, ...], channels: tuple[int, ...] | None
) -> etree._Element | None:
    """The channel settings of the `clip` around that speak of these channels."""
    for component in components:
        named = channels_of(component.get("srcCh", ""))
        if named is not None and channels is not None and set(channels) <= set(named):
            return component
    return None


def sound(
    document: Document,
    played: Played,
    address: str,
    switch: etree._Element,
    channels: tuple[int, ...] | None,
    component: etree._Element | None = None,
) -> Sound | None:
    """One sound, cut to what the clips around it let through; None where nothing is left."""
    clip, place, window = played.clip, played.place, played.window
    start, end = window
    if place.window is not None:
        start, end = max(start, place.window[0]), min(end, place.window[1])
    if end <= start:
        return None
    mapping = mapping_of(clip)
    record = Span(start, end - start)
    local_s = start - place.shift_s
    role = played.role
    levels = place.levels
    if component is not None:
        role = component.get("role", "") or role
        levels = (Level(component, place.shift_s, *window), *levels)
    levels, role_off = _role_levels(place, role, levels)
    reason = first_reason(
        place.left_alone,
        played.off,
        None if component is None else _component_off(component),
        role_off,
        mapping.why_left_alone(),
        rate_scaled(clip, document.rate),
        _asset_trouble(played.asset),
        None if component is None else _component_range(component),
        why_not(levels, record),
        _host_trouble(place, record),
    )
    return Sound(
        address=address,
        switch=switch,
        name=clip.get("name", "") or ("" if played.asset is None else played.asset.get("name", "")),
        record=record,
        source_s=mapping.at(local_s),
        asset=played.asset,
        channels=channels,
        role=role,
        lane=place.lane,
        host=place.host,
        levels=levels,
        component=component,
        edges=own_edges(place, clip, window, record),
        left_alone=reason,
        source_duration_s=_mapped_length(mapping, local_s, record.duration_s),
    )


def _mapped_length(mapping: Mapping, local_s: Fraction, length_s: Fraction) -> Fraction:
    played_s = abs(mapping.at(local_s + length_s) - mapping.at(local_s))
    return played_s or length_s


def own_edges(
    place: Place, clip: etree._Element, window: tuple[Fraction, Fraction], record: Span
) -> Edges:
    """Transitions act on a clip's sound where that ends with the clip: not on split edits."""
    if clip.get("audioStart") is not None or clip.get("audioDuration") is not None:
        return Edges()
    edges = place.edges
    around = place.window or window
    starts = record.start_s in (window[0], around[0])
    ends = record.end_s in (window[1], around[1])
    return Edges(
        edges.fade_in_s if starts else Fraction(0),
        edges.fade_out_s if ends else Fraction(0),
        edges.cross_in if starts else None,
        edges.cross_out if ends else None,
    )


def _role_levels(
    place: Place, role: str, levels: tuple[Level, ...]
) -> tuple[tuple[Level, ...], LeftAlone | None]:
    """What the role settings of the clips around say about a sound of this role."""
    wanted = full_role(role)
    for setting in place.roles:
        if full_role(setting.get("role", "")) != wanted:
            continue
        if setting.get("active", "1") == "0" or setting.get("enabled", "1") == "0":
            return levels, LeftAlone(Reason.MUTED, f"the role {wanted} is switched off around it")
        outer = levels[-1]
        if len(setting):
            return (*levels, Level(setting, outer.shift_s, outer.start_s, outer.end_s)), None
    return levels, None


def _component_off(component: etree._Element) -> LeftAlone | None:
    if component.get("active", "1") == "0" or component.get("enabled", "1") == "0":
        return LeftAlone(Reason.DISABLED, "its channels are switched off")
    return None


def _component_range(component: etree._Element) -> LeftAlone | None:
    if component.get("start") is None and component.get("duration") is None:
        return None
    return LeftAlone(Reason.UNSUPPORTED, "its channels are trimmed on their own")


def _asset_trouble(asset: etree._Element | None) -> LeftAlone | None:
    if asset is None or not url_of(asset):
        return LeftAlone(Reason.OFFLINE, "the document names no media file for it")
    return None


def _host_trouble(place: Place, record: Span) -> LeftAlone | None:
    host = place.host
    if host is None or host.only_s is None or record.start_s + host.shift_s == host.only_s:
        return None
    return LeftAlone(Reason.UNSUPPORTED, "it is anchored to a clip whose frame rate is conformed")


def has_audio(asset: etree._Element) -> bool:
    """Whether an asset says that it has sound."""
    flag = asset.get("hasAudio")
    return flag == "1" or (flag is None and asset.get("audioChannels", "0") not in ("", "0"))


def channel_count(asset: etree._Element | None) -> int:
    """Channels of one source of an asset; 0 where it does not say."""
    return 0 if asset is None else _count(asset.get("audioChannels", ""))


def asset_channels(asset: etree._Element | None) -> tuple[int, ...] | None:
    """All channels of an asset over all its sources; None where it does not say."""
    count = channel_count(asset)
    sources = 1 if asset is None else max(_count(asset.get("audioSources", "")), 1)
    return tuple(range(count * sources)) if count else None


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def channels_of(text: str) -> tuple[int, ...] | None:
    """`1, 2` as zero-based numbers; None where there are none that can be read."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and 0 < int(part[:4]) < 1000 for part in parts):
        return None
    return tuple(int(part[:4]) - 1 for part in parts)
