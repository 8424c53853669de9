"""The treatment chain after the split, and the cleaned file that it ends in.

Two passes, so that memory stays flat: the first takes rumble, echo and harshness off the stems
and mixes them; what it measures settles level and room tone for the second, which writes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from nlecompanion.diagnosis.findings import receipt_values as findings_values
from nlecompanion.diagnosis.levels import LevelMeter, hops_of, level_db
from nlecompanion.diagnosis.loudness import LoudnessMeter, Powers
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import Region, Samples, Span
from nlecompanion.treatment.chain import Chain, ChainPlan, ChainReport, fit_chain, plan_chain
from nlecompanion.treatment.de_echo import receipt_values as echo_values
from nlecompanion.treatment.edges import apply_edges, plan_edges
from nlecompanion.treatment.ladder import receipt_values as climb_values
from nlecompanion.treatment.level import (
    LevelPlan,
    LevelReport,
    StemLoudnessMeter,
    level_report,
    plan_level,
)
from nlecompanion.treatment.limit import LimitMeter, LimitReport, limit_peaks
from nlecompanion.treatment.room_tone import RoomTonePlan, apply_room_tone, plan_room_tone
from nlecompanion.treatment.room_tone import receipt_values as tone_values
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone, ToneKey, find_room_tone
from nlecompanion.treatment.tone_measures import Floor, FloorMeter
from nlecompanion.units import gain_from_db
from nlecompanion.work.limits import chain_limits, level_limits, tone_limits
from nlecompanion.work.target import BLOCK_SAMPLES, Target, layout_of

if TYPE_CHECKING:
    from nlecompanion.engines.contract import Engine
    from nlecompanion.settings import Profile
    from nlecompanion.work.decide import Decision
    from nlecompanion.work.measure import Measured

#: The tones found so far: regions of one place share one.
Tones = dict[ToneKey, RoomTone | NoRoomTone]


@dataclass(frozen=True, slots=True, eq=False)
class Treated:
    """What was done to a region, step by step. `floors`: before and after the room tone."""

    chain: ChainPlan
    steps: ChainReport
    level: LevelReport
    tone: RoomTonePlan
    tone_key: ToneKey
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
    tones: Tones,
) -> Treated:
    """Treats and writes one region's cleaned file.

    Raises:
        NoSpace, NotWritable: the disk is full, or the file cannot be written.
    """
    rate_hz, channels = region.rate_hz, len(region.channels)
    climb = decision.climb
    planned = plan_chain(
        measured.findings,
        measured.hum,
        measured.voice_bands,
        measured.speech,
        chain_limits(profile),
        intensity_db=climb.intensity_db,
        presence_db=climb.presence_db,
    )
    plan = fit_chain(planned, voice.read, region.length_samples, rate_hz)
    chain = Chain(plan, rate_hz, channels)
    with ScratchAudio.create(target.scratch_folder / "mixed.f32", rate_hz, channels) as mixed:
        heard = _Heard(rate_hz, channels, layout_of(region))
        gain = np.float32(gain_from_db(-climb.intensity_db))
        for stems in chain.run(heard.recorded(_stems(region, take, voice))):
            block = stems.voice + gain * stems.background
            mixed.append(block)
            heard.push(stems, block)
        powers = heard.stems.finish()
        level = plan_level(
            measured.loudness,
            powers,
            climb.intensity_db,
            measured.speech,
            rate_hz,
            level_limits(profile),
        )
        key, found = _tone_of(region, measured, take, tones)
        before = _raised(heard.floor.finish(measured.speech), level.gain_db)
        speech_db = heard.speech_level_db(measured.speech)
        own_db, treated_db = heard.own_floors_db(measured.speech)
        tone = plan_room_tone(
            found,
            before,
            tone_limits(profile),
            None if speech_db is None else speech_db + level.gain_db,
            None if treated_db is None else treated_db + level.gain_db,
            0.0 if own_db is None or treated_db is None else treated_db + level.gain_db - own_db,
        )
        written = _write(
            _Sheet(region, measured, profile, engine, climb.intensity_db, level, tone, target),
            mixed,
        )
    return Treated(
        chain=plan,
        steps=chain.report(measured.speech),
        level=level_report(
            level, powers.mixed(climb.intensity_db), written.loudness, measured.speech
        ),
        tone=tone,
        tone_key=key,
        floors=(before, written.floor),
        limit=written.limit,
        clipped_samples=written.clipped_samples,
    )


class _Heard:
    """What is measured on the stems and their mix before its level is set."""

    def __init__(self, rate_hz: int, channels: int, layout: str) -> None:
        self.stems = StemLoudnessMeter(rate_hz, channels, layout)
        self.floor = FloorMeter(rate_hz, channels)
        self._own = FloorMeter(rate_hz, channels), FloorMeter(rate_hz, channels)
        self._levels = LevelMeter(rate_hz)

    def recorded(self, stems: Iterator[Stems]) -> Iterator[Stems]:
        """Passes the stems on, as they were recorded."""
        for block in stems:
            self._own[0].push(block.voice + block.background)
            yield block

    def push(self, stems: Stems, mixed: Samples) -> None:
        """Takes the next block."""
        self.stems.push(stems)
        self.floor.push(mixed)
        self._own[1].push(stems.voice + stems.background)
        self._levels.push(mixed)

    def own_floors_db(self, speech: Sequence[Span]) -> tuple[float | None, float | None]:
        """The recording's own floor, and what the chain makes of it with nothing turned down."""
        recorded, treated = (meter.finish(speech) for meter in self._own)
        if recorded is None or treated is None:
            return None, None
        return recorded.level_db, treated.level_db

    def speech_level_db(self, speech: Sequence[Span]) -> float | None:
        """Level of the mix while somebody speaks, dBFS."""
        powers = self._levels.finish()
        return level_db(powers, hops_of(speech, powers.size))


