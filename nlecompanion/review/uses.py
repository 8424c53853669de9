"""A delivery's uses as JSON for the page: a line each, and all that is known of one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from nlecompanion.decisions import UNDECIDED
from nlecompanion.delivery.phrases import flagged_phrases
from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.report.cards import cleaned_file, make_card
from nlecompanion.delivery.report.gather import name_of
from nlecompanion.delivery.report.private import Veil, file_name
from nlecompanion.delivery.report.view import Fact, Ledger, kind_of
from nlecompanion.delivery.report.words import sentence
from nlecompanion.model import Delivery, Ruling, UseReport
from nlecompanion.review.deliveries import Shown
from nlecompanion.review.media import MediaTable
from nlecompanion.review.store import Book, Decided
from nlecompanion.units import gain_from_db

_log = logging.getLogger(__name__)
_MOST_FLAGS = 12
_UNDECIDED = asdict(UNDECIDED)
_UNREADABLE = Fact("Figures", "What the receipt tells of this file cannot be read here.")


def lines(shown: Shown) -> list[dict[str, Any]]:
    """One object a use, without what changes while the page is open."""
    delivery = shown.delivery
    if delivery is None:
        return []
    veil = Veil([shown.folder, shown.folder.parent])
    return [
        _line(use_id, index, report, delivery, veil)
        for index, (use_id, report) in enumerate(shown.by_id.items())
    ]


def _line(
    use_id: str, index: int, report: UseReport, delivery: Delivery, veil: Veil
) -> dict[str, Any]:
    use, kind, verdict = report.use, kind_of(report), report.verdict
    file = cleaned_file(report)
    reasons = [] if verdict is None else [veil(reason) for reason in verdict.reasons]
    left_alone = None if report.left_alone is None else veil(str(report.left_alone))
    told = left_alone or "; ".join(reasons)
    return {
        "id": use_id,
        "index": index,
        "name": name_of(report),
        "track": use.track,
        "in": record_timecode(use.record.start_s, delivery.timeline),
        "out": record_timecode(use.record.end_s, delivery.timeline),
        "start_s": float(use.record.start_s),
        "duration_s": float(use.record.duration_s),
        "done": _done(report),
        "kind": kind.css,
        "kind_label": kind.short,
        "needs_person": kind.needs_person,
        "ruling": None if verdict is None else verdict.ruling.value,
        "unfixable": _unfixable(report),
        "treatable": treatable(report),
        "change": round(change(report), 3),
        "intensity_db": None if report.plan is None else report.plan.intensity_db,
        "left_alone": left_alone,
        "reasons": reasons,
        "summary": f"{kind.short}. {sentence(told)}" if told else kind.short,
        "flags": _flags(report, delivery),
        "file": None if file is None else file_name(file),
    }


def _unfixable(report: UseReport) -> str | None:
    """What puts the voice beyond saving; None where it is not."""
    verdict = report.verdict
    if verdict is None or verdict.ruling is not Ruling.UNFIXABLE:
        return None
    return "lost" if verdict.kind is None else verdict.kind.value


def _flags(report: UseReport, delivery: Delivery) -> list[list[str]]:
    """First and last timecode of each flagged phrase."""
    spans = [phrase.record for phrase in flagged_phrases([report], ())][:_MOST_FLAGS]
    return [
        [record_timecode(at_s, delivery.timeline) for at_s in (span.start_s, span.end_s)]
        for span in spans
    ]


def _done(report: UseReport) -> str:
    if report.cleaned_file is not None:
        return "cleaned"
    return "offered" if report.offered_file is not None else "left alone"


def treatable(report: UseReport) -> bool:
    """Whether its sound was worked on, so that stems of it can be had."""
    return report.plan is not None and bool(report.region) and cleaned_file(report) is not None


def change(report: UseReport) -> float:
    """How much of a use's sound was taken away: 0 nothing, 1 all of it.

    The level (RMS) of what the intensity takes off the background, over that of the original while
    somebody speaks, from the speech-to-background ratio.
    """
    diagnosis, plan = report.diagnosis, report.plan
    if plan is None or diagnosis is None or diagnosis.sbr_db is None:
        return 0.0
    background = 1 / (1 + 10 ** (diagnosis.sbr_db / 10))
    return float((1 - gain_from_db(-plan.intensity_db)) * background**0.5)


def decision_json(decided: Decided) -> dict[str, Any]:
    """All fields at their values."""
    return {**_UNDECIDED, **decided.set}


def with_decisions(
    rows: list[dict[str, Any]], reports: Mapping[str, UseReport], book: Book
) -> list[dict[str, Any]]:
    """The lines with what was decided about each; `reports` as in `Shown.by_id`."""
    lines = []
    for row in rows:
        decided = book.of(reports[row["id"]].use.id)
        more = {"decision": decision_json(decided), "revision": decided.revision}
        lines.append({**row, **more})
    return lines


def card(shown: Shown, use_id: str) -> dict[str, Any]:
    """The figures of one use in words, as its card in the report has them."""
    delivery, report = shown.delivery, shown.by_id[use_id]
    assert delivery is not None
    veil = Veil([shown.folder, shown.folder.parent])
    owners = {report.region: use_id}
    try:
        made = make_card(report, delivery, use_id, owners, veil)
    except (AttributeError, KeyError, TypeError, ValueError, IndexError) as error:
        # Accounts of other versions, or edited by hand: the rest of the use is shown all the same.
        _log.warning("the figures of %s cannot be read: %r", use_id, error)
        bare = replace(delivery, regions={})
        made = make_card(report, bare, use_id, owners, veil)
        made = replace(made, facts=(*made.facts, _UNREADABLE))
    return {
        "summary": made.summary,
        "facts": [{"what": fact.what, "text": veil(fact.text)} for fact in made.facts],
        "ledger": None if made.ledger is None else _ledger(made.ledger, veil),
    }


def _ledger(ledger: Ledger, veil: Veil) -> dict[str, Any]:
    return {
        "steps": [asdict(step) for step in ledger.steps],
        "gates": [asdict(gate) for gate in ledger.gates],
        "done": [{"what": fact.what, "text": veil(fact.text)} for fact in ledger.done],
    }


def sharing(shown: Shown, use_id: str) -> list[str]:
    """Ids of the other uses that one file serves: what is decided about the sound of one goes for
    all of them.
    """
    region = shown.by_id[use_id].region
    if not region:
        return []
    return [
        other
        for other, report in shown.by_id.items()
        if report.region == region and other != use_id
    ]


def delivered_file(shown: Shown, report: UseReport) -> Path | None:
    """Where the cleaned file of a use should lie; None for a name that leads elsewhere."""
    file = cleaned_file(report)
    if file is None:
        return None
    path = shown.folder / file
    parts = Path(file).parts
    return None if Path(file).is_absolute() or ".." in parts else path


def cleaned_media(shown: Shown, report: UseReport, table: MediaTable) -> Mapping[str, Any] | None:
    """The delivered file and where the use lies in it; None where there is none to be heard."""
    path = delivered_file(shown, report)
    media = None if path is None else table.put(path, shown.folder)
    if path is None or media is None:
        return None
    start_s = _start_in_file(shown, report)
    return {
        "media": media,
        "offset_s": None if start_s is None else float(start_s),
        "length_s": float(report.use.source.duration_s),
    }


def _start_in_file(shown: Shown, report: UseReport) -> Fraction | None:
    """From the cleaned file's first sample: its region begins its handles before the first use.

    The receipt does not say where a region begins in its media; the uses and handles do, unless the
    media's own start cut the handle short.
    """
    settings = shown.receipt.get("settings", {})
    handles_s = settings.get("handles_s") if isinstance(settings, dict) else None
    if not isinstance(handles_s, int | float):
        return None
    same = [one for one in shown.by_id.values() if one.region == report.region]
    first_s = min(one.use.source.start_s for one in same)
    before_s = min(Fraction(str(handles_s)), max(first_s, Fraction(0)))
    return report.use.source.start_s - first_s + before_s
