"""What the contract suite needs of a format besides its adapter, and the cases that it runs on.

To add a format: write a `FormatKit` of five small functions and add it, its real documents and
some documents of your own making to `CASES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from lxml import etree
from testkit import fcp7xml, fcp7xml_undo, otio_json
from testkit.shared import SHARED

from nlecompanion import plugins
from nlecompanion.errors import DocumentError
from nlecompanion.model import (
    CleanedClip,
    CleanedMedia,
    ConformPlan,
    Loss,
    TimelineFacts,
    TimelineMarker,
    Use,
)
from nlecompanion.timeline.conform import plan_conform
from nlecompanion.timeline.contract import Adapter, timeline_facts
from nlecompanion.timeline.uses import read_uses

#: Where the made-up cleaned files lie: with all that a URL must escape.
MEDIA_FOLDER = Path("/Volumes/Ton #1/100% Müller & Söhne/对白/DX clean")
HANDLES_S = Fraction(2)


@dataclass(frozen=True)
class FileEntry:
    """How a delivered document describes one cleaned file; None where the format cannot say."""

    url: str
    start_s: Fraction
    duration_s: Fraction
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


@dataclass(frozen=True)
class Case:
    """One document of one format; `write` puts it into a folder, or says where it lies."""

    format: str
    label: str
    write: Callable[[Path], Path]

    def __str__(self) -> str:
        return f"{self.format}-{self.label}"


@dataclass(frozen=True)
class Conformed:
    """A document, what was read from it, the plan, and what came of it."""

    adapter: Adapter
    kit: FormatKit
    original: bytes
    delivered: bytes
    facts: TimelineFacts
    delivered_facts: TimelineFacts
    uses: tuple[Use, ...]
    delivered_uses: tuple[Use, ...]
    plan: ConformPlan
    losses: tuple[Loss, ...]
    path: Path
    target: Path

    def clips(self) -> list[CleanedClip]:
        """The plan's clips on all tracks."""
        return [clip for track in self.plan.tracks for clip in track.clips]

    def added(self) -> list[Use]:
        """What the delivered document plays of the plan's files, in the order of `clips`.

        Clips of one file at one place (the same sound on two tracks) are told apart by nothing
        but their order.
        """
        places = [(clip.media.path, clip.record) for clip in self.clips()]
        found: dict[object, list[Use]] = {}
        for use in self.delivered_uses:
            found.setdefault((path_of_url(use.media_url), use.record), []).append(use)
        missing = [place for place in places if len(found.get(place, ())) != places.count(place)]
        assert not missing, f"not where they belong: {missing}"
        return [found[place].pop(0) for place in places]

    def original_use(self, clip: CleanedClip) -> Use:
        """The use that the clip stands in for."""
        return next(use for use in self.uses if use.id == clip.use_id)


def conform(case: Case, folder: Path) -> Conformed:
    """Reads the case's document, cleans all that may be cleaned, and patches it.

    Raises:
        DocumentError: the adapter refuses the document.
    """
    adapter = plugins.adapters()[case.format]
    path = case.write(folder)
    original = path.read_bytes()
    timeline = adapter.read(path)
    uses = read_uses(timeline)
    facts = timeline_facts(timeline)
    plan = made_up_plan(uses, f"{facts.name or 'Timeline'} clean")
    target = folder / f"delivered{path.suffix}"
    losses = adapter.patch(path, plan, target)
    assert path.read_bytes() == original, "the dropped document was written to"
    delivered = adapter.read(target)
    return Conformed(
        adapter=adapter,
        kit=KITS[case.format],
        original=original,
        delivered=target.read_bytes(),
        facts=facts,
        delivered_facts=timeline_facts(delivered),
        uses=uses,
        delivered_uses=read_uses(delivered),
        plan=plan,
        losses=losses,
        path=path,
        target=target,
    )


def made_up_plan(uses: Sequence[Use], name: str) -> ConformPlan:
    """Cleans every use that the document allows; uses of one file's channels share one WAV.

    Every use that is left alone gets a marker.
    """
    groups: dict[tuple[object, ...], list[Use]] = {}
    for use in uses:
        if use.left_alone is None:
            key = (use.media_url, use.channels, use.frame_rate, use.media_start_s)
            groups.setdefault(key, []).append(use)
    clips: dict[str, CleanedClip] = {}
    for number, members in enumerate(groups.values(), start=1):
        start_s, media = _made_up_media(members, number)
        for use in members:
            clips[use.id] = CleanedClip(
                use.id, use.addresses, media, use.source.start_s - start_s, use.record
            )
    markers = [
        TimelineMarker(use.record, f"DX not cleaned {use.id}", f"{use.id}: {use.left_alone}")
        for use in uses
        if use.left_alone is not None
    ]
    return plan_conform(name, uses, clips, markers)


