"""From a delivery to what the page shows: the top, the flags, the strip, the rows."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

from nlecompanion import __version__
from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.report.private import Veil, file_name
from nlecompanion.delivery.report.view import (
    Bar,
    Fact,
    Flag,
    Kind,
    Lane,
    Link,
    Row,
    Top,
    kind_of,
)
from nlecompanion.engines.contract import EngineInfo
from nlecompanion.model import Delivery, UseReport
from nlecompanion.settings import Settings

#: More bars than this are drawn without a link and a title each.
LINKED_BARS = 120
#: Then the strip is cut into about so many columns in all, and a lane into no fewer.
_STRIP_COLUMNS, _LANE_COLUMNS = 480, 40
_MAX_LOSSES = 40
_WHAT = {
    ".csv": "ADR cues for spreadsheets",
    ".html": "ADR cues to print",
    ".srt": "draft subtitles",
    ".vtt": "draft subtitles for the web",
    ".ass": "draft subtitles with styles",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a job was asked to do."""

    document_name: str
    settings: Settings
    engine: EngineInfo


def name_of(report: UseReport) -> str:
    """The clip's name, or that of its file."""
    return report.use.name or file_name(report.use.media_url) or report.use.id


def why(report: UseReport, veil: Veil) -> str:
    """The reasons of a use, in words."""
    if report.left_alone is not None:
        return veil(str(report.left_alone))
    return veil("; ".join(report.verdict.reasons)) if report.verdict is not None else ""


def top(delivery: Delivery, asked: Asked, folder: Path, veil: Veil) -> Top:
    """The head of the page; `folder` is where the delivery's files lie now."""
    facts, profile = delivery.timeline, asked.settings.profile
    counts = _counts(delivery.uses)
    rate = f"{float(facts.rate):.6g} fps{' drop-frame' if facts.drop_frame else ''}"
    intensity = (
        f"the lowest that is readable, {profile.min_intensity_db:g} to "
        f"{profile.max_intensity_db:g} dB"
        if profile.intensity_db is None
        else f"{profile.intensity_db:g} dB, fixed"
    )
    wanted = [
        Fact("Timeline", f"{facts.name or asked.document_name} ({facts.format}, {rate})"),
        Fact("Document", asked.document_name),
        Fact("Profile", f"{profile.name}: {profile.title}" if profile.title else profile.name),
        Fact("Intensity", intensity),
        Fact("Tracks", ", ".join(asked.settings.tracks)),
        Fact("Handles", f"{float(asked.settings.handles_s):g} s"),
    ]
    done = [
        Fact("Cleaned", _of(delivery.cleaned, len(delivery.uses))),
        Fact("Engine", _engine(asked.engine)),
        Fact(
            "Originals", "disabled where a cleaned clip plays, never deleted; the cut is the same"
        ),
    ]
    return Top(
        title=facts.name or asked.document_name,
        made_by=f"nlecompanion {__version__}",
        headline=_headline(counts, len(delivery.uses)),
        asked=tuple(fact for fact in wanted if fact.text),
        done=tuple(done),
        counts=tuple((kind, counts[kind]) for kind in Kind if counts[kind]),
        links=_links(folder),
        losses=_losses(delivery, veil),
    )


def _engine(engine: EngineInfo) -> str:
    head = f"{engine.name} {engine.version}".strip()
    return f"{head}: {engine.title}" if engine.title else head


def _of(count: int, whole: int) -> str:
    return f"{count} of {whole} {'use' if whole == 1 else 'uses'} of sound on the timeline"


def _counts(uses: Sequence[UseReport]) -> Mapping[Kind, int]:
    counts = dict.fromkeys(Kind, 0)
    for report in uses:
        counts[kind_of(report)] += 1
    return counts


def _headline(counts: Mapping[Kind, int], uses: int) -> str:
    if not uses:
        return "The timeline holds no sound."
    cleaned = counts[Kind.CLEANED] + counts[Kind.LISTEN]
    waiting = sum(count for kind, count in counts.items() if kind.needs_person)
    head = f"{cleaned} {'use was' if cleaned == 1 else 'uses were'} cleaned"
    if not waiting:
        return f"{head}; nothing needs a person."
    return f"{head}; {waiting} {'needs' if waiting == 1 else 'need'} a person."


def _links(folder: Path) -> tuple[Link, ...]:
    flags = sorted((folder / "flags").glob("*.*")) if (folder / "flags").is_dir() else []
    files = [
        Link(quote(f"flags/{path.name}", errors="replace"), path.name, _WHAT[path.suffix])
        for path in flags
        if path.suffix in _WHAT
    ]
    return (*files, Link("receipt.json", "receipt.json", "every figure, for machines"))


