"""The formats' own eyes for the contract suite: they look at documents without the adapters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from lxml import etree
from testkit import aaf, edl, fcp7xml_undo, fcpxml_undo, otio_json, rpp

from nlecompanion.model import ConformPlan


@dataclass(frozen=True)
class FileEntry:
    """How a delivered document describes one cleaned file; None where the format cannot say."""

    url: str
    start_s: Fraction | None
    duration_s: Fraction | None
    duration_step_s: Fraction
    rate_hz: int | None
    channels: int | None


@dataclass(frozen=True)
class FormatKit:
    """A format's own eyes, which do not use the adapter.

    `undo` takes a plan out of a delivered document, `canonical` makes equal documents equal,
    `picture` gives the canonical picture tracks, `untouched` the canonical form of the element at
    an address, `entries` the descriptions of the plan's files, `repeated_ids` what is not unique.
    """

    undo: Callable[[bytes, bytes, ConformPlan], bytes]
    canonical: Callable[[bytes], object]
    picture: Callable[[bytes], object]
    untouched: Callable[[bytes, str], object]
    entries: Callable[[bytes, ConformPlan], Sequence[FileEntry]]
    repeated_ids: Callable[[bytes], Sequence[str]]


def path_of_url(url: str) -> Path | None:
    """The path that a `file` URL names; None for anything else."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


_LINKS = ((otio_json.RESOLVE, "Link Group ID"), (otio_json.PREMIERE, "LinkID"))


def _otio_picture(data: bytes) -> list[Any]:
    tracks = otio_json.timeline_of(otio_json.loads(data))["tracks"]["children"]
    return [track for track in tracks if track.get("kind") != "Audio"]


def _seconds(time: Mapping[str, Any]) -> Fraction:
    value, rate = (float(str(time[key]).split()[-1]) for key in ("value", "rate"))
    nearest = Fraction(round(rate))
    exact = nearest if abs(rate - nearest) < 1e-6 else Fraction(math.ceil(rate) * 1000, 1001)
    assert value == int(value), f"{value} is not on the grid of {rate}"
    return Fraction(int(value)) / exact


def _otio_entries(data: bytes, plan: ConformPlan) -> list[FileEntry]:
    tracks = otio_json.timeline_of(otio_json.loads(data))["tracks"]["children"]
    clips = [
        clip
        for track in tracks[len(tracks) - len(plan.tracks) :]
        for clip in track["children"]
        if clip["OTIO_SCHEMA"].startswith("Clip")
    ]
    entries = []
    for clip in clips:
        references = clip.get("media_references") or {"": clip["media_reference"]}
        (reference,) = references.values()
        about = reference["metadata"]["nlecompanion"]
        available = reference["available_range"]
        entries.append(
            FileEntry(
                url=reference["target_url"],
                start_s=_seconds(available["start_time"]),
                duration_s=_seconds(available["duration"]),
                duration_step_s=Fraction(0),
                rate_hz=int(about["rate_hz"].split()[-1]),
                channels=int(about["channels"].split()[-1]),
            )
        )
    return entries


def _otio_repeated_links(data: bytes) -> list[str]:
    """Link ids that more than one clip has, with how many do: no group may grow."""
    links: Counter[tuple[str, object]] = Counter()
    for track in otio_json.timeline_of(otio_json.loads(data))["tracks"]["children"]:
        for child in track["children"]:
            for dialect, key in _LINKS:
                link = child.get("metadata", {}).get(dialect, {}).get(key)
                if link is not None:
                    links[dialect, link] += 1
    return [f"{link} on {count} clips" for link, count in links.items() if count > 1]


def _fcp7_untouched(data: bytes, address: str) -> bytes:
    """The clip of `A2/5:clipitem-7`: sound track 2, fifth child."""
    track, _, item = address.partition(":")[0].removeprefix("A").partition("/")
    sequence = next(
        s for s in etree.fromstring(data).iter("sequence") if s.find("media") is not None
    )
    element = list(sequence.findall("media/audio/track")[int(track) - 1])[int(item) - 1]
    element.tail = None
    return bytes(etree.tostring(element, method="c14n"))


