"""Where each sounding item of the audio tracks lies, exactly, and why it may not be worked on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from nlecompanion.model import LeftAlone, Reason, Span
from nlecompanion.timeline.contract import NAMESPACE

from .dialects import (
    PREMIERE,
    Channels,
    channel_reader,
    is_muted,
)
from .document import (
    Document,
    active_reference,
    address_of,
    child_list,
    duration_s,
    item_range,
    label_of,
    metadata_of,
    schema_of,
)
from .times import DocTime, Json, is_number, read_range

_TIME_WORDS = ("time", "warp", "speed", "freeze", "retime")


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """One sounding item. `record` counts from the timeline's first frame.

    `source_start` is what the first instant heard counts as in the document, after the trims of
    the track and the stack, which took `head_cut_s` and `tail_cut_s` away. Where the place holds a
    nested sequence, `item` may be the clip that stands at `inside` of it, track and child, with
    `around_s` of the nested sequence before and after it.
    """

    track_index: int
    child_index: int | None
    item: Json
    record: Span
    source_start: DocTime | None
    head_cut_s: Fraction
    tail_cut_s: Fraction
    channels: tuple[int, ...] | None
    left_alone: LeftAlone | None
    inside: tuple[int, int] | None = None
    around_s: tuple[Fraction, Fraction] = (Fraction(0), Fraction(0))

    @property
    def address(self) -> str:
        """Finds the item again."""
        return address_of(self.track_index, self.child_index)


@dataclass(frozen=True, slots=True)
class Window:
    """What a source range lets through of a track or stack, in its own time."""

    start_s: Fraction
    end_s: Fraction | None

    @classmethod
    def of(cls, holder: Json, where: str) -> Window:
        """The window of a track or stack; open where it has no source range."""
        trim = read_range(holder.get("source_range"), f"the source range of {where}")
        if trim is None:
            return cls(Fraction(0), None)
        return cls(trim.start.seconds, trim.start.seconds + trim.duration.seconds)

    def clip(self, start_s: Fraction, end_s: Fraction) -> tuple[Fraction, Fraction]:
        """The part of a stretch that is let through, counted from the window's start."""
        if self.end_s is not None:
            end_s = min(end_s, self.end_s)
        return max(start_s, self.start_s) - self.start_s, end_s - self.start_s


def place_items(document: Document) -> Iterator[Placed]:
    """All sounding items of the audio tracks, in document order.

    Raises:
        UnsupportedDocument: an item without a length, after which nothing has a place.
    """
    channels_of = channel_reader(document)
    stack_window = Window.of(document.stack, "the timeline's stack")
    stack_reason = holder_reason(document.stack, "the timeline")
    premiere = document.written_by(PREMIERE)
    for track_index, track in document.audio_tracks():
        name = label_of(track, f"audio track {track_index + 1}")
        reason = stack_reason or holder_reason(track, f"track {name!r}")
        windows = (Window.of(track, f"track {name!r}"), stack_window)
        lost = False
        for index, start_s, length_s, exact in lengths(track, name, premiere):
            item = track["children"][index]
            heard = schema_of(item) not in ("Transition", "Gap") and length_s > 0
            placed = _place(item, windows, start_s, length_s, channels_of) if heard else None
            if placed is not None:
                if lost:
                    placed = replace(placed, left_alone=placed.left_alone or _after_retimed())
                if reason is not None:
                    placed = replace(placed, left_alone=reason)
                yield replace(placed, track_index=track_index, child_index=index)
            lost = lost or not exact


def _after_retimed() -> LeftAlone:
    return LeftAlone(
        Reason.UNSUPPORTED,
        "it follows a retimed clip whose length on the timeline the document does not say exactly. "
        "Export as Final Cut Pro XML to have this clip cleaned.",
    )


def lengths(
    track: Json, name: str, premiere: bool
) -> Iterator[tuple[int, Fraction, Fraction, bool]]:
    """Index, start, length of each child on the track, and whether the length is exact."""
    start_s = Fraction(0)
    for index, child in enumerate(child_list(track, "children", f"track {name!r}")):
        where = f"{label_of(child, schema_of(child))} on track {name!r}"
        length_s = duration_s(child, where)
        exact = True
        if premiere and schema_of(child) == "Clip":
            speed = _linear_speed(child)
            if speed is None or speed == 0:
                exact = False
            elif speed != 1:
                rate = item_range(child, where)
                length_s /= abs(speed)
                exact = rate is not None and (length_s * rate.duration.rate.exact).denominator == 1
        yield index, start_s, length_s, exact
        start_s += length_s


def _linear_speed(clip: Json) -> Fraction | None:
    """The product of a clip's linear time warps; None where another time effect is on."""
    speed = Fraction(1)
    for effect in _time_effects(clip):
        if schema_of(effect) != "LinearTimeWarp":
            return None
        scalar = effect.get("time_scalar", 1)
        exact = Fraction(scalar)
        nearest = exact.limit_denominator(1000)
        speed *= nearest if abs(nearest - exact) < Fraction(1, 10**6) else exact
    return speed


