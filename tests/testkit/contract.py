"""The cases of the contract suite, and what it does to each.

To add a format: write a `FormatKit` for it (`testkit.format_kits`), and add documents of your own
making to `CASES` and its real ones to `REAL_CASES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from testkit import aaf, edl, fcp7xml, fcpxml, otio_json, rpp
from testkit.format_kits import KITS, FormatKit, path_of_url
from testkit.otio_specimens import SPECIMENS
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
    beside = sorted(folder.glob(f"{target.stem} *{target.suffix}"))
    return Conformed(
        adapter=adapter,
        kit=KITS[case.format],
        original=original,
        delivered=edl.BETWEEN.join(made.read_bytes() for made in (target, *beside)),
        facts=facts,
        delivered_facts=timeline_facts(delivered),
        uses=uses,
        # Addresses of a list beside may be those of the document, which stands last and rules.
        delivered_uses=(*_uses_beside(adapter, facts, beside), *read_uses(delivered)),
        plan=plan,
        losses=losses,
        path=path,
        target=target,
    )


def _uses_beside(
    adapter: Adapter, facts: TimelineFacts, documents: Sequence[Path]
) -> Iterator[Use]:
    """The uses of documents beside the copy, on the document's own clock.

    A list of one track may start where its first event does.
    """
    for path in documents:
        timeline = adapter.read(path)
        shift_s = (timeline_facts(timeline).start_frame - facts.start_frame) / facts.rate
        for use in read_uses(timeline):
            record = replace(use.record, start_s=use.record.start_s + shift_s)
            url = f"file://{quote(use.media_url)}"
            yield replace(use, record=record, media_url=url)


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


def is_refused(case: Case, folder: Path) -> str | None:
    """The sentence with which the adapter refuses the case's document, if it does."""
    try:
        plugins.adapters()[case.format].read(case.write(folder))
    except DocumentError as error:
        return str(error)
    return None


def _otio_specimen(label: str) -> Case:
    def write(folder: Path) -> Path:
        return otio_json.write(folder / "cut.otio", SPECIMENS[label])

    return Case("otio", label, write)


def _aaf_specimen(label: str) -> Case:
    return Case("aaf", label, lambda folder: aaf.SPECIMENS[label](folder / "cut.aaf"))


def _fcp7_specimen(label: str, make: Callable[[], bytes]) -> Case:
    def write(folder: Path) -> Path:
        path = folder / "cut.xml"
        path.write_bytes(make())
        return path

    return Case("fcp7xml", label, write)


def _rpp_specimen(label: str) -> Case:
    def write(folder: Path) -> Path:
        path = folder / "cut.rpp"
        path.write_bytes(rpp.SPECIMENS[label])
        return path

    return Case("rpp", label, write)


def _edl_specimen(label: str, text: str) -> Case:
    def write(folder: Path) -> Path:
        path = folder / "cut.edl"
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return Case("edl", label, write)


def _fcpxml_specimen(label: str, make: Callable[[], bytes]) -> Case:
    def write(folder: Path) -> Path:
        path = folder / "cut.fcpxml"
        path.write_bytes(make())
        return path

    return Case("fcpxml", label, write)


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
    *(_otio_specimen(label) for label in SPECIMENS),
    *(_rpp_specimen(label) for label in rpp.SPECIMENS),
    *(_edl_specimen(label, text) for label, text in edl.SPECIMENS.items()),
    *(_aaf_specimen(label) for label in aaf.SPECIMENS),
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
    _fcpxml_specimen("1.11 at 25", fcpxml.specimen),
    _fcpxml_specimen(
        "1.8 at 29.97 DF",
        lambda: fcpxml.specimen(Fraction(30_000, 1001), (1, 8), 107_892, "DF"),
    ),
    _fcpxml_specimen(
        "1.14 at 23.976", lambda: fcpxml.specimen(Fraction(24_000, 1001), (1, 14), 86_400)
    ),
)
REAL_CASES: tuple[Case, ...] = (
    *_real("edl", "edl", "*[Mm][Uu]*.edl"),
    *_real("edl", "edl", "pyedl_*.edl"),
    *_real("otio", "otio", "*.otio"),
    *_real("fcp7", "fcp7xml", "*.xml"),
    *_real("fcpxml", "fcpxml", "*.fcpxml"),
    *_real("aaf", "aaf", "*.aaf"),
)
