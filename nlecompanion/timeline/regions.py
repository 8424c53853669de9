"""From uses to regions: each stretch of a media file's channels is worked on once."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from nlecompanion.model import LeftAlone, MediaFile, Reason, Region, Span, Use

#: Containers round their duration; a use may overhang by one frame, or by this where there is none.
OVERHANG_S = Fraction(1, 10)


def settle(use: Use, media: MediaFile) -> Use:
    """The use against its probed media: source range from the first instant, channels by number.

    A use that the media cannot serve comes back with the reason.
    """
    media_start_s = use.media_start_s
    source = use.source
    if media_start_s is None and use.counts_timecode:
        media_start_s = media.start_timecode_s or Fraction(0)
        source = Span(source.start_s - media_start_s, source.duration_s)
    elif media_start_s is None:
        media_start_s, source = _media_start(source, media)
    use = replace(use, media_start_s=media_start_s, source=source, channels=_channels(use, media))
    if use.left_alone is not None:
        return use
    left_alone = _cannot_serve(use, media)
    return use if left_alone is None else replace(use, left_alone=left_alone)


def _media_start(source: Span, media: MediaFile) -> tuple[Fraction, Span]:
    """A document that does not say where its media start counts from zero or from timecode."""
    start_s = media.start_timecode_s or Fraction(0)
    from_timecode = Span(source.start_s - start_s, source.duration_s)
    fits_from_zero = source.end_s <= media.duration_s + OVERHANG_S
    if start_s and not fits_from_zero and from_timecode.start_s >= 0:
        return start_s, from_timecode
    return (start_s if fits_from_zero else Fraction(0)), source


def _channels(use: Use, media: MediaFile) -> tuple[int, ...]:
    if use.channels is not None:
        return use.channels
    return tuple(range(media.streams[0].channels))


def _cannot_serve(use: Use, media: MediaFile) -> LeftAlone | None:
    if media.cleaned_by_us:
        return LeftAlone(Reason.ALREADY_CLEANED, f"{media.path.name} was made by nlecompanion")
    if use.rate_is_guessed and media.video_rate and media.video_rate != use.frame_rate:
        return LeftAlone(
            Reason.UNSUPPORTED,
            f"the list counts {float(use.frame_rate or 0):.6g} frames a second, {media.path.name} "
            f"has {float(media.video_rate):.6g}; add a line `* FPS: {float(media.video_rate):.6g}` "
            f"to the list, or export XML or OTIO instead.",
        )
    available = sum(stream.channels for stream in media.streams)
    missing = [channel + 1 for channel in use.channels or () if channel >= available]
    if missing:
        return LeftAlone(
            Reason.NO_AUDIO,
            f"{media.path.name} has {available} channels, the timeline uses channel {missing[0]}. "
            f"Relink the clip to the original media and export again.",
        )
    overhang_s = max(OVERHANG_S, 1 / use.frame_rate if use.frame_rate else OVERHANG_S)
    if use.source.start_s < 0 or use.source.end_s > media.duration_s + overhang_s:
        return LeftAlone(
            Reason.MEDIA_TOO_SHORT,
            f"the clip uses {float(use.source.start_s):.2f} to {float(use.source.end_s):.2f} s of "
            f"{media.path.name}, which lasts {float(media.duration_s):.2f} s. "
            f"Wait until it is copied whole, or relink the clip and export again.",
        )
    return None


def plan_regions(
    uses: Sequence[Use], media: Mapping[str, MediaFile], handles_s: Fraction, rate_hz: int
) -> tuple[Region, ...]:
    """The regions that serve all uses without a `left_alone`, each use in exactly one.

    `media` maps `Use.media_url` to the probed file. Uses of the same channels of one file whose
    ranges touch once handles are added share a region. Regions begin where a frame of the
    document's grid falls on a sample, so that the cleaned clip's in point is a whole frame.
    """
    groups: dict[tuple[object, ...], list[Use]] = {}
    for use in uses:
        if use.left_alone is None:
            file = media[use.media_url]
            key = (str(file.path), use.channels, use.frame_rate, use.media_start_s)
            groups.setdefault(key, []).append(use)
    regions: list[Region] = []
    for members in groups.values():
        members.sort(key=lambda use: use.source.start_s)
        file = media[members[0].media_url]
        for cluster in _touching(members, handles_s):
            regions.append(_region(cluster, file, handles_s, rate_hz))
    return tuple(sorted(regions, key=lambda region: region.uses[0].id))


def _touching(uses: Sequence[Use], handles_s: Fraction) -> list[list[Use]]:
    clusters: list[list[Use]] = []
    reach_s = Fraction(-1)
    for use in uses:
        start_s = use.source.start_s - use.lead_s - handles_s
        end_s = use.source.end_s + use.tail_s + handles_s
        if clusters and start_s <= reach_s:
            clusters[-1].append(use)
            reach_s = max(reach_s, end_s)
        else:
            clusters.append([use])
            reach_s = end_s
    return clusters


def _region(uses: list[Use], file: MediaFile, handles_s: Fraction, rate_hz: int) -> Region:
    first = uses[0]
    start_s = max(Fraction(0), min(u.source.start_s - u.lead_s for u in uses) - handles_s)
    used_end_s = max(use.source.end_s for use in uses)
    end_s = max(use.source.end_s + use.tail_s for use in uses) + handles_s
    # The used range counts even where the file ends a fraction of a frame before it.
    end_s = max(used_end_s, min(end_s, file.duration_s))
    start_sample = _grid_floor(start_s, first.frame_rate, rate_hz)
    end_sample = math.ceil(end_s * rate_hz)
    uses_in_order = tuple(sorted(uses, key=lambda use: use.id))
    channels = first.channels or ()
    identity = f"{file.path}|{file.size_bytes}|{file.modified_ns}|{channels}|{rate_hz}"
    # One path may stand in a document with two start timecodes: two files to the editor.
    identity += f"|{first.frame_rate}|{first.media_start_s}|{start_sample}|{end_sample}"
    digest = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()
    return Region(
        id=digest[:12],
        media=file,
        channels=channels,
        rate_hz=rate_hz,
        start_sample=start_sample,
        end_sample=end_sample,
        uses=uses_in_order,
        frame_rate=first.frame_rate,
        media_start_s=first.media_start_s or Fraction(0),
    )


def _grid_floor(start_s: Fraction, frame_rate: Fraction | None, rate_hz: int) -> int:
    """The last sample at or before `start_s` on which a frame begins (29.97: every fifth frame)."""
    if frame_rate is None:
        return math.floor(start_s * rate_hz)
    samples_per_frame = Fraction(rate_hz) / frame_rate
    step_frames = samples_per_frame.denominator
    frames = math.floor(start_s * frame_rate / step_frames) * step_frames
    return int(frames * samples_per_frame)
