"""The ADR cue sheet: which lines to record again, why, and how urgently."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from nlecompanion.delivery.phrases import Phrase
from nlecompanion.delivery.receipt import record_timecode
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.model import Ruling, TimelineFacts

COLUMNS = ("Cue", "Character", "TC In", "TC Out", "Line", "Reason", "Priority")
#: A cell that begins like this would be run as a formula by a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Cue:
    """One line of the sheet. Priority 1: beyond saving; 2: doubtful, listen first."""

    number: int
    character: str
    timecode_in: str
    timecode_out: str
    line: str
    reason: str
    priority: int

    def cells(self) -> tuple[str, ...]:
        """In the order of `COLUMNS`."""
        return (
            str(self.number),
            self.character,
            self.timecode_in,
            self.timecode_out,
            self.line,
            self.reason,
            str(self.priority),
        )


def cues(phrases: Sequence[Phrase], facts: TimelineFacts) -> tuple[Cue, ...]:
    """One cue a phrase, numbered from 101 as mixers do, in the order of the timeline."""
    return tuple(
        Cue(
            number=number,
            character=phrase.character,
            timecode_in=record_timecode(phrase.record.start_s, facts),
            timecode_out=record_timecode(phrase.record.end_s, facts),
            line=phrase.text or f"[not written down: {phrase.use.name or phrase.use.id}]",
            reason=_reason(phrase),
            priority=1 if phrase.verdict.ruling is Ruling.UNFIXABLE else 2,
        )
        for number, phrase in enumerate(phrases, start=101)
    )


def _reason(phrase: Phrase) -> str:
    kind = [phrase.verdict.kind.value] if phrase.verdict.kind is not None else []
    cleaner = [f"try first: {phrase.cleaner}"] if phrase.cleaner else []
    return "; ".join([*kind, *phrase.verdict.reasons, *cleaner])


def write_adr(
    sheet: Sequence[Cue], facts: TimelineFacts, folder: Path, stem: str
) -> tuple[Path, Path]:
    """`STEM ADR.csv` for spreadsheets and cueing programs, `STEM ADR.html` to print."""
    table, page = folder / f"{stem} ADR.csv", folder / f"{stem} ADR.html"
    with disk_errors(folder):
        # Excel takes a file for UTF-8 only where it begins with the byte order mark.
        with table.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as opened:
            writer = csv.writer(opened)
            writer.writerow(COLUMNS)
            writer.writerows([_plain(cell) for cell in cue.cells()] for cue in sheet)
        page.write_text(_page(sheet, facts), encoding="utf-8", errors="backslashreplace")
    return table, page


def _plain(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _page(sheet: Sequence[Cue], facts: TimelineFacts) -> str:
    from jinja2 import Environment, StrictUndefined

    source = resources.files("nlecompanion.templates").joinpath("adr", "sheet.html.j2")
    template = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    ).from_string(source.read_text(encoding="utf-8"))
    rate = f"{float(facts.rate):.6g}{' drop-frame' if facts.drop_frame else ''}"
    return template.render(name=facts.name or "Timeline", rate=rate, columns=COLUMNS, cues=sheet)
