"""The treatment chain after the split, and the cleaned file that it ends in.

Two passes, so that memory stays flat: the first takes rumble, echo and harshness off the stems
and mixes them; what it measures settles level and room tone for the second, which writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from nlecompanion.diagnosis.findings import receipt_values as findings_values
from nlecompanion.diagnosis.loudness import LoudnessMeter, Powers
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region
from nlecompanion.treatment.chain import Chain, ChainPlan, ChainReport
from nlecompanion.treatment.de_echo import receipt_values as echo_values
from nlecompanion.treatment.edges import apply_edges, plan_edges
from nlecompanion.treatment.ladder import receipt_values as climb_values
from nlecompanion.treatment.level import LevelReport, level_report
from nlecompanion.treatment.limit import LimitMeter, LimitReport, limit_peaks
from nlecompanion.treatment.room_tone import RoomTonePlan
from nlecompanion.treatment.room_tone import receipt_values as tone_values
from nlecompanion.treatment.tone_grid import Mask
from nlecompanion.treatment.tone_measures import Floor, FloorMeter
from nlecompanion.units import gain_from_db
from nlecompanion.work.finish import (
    FinishMeter,
    FinishPlan,
    ceiling_dbtp,
    finished,
    plan_finish,
    plan_steps,
    split_stems,
)
from nlecompanion.work.target import Target, layout_of

if TYPE_CHECKING:
    from nlecompanion.engines.contract import Engine
    from nlecompanion.settings import Profile
    from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
    from nlecompanion.work.decide import Decision
    from nlecompanion.work.measure import Measured


@dataclass(frozen=True, slots=True, eq=False)
class Treated:
    """What was done to a region, step by step. `floors`: before and after the room tone."""

    chain: ChainPlan
    steps: ChainReport
    level: LevelReport
    tone: RoomTonePlan
    floors: tuple[Floor | None, Floor | None]
    limit: LimitReport
    clipped_samples: int

    def values(self, decision: Decision, measured: Measured) -> dict[str, Any]:
        """The receipt's account of the treatment: plain JSON values."""
        moment, bet = decision.moment, decision.bet
        return {
            "hardest_moment": {
                "start_s": round(float(moment.span.start_s), 3),
                "duration_s": round(float(moment.span.duration_s), 3),
                "hardness": round(moment.hardness, 3),
                "sbr_db": None if moment.sbr_db is None else round(moment.sbr_db, 1),
                "representative": bet.representative,
                "windows_compared": bet.windows,
                "worst_start_s": round(float(bet.worst.start_s), 3),
                "worst_readability": _short(bet.worst_mean),
                "untouched_readability": _short(decision.untouched),
            },
            "ladder": climb_values(decision.climb),
            "rumble": self.steps.rumble.receipt_values(),
            "de_echo": echo_values(self.chain.de_echo, self.steps.de_echo),
            "finishing": self.steps.finishing.receipt_values(),
            "level": self.level.receipt_values(),
            "room_tone": tone_values(self.tone, *self.floors),
            "limit": self.limit.receipt_values(),
            "findings": findings_values(measured.findings),
        }


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def treat(
    region: Region,
    measured: Measured,
    decision: Decision,
    engine: Engine,
    profile: Profile,
    take: ScratchAudio,
    voice: ScratchAudio,
    target: Target,
    tone: RoomTone | NoRoomTone,
) -> Treated:
    """Treats and writes one region's cleaned file; `tone` is that of its place (`place_tones`).

    Raises:
        NoSpace, NotWritable: the disk is full, or the file cannot be written.
    """
    rate_hz, channels = region.rate_hz, len(region.channels)
    climb = decision.climb
    intensity_db = climb.intensity_db
    steps = plan_steps(region, measured, profile, voice.read, intensity_db, climb.presence_db)
    chain, meter = Chain(steps, rate_hz, channels), FinishMeter(region)
    with ScratchAudio.create(target.scratch_folder / "mixed.f32", rate_hz, channels) as mixed:
        gain = np.float32(gain_from_db(-intensity_db))
        split = split_stems(region, take, voice)
        for stems in meter.after(chain.run(meter.before(split))):
            mixed.append(stems.voice + gain * stems.background)
        heard = meter.finish(measured.speech)
        plan = plan_finish(heard, tone, measured, intensity_db, profile)
        sheet = _Sheet(region, measured, profile, engine, intensity_db, plan, heard.quiet, target)
        written = _write(sheet, mixed)
    return Treated(
        chain=steps,
        steps=chain.report(measured.speech),
        level=level_report(
            plan.level,
            measured.loudness,
            heard.loudness,
            intensity_db,
            written.loudness,
            measured.speech,
        ),
        tone=plan.tone,
        floors=(plan.left, written.floor),
        limit=written.limit,
        clipped_samples=written.clipped_samples,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """All that the second pass goes by."""

    region: Region
    measured: Measured
    profile: Profile
    engine: Engine
    intensity_db: float
    plan: FinishPlan
    quiet: Mask
    target: Target

    @property
    def description(self) -> str:
        """What the file says about itself."""
        return (
            f"Dialogue of {self.region.media.path.name}; engine {self.engine.info.name}; "
            f"background {self.intensity_db:g} dB down; profile {self.profile.name}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """What was measured on the file as it was written."""

    loudness: Powers
    floor: Floor | None
    limit: LimitReport
    clipped_samples: int


def _write(sheet: _Sheet, mixed: ScratchAudio) -> _Written:
    """Level, tone, peak limit and edges, block by block, into the cleaned file."""
    region = sheet.region
    rate_hz, channels = region.rate_hz, len(region.channels)
    edges = plan_edges(region, sheet.profile.fade_ms / 1000, sheet.target.joined)
    start_s = region.media_start_s + Fraction(region.start_sample, rate_hz)
    most_dbtp = ceiling_dbtp(sheet.measured, sheet.profile)
    layout = layout_of(region)
    loudness, floor = LoudnessMeter(rate_hz, channels, layout), FloorMeter(rate_hz, channels)
    meter = LimitMeter(most_dbtp, rate_hz)
    with BroadcastWavWriter(
        sheet.target.staged,
        rate_hz=rate_hz,
        channels=channels,
        layout=layout,
        time_reference_samples=max(0, round(start_s * rate_hz)),
        description=sheet.description,
    ) as writer:
        blocks = finished(mixed.read, sheet.plan, region)
        position = 0
        for block in limit_peaks(blocks, most_dbtp, rate_hz, meter):
            loudness.push(block)
            floor.push(block)
            writer.write(apply_edges(block, position, edges))
            position += len(block)
    if writer.length_samples != region.length_samples:
        raise AssertionError(
            f"{sheet.target.staged.name} has {writer.length_samples} samples instead of "
            f"{region.length_samples}"
        )
    return _Written(
        loudness.finish(),
        floor.finish(sheet.measured.speech, sheet.quiet),
        meter.finish(),
        writer.clipped_samples,
    )