def _place(
    item: Json,
    windows: tuple[Window, Window],
    start_s: Fraction,
    length_s: Fraction,
    channels_of: Callable[[Json], Channels],
) -> Placed | None:
    """The item with its visible stretch; None where the track or the stack trims it away."""
    full_end_s = start_s + length_s
    visible_start_s, visible_end_s = start_s, full_end_s
    shift_s = Fraction(0)
    for window in windows:
        visible_start_s, visible_end_s = window.clip(visible_start_s, visible_end_s)
        shift_s += window.start_s
    if visible_end_s <= visible_start_s:
        return None
    head_cut_s = visible_start_s + shift_s - start_s
    media_range = item_range(item, label_of(item, "an item"))
    source_start: DocTime | None = None
    if media_range is not None:
        start = media_range.start
        source_start = DocTime(start.seconds + head_cut_s, start.rate)
    left_alone = item_reason(item)
    channels: Channels = None
    if schema_of(item) == "Clip":
        channels = channels_of(item)
    if isinstance(channels, LeftAlone):
        left_alone, channels = left_alone or channels, None
    return Placed(
        track_index=0,
        child_index=None,
        item=item,
        record=Span(visible_start_s, visible_end_s - visible_start_s),
        source_start=source_start,
        head_cut_s=head_cut_s,
        tail_cut_s=full_end_s - (visible_end_s + shift_s),
        channels=channels,
        left_alone=left_alone,
    )


def holder_reason(holder: Json, what: str) -> LeftAlone | None:
    """Why nothing on a track or in the stack is worked on."""
    if holder.get("enabled") is False:
        return LeftAlone(Reason.DISABLED, f"{what} is disabled")
    if is_muted(holder):
        return LeftAlone(Reason.MUTED, f"{what} is muted")
    speed = _speed_reason(holder)
    return speed and LeftAlone(speed.reason, f"{what} is not at its own speed: {speed.detail}")


def item_reason(item: Json) -> LeftAlone | None:
    """Why an item is not worked on."""
    schema = schema_of(item)
    if item.get("enabled") is False:
        return LeftAlone(Reason.DISABLED)
    if schema in ("Stack", "Track"):
        return LeftAlone(
            Reason.NESTED,
            "it is a nested sequence. Decompose it in the editor, or export it by itself.",
        )
    if is_muted(item):
        return LeftAlone(Reason.MUTED)
    return _speed_reason(item) or _media_reason(item)


def _time_effects(item: Json) -> Iterator[Json]:
    """The effects that change time and are on; of unknown schemas, those whose name says so."""
    for effect in item.get("effects") or []:
        schema = schema_of(effect)
        if schema == "Effect" or (isinstance(effect, dict) and effect.get("enabled") is False):
            continue
        if any(word in schema.lower() for word in _TIME_WORDS):
            yield effect


def _speed_reason(item: Json) -> LeftAlone | None:
    for effect in _time_effects(item):
        schema = schema_of(effect)
        scalar = effect.get("time_scalar", 1)
        if schema == "FreezeFrame" or (schema == "LinearTimeWarp" and scalar == 0):
            return LeftAlone(Reason.FROZEN, "it is a freeze frame")
        if schema != "LinearTimeWarp":
            return LeftAlone(Reason.RETIMED, f"it has a time effect ({schema})")
        if is_number(scalar) and scalar < 0:
            return LeftAlone(Reason.REVERSED, f"it plays at {scalar * 100:g} % speed")
        if scalar != 1:
            return LeftAlone(Reason.RETIMED, f"it plays at {scalar * 100:g} % speed")
    return None


def _media_reason(clip: Json) -> LeftAlone | None:
    reference = active_reference(clip)
    schema = schema_of(reference)
    if schema == "GeneratorReference":
        return LeftAlone(Reason.GENERATED, "its sound is generated, not recorded")
    if schema == "ImageSequenceReference":
        return LeftAlone(Reason.GENERATED, "its media is a sequence of images without sound")
    if schema in ("", "MissingReference"):
        return LeftAlone(
            Reason.OFFLINE, "the timeline names no media for it. Relink it and export again."
        )
    if schema != "ExternalReference":
        return LeftAlone(Reason.UNSUPPORTED, f"its media is a {schema}, which is not a file")
    url = reference.get("target_url")
    if not isinstance(url, str) or not url:
        return LeftAlone(
            Reason.OFFLINE, "the timeline gives no path to its media. Relink it and export again."
        )
    if metadata_of(reference, NAMESPACE):
        return LeftAlone(Reason.ALREADY_CLEANED, "its media was made by nlecompanion")
    return None
