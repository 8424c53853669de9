"""The walk through a project: every item of the storylines, with its place in the record."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from lxml import etree

from nlecompanion.errors import UnsafeDocument
from nlecompanion.model import LeftAlone, Reason, Span

from .document import Document, story
from .emit import audio_window, clip_sounds, element_sound
from .retime import mapping_of, rate_scaled
from .shared_clips import compound, multicam
from .sounds import Crossfade, Edges, Host, Level, Place, Sound, first_reason
from .times import BadTime, time_of

MAX_DEPTH = 60
_CONTAINERS = frozenset({"clip", "sync-clip"})
_SOUNDING = frozenset({"asset-clip", "audio", "clip", "sync-clip", "mc-clip", "ref-clip"})


class Walk:
    """Collects the `sounds` of a project, and the `hosts` of its primary storyline."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.sounds: list[Sound] = []
        self.hosts: list[Host] = []

    def storyline(self, spine: etree._Element, place: Place, start_s: Fraction) -> None:
        """All items of a storyline; one without an offset follows the one before."""
        items = story(spine)
        position_s = start_s
        for index, child in enumerate(items):
            if child.tag == "transition":
                continue
            try:
                offset_s = time_of(child, "offset")
                offset_s = position_s if offset_s is None else offset_s
                position_s = offset_s + self.length_s(child)
                edges = _edges(items, index, offset_s, position_s, place.shift_s)
            except BadTime as error:
                self._unreadable(child, f"{place.path}/{index}", place, error)
                continue
            self.item(child, f"{place.path}/{index}", offset_s, replace(place, edges=edges))

    def length_s(self, item: etree._Element) -> Fraction:
        """How long an item lasts: stated, else its asset's, else its first alternative's."""
        duration_s = time_of(item, "duration")
        if duration_s is None and item.tag == "audition":
            inner = story(item)
            return self.length_s(inner[0]) if inner else Fraction(0)
        if duration_s is None:
            asset = self.document.asset_of(item)
            duration_s = None if asset is None else time_of(asset, "duration")
        return max(duration_s or Fraction(0), Fraction(0))

    def item(self, child: etree._Element, path: str, offset_s: Fraction, place: Place) -> None:
        """One story element at `offset_s` of its parent's time."""
        if place.depth > MAX_DEPTH:
            raise UnsafeDocument(
                f"{self.document.name} nests clips deeper than {MAX_DEPTH} levels, which no editor "
                "writes. Export the project again."
            )
        place = replace(place, depth=place.depth + 1)
        try:
            if child.tag == "audition":
                # The first alternative is the one that plays.
                for active in story(child)[:1]:
                    self.item(active, f"{path}/0", offset_s, place)
            elif child.tag == "spine":
                inner = replace(place, shift_s=offset_s + place.shift_s, path=path, edges=Edges())
                self.storyline(child, inner, Fraction(0))
            else:
                self._clip(child, path, offset_s, place)
        except BadTime as error:
            self._unreadable(child, path, place, error)

    def _clip(self, child: etree._Element, path: str, offset_s: Fraction, place: Place) -> None:
        start_s = self.start_s(child)
        shift_s = offset_s + place.shift_s - start_s
        scaled = rate_scaled(child, self.document.rate)
        host = place.host
        if host is None:
            record = Span(offset_s + place.shift_s, self.length_s(child))
            host = Host(child, -shift_s, record, None if scaled is None else start_s)
            self.hosts.append(host)
        here = replace(place, path=path, shift_s=shift_s, host=host)
        if child.tag == "asset-clip":
            self.sounds += clip_sounds(self.document, child, here, start_s, self.length_s(child))
        elif child.tag == "audio":
            sound = element_sound(self.document, child, here, start_s, self.length_s(child))
            self.sounds += [] if sound is None else [sound]
        elif child.tag == "mc-clip":
            self.sounds += multicam(self, child, here, start_s)
        elif child.tag == "ref-clip":
            self.sounds += compound(self, child, here, start_s)
        self._children(child, here, place, start_s, scaled)

    def _children(
        self,
        child: etree._Element,
        here: Place,
        place: Place,
        start_s: Fraction,
        scaled: LeftAlone | None,
    ) -> None:
        inside = self._inside(child, here, start_s, scaled) if child.tag in _CONTAINERS else None
        for index, inner in enumerate(story(child)):
            if inner.tag == "transition":
                continue
            path = f"{here.path}/{index}"
            lane = inner.get("lane", "0").strip()
            offset_s = time_of(inner, "offset") or Fraction(0)
            if inside is not None and (lane == "0" or inner.tag in ("audio", "video")):
                contained = inside
                if lane != "0":
                    contained = self._outside_too(inner, inside, offset_s)
                self.item(inner, path, offset_s, contained)
                continue
            anchored = replace(here, window=place.window, edges=Edges(), components=())
            if here.window is None:
                anchored = replace(anchored, lane=lane)
            if here.sync is not None:
                anchored = replace(anchored, roles=_sync_roles(here.sync, "connected"))
            if scaled is not None and offset_s != start_s:
                unsure = LeftAlone(
                    Reason.UNSUPPORTED, "it is anchored to a clip whose frame rate is conformed"
                )
                anchored = replace(anchored, left_alone=first_reason(place.left_alone, unsure))
            self.item(inner, path, offset_s, anchored)

    def _inside(
        self, clip: etree._Element, here: Place, start_s: Fraction, scaled: LeftAlone | None
    ) -> Place:
        """The place of what a `clip` or `sync-clip` contains: it shows through the clip's range."""
        mapping = mapping_of(clip)
        start, end = audio_window(clip, here, start_s, self.length_s(clip))
        off = LeftAlone(Reason.DISABLED) if clip.get("enabled", "1") == "0" else None
        is_sync = clip.tag == "sync-clip"
        return replace(
            here,
            shift_s=here.shift_s - (mapping.at(start_s) - start_s),
            window=narrowed(here.window, start, end),
            levels=(Level(clip, here.shift_s, start, end), *here.levels),
            left_alone=first_reason(here.left_alone, off, mapping.why_left_alone(), scaled),
            components=() if is_sync else tuple(clip.iterfind("audio-channel-source")),
            sync=clip if is_sync else here.sync,
            roles=_sync_roles(clip, "storyline") if is_sync else here.roles,
        )

    def _outside_too(self, inner: etree._Element, inside: Place, offset_s: Fraction) -> Place:
        """Whether a clip cuts sound that stands in it on a lane of its own is not written."""
        start, end = offset_s + inside.shift_s, offset_s + inside.shift_s + self.length_s(inner)
        if inside.window is None or (inside.window[0] <= start and end <= inside.window[1]):
            return inside
        reason = LeftAlone(Reason.UNSUPPORTED, "its sound is longer than the clip around it")
        return replace(inside, left_alone=first_reason(inside.left_alone, reason))

    def start_s(self, child: etree._Element) -> Fraction:
        """Where an item's local time starts: as written, else 0, else where its media starts."""
        start_s = time_of(child, "start")
        if start_s is not None:
            return start_s
        first: Fraction | None = None
        if child.tag in ("asset-clip", "audio", "video"):
            asset = self.document.asset_of(child)
            first = None if asset is None else time_of(asset, "start")
        elif child.tag in ("ref-clip", "mc-clip"):
            media = self.document.media.get(child.get("ref", ""))
            inner = None if media is None else next(media.iterchildren(), None)
            first = None if inner is None else time_of(inner, "tcStart")
        # DTD: "the default start value is '0s'", which lies outside media that start later.
        return max(first or Fraction(0), Fraction(0))

    def _unreadable(self, child: etree._Element, path: str, place: Place, error: BadTime) -> None:
        if child.tag not in _SOUNDING:
            return
        self.sounds.append(
            Sound(
                address=f"{path}:{child.tag}",
                switch=child,
                name=child.get("name", ""),
                record=Span(Fraction(0), Fraction(0)),
                source_s=Fraction(0),
                asset=None,
                channels=None,
                role="",
                lane=place.lane,
                host=None,
                left_alone=LeftAlone(Reason.UNSUPPORTED, str(error)),
            )
        )


