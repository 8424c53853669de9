"""Which of the uses that were left alone are dialogue all the same, and need a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from statistics import median

from nlecompanion.model import UNWANTED_REASONS, Reason, UseReport
from nlecompanion.timeline.choice import matches_track, says_dialogue

#: Level of speech in finished dialogue, dBFS over frames with speech (RMS).
USUAL_SPEECH_DB = -27.0
#: What is that much louder than the speech of the other uses may hide a voice; room noise, and a
#: pause that the editor left on the track, is not.
LOUDER_DB = 6.0


def mark_dialogue(
    reports: Sequence[UseReport], heard: Collection[str], tracks: Sequence[str]
) -> tuple[UseReport, ...]:
    """The reports; those left alone against the editor's wish although they are dialogue, marked.

    Dialogue is: speech `heard` in it (use ids), a track or role that says so, a track that the
    user named, or a track on which other uses hold speech. A use in which nobody is heard is
    marked where its track says dialogue and it is much louder than the speech of the others: a
    voice may be lost in it.
    """
    dialogue_tracks = {
        report.use.track_number
        for report in reports
        if report.diagnosis is not None and report.diagnosis.speech
    }
    loud_db = _speech_level_db(reports)
    return tuple(
        replace(
            report,
            marked=_needs_marker(report, heard, tracks, dialogue_tracks)
            or _may_hide_a_voice(report, tracks, loud_db),
        )
        for report in reports
    )


def _speech_level_db(reports: Sequence[UseReport]) -> float:
    """The median level of speech, dBFS; what finished dialogue has where there is none."""
    levels = [
        report.diagnosis.speech_level_db
        for report in reports
        if report.diagnosis is not None and report.diagnosis.speech_level_db is not None
    ]
    return median(levels) if levels else USUAL_SPEECH_DB


def _may_hide_a_voice(report: UseReport, tracks: Sequence[str], loud_db: float) -> bool:
    use, left_alone, diagnosis = report.use, report.left_alone, report.diagnosis
    if left_alone is None or left_alone.reason is not Reason.NO_SPEECH or diagnosis is None:
        return False
    level_db = diagnosis.background_level_db
    if diagnosis.speech or level_db is None or level_db < loud_db + LOUDER_DB:
        return False
    named = any(matches_track(use, wanted) for wanted in tracks)
    return named or says_dialogue(use.track) or says_dialogue(use.role)


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
