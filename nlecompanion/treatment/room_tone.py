"""Room tone under a cleaned clip: the place goes on, quietly, whatever was taken off the voice.

The intensity has left some of the floor in the mix; the tone adds what is missing to the target,
band by band and as power, and nothing where enough is left. It lies under the whole clip, gaps,
speech and handles alike, so that the floor does not open and close.

The target is the original's floor lowered by `lowered_db`, for all regions of a place the same
(`work.places`), so that their cuts do not show; never so loud that it would take back what the
intensity was for (`below_speech_db`), never below `least_dbfs`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Samples
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.treatment.tone_grid import Real, ToneGrid
from nlecompanion.treatment.tone_growing import ToneReader, tone_clip
from nlecompanion.treatment.tone_measures import Floor, colour_difference_db
from nlecompanion.units import gain_from_db

#: Below this missing power, relative to the target, nothing would be heard of a tone.
_WORTH_ADDING = 0.02
#: Of a tone raised to the least level: more would be hiss of the recorder, not of the place.
_MOST_GAIN_DB = 20.0
_NONE_DB = -80.0
#: Nothing in a region may be quieter than -80 dBFS; what is measured there wanders a little.
_SILENT_DBFS = -79.5


@dataclass(frozen=True, slots=True)
class RoomToneLimits:
    """What the profile says about room tone.

    `lowered_db`: how far under the original's floor the target lies. `below_speech_db`: how far
    under the speech it lies at least: from 15 dB on a band of speech counts as audible in full
    (ANSI S3.5-1997, 4.8). A place that is louder than that even when lowered is what the intensity
    is there for: the louder it is, the lower its tone, down to `loud_place_db` under the speech.
    `under_music_db`: the same for a tone that was estimated under music, of which it may hold some.
    `least_dbfs`: nothing in a region may be quieter (-80 dBFS, and room for noise to fluctuate).
    `lowest_hz`: below it, rumble, no tone is added.
    """

    enabled: bool = True
    lowered_db: float = 6.0
    below_speech_db: float = 15.0
    loud_place_db: float = 25.0
    under_music_db: float = 30.0
    least_dbfs: float = -77.0
    lowest_hz: float = 90.0


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the tone is laid under: the mix at its intensity and level, before this step.

    `left` is its floor (`FloorMeter`), `speech_db` the level of its speech, `own_floor_db` what the
    floor would be with nothing turned down, which a tone shared with other regions never exceeds;
    dBFS. `raised_db` is by how much compression and level have raised the floor: what is left in a
    neighbour at the least intensity was raised like that too, and the target goes with it.
    `music`: the background is music or single events, not noise or many voices.
    """

    left: Floor | None = None
    speech_db: float | None = None
    own_floor_db: float | None = None
    raised_db: float = 0.0
    music: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class RoomTonePlan:
    """What is added: `tone` shaped by `gains` (bins), or nothing for the `reason`.

    `target_db` are the floor's third octaves as they should be, `shift_db` how far that is from the
    tone's own: all that a clip of the tone alone needs to know.
    """

    reason: str
    tone: RoomTone | None = None
    gains: Real | None = None
    target_db: tuple[float, ...] = ()
    shift_db: float | None = None

    @property
    def off(self) -> bool:
        """Whether nothing is added to the clip; a `Room tone` clip may still be made."""
        return self.gains is None

    def reader(self) -> ToneReader | None:
        """The tone to add, read by its place in the media (`apply_room_tone`)."""
        if self.tone is None or self.gains is None:
            return None
        return ToneReader(self.tone, self.gains)

    def clip(self, length_samples: int) -> Iterator[Samples] | None:
        """The tone alone at the target's level, for a track of its own; None where there is none.

        Blocks of at most 5 s.
        """
        if self.tone is None or self.shift_db is None:
            return None
        return tone_clip(self.tone, length_samples, gain_from_db(self.shift_db))


def plan_room_tone(
    found: RoomTone | NoRoomTone, limits: RoomToneLimits, around: Surroundings | None = None
) -> RoomTonePlan:
    """What is missing to the target."""
    around = around or Surroundings()
    left = around.left
    if not limits.enabled:
        return RoomTonePlan("the profile needs no room tone")
    if isinstance(found, NoRoomTone):
        return RoomTonePlan(f"no room tone: {found.reason}")
    tone_db = np.asarray(found.band_db)
    shift_db = _shift_db(found, limits, around)
    target_db = tone_db + shift_db
    target, tone = 10 ** (target_db / 10), 10 ** (tone_db / 10)
    there = np.zeros_like(target)
    if left is not None:
        there = 10 ** (np.asarray(left.band_db) / 10)
    missing = np.maximum(target - there, _least_powers(tone, left, limits))
    described = tuple(float(level) for level in target_db)
    silent = left is not None and left.lowest_db <= _SILENT_DBFS
    if missing.sum() <= _WORTH_ADDING * target.sum() and not silent:
        reason = "the floor that is left lies at its target already"
        return RoomTonePlan(reason, found, None, described, shift_db)
    gains = _bin_gains(found.rate_hz, missing / tone, limits.lowest_hz)
    origin = "estimated under speech and music" if found.estimated else "from the gaps"
    reason = f"{found.heard_s:.1f} s of room tone {origin}"
    return RoomTonePlan(reason, found, gains, described, shift_db)