def _stems(region: Region, take: ScratchAudio, voice: ScratchAudio) -> Iterator[Stems]:
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        estimate = voice.read(position, count)
        yield Stems(estimate, take.read(position, count) - estimate)


def _raised(floor: Floor | None, gain_db: float) -> Floor | None:
    """The floor after the level is set."""
    if floor is None or gain_db == 0:
        return floor
    return replace(
        floor,
        band_db=tuple(level + gain_db for level in floor.band_db),
        level_db=floor.level_db + gain_db,
        start_db=None if floor.start_db is None else floor.start_db + gain_db,
        end_db=None if floor.end_db is None else floor.end_db + gain_db,
        lowest_db=floor.lowest_db + gain_db,
    )


def _tone_of(
    region: Region, measured: Measured, take: ScratchAudio, tones: Tones
) -> tuple[ToneKey, RoomTone | NoRoomTone]:
    """The tone of the place: one that an earlier region has found in gaps, else this region's."""
    key = ToneKey(str(region.media.path), region.channels)
    known = tones.get(key)
    if isinstance(known, RoomTone) and not known.estimated and known.rate_hz == region.rate_hz:
        return key, known
    kind = measured.findings.background
    found = find_room_tone(
        take.read,
        region.length_samples,
        region.rate_hz,
        measured.speech,
        key,
        background_kind=None if kind is None else kind.kind.value,
    )
    # One found in gaps replaces one that was estimated; of two estimates the first stays.
    keeps = isinstance(known, RoomTone) and known.rate_hz == region.rate_hz
    if not keeps or (isinstance(found, RoomTone) and not found.estimated):
        tones[key] = found
    return key, tones[key]


@dataclass(frozen=True, slots=True, eq=False)
class _Sheet:
    """All that the second pass goes by."""

    region: Region
    measured: Measured
    profile: Profile
    engine: Engine
    intensity_db: float
    level: LevelPlan
    tone: RoomTonePlan
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
    ceiling_dbtp = _ceiling_dbtp(sheet.measured, sheet.profile)
    layout = layout_of(region)
    loudness, floor = LoudnessMeter(rate_hz, channels, layout), FloorMeter(rate_hz, channels)
    meter = LimitMeter(ceiling_dbtp, rate_hz)
    with BroadcastWavWriter(
        sheet.target.staged,
        rate_hz=rate_hz,
        channels=channels,
        layout=layout,
        time_reference_samples=max(0, round(start_s * rate_hz)),
        description=sheet.description,
    ) as writer:
        blocks = _levelled(mixed, sheet.level, sheet.tone, region)
        position = 0
        for block in limit_peaks(blocks, ceiling_dbtp, rate_hz, meter):
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
        floor.finish(sheet.measured.speech),
        meter.finish(),
        writer.clipped_samples,
    )


def _ceiling_dbtp(measured: Measured, profile: Profile) -> float:
    """The profile's ceiling, or the original's own peak where it lies higher."""
    limiting = measured.findings.limiting
    peak_db = profile.ceiling_dbtp if limiting is None else limiting.peak_dbfs
    return max(profile.ceiling_dbtp, min(0.0, peak_db))


def _levelled(
    mixed: ScratchAudio, level: LevelPlan, tone: RoomTonePlan, region: Region
) -> Iterator[Samples]:
    reader = tone.reader(region.id)
    gain = np.float32(gain_from_db(level.gain_db))
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        block = mixed.read(position, count)
        if not level.off:
            gains = np.full((count, 1), gain)
            if level.ride is not None:
                gains *= level.ride.amplitudes(position, count)[:, None]
            block = block * gains
        yield apply_room_tone(block, position, reader)
