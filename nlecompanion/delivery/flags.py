"""What a delivery holds for a person: draft subtitles and an ADR cue sheet, where needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from nlecompanion.decisions import Decisions
from nlecompanion.delivery.adr import cues, write_adr
from nlecompanion.delivery.decided_phrases import with_decisions
from nlecompanion.delivery.phrases import flagged_phrases
from nlecompanion.delivery.script import Line, find_script, read_script
from nlecompanion.delivery.staging import disk_errors
from nlecompanion.delivery.subtitles import write_subtitles
from nlecompanion.errors import DocumentError
from nlecompanion.model import Loss, TimelineFacts, UseReport

FLAGS_FOLDER = "flags"
NOTHING_DECIDED = Decisions()


def write_flags(
    reports: Sequence[UseReport],
    document: Path,
    facts: TimelineFacts,
    folder: Path,
    stem: str,
    decisions: Decisions = NOTHING_DECIDED,
) -> list[Loss]:
    """Writes `flags/` below `folder` where uses are unfixable or doubtful; returns what was lost.

    The words come from a script beside the document, where there is one, and from the editor's
    `decisions`, which also say what is to be recorded again in any case.

    Raises:
        NoSpace, NotWritable: the disk is full, or the files cannot be written.
    """
    losses: list[Loss] = []
    script: tuple[Line, ...] = ()
    found = find_script(document)
    if found is not None:
        try:
            script = read_script(found, facts)
        except (DocumentError, OSError) as error:
            losses.append(Loss(found.name, f"not used: {error}"))
    phrases = with_decisions(flagged_phrases(reports, script), reports, decisions)
    if not phrases:
        return losses
    flags = folder / FLAGS_FOLDER
    with disk_errors(folder):
        flags.mkdir()
    write_subtitles([p for p in phrases if p.is_shown], facts, flags, stem)
    write_adr(cues([p for p in phrases if p.is_cue], facts), facts, flags, stem)
    return losses
