"""Writes `report.html`: one file that opens offline anywhere, and shows and plays before and after.

Its text stays under a limit however long the timeline is, its sound under another; the work a use
is bounded, and nothing that goes wrong in here costs the delivery.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any

from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.report.cards import by_need, cleaned_file, in_time, make_card
from nlecompanion.delivery.report.gather import Asked, flags, name_of, rows, ruler, strip, top
from nlecompanion.delivery.report.moments import Excerpt, excerpt
from nlecompanion.delivery.report.page import render_card, render_page
from nlecompanion.delivery.report.private import Veil
from nlecompanion.delivery.report.sounds import Pictures, Side, compress, draw, read_pair
from nlecompanion.delivery.report.view import Card, Flag, Media, Row
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.engines.contract import EngineInfo
from nlecompanion.model import Delivery, Loss, Region, UseReport
from nlecompanion.settings import Settings

_log = logging.getLogger(__name__)
REPORT_NAME = "report.html"
#: What a list's line costs beside its texts, in bytes.
_FLAG_BYTES, _ROW_BYTES = 380, 210
#: What a card is measured with: the room that pictures and sounds take is not the text's.
_EMPTY = Media("", "", "", Pictures(Side("", ""), Side("", "")), ("", ""), 80 * " ")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLimits:
    """How large a report may get.

    `sound_mb`: of all sounds together, as they lie in the page (0: none); the uses that need a
    person come first, and beyond it a card has pictures and figures only. `snippet_s`: of one use.
    `cards_kb`, `lists_kb`: of the text of the cards, and of each of the two lists.
    """

    sound_mb: float = 12.0
    snippet_s: float = 10.0
    cards_kb: float = 120.0
    lists_kb: float = 22.0


def write_report(
    delivery: Delivery,
    document_name: str,
    settings: Settings,
    engine: EngineInfo,
    regions: Sequence[Region],
    folder: Path,
    limits: ReportLimits | None = None,
) -> list[Loss]:
    """Writes `report.html` into `folder`, where the delivery is staged; returns what is not in it.

    Raises:
        NoSpace, NotWritable: the disk is full, or the file cannot be written.
    """
    try:
        page, losses = _page(
            delivery, Asked(document_name, settings, engine), regions, folder, limits
        )
    except Exception as error:  # the delivery is worth more than its report
        _log.exception("the report could not be made")
        return [Loss(REPORT_NAME, f"could not be made: {type(error).__name__}: {error}")]
    with disk_errors(folder):
        (folder / REPORT_NAME).write_text(page, encoding="utf-8", errors="backslashreplace")
    return losses


def _page(
    delivery: Delivery,
    asked: Asked,
    regions: Sequence[Region],
    folder: Path,
    limits: ReportLimits | None,
) -> tuple[str, list[Loss]]:
    limits = limits or ReportLimits()
    veil = Veil(_folders(delivery, regions, folder))
    chosen = _cards(delivery, veil, limits)
    anchors = {report.use.id: card.anchor for report, card in chosen}
    gallery = _Gallery(delivery, {region.id: region for region in regions}, folder, veil, limits)
    media = {card.anchor: gallery.media(report) for report, card in chosen}
    cards = [render_card(card=card, media=media[card.anchor]) for _, card in in_time(chosen)]
    shown_flags, more_flags = _first_flags(flags(delivery, anchors, veil), limits)
    shown_rows, more_rows = _first_rows(rows(delivery, anchors, veil), limits)
    page = render_page(
        cards=cards,
        top=top(delivery, asked, folder, veil),
        flags=shown_flags,
        more_flags=more_flags,
        lanes=strip(delivery, anchors),
        ruler=ruler(delivery),
        rows=shown_rows,
        more_rows=more_rows,
        sounding=any(seen is not None and seen.sound is not None for seen in media.values()),
    )
    return page, gallery.losses


def _folders(delivery: Delivery, regions: Sequence[Region], folder: Path) -> Iterable[PurePath]:
    yield folder
    if delivery.folder is not None:
        yield delivery.folder
        yield delivery.folder.parent
    for region in regions:
        yield region.media.path.parent


def _cards(delivery: Delivery, veil: Veil, limits: ReportLimits) -> list[tuple[UseReport, Card]]:
    """As many cards as there is room for, by need."""
    chosen: list[tuple[UseReport, Card]] = []
    owners: dict[str, str] = {}
    room = 1000 * limits.cards_kb
    for number, report in enumerate(by_need(delivery), start=1):
        anchor = f"u{number}"
        owners.setdefault(report.region, anchor)
        card = make_card(report, delivery, anchor, owners, veil)
        room -= _bytes(render_card(card=card, media=_EMPTY))
        if room < 0:
            break
        chosen.append((report, card))
    return chosen


class _Gallery:
    """Pictures and sounds, one use after another, until the room for sounds is used up."""

    def __init__(
        self,
        delivery: Delivery,
        regions: dict[str, Region],
        folder: Path,
        veil: Veil,
        limits: ReportLimits,
    ) -> None:
        self.losses: list[Loss] = []
        self._delivery, self._regions, self._folder = delivery, regions, folder
        self._veil, self._limits = veil, limits
        self._room = 1e6 * limits.sound_mb

    def media(self, report: UseReport) -> Media | None:
        """What is seen and heard of a use; None where it has no sound that could be shown."""
        region, file = self._regions.get(report.region), cleaned_file(report)
        if region is None or file is None:
            return None
        try:
            account = self._delivery.regions.get(report.region, {})
            at = excerpt(report, region, account, Fraction(str(self._limits.snippet_s)))
            return None if at is None else self._shown(at, self._folder / file, report)
        except Exception as error:  # one picture less does not cost the report
            self._missing("no pictures and no sound", report, error)
            return None

    def _missing(self, what: str, report: UseReport, error: Exception) -> None:
        _log.warning("%s of %s in the report", what, report.use.id, exc_info=error)
        said = str(error) or type(error).__name__
        where = f"{REPORT_NAME}, {name_of(report)}"
        self.losses.append(Loss(where, self._veil(f"{what}: {said}")))

    def _shown(self, at: Excerpt, cleaned: Path, report: UseReport) -> Media:
        pair = read_pair(at, cleaned)
        values: dict[str, Any] = {
            "caption": "Hardest moment, from" if at.hardest else "Most speech, from",
            "timecode": record_timecode(at.record.start_s, self._delivery.timeline),
            "length_s": f"{float(at.record.duration_s):.3f}",
            "pictures": draw(pair),
        }
        matched = (
            "Loudness could not be told, so both are as recorded."
            if pair.matched_db is None
            else f"Equally loud: the louder one is turned down by {pair.matched_db:.1f} dB."
        )
        if self._room <= 0:
            note = (
                f"No sound here: the report's {self._limits.sound_mb:g} MB of sound are used up. "
                "The clip itself lies in this folder."
            )
            return Media(**values, sound=None, note=note)
        try:
            sound = compress(pair)
        except Exception as error:  # the pictures are good all the same
            self._missing("no sound", report, error)
            return Media(**values, sound=None, note="The sound could not be compressed.")
        self._room -= sum(len(part) for part in sound)
        return Media(**values, sound=sound, note=matched)


def _first_flags(every: Sequence[Flag], limits: ReportLimits) -> tuple[Sequence[Flag], int]:
    sizes = [_FLAG_BYTES + _bytes(flag.name + flag.text) for flag in every]
    shown = _fitting(sizes, 1000 * limits.lists_kb)
    return every[:shown], len(every) - shown


def _first_rows(every: Sequence[Row], limits: ReportLimits) -> tuple[Sequence[Row], int]:
    sizes = [_ROW_BYTES + _bytes(row.name + row.track + row.text) for row in every]
    shown = _fitting(sizes, 1000 * limits.lists_kb)
    return every[:shown], len(every) - shown


def _fitting(sizes: Sequence[int], room: float) -> int:
    for count, size in enumerate(sizes):
        room -= size
        if room < 0:
            return count
    return len(sizes)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
