"""New tracks for cleaned clips: copies of the originals with new media, gaps between them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import PurePath
from urllib.parse import quote

from nlecompanion.errors import UnsupportedDocument
from nlecompanion.model import CleanedClip, CleanedMedia, CleanTrack, Loss
from nlecompanion.timeline.contract import NAMESPACE

from .dialects import LinkIds, renumber_channels
from .document import (
    Document,
    item_range,
    label_of,
    media_references,
    schema_of,
)
from .placing import Placed
from .times import Json, Rate, copied, read_time, time_range, write_time


def file_url(path: PurePath) -> str:
    """The path as a percent-encoded `file` URL."""
    posix = path.as_posix()
    return "file://" + quote(posix if posix.startswith("/") else f"/{posix}", safe="/:")


class TrackMaker:
    """Makes the plan's tracks as JSON; what could not be said exactly stands in `losses`.

    `origin_s` is where the timeline's first frame lies in the stack's own time.
    """

    def __init__(
        self,
        document: Document,
        placed: Mapping[tuple[int, int], Placed],
        rate: Rate,
        origin_s: Fraction,
    ) -> None:
        self.losses: list[Loss] = []
        self._plain = False
        self._document = document
        self._placed = placed
        self._rate = rate
        self._origin_s = origin_s
        self._links = LinkIds(item for _, _, item in document.items())

    def track(self, plan: CleanTrack) -> Json:
        """A copy of the first original's track, holding the cleaned clips only."""
        originals = [self._original(clip) for clip in plan.clips]
        template = self._document.tracks[originals[0].track_index] if originals else {}
        track: Json = {
            key: copied(value) for key, value in template.items() if key != "children"
        } or {"OTIO_SCHEMA": "Track.1", "metadata": {}, "effects": []}
        if isinstance(track.get("metadata"), dict):
            track["metadata"].pop(NAMESPACE, None)
        track.update(
            name=plan.name, source_range=None, markers=[], enabled=plan.enabled, kind="Audio"
        )
        self._plain = any(clip.plain for clip in plan.clips)
        track["children"] = list(self._children(plan, originals))
        return track

    def _original(self, clip: CleanedClip) -> Placed:
        """The element that the new clip is made after: the first of those it stands in for."""
        for address in clip.like:
            found = self._placed.get(self._document.resolve(address))
            if found is not None and schema_of(found.item) == "Clip":
                return found
        raise UnsupportedDocument(
            f"The plan puts a clip in the place of {', '.join(clip.like) or 'nothing'}, where "
            f"{self._document.name} has none. Run it again on the timeline as it is now."
        )

    def _children(self, plan: CleanTrack, originals: list[Placed]) -> Iterator[Json]:
        """Clips in record order, their transitions, and gaps wherever nothing lies."""
        reached_s = Fraction(0)
        previous: Placed | None = None
        pairs = sorted(
            zip(plan.clips, originals, strict=True), key=lambda pair: pair[0].record.start_s
        )
        for clip, original in pairs:
            start_s = clip.record.start_s + self._origin_s
            gap_s = start_s - reached_s
            if gap_s < 0:
                raise UnsupportedDocument(
                    f"The plan lays two clips over each other on {plan.name!r} at "
                    f"{float(start_s):.3f} s."
                )
            rates = self._rates(original)
            if previous is not None:
                yield from self._after(previous, original, gap_s)
            if gap_s:
                yield self._gap(gap_s, rates)
            if previous is None or gap_s:
                yield from self._transition(original, -1, gap_s or None)
            yield self._clip(clip, original, rates)
            reached_s = start_s + clip.record.duration_s
            previous = original
        if previous is not None:
            yield from self._ending(previous)

    def _rates(self, original: Placed) -> list[Rate]:
        """The rates to write times at, best first: the original's own, then the timeline's."""
        known = item_range(original.item, label_of(original.item, "a clip"))
        return [known.duration.rate, self._rate] if known else [self._rate]

    def _gap(self, length_s: Fraction, rates: list[Rate]) -> Json:
        duration = self._time(length_s, rates, "a gap")
        return {
            "OTIO_SCHEMA": "Gap.1",
            "metadata": {},
            "name": "",
            "source_range": time_range(self._time(Fraction(0), rates, "a gap"), duration),
            "effects": [],
            "markers": [],
            "enabled": True,
        }

    def _time(self, seconds: Fraction, rates: list[Rate], where: str) -> Json:
        time, exact = write_time(seconds, rates)
        if not exact:
            self.losses.append(
                Loss(where, f"{float(seconds):.9f} s was rounded: no rate counts it in whole units")
            )
        return time

    def _after(self, previous: Placed, following: Placed, gap_s: Fraction) -> Iterator[Json]:
        """The transition after a clip that another one follows on the new track."""
        joined = (
            not gap_s
            and previous.track_index == following.track_index
            and (following.child_index or 0) - (previous.child_index or 0) == 2
        )
        yield from self._transition(previous, +1, None if joined else gap_s)

    def _ending(self, last: Placed) -> Iterator[Json]:
        """The last clip's transition, with a gap to fade into where the original had more."""
        for transition in self._transition(last, +1, None):
            yield transition
            offset = transition.get("out_offset")
            length_s = read_time(offset, "A transition").seconds if offset else Fraction(0)
            if length_s:
                yield self._gap(length_s, self._rates(last))

    def _transition(self, original: Placed, side: int, room_s: Fraction | None) -> Iterator[Json]:
        """A copy of the transition on one side of a clip; `room_s` is the gap it fades over."""
        cut_s = original.head_cut_s if side < 0 else original.tail_cut_s
        children = self._document.tracks[original.track_index]["children"]
        index = (original.child_index or 0) + side
        if (
            cut_s
            or self._plain
            or not 0 <= index < len(children)
            or schema_of(children[index]) != "Transition"
        ):
            return
        transition = children[index]
        beyond = transition.get("in_offset" if side < 0 else "out_offset")
        beyond_s = read_time(beyond, "A transition").seconds if beyond else Fraction(0)
        if room_s is not None and beyond_s > room_s:
            where = label_of(original.item, original.address)
            self.losses.append(
                Loss(where, f"a transition of {float(beyond_s):.3f} s has no room beside its clip")
            )
            return
        yield copied(transition)

    def _clip(self, clip: CleanedClip, original: Placed, rates: list[Rate]) -> Json:
        """The original, effects and all, on the cleaned file."""
        new: Json = {
            key: copied(value)
            for key, value in original.item.items()
            if key not in ("media_reference", "media_references", "markers")
        }
        where = f"the cleaned clip for {label_of(original.item, original.address)}"
        media = clip.media
        if clip.plain:
            new["effects"] = []
        new.update(
            markers=[],
            enabled=True,
            source_range=time_range(
                self._time(
                    media.start_s + clip.source_in_s, self._media_rates(original, media), where
                ),
                self._time(
                    clip.record.duration_s, [*rates, *self._media_rates(original, media)], where
                ),
            ),
        )
        reference = self._reference(original, media, where)
        if "media_references" in original.item:
            key = original.item.get("active_media_reference_key", "DEFAULT_MEDIA")
            new["media_references"] = {key: reference}
        else:
            new["media_reference"] = reference
        self._links.renew(new)
        renumber_channels(new, media.channels)
        return new

    @staticmethod
    def _media_rates(original: Placed, media: CleanedMedia) -> list[Rate]:
        """The grid as the document spells it, then samples."""
        samples = Rate.of(Fraction(media.rate_hz))
        if media.frame_rate is None:
            return [samples]
        start = original.source_start
        same = start is not None and start.rate.exact == media.frame_rate
        return [start.rate if same and start else Rate.of(media.frame_rate), samples]

    def _reference(self, original: Placed, media: CleanedMedia, where: str) -> Json:
        rates = self._media_rates(original, media)
        reference: Json = {
            "OTIO_SCHEMA": "ExternalReference.1",
            # OTIO has no fields for these; the reading program may ignore them.
            "metadata": {
                NAMESPACE: {
                    "id": media.id,
                    "channels": media.channels,
                    "rate_hz": media.rate_hz,
                    "length_samples": media.length_samples,
                }
            },
            "name": media.path.name,
            "available_range": time_range(
                self._time(media.start_s, rates, where),
                self._time(media.duration_s, rates, where),
            ),
        }
        if any(
            "available_image_bounds" in (old or {})
            for old in media_references(original.item).values()
        ):
            reference["available_image_bounds"] = None
        reference["target_url"] = file_url(media.path)
        return reference