def _losses(delivery: Delivery, veil: Veil) -> tuple[Fact, ...]:
    told = [Fact(veil(loss.where), veil(loss.what)) for loss in delivery.losses[:_MAX_LOSSES]]
    more = len(delivery.losses) - len(told)
    return (
        (*told, Fact("And more", f"{more} others stand in receipt.json")) if more else tuple(told)
    )


def flags(delivery: Delivery, anchors: Mapping[str, str], veil: Veil) -> tuple[Flag, ...]:
    """What needs a person, the most urgent kind first, then in the order of the timeline."""
    order = {kind: place for place, kind in enumerate(Kind)}
    waiting = [report for report in delivery.uses if kind_of(report).needs_person]
    waiting.sort(key=lambda r: (order[kind_of(r)], r.use.record.start_s, r.use.id))
    return tuple(
        Flag(
            kind_of(report),
            record_timecode(report.use.record.start_s, delivery.timeline),
            record_timecode(report.use.record.end_s, delivery.timeline),
            f"{name_of(report)} on {report.use.track}",
            why(report, veil),
            anchors.get(report.use.id, ""),
        )
        for report in waiting
    )


def rows(delivery: Delivery, anchors: Mapping[str, str], veil: Veil) -> tuple[Row, ...]:
    """Every use without a card, in the order of the timeline."""
    rest = [report for report in delivery.uses if report.use.id not in anchors]
    rest.sort(key=lambda r: (r.use.record.start_s, r.use.track_number, r.use.id))
    return tuple(
        Row(
            kind_of(report),
            record_timecode(report.use.record.start_s, delivery.timeline),
            name_of(report),
            report.use.track,
            _row_text(report, veil),
        )
        for report in rest
    )


def _row_text(report: UseReport, veil: Veil) -> str:
    if report.left_alone is None and report.plan is not None:
        return f"background {report.plan.intensity_db:g} dB down; {why(report, veil)}"
    return why(report, veil)


def strip(delivery: Delivery, anchors: Mapping[str, str]) -> tuple[Lane, ...]:
    """The timeline as lanes, one a track, in the document's order of tracks."""
    length_s = max((r.use.record.end_s for r in delivery.uses), default=Fraction(0))
    if length_s <= 0:
        return ()
    tracks: dict[tuple[int, str], list[UseReport]] = {}
    for report in delivery.uses:
        tracks.setdefault((report.use.track_number, report.use.track), []).append(report)
    linked = len(delivery.uses) <= LINKED_BARS
    return tuple(
        Lane(
            track,
            tuple(_bar(report, length_s, delivery, anchors) for report in reports)
            if linked
            else _columns(reports, length_s, max(_LANE_COLUMNS, _STRIP_COLUMNS // len(tracks))),
        )
        for (_, track), reports in sorted(tracks.items(), key=lambda item: item[0])
    )


def ruler(delivery: Delivery) -> tuple[str, ...]:
    """Timecodes at the start, the middle and the end of the strip."""
    length_s = max((r.use.record.end_s for r in delivery.uses), default=Fraction(0))
    return tuple(
        record_timecode(length_s * half / 2, delivery.timeline) for half in range(3) if length_s
    )


def _bar(
    report: UseReport, length_s: Fraction, delivery: Delivery, anchors: Mapping[str, str]
) -> Bar:
    use, kind = report.use, kind_of(report)
    timecode = record_timecode(use.record.start_s, delivery.timeline)
    return Bar(
        kind,
        _percent(use.record.start_s / length_s),
        _percent(use.record.duration_s / length_s),
        f"{timecode} {name_of(report)}: {kind.short}",
        anchors.get(use.id, ""),
    )


def _columns(reports: Sequence[UseReport], length_s: Fraction, columns: int) -> tuple[Bar, ...]:
    """Bars of hundreds of uses: columns of time, in each of which the most urgent kind is seen."""
    kinds = list(Kind)
    seen = [len(kinds)] * columns
    for report in reports:
        span, rank = report.use.record, kinds.index(kind_of(report))
        first = int(columns * span.start_s / length_s)
        end = max(first + 1, math.ceil(columns * span.end_s / length_s))
        for column in range(first, min(end, columns)):
            seen[column] = min(seen[column], rank)
    bars, at = [], 0
    for rank, run in itertools.groupby(seen):
        count = len(list(run))
        if rank < len(kinds):
            left, width = Fraction(at, columns), Fraction(count, columns)
            bars.append(Bar(kinds[rank], _percent(left), _percent(width)))
        at += count
    return tuple(bars)


def _percent(share: Fraction) -> str:
    return f"{100 * float(share):.2f}".rstrip("0").rstrip(".")
