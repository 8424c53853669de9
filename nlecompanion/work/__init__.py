"""The unit of work: one region, from its media to its cleaned file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.diagnosis.diagnose import RegionMeasures, diagnose
from nlecompanion.engines.contract import Engine
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import (
    CleanedMedia,
    LeftAlone,
    Plan,
    Reason,
    Region,
    Ruling,
    Use,
    UseReport,
)
from nlecompanion.settings import Profile
from nlecompanion.treatment.edges import apply_edges, plan_edges
from nlecompanion.treatment.mix import mix
from nlecompanion.verdict.judge import judge
from nlecompanion.work.listen import hears_speech
from nlecompanion.work.measure import extract_and_split
from nlecompanion.work.target import BLOCK_SAMPLES, RegionOutcome, Target, Tick

__all__ = ["RegionOutcome", "Target", "hears_speech", "work_region"]


def work_region(
    region: Region, engine: Engine, profile: Profile, target: Target, tick: Tick
) -> RegionOutcome:
    """Extracts, measures, splits, judges, mixes and writes one region.

    `tick` is told the seconds of sound that were just split.

    Raises:
        MediaError, EngineError, ProgramFailed: this region failed; the others go on.
        NoSpace: nothing can be delivered.
    """
    channels = len(region.channels)
    scratch = target.scratch_folder
    with (
        disk_errors(scratch),
        ScratchAudio.create(scratch / "take.f32", region.rate_hz, channels) as take,
        ScratchAudio.create(scratch / "voice.f32", region.rate_hz, channels) as voice,
    ):
        measures = extract_and_split(region, engine, take, voice, tick)
        reports = tuple(_report(use, region, measures, engine, profile) for use in region.uses)
        if all(report.left_alone is not None for report in reports):
            return RegionOutcome(reports, None)
        clipped = _write(region, profile, reports, take, voice, target.staged)
        cleaned = CleanedMedia(
            id=region.id,
            path=target.final,
            rate_hz=region.rate_hz,
            channels=channels,
            length_samples=region.length_samples,
            start_s=region.media_start_s + Fraction(region.start_sample, region.rate_hz),
            frame_rate=region.frame_rate,
        )
        return RegionOutcome(reports, cleaned, clipped)


def _report(
    use: Use, region: Region, measures: RegionMeasures, engine: Engine, profile: Profile
) -> UseReport:
    diagnosis = diagnose(use, region, measures)
    if diagnosis.speech_s < Fraction(profile.min_speech_s):
        found_s = float(diagnosis.speech_s)
        left_alone = LeftAlone(
            Reason.NO_SPEECH, f"{found_s:.2f} s of speech found, {profile.min_speech_s:g} s needed"
        )
        return UseReport(use, left_alone, diagnosis)
    verdict = judge(diagnosis, profile)
    if verdict.ruling is Ruling.KEEP:
        left_alone = LeftAlone(Reason.ALREADY_GOOD, verdict.reasons[0])
        return UseReport(use, left_alone, diagnosis, verdict=verdict)
    plan = Plan(
        engine.info.name,
        profile.intensity_db,
        (f"profile {profile.name} turns the background down by {profile.intensity_db:g} dB",),
    )
    return UseReport(use, None, diagnosis, plan, verdict)


def _write(
    region: Region,
    profile: Profile,
    reports: tuple[UseReport, ...],
    take: ScratchAudio,
    voice: ScratchAudio,
    staged: Path,
) -> int:
    """The cleaned file, block by block; returns how many samples were over full scale."""
    edges = plan_edges(region, profile.fade_ms / 1000)
    engine_name = next(report.plan.engine for report in reports if report.plan is not None)
    start_s = region.media_start_s + Fraction(region.start_sample, region.rate_hz)
    with BroadcastWavWriter(
        staged,
        rate_hz=region.rate_hz,
        channels=len(region.channels),
        layout=_layout(region),
        time_reference_samples=max(0, round(start_s * region.rate_hz)),
        description=(
            f"Dialogue of {region.media.path.name}; engine {engine_name}; background "
            f"{profile.intensity_db:g} dB down; profile {profile.name}"
        ),
    ) as writer:
        for position in range(0, region.length_samples, BLOCK_SAMPLES):
            count = min(BLOCK_SAMPLES, region.length_samples - position)
            mixed = mix(
                take.read(position, count), voice.read(position, count), profile.intensity_db
            )
            writer.write(apply_edges(mixed, position, edges))
    if writer.length_samples != region.length_samples:
        raise AssertionError(
            f"{staged.name} has {writer.length_samples} samples instead of {region.length_samples}"
        )
    return writer.clipped_samples


def _layout(region: Region) -> str:
    """The stream's own layout where all its channels are used, in order."""
    for stream in region.media.streams[:1]:
        if region.channels == tuple(range(stream.channels)):
            return stream.layout
    return {1: "mono", 2: "stereo"}.get(len(region.channels), f"{len(region.channels)} channels")