def narrowed(
    window: tuple[Fraction, Fraction] | None, start: Fraction, end: Fraction
) -> tuple[Fraction, Fraction]:
    """The part of a record range that an outer window lets through."""
    if window is None:
        return start, end
    return max(window[0], start), min(window[1], end)


def _sync_roles(sync: etree._Element, source: str) -> tuple[etree._Element, ...]:
    return tuple(
        role
        for found in sync.iterfind("sync-source")
        if found.get("sourceID") == source
        for role in found.iterfind("audio-role-source")
    )


def _edges(
    items: list[etree._Element], index: int, start_s: Fraction, end_s: Fraction, shift_s: Fraction
) -> Edges:
    """What the transitions beside an item do to its sound."""
    before, after = _transition(items, index - 1, shift_s), _transition(items, index + 1, shift_s)
    fade_in_s = fade_out_s = Fraction(0)
    if before is not None and (index < 2 or items[index - 2].tag == "gap"):
        fade_in_s = max(Fraction(0), before.record.end_s - shift_s - start_s)
        before = None
    if after is not None and (index + 2 >= len(items) or items[index + 2].tag == "gap"):
        fade_out_s = max(Fraction(0), end_s + shift_s - after.record.start_s)
        after = None
    return Edges(fade_in_s, fade_out_s, before, after)


def _transition(items: list[etree._Element], index: int, shift_s: Fraction) -> Crossfade | None:
    """The transition of that number, where there is one and it acts on sound."""
    if not 0 <= index < len(items) or items[index].tag != "transition":
        return None
    element = items[index]
    start_s, length_s = time_of(element, "offset"), time_of(element, "duration")
    if element.find("filter-audio") is None or start_s is None or length_s is None:
        return None
    return Crossfade(element, Span(start_s + shift_s, max(length_s, Fraction(0))))


def walk(document: Document) -> Walk:
    """The whole project, from its first frame."""
    found = Walk(document)
    found.storyline(found.document.spine, Place(-document.start_s), document.start_s)
    return found