def _least_powers(
    tone: NDArray[np.float64], left: Floor | None, limits: RoomToneLimits
) -> NDArray[np.float64]:
    """What is added whatever is left: a region that falls silent somewhere gets the least level."""
    if left is None or left.lowest_db > _SILENT_DBFS:
        return np.zeros_like(tone)
    return tone * min(1.0, 10 ** (limits.least_dbfs / 10) / float(tone.sum()))


def _shift_db(found: RoomTone, limits: RoomToneLimits, around: Surroundings) -> float:
    """From the original's floor to the target, the same in all bands."""
    target_db = found.level_db - limits.lowered_db + around.raised_db
    if around.own_floor_db is not None:
        target_db = min(target_db, around.own_floor_db)
    if around.speech_db is not None:
        target_db = min(target_db, around.speech_db - _below_db(found, target_db, limits, around))
    target_db = max(target_db, limits.least_dbfs)
    return min(target_db - found.level_db, _MOST_GAIN_DB)


def _below_db(
    found: RoomTone, wanted_db: float, limits: RoomToneLimits, around: Surroundings
) -> float:
    """How far under the speech the tone has to lie."""
    if found.estimated and around.music:
        return limits.under_music_db
    near, loud = limits.below_speech_db, limits.loud_place_db
    over_db = wanted_db - ((around.speech_db or 0.0) - near)
    return min(max(near, near + over_db), loud)


def _bin_gains(rate_hz: int, band_gains: NDArray[np.float64], lowest_hz: float) -> Real:
    """Amplitude gains of all bins from power gains of bands: straight between centres, in dB over
    log frequency; a fourth-order high-pass at `lowest_hz`.
    """
    grid = ToneGrid.at(rate_hz)
    gains_db = 10 * np.log10(np.maximum(band_gains, 10 ** (_NONE_DB / 10)))
    bins_hz = np.maximum(np.arange(grid.bins) * rate_hz / grid.frame_samples, 1.0)
    between_db = np.interp(np.log(bins_hz), np.log(grid.band_centres_hz()), gains_db)
    highpass = 1 / np.sqrt(1 + (lowest_hz / bins_hz) ** 8)
    gains: Real = (10 ** (between_db / 20) * highpass).astype(np.float32)
    return gains


def apply_room_tone(block: Samples, position: int, reader: ToneReader | None) -> Samples:
    """The mix's block with the tone under it.

    `position` is that of its first sample in the media: the region's start and what lies before.
    """
    if reader is None:
        return block
    tone = reader.read(position, len(block))
    if tone.shape != block.shape:
        raise ValueError(f"the tone has {tone.shape[1]} channels, the mix {block.shape[1]}")
    return block + tone


def receipt_values(
    plan: RoomTonePlan, before: Floor | None, after: Floor | None
) -> dict[str, object]:
    """What the receipt says: the tone, and the floor before and after it was laid."""
    values: dict[str, object] = {"on": not plan.off, "reason": plan.reason}
    if plan.tone is not None:
        values |= {
            "estimated": plan.tone.estimated,
            "heard_s": round(plan.tone.heard_s, 2),
            "original_floor_dbfs": round(plan.tone.level_db, 1),
            "target_floor_dbfs": round(_sum_db(plan.target_db), 1),
        }
    for name, floor in (("before", before), ("after", after)):
        if floor is not None:
            values[name] = _floor_values(floor, plan, before)
    return values


def _floor_values(floor: Floor, plan: RoomTonePlan, before: Floor | None) -> dict[str, object]:
    """The level's difference is to the target; that of the bands to what a tone can reach: bands
    in which more was left than the target asks for stay as they are.
    """
    values: dict[str, object] = {
        "floor_dbfs": round(floor.level_db, 1),
        "gap_deviation_db": round(floor.deviation_db, 2),
        "lowest_dbfs": round(floor.lowest_db, 1),
    }
    if plan.target_db:
        reachable_db = plan.target_db
        if before is not None:
            reachable_db = tuple(np.maximum(plan.target_db, before.band_db).tolist())
        difference_db = colour_difference_db(floor.band_db, reachable_db)
        values["third_octave_difference_db"] = round(difference_db, 2)
        values["level_difference_db"] = round(floor.level_db - _sum_db(plan.target_db), 2)
    return values


def _sum_db(bands_db: tuple[float, ...]) -> float:
    return 10 * math.log10(sum(10 ** (level / 10) for level in bands_db))