def _made_up_media(uses: Sequence[Use], number: int) -> tuple[Fraction, CleanedMedia]:
    """The file that serves all uses, and where it starts after the media's first instant.

    It starts on a frame of the document's grid that falls on a sample, as a region does.
    """
    grid = uses[0].frame_rate or Fraction(48_000)
    step_s = (Fraction(48_000) / grid).denominator / grid
    first_s = min(use.source.start_s - use.lead_s for use in uses) - HANDLES_S
    start_s = max(Fraction(0), math.floor(first_s / step_s) * step_s)
    if min(use.source.start_s for use in uses) < 0:  # the document counts from elsewhere
        start_s = math.floor(first_s / step_s) * step_s
    end_s = max(use.source.end_s + use.tail_s for use in uses) + HANDLES_S
    return start_s, CleanedMedia(
        id=f"m{number}",
        path=MEDIA_FOLDER / f"A003 „take“ {number}.wav",
        rate_hz=48_000,
        channels=len(uses[0].channels or (0, 1)),
        length_samples=math.ceil((end_s - start_s) * 48_000),
        start_s=(uses[0].media_start_s or Fraction(0)) + start_s,
        frame_rate=uses[0].frame_rate,
    )


def path_of_url(url: str) -> Path | None:
    """The path that a `file` URL names; None for anything else."""
    parts = urlsplit(url)
    return Path(unquote(parts.path)) if parts.scheme == "file" else None


def is_refused(case: Case, folder: Path) -> str | None:
    """The sentence with which the adapter refuses the case's document, if it does."""
    try:
        plugins.adapters()[case.format].read(case.write(folder))
    except DocumentError as error:
        return str(error)
    return None


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
    """Link ids of clips on one track that are shared: no two of them can be one shot."""
    repeated = []
    for track in otio_json.timeline_of(otio_json.loads(data))["tracks"]["children"]:
        seen: set[object] = set()
        for child in track["children"]:
            for dialect, key in (
                (otio_json.RESOLVE, "Link Group ID"),
                (otio_json.PREMIERE, "LinkID"),
            ):
                link = child.get("metadata", {}).get(dialect, {}).get(key)
                if link is not None and (dialect, link) in seen:
                    repeated.append(f"{dialect} {link}")
                seen.add((dialect, link))
    return repeated


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


KITS: Mapping[str, FormatKit] = {
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


def _otio_specimen(label: str) -> Case:
    def write(folder: Path) -> Path:
        return otio_json.write(folder / "cut.otio", otio_json.SPECIMENS[label])

    return Case("otio", label, write)


def _fcp7_specimen(label: str, make: Callable[[], bytes]) -> Case:
    def write(folder: Path) -> Path:
        path = folder / "cut.xml"
        path.write_bytes(make())
        return path

    return Case("fcp7xml", label, write)


def _fcp7_tracks(rate: Fraction) -> tuple[fcp7xml.Track, ...]:
    film = fcp7xml.Media(Path("/Rushes/A003 #1.mov"), rate, 2000, start_frame=4321)
    boom = fcp7xml.Media(Path("/Sound/boom.wav"), rate, 9000, channels=1, picture=False)
    clip = fcp7xml.Clip
    dialogue = (
        clip(film, 10, 110, 200, with_picture=True),
        clip(film, 110, 160, 500),
        clip(film, 200, 240, 900, enabled=False),
        clip(film, 240, 300, 100, speed_percent=200),
        clip(film, 300, 380, 260),
    )
    return (
        fcp7xml.Track(dialogue, channels=2, crossfades=(110,)),
        fcp7xml.Track((clip(boom, 30, 90, 77, gain=0.5),), channels=1),
        fcp7xml.Track((clip(boom, 0, 50, 5),), channels=1, enabled=False),
    )


def _real(kind: str, format_name: str, pattern: str) -> list[Case]:
    folder = SHARED / "timelines" / "corpus" / kind
    return [_real_case(format_name, path) for path in sorted(folder.glob(pattern))]


def _real_case(format_name: str, path: Path) -> Case:
    return Case(format_name, path.name, lambda _folder: path)


CASES: tuple[Case, ...] = (
    *(_otio_specimen(label) for label in otio_json.SPECIMENS),
    _fcp7_specimen("premiere 25", lambda: fcp7xml.premiere_xml(_fcp7_tracks(Fraction(25)))),
    _fcp7_specimen(
        "premiere 29.97 DF",
        lambda: fcp7xml.premiere_xml(
            _fcp7_tracks(Fraction(30_000, 1001)),
            Fraction(30_000, 1001),
            start_frame=107_892,
            drop_frame=True,
        ),
    ),
    _fcp7_specimen(
        "resolve 23.976",
        lambda: fcp7xml.resolve_xml(
            _fcp7_tracks(Fraction(24_000, 1001)), Fraction(24_000, 1001), start_frame=86_400
        ),
    ),
)
REAL_CASES: tuple[Case, ...] = (
    *_real("otio", "otio", "*.otio"),
    *_real("fcp7", "fcp7xml", "*.xml"),
)