def _fcp7_entries(data: bytes, plan: ConformPlan) -> list[FileEntry]:
    wanted = {clip.media.path for track in plan.tracks for clip in track.clips}
    entries = []
    for file in etree.fromstring(data).iter("file"):
        url = file.findtext("pathurl") or ""
        if path_of_url(url) in wanted:
            rate = _fcp7_rate(file)
            clock_rate = _fcp7_rate(file.find("timecode"))
            channels = file.findtext("media/audio/channelcount")
            rate_hz = file.findtext("media/audio/samplecharacteristics/samplerate")
            entries.append(
                FileEntry(
                    url=url,
                    start_s=int(file.findtext("timecode/frame") or "0") / clock_rate,
                    duration_s=int(file.findtext("duration") or "0") / rate,
                    duration_step_s=1 / rate,
                    rate_hz=None if rate_hz is None else int(rate_hz),
                    channels=None if channels is None else int(channels),
                )
            )
    return entries


def _fcp7_rate(holder: etree._Element | None) -> Fraction:
    assert holder is not None
    timebase = int(holder.findtext("rate/timebase") or "0")
    ntsc = (holder.findtext("rate/ntsc") or "").upper() == "TRUE"
    return Fraction(timebase * 1000, 1001) if ntsc else Fraction(timebase)


def _edl_entries(data: bytes, plan: ConformPlan) -> list[FileEntry]:
    """An EDL names a file and its reel, and says nothing of the file itself."""
    unsaid = FileEntry("", None, None, Fraction(0), None, None)
    return [replace(unsaid, url=f"file://{quote(path)}") for path in edl.cleaned_files(data)]


def _rpp_entries(data: bytes, plan: ConformPlan) -> list[FileEntry]:
    entries = []
    for item in rpp.added_items(data):
        start_s, length, rate_hz, channels = rpp.about(item)
        entries.append(
            FileEntry(
                url=rpp.url_of(rpp.file_of(item)),
                start_s=Fraction(start_s),
                duration_s=Fraction(int(length), int(rate_hz)),
                duration_step_s=Fraction(0),
                rate_hz=int(rate_hz),
                channels=int(channels),
            )
        )
    return entries


def _fcpxml_entries(data: bytes, plan: ConformPlan) -> list[FileEntry]:
    wanted = {clip.media.path for track in plan.tracks for clip in track.clips}
    entries = []
    for asset in etree.fromstring(data).iter("asset"):
        rep = asset.find("media-rep")
        url = (asset if rep is None else rep).get("src", "")
        if path_of_url(url) in wanted:
            entries.append(
                FileEntry(
                    url=url,
                    start_s=Fraction(asset.get("start", "").removesuffix("s")),
                    duration_s=Fraction(asset.get("duration", "").removesuffix("s")),
                    duration_step_s=Fraction(0),
                    rate_hz=int(asset.get("audioRate", "0")),
                    channels=int(asset.get("audioChannels", "0")),
                )
            )
    return entries


def _aaf_entries(data: bytes, plan: ConformPlan) -> list[FileEntry]:
    return [
        FileEntry(e.url, e.start_s, e.duration_s, Fraction(0), e.rate_hz, e.channels)
        for e in aaf.entries(data, plan)
    ]


KITS: Mapping[str, FormatKit] = {
    "aaf": FormatKit(
        undo=aaf.undo,
        canonical=aaf.canonical,
        picture=aaf.picture,
        untouched=aaf.untouched,
        entries=_aaf_entries,
        repeated_ids=aaf.repeated_ids,
    ),
    "fcpxml": FormatKit(
        undo=fcpxml_undo.undo,
        canonical=fcpxml_undo.canonical,
        picture=fcpxml_undo.canonical_picture,
        untouched=fcpxml_undo.untouched,
        entries=_fcpxml_entries,
        repeated_ids=fcpxml_undo.repeated_ids,
    ),
    "edl": FormatKit(
        undo=edl.undo,
        canonical=edl.canonical,
        picture=edl.picture,
        untouched=edl.untouched,
        entries=_edl_entries,
        repeated_ids=edl.repeated_reels,
    ),
    "rpp": FormatKit(
        undo=rpp.undo,
        canonical=lambda data: data,
        picture=rpp.picture,
        untouched=rpp.untouched,
        entries=_rpp_entries,
        repeated_ids=rpp.repeated_ids,
    ),
    "otio": FormatKit(
        undo=otio_json.undo,
        canonical=otio_json.canonical,
        picture=_otio_picture,
        untouched=lambda data, address: otio_json.item_at(otio_json.loads(data), address),
        entries=_otio_entries,
        repeated_ids=_otio_repeated_links,
    ),
    "fcp7xml": FormatKit(
        undo=fcp7xml_undo.undo,
        canonical=fcp7xml_undo.canonical,
        picture=fcp7xml_undo.canonical_picture,
        untouched=_fcp7_untouched,
        entries=_fcp7_entries,
        repeated_ids=fcp7xml_undo.repeated_ids,
    ),
}
