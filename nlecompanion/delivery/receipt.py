"""`receipt.json`: every use, what was measured, what was done or why not, every loss.

Nothing in it depends on the clock, so that the same input gives the same receipt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from nlecompanion import __version__
from nlecompanion.engines.contract import EngineInfo
from nlecompanion.model import (
    Delivery,
    Diagnosis,
    Proposal,
    SourceQuality,
    Span,
    TimelineFacts,
    UseReport,
)
from nlecompanion.settings import Settings
from nlecompanion.units import timecode_from_frames

RECEIPT_VERSION = 2


def receipt(
    delivery: Delivery,
    *,
    document_name: str,
    document_sha256: str,
    settings: Settings,
    engine: EngineInfo,
    preview: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The receipt as JSON values. Times are seconds (float) beside timecode, levels dBFS.

    `preview` tells of the hardest moment that was treated first, if any was.
    """
    facts = delivery.timeline
    return {
        "receipt_version": RECEIPT_VERSION,
        "made_by": f"nlecompanion {__version__}",
        "document": {
            "name": document_name,
            "sha256": document_sha256,
            "format": facts.format,
        },
        "timeline": {
            "name": facts.name,
            "rate": str(facts.rate),
            "start": timecode_from_frames(facts.start_frame, facts.rate, facts.drop_frame),
            "drop_frame": facts.drop_frame,
            "sample_rate_hz": facts.sample_rate_hz,
        },
        "settings": {
            "profile": settings.profile.name,
            "handles_s": float(settings.handles_s),
            "tracks": list(settings.tracks),
            "fingerprint": settings.fingerprint(),
        },
        "engine": {
            "name": engine.name,
            "version": engine.version,
            "licence": engine.licence,
            "weights": engine.weights,
        },
        "profile": asdict(settings.profile),
        "preview": None if preview is None else dict(preview),
        "summary": summary(delivery.uses),
        "uses": [_use(report, facts) for report in delivery.uses],
        "regions": {name: dict(values) for name, values in sorted(delivery.regions.items())},
        "losses": [{"where": loss.where, "what": loss.what} for loss in delivery.losses],
    }


def summary(uses: Sequence[UseReport]) -> dict[str, int]:
    """How many uses were cleaned, and how many were left alone for which reason."""
    counts = {"uses": len(uses), "cleaned": sum(report.cleaned_file is not None for report in uses)}
    offered = sum(report.offered_file is not None for report in uses)
    if offered:
        counts["beyond saving"] = offered
    for report in uses:
        if report.left_alone is not None:
            reason = report.left_alone.reason.value
            counts[reason] = counts.get(reason, 0) + 1
    return counts


def record_timecode(at_s: Fraction, facts: TimelineFacts) -> str:
    """The timeline's timecode at `at_s` after its first frame."""
    frame = facts.start_frame + round(at_s * facts.rate)
    return timecode_from_frames(frame, facts.rate, facts.drop_frame)


def _use(report: UseReport, facts: TimelineFacts) -> dict[str, Any]:
    use = report.use
    left_alone = report.left_alone
    return {
        "id": use.id,
        "name": use.name,
        "track": use.track,
        "record": {
            "in": record_timecode(use.record.start_s, facts),
            "out": record_timecode(use.record.end_s, facts),
            **_span(use.record),
        },
        "source": {
            "media": use.media_url,
            "channels": None if use.channels is None else [c + 1 for c in use.channels],
            **_span(use.source),
        },
        "done": _done(report),
        "cleaned_file": report.cleaned_file,
        "offered_file": report.offered_file,
        "region": report.region or None,
        "left_alone": None
        if left_alone is None
        else {"reason": left_alone.reason.value, "detail": left_alone.detail},
        "marked": report.marked,
        "measured": None if report.diagnosis is None else _diagnosis(report.diagnosis),
        "plan": None
        if report.plan is None
        else {
            "engine": report.plan.engine,
            "method": report.plan.method,
            "intensity_db": report.plan.intensity_db,
            "reasons": list(report.plan.reasons),
        },
        "verdict": None
        if report.verdict is None
        else {
            "ruling": report.verdict.ruling.value,
            "kind": None if report.verdict.kind is None else report.verdict.kind.value,
            "risk": report.verdict.risk,
            "reasons": list(report.verdict.reasons),
        },
        "evidence": None if report.evidence is None else dict(report.evidence),
        "cleaner_sources": [_proposal(proposal) for proposal in report.proposals],
    }


def _proposal(proposal: Proposal) -> dict[str, Any]:
    """Another source of the use's sound; channels count from 1, times from the file's start."""
    return {
        "media": str(proposal.path),
        "channels": [channel + 1 for channel in proposal.channels],
        "start_s": round(float(proposal.start_s), 6),
        "offset_s": round(float(proposal.offset_s), 6),
        "correlation": round(proposal.correlation, 3),
        "now": _quality(proposal.now),
        "there": _quality(proposal.there),
        "reason": proposal.reason,
    }


def _quality(quality: SourceQuality) -> dict[str, Any]:
    return {
        "sbr_db": _rounded(quality.sbr_db),
        "highest_hz": _rounded(quality.highest_hz),
        "codec_damaged": quality.codec_damaged,
        "clipped": quality.clipped,
    }


def _done(report: UseReport) -> str:
    if report.cleaned_file is not None:
        return "cleaned"
    return "offered" if report.offered_file is not None else "left alone"


def _span(span: Span) -> dict[str, float]:
    return {
        "start_s": round(float(span.start_s), 6),
        "duration_s": round(float(span.duration_s), 6),
    }


def _diagnosis(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "speech_s": round(float(diagnosis.speech_s), 3),
        "speech_found_in": diagnosis.found_in,
        "speech": [_span(span) for span in diagnosis.speech],
        "speech_level_dbfs": _rounded(diagnosis.speech_level_db),
        "background_level_dbfs": _rounded(diagnosis.background_level_db),
        "sbr_db": _rounded(diagnosis.sbr_db),
        "sbr_split_db": _rounded(diagnosis.sbr_split_db),
        "sbr_gaps_db": _rounded(diagnosis.sbr_gaps_db),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
