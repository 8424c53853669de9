"""The plans of a region's treatment at any intensity: the steps, then level and room tone.

The render (`treat`) and the review page's slider go by these same functions:

    steps = plan_steps(region, measured, profile, voice.read, intensity_db, presence_db)
    meter = FinishMeter(region)
    stems = meter.after(Chain(steps, ...).run(meter.before(split_stems(region, take, voice))))
    heard = meter.finish(measured.speech)          # once all stems were drawn
    plan = plan_finish(heard, tone, measured, intensity_db, profile)
    file = level * ride * (voice + 10^(-intensity/20) * background) + tone

`heard` serves every intensity whose steps are the same (`same_steps`): the floors, levels and
loudness of any mix of the two follow from it. Voice and background are what the chain made, `level`
is `plan.level.gain_db`, `ride` is `plan.level.ride.amplitudes(position, count)` where there is one,
and the tone is `plan.tone.reader().read(region.start_sample + position, count)` where there is a
reader. Peaks over `ceiling_dbtp(measured, profile)` are then limited (`treatment.limit`) and ends
faded (`treatment.edges`): `finished` does all but those two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from nlecompanion.diagnosis.background_kind import Kind
from nlecompanion.diagnosis.loudness import LoudnessMeter, Powers
from nlecompanion.model import Region, Samples
from nlecompanion.treatment.chain import ChainPlan, fit_chain, plan_chain
from nlecompanion.treatment.level import LevelPlan, StemLoudnessMeter, StemPowers, plan_level
from nlecompanion.treatment.room_tone import (
    RoomTonePlan,
    Surroundings,
    apply_room_tone,
    plan_room_tone,
)
from nlecompanion.treatment.stems import Read, Stems
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.treatment.tone_grid import Mask
from nlecompanion.treatment.tone_measures import Floor, FloorMeter, StemFloorMeter, StemFloors
from nlecompanion.units import gain_from_db
from nlecompanion.work.limits import chain_limits, level_limits, tone_limits
from nlecompanion.work.target import BLOCK_SAMPLES, layout_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nlecompanion.media.scratch import ScratchAudio
    from nlecompanion.model import Span
    from nlecompanion.settings import Profile
    from nlecompanion.work.measure import Measured


def plan_steps(
    region: Region,
    measured: Measured,
    profile: Profile,
    voice: Read,
    intensity_db: float,
    presence_db: float = 0.0,
) -> ChainPlan:
    """Rumble, echo and finishing at this intensity; `presence_db` is what the ladder asks for.

    `voice` reads the voice estimate, which de-echo is fitted to.
    """
    planned = plan_chain(
        measured.findings,
        measured.hum,
        measured.voice_bands,
        measured.speech,
        chain_limits(profile),
        intensity_db=intensity_db,
        presence_db=presence_db,
    )
    return fit_chain(planned, voice, region.length_samples, region.rate_hz)


def same_steps(one: ChainPlan, other: ChainPlan) -> bool:
    """Whether two plans for one region make the same stems of it: intensity moves nothing else."""
    return one.de_echo == other.de_echo and one.finishing.presence_db == other.finishing.presence_db


def split_stems(region: Region, take: ScratchAudio, voice: ScratchAudio) -> Iterator[Stems]:
    """The split as recorded, block by block."""
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        estimate = voice.read(position, count)
        yield Stems(estimate, take.read(position, count) - estimate)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What level and tone are planned from, for every intensity.

    Of the stems as the chain leaves them: K-weighted powers and floors (None where the region is
    too short for one). `recorded`: the floor before the chain, `background`: K-weighted powers of
    the background estimate before it, `quiet`: the frames in which all floors are measured.
    """

    rate_hz: int
    background: Powers
    loudness: StemPowers
    floors: StemFloors | None
    recorded: Floor | None
    quiet: Mask


