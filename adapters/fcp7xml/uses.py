"""Which elements sound together as one use, and which channels each plays.

Premiere writes a stereo clip as two clips on two `exploded` tracks; Final Cut Pro 7 as two
linked clips; Lightworks as two clips side by side without links; Resolve as one clip that plays
all channels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from .document import Dialect, Xmeml
from .items import Placed
from .values import part_text, text_of


@dataclass(frozen=True, slots=True)
class Sounding:
    """Where an element belongs: its use's name and its own channels."""

    use: str
    channels: tuple[int, ...] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    placed: Placed
    like: tuple[object, ...]
    index: int | None
    exploded_base: int | None
    exploded_index: int
    channel_type: str

    @property
    def channel(self) -> int:
        return (self.index or 1) - 1


def soundings(document: Xmeml, tracks: list[list[Placed]]) -> dict[str, Sounding]:
    """For each address on the sound tracks, the use that it belongs to and its channels."""
    items: list[_Item] = []
    for element, track in zip(document.audio_tracks, tracks, strict=True):
        total = _digits(element.get("totalExplodedTrackCount", "")) or 1
        exploded = _digits(element.get("currentExplodedTrackIndex", "")) or 0 if total > 1 else None
        items += [_item(placed, exploded) for placed in track]
    result: dict[str, Sounding] = {}
    for group in _exploded(items):
        _add(result, group, _group_channels(group))
    rest = [item for item in items if item.placed.address not in result]
    for group in _linked(rest):
        _add(result, group, [item.channel for item in group])
    rest = [item for item in rest if item.placed.address not in result]
    if document.dialect is not Dialect.PREMIERE:
        for group in _side_by_side(rest):
            _add(result, group, [item.channel for item in group])
    for item in rest:
        if item.placed.address not in result:
            # Resolve's one clip with track 1 plays the whole first stream.
            whole = document.dialect is Dialect.RESOLVE and item.channel == 0
            channels = None if whole else (item.channel,)
            result[item.placed.address] = Sounding(item.placed.address, channels)
    return result


def _item(placed: Placed, exploded: int | None) -> _Item:
    """`exploded` is the number of its track among those of an exploded one."""
    element, parts = placed.element, placed.parts
    file, inner = parts.get("file"), parts.get("sequence")
    source = (
        ("file", file.get("id") or text_of(file, "pathurl"))
        if file is not None
        else ("sequence", inner.get("id", "") if inner is not None else part_text(parts, "name"))
    )
    index = _digits(text_of(parts.get("sourcetrack"), "trackindex"))
    return _Item(
        placed=placed,
        like=(source, placed.start, placed.end, placed.in_s, placed.left_alone, element.tag),
        index=index if index and index > 0 else None,
        exploded_base=None if exploded is None else placed.track_number - exploded,
        exploded_index=exploded or 0,
        channel_type=element.get("premiereChannelType", "").lower(),
    )


def _digits(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else None


def _add(result: dict[str, Sounding], group: list[_Item], channels: list[int]) -> None:
    for item, channel in zip(group, channels, strict=True):
        result[item.placed.address] = Sounding(group[0].placed.address, (channel,))


def _exploded(items: list[_Item]) -> Iterable[list[_Item]]:
    groups: dict[tuple[object, ...], list[_Item]] = defaultdict(list)
    for item in items:
        if item.exploded_base is not None:
            groups[(item.exploded_base, *item.like)].append(item)
    for group in groups.values():
        group.sort(key=lambda item: item.exploded_index)
        places = {item.exploded_index for item in group}
        if len(group) < 2 or len(places) < len(group):
            continue
        indices = {item.index for item in group}
        # A mono channel on both sides is two uses of it, not a pair.
        if len(indices) == len(group) or group[0].channel_type != "mono":
            yield sorted(group, key=_group_order) if len(indices) == len(group) else group


def _group_order(item: _Item) -> tuple[int, int]:
    return (item.index or 0, item.exploded_index)


def _group_channels(group: list[_Item]) -> list[int]:
    if len({item.index for item in group}) == len(group):
        return [item.channel for item in group]
    # One number for all of them names the stream (file's second stereo pair: 2 and 2).
    return [item.channel * len(group) + n for n, item in enumerate(group)]


def _linked(items: list[_Item]) -> Iterable[list[_Item]]:
    by_id = {item.placed.element.get("id"): item for item in items if item.placed.element.get("id")}
    seen: set[str] = set()
    for item in items:
        element = item.placed.element
        if item.placed.address in seen or item.channel_type == "mono":
            continue
        refs = {text_of(link, "linkclipref"): link for link in element.iterfind("link")}
        own = refs.get(element.get("id", ""))
        partners = [
            partner
            for ref, link in refs.items()
            if (partner := by_id.get(ref)) is not None
            and partner.like == item.like
            and partner.placed.address not in seen
            and text_of(link, "groupindex") == text_of(own, "groupindex")
        ]
        group = sorted({id(p): p for p in (item, *partners)}.values(), key=_group_order)
        if len(group) == 2 and group[0].channel != group[1].channel:
            seen.update(p.placed.address for p in group)
            yield group


def _side_by_side(items: list[_Item]) -> Iterable[list[_Item]]:
    """Pairs without links: channels 1 and 2 of one file at one place on neighbouring tracks."""
    places = {
        (item.placed.track_number, item.index, item.like): item
        for item in items
        if item.placed.element.find("link") is None
    }
    for (track, index, like), item in places.items():
        right = places.get((track + 1, (index or 0) + 1, like))
        if index is not None and index % 2 == 1 and right is not None:
            yield [item, right]
