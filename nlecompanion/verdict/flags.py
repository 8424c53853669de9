"""Which of the uses that were left alone are dialogue all the same, and need a person."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from nlecompanion.model import UNWANTED_REASONS, Reason, UseReport
from nlecompanion.timeline.choice import matches_track, says_dialogue


def mark_dialogue(
    reports: Sequence[UseReport], heard: Collection[str], tracks: Sequence[str]
) -> tuple[UseReport, ...]:
    """The reports; those left alone against the editor's wish although they are dialogue, marked.

    Dialogue is: speech `heard` in it (use ids), a track or role that says so, a track that the
    user named, or a track on which other uses hold speech.
    """
    dialogue_tracks = {
        report.use.track_number
        for report in reports
        if report.diagnosis is not None and report.diagnosis.speech
    }
    return tuple(
        replace(report, marked=_needs_marker(report, heard, tracks, dialogue_tracks))
        for report in reports
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