class FinishMeter:
    """Measures a region's stems on both sides of the chain, in one pass."""

    def __init__(self, region: Region) -> None:
        channels = len(region.channels)
        self._rate_hz = region.rate_hz
        layout = layout_of(region)
        self._background = LoudnessMeter(region.rate_hz, channels, layout)
        self._loudness = StemLoudnessMeter(region.rate_hz, channels, layout)
        self._floors = StemFloorMeter(region.rate_hz, channels)
        self._recorded = FloorMeter(region.rate_hz, channels)

    def before(self, stems: Iterator[Stems]) -> Iterator[Stems]:
        """Passes the stems on, as they were recorded."""
        for block in stems:
            self._recorded.push(block.voice + block.background)
            self._background.push(block.background)
            yield block

    def after(self, stems: Iterator[Stems]) -> Iterator[Stems]:
        """Passes the stems on, as the chain leaves them."""
        for block in stems:
            self._loudness.push(block)
            self._floors.push(block)
            yield block

    def finish(self, speech: Sequence[Span]) -> Heard:
        """Over all that was passed on."""
        quiet = self._recorded.quiet(speech)
        return Heard(
            self._rate_hz,
            self._background.finish(),
            self._loudness.finish(),
            self._floors.finish(speech, quiet),
            self._recorded.finish(speech, quiet),
            quiet,
        )


@dataclass(frozen=True, slots=True, eq=False)
class FinishPlan:
    """Level and room tone at one intensity.

    `left` is the floor of the mix at its level, before the tone; None without a whole frame.
    """

    level: LevelPlan
    tone: RoomTonePlan
    left: Floor | None


def plan_finish(
    heard: Heard,
    tone: RoomTone | NoRoomTone,
    measured: Measured,
    intensity_db: float,
    profile: Profile,
) -> FinishPlan:
    """What the render lays on the chain's stems at this intensity."""
    level = plan_level(
        measured.loudness,
        heard.background,
        heard.loudness,
        intensity_db,
        measured.speech,
        heard.rate_hz,
        level_limits(profile),
    )
    if heard.floors is None:
        return FinishPlan(level, plan_room_tone(tone, tone_limits(profile)), None)
    left = raised(heard.floors.floor(intensity_db), level.gain_db)
    speech_db = heard.floors.speech_level_db(intensity_db)
    own_db = heard.floors.floor(0).level_db + level.gain_db
    kind = measured.findings.background
    around = Surroundings(
        left=left,
        speech_db=None if speech_db is None else speech_db + level.gain_db,
        own_floor_db=own_db,
        raised_db=0.0 if heard.recorded is None else own_db - heard.recorded.level_db,
        music=kind is not None and kind.kind in (Kind.MUSIC, Kind.EVENTS),
    )
    return FinishPlan(level, plan_room_tone(tone, tone_limits(profile), around), left)


def raised(floor: Floor, gain_db: float) -> Floor:
    """The floor after a gain."""
    return replace(
        floor,
        band_db=tuple(level + gain_db for level in floor.band_db),
        level_db=floor.level_db + gain_db,
        start_db=None if floor.start_db is None else floor.start_db + gain_db,
        end_db=None if floor.end_db is None else floor.end_db + gain_db,
        lowest_db=floor.lowest_db + gain_db,
    )


def finished(mixed: Read, plan: FinishPlan, region: Region) -> Iterator[Samples]:
    """Level and tone laid on the mix that `mixed` reads, block by block: all but peaks and ends."""
    reader = plan.tone.reader()
    level = plan.level
    gain = np.float32(gain_from_db(level.gain_db))
    for position in range(0, region.length_samples, BLOCK_SAMPLES):
        count = min(BLOCK_SAMPLES, region.length_samples - position)
        block = mixed(position, count)
        if not level.off:
            gains = np.full((count, 1), gain)
            if level.ride is not None:
                gains *= level.ride.amplitudes(position, count)[:, None]
            block = block * gains
        yield apply_room_tone(block, region.start_sample + position, reader)


def ceiling_dbtp(measured: Measured, profile: Profile) -> float:
    """The profile's ceiling, or the original's own peak where it lies higher."""
    limiting = measured.findings.limiting
    peak_db = profile.ceiling_dbtp if limiting is None else limiting.peak_dbfs
    return max(profile.ceiling_dbtp, min(0.0, peak_db))
