"""Which of the uses that were left alone are dialogue all the same, and need a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from fractions import Fraction
from statistics import median

from nlecompanion.diagnosis.findings import Findings
from nlecompanion.model import UNWANTED_REASONS, Reason, UseReport
from nlecompanion.timeline.choice import matches_track, says_dialogue
from nlecompanion.verdict.judge import CUT_SHARE

#: Level of speech in finished dialogue, dBFS over frames with speech (RMS).
USUAL_SPEECH_DB = -27.0
#: What is that much louder than the speech of the other uses may hide a voice; room noise, and a
#: pause that the editor left on the track, is not.
LOUDER_DB = 6.0
#: The evidence of a use in which nobody is heard: seconds of its voice estimate that may be a
#: voice (shorter ones come from anything), and the share of samples that are cut off.
_HINTED, _HINTED_S = "hinted_speech_s", 1.0
_CLIPPED = "clipped_share"


def mark_dialogue(
    reports: Sequence[UseReport], heard: Collection[str], tracks: Sequence[str]
) -> tuple[UseReport, ...]:
    """The reports; those left alone against the editor's wish although they are dialogue, marked.

    Dialogue is: speech `heard` in it (use ids), a track or role that says so, a track that the
    user named, or a track on which other uses hold speech. A use in which nobody is heard is
    marked, with the reason, where its track says dialogue and the split finds what may be a voice
    in it, or its peaks are cut off, or it is much louder than the speech of the others.
    """
    dialogue_tracks = {
        report.use.track_number
        for report in reports
        if report.diagnosis is not None and report.diagnosis.speech
    }
    loud_db = _speech_level_db(reports)
    found = []
    for report in reports:
        marked = _needs_marker(report, heard, tracks, dialogue_tracks)
        hidden = "" if marked else _may_hide_a_voice(report, tracks, loud_db)
        if hidden and report.left_alone is not None:
            why = f"{report.left_alone.detail}; {hidden}"
            report = replace(report, left_alone=replace(report.left_alone, detail=why))
        found.append(replace(report, marked=marked or bool(hidden)))
    return tuple(found)


def hints(hinted_s: Fraction, findings: Findings) -> dict[str, float] | None:
    """What may be a hidden voice in a use in which nobody is heard, as the receipt's evidence.

    `hinted_speech_s`: how long the split's voice may be one; `clipped_share`: samples that are cut
    off, 0 to 1. None where there is neither.
    """
    clipping = findings.clipping
    cut = 0.0 if clipping is None or not clipping.clipped else clipping.clipped_share
    told = {_HINTED: round(float(hinted_s), 2), _CLIPPED: round(cut, 3)}
    return {name: value for name, value in told.items() if value > 0} or None


def _speech_level_db(reports: Sequence[UseReport]) -> float:
    """The median level of speech, dBFS; what finished dialogue has where there is none."""
    levels = [
        report.diagnosis.speech_level_db
        for report in reports
        if report.diagnosis is not None and report.diagnosis.speech_level_db is not None
    ]
    return median(levels) if levels else USUAL_SPEECH_DB


def _may_hide_a_voice(report: UseReport, tracks: Sequence[str], loud_db: float) -> str:
    """What says that a voice may be hidden in a use in which nobody is heard; else nothing."""
    use, left_alone, diagnosis = report.use, report.left_alone, report.diagnosis
    if left_alone is None or left_alone.reason is not Reason.NO_SPEECH or diagnosis is None:
        return ""
    named = any(matches_track(use, wanted) for wanted in tracks)
    if not (named or says_dialogue(use.track) or says_dialogue(use.role)):
        return ""
    told = report.evidence or {}
    if told.get(_HINTED, 0.0) >= _HINTED_S:
        return f"{told[_HINTED]:.1f} s of it may be a voice that is lost under its background"
    if told.get(_CLIPPED, 0.0) >= CUT_SHARE:
        return f"{100 * told[_CLIPPED]:.0f} % of it is cut off; a voice may be damaged in it"
    level_db = diagnosis.background_level_db
    if diagnosis.speech or level_db is None or level_db < loud_db + LOUDER_DB:
        return ""
    return (
        f"it is {level_db - loud_db:.0f} dB louder than the speech of this timeline; a voice may "
        f"be masked by it"
    )


def _needs_marker(
    report: UseReport,
    heard: Collection[str],
    tracks: Sequence[str],
    dialogue_tracks: Collection[int],
) -> bool:
    use, left_alone = report.use, report.left_alone
    if left_alone is None or left_alone.reason not in UNWANTED_REASONS:
        return False
    if use.id in heard:
        return True
    if left_alone.reason is Reason.TOO_SHORT:
        return False
    return (
        says_dialogue(use.track)
        or says_dialogue(use.role)
        or any(matches_track(use, wanted) for wanted in tracks)
        or use.track_number in dialogue_tracks
    )
