"""One card a treated use: which uses get one, and what stands on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nlecompanion.delivery.phrases import flagged_phrases
from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.report import words
from nlecompanion.delivery.report.gather import name_of, why
from nlecompanion.delivery.report.private import Veil, file_name
from nlecompanion.delivery.report.view import Card, Kind, Ledger, kind_of
from nlecompanion.model import Delivery, UseReport

_MAX_PHRASES = 12


def by_need(delivery: Delivery) -> list[UseReport]:
    """The treated uses: what needs a person first, then what reads worst, then the timeline."""
    order = {kind: place for place, kind in enumerate(Kind)}

    def key(report: UseReport) -> tuple[int, float, Any, str]:
        chosen = words.chosen_attempt(delivery.regions.get(report.region, {}))
        mean = None if chosen is None else chosen["readability"]["mean"]
        worst = -1.0 if mean is None else float(mean)
        return order[kind_of(report)], worst, report.use.record.start_s, report.use.id

    return sorted((r for r in delivery.uses if cleaned_file(r) is not None), key=key)


def cleaned_file(report: UseReport) -> str | None:
    """The cleaned file of a use, whether it plays or is offered, from the delivery's folder on."""
    return report.cleaned_file or report.offered_file


def make_card(
    report: UseReport, delivery: Delivery, anchor: str, owners: Mapping[str, str], veil: Veil
) -> Card:
    """What stands on a use's card; `owners` name the card that tells a region's attempts."""
    account = delivery.regions.get(report.region, {})
    facts = delivery.timeline
    return Card(
        anchor=anchor,
        kind=kind_of(report),
        name=name_of(report),
        track=report.use.track,
        timecode=record_timecode(report.use.record.start_s, facts),
        until=record_timecode(report.use.record.end_s, facts),
        file=file_name(cleaned_file(report) or ""),
        summary=_summary(report, veil),
        facts=words.facts(report, account),
        phrases=_phrases(report, delivery),
        ledger=_ledger(report.region, account, anchor, owners),
    )


def _summary(report: UseReport, veil: Veil) -> str:
    kind = kind_of(report)
    said = f"{words.sentence(why(report, veil))}."
    if report.plan is None or kind is Kind.UNFIXABLE:
        return f"{kind.short}. {said}"
    return (
        f"{kind.short}. {said} The background goes down by {words.level(report.plan.intensity_db)}."
    )


def _phrases(report: UseReport, delivery: Delivery) -> tuple[tuple[str, str], ...]:
    spans = [phrase.record for phrase in flagged_phrases([report], ())][:_MAX_PHRASES]
    facts = delivery.timeline
    return tuple(
        (record_timecode(span.start_s, facts), record_timecode(span.end_s, facts)) for span in spans
    )


def _ledger(
    region: str, account: Mapping[str, Any], anchor: str, owners: Mapping[str, str]
) -> Ledger | None:
    owner = owners.get(region, anchor)
    if owner != anchor and account:
        return Ledger(owner, (), (), ())
    return words.ledger(account, anchor)


def in_time(cards: Sequence[tuple[UseReport, Card]]) -> list[tuple[UseReport, Card]]:
    """In the order of the timeline."""
    return sorted(cards, key=lambda pair: (pair[0].use.record.start_s, pair[0].use.id))
