"""The unit of work: one region, from its media to its cleaned file."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.diagnosis.diagnose import RegionMeasures, diagnose, window_of
from nlecompanion.diagnosis.levels import LevelMeter
from nlecompanion.diagnosis.speech import SpeechMeter, clip_spans, speech_spans
from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.media.arriving import ArrivingTake
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.extract import read_region
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import (
    CleanedMedia,
    LeftAlone,
    MediaFile,
    Plan,
    Reason,
    Region,
    Ruling,
    Span,
    Split,
    Use,
    UseReport,
)
from nlecompanion.settings import Profile
from nlecompanion.treatment.edges import apply_edges, plan_edges
from nlecompanion.treatment.mix import mix
from nlecompanion.verdict.judge import judge

_log = logging.getLogger(__name__)
#: Samples a channel that are mixed and written at a time.
BLOCK_SAMPLES = 480_000
#: Uses that are only listened to, not worked on, are judged by at most this much of their sound.
LISTEN_S = 60
Tick = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a region's cleaned file is written now, and where the editor will find it."""

    staged: Path
    final: PurePath
    scratch_folder: Path


@dataclass(frozen=True, slots=True)
class RegionOutcome:
    """What became of a region: a report for each use, and the cleaned file if one was written."""

    reports: tuple[UseReport, ...]
    cleaned: CleanedMedia | None
    clipped_samples: int = 0


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
        measures = _extract_and_split(region, engine, take, voice, tick)
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


def _extract_and_split(
    region: Region, engine: Engine, take: ScratchAudio, voice: ScratchAudio, tick: Tick
) -> RegionMeasures:
    """Fills both scratch files; the split follows the extraction, which runs beside it."""
    arriving = ArrivingTake(take)
    with ThreadPoolExecutor(max_workers=1) as beside:
        extraction = beside.submit(_extract, region, arriving)
        try:
            voice_powers, background_powers = _split(region, engine, arriving, voice, tick)
        except BaseException:
            arriving.stop()
            raise
        measures = extraction.result()
    return replace(
        measures,
        voice_speech=_hidden_speech(region, measures, voice),
        voice_powers=voice_powers,
        background_powers=background_powers,
    )


def _extract(region: Region, arriving: ArrivingTake) -> RegionMeasures:
    speech, levels = SpeechMeter(region.rate_hz), LevelMeter(region.rate_hz)
    blocks = read_region(
        region.media, region.channels, region.rate_hz, region.start_sample, region.end_sample
    )
    for block in arriving.filled(blocks):
        speech.push(block)
        levels.push(block)
    return RegionMeasures(speech_spans(speech.finish(), _length_s(region)), levels.finish())


def _split(
    region: Region, engine: Engine, arriving: ArrivingTake, voice: ScratchAudio, tick: Tick
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Fills the voice; returns the hop powers of voice and background."""
    voice_levels, background_levels = LevelMeter(region.rate_hz), LevelMeter(region.rate_hz)

    def keep(split: Split) -> None:
        voice.append(split.voice.samples)
        voice_levels.push(split.voice.samples)
        background_levels.push(split.background.samples)

    with ThreadPoolExecutor(max_workers=1) as beside:
        kept: Future[None] | None = None
        for split in split_blocks(
            engine, arriving.read, region.length_samples, region.rate_hz, len(region.channels)
        ):
            if kept is not None:
                kept.result()  # one block at a time: memory stays flat
            kept = beside.submit(keep, split)
            tick(len(split.voice.samples) / region.rate_hz)
        if kept is not None:
            kept.result()
    return voice_levels.finish(), background_levels.finish()


def _hidden_speech(
    region: Region, measures: RegionMeasures, voice: ScratchAudio
) -> tuple[Span, ...] | None:
    """Speech in the voice estimate, where the mixture hides that of some use; else None."""
    if all(clip_spans(measures.speech, window_of(use, region)) for use in region.uses):
        return None
    speech = SpeechMeter(region.rate_hz)
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        speech.push(voice.read(position, count))
    return speech_spans(speech.finish(), _length_s(region))


def _length_s(region: Region) -> Fraction:
    return Fraction(region.length_samples, region.rate_hz)


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


def hears_speech(use: Use, media: MediaFile, rate_hz: int, min_speech_s: float) -> bool:
    """Whether there is speech in the source of a use that is not worked on.

    Raises:
        MediaError, ProgramFailed: its sound cannot be read.
    """
    start_s = max(Fraction(0), use.source.start_s)
    end_s = min(use.source.end_s, media.duration_s, start_s + LISTEN_S)
    start, end = int(start_s * rate_hz), int(end_s * rate_hz)
    if end <= start or use.channels is None:
        return False
    meter = SpeechMeter(rate_hz)
    for block in read_region(media, use.channels, rate_hz, start, end):
        meter.push(block)
    spans = speech_spans(meter.finish(), Fraction(end - start, rate_hz))
    return float(sum((span.duration_s for span in spans), Fraction(0))) >= min_speech_s
