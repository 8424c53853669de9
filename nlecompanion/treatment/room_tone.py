"""Room tone under a cleaned clip: the place goes on, quietly, whatever was taken off the voice.

The intensity has left some of the floor in the mix; the tone adds what is missing to the target,
band by band and as power, and nothing where enough is left. It lies under the whole clip, gaps,
speech and handles alike, so that the floor does not open and close.

The target is the original's floor lowered by `lowered_db`, for all regions of a place the same
(`tone_finding.share_tones`), so that their cuts do not show; never so loud that it would bring back
what the intensity was for (`below_speech_db`), never below `least_dbfs`.
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

#: Below this missing power, relative to the target, nothing would be heard of a tone.
_WORTH_ADDING = 0.02
#: Of a tone raised to the least level: more would be hiss of the recorder, not of the place.
_MOST_GAIN_DB = 20.0
_NONE_DB = -80.0


@dataclass(frozen=True, slots=True)
class RoomToneLimits:
    """What the profile says about room tone.

    `lowered_db`: how far under the original's floor the target lies. `below_speech_db`: how far
    under the speech it lies at least: from 15 dB on a band of speech counts as audible in full
    (ANSI S3.5-1997, 5.7). `estimated_below_speech_db`: the same for a tone that was not heard in
    gaps and may hold some of the music that the intensity is to turn down. `least_dbfs`: nothing in
    a region may be quieter (-80 dBFS, and room for noise to fluctuate). `lowest_hz`: below it,
    rumble, no tone is added.
    """

    enabled: bool = True
    lowered_db: float = 6.0
    below_speech_db: float = 20.0
    estimated_below_speech_db: float = 30.0
    least_dbfs: float = -77.0
    lowest_hz: float = 90.0


@dataclass(frozen=True, slots=True, eq=False)
class RoomTonePlan:
    """What is added: `tone` shaped by `gains` (bins), or nothing for the `reason`.

    `target_db` are the floor's third octaves as they should be, `gap_gains` those that turn the
    tone alone into such a floor, for the delivery as a clip of its own.
    """

    reason: str
    tone: RoomTone | None = None
    gains: Real | None = None
    target_db: tuple[float, ...] = ()
    gap_gains: Real | None = None

    @property
    def off(self) -> bool:
        """Whether nothing is added to the clip; a `Room tone` clip may still be made."""
        return self.gains is None

    def reader(self, seed: str) -> ToneReader | None:
        """The tone to add to the region with id `seed`, from its first sample on."""
        if self.tone is None or self.gains is None:
            return None
        return ToneReader(self.tone, seed, self.gains)

    def clip(self, seed: str, length_samples: int) -> Iterator[Samples] | None:
        """The tone alone at the target's level, for a track of its own; None where there is none.

        Blocks of at most 5 s. `seed` names the clip: the key's media path, for instance.
        """
        if self.tone is None or self.gap_gains is None:
            return None
        return tone_clip(self.tone, seed, length_samples, self.gap_gains)


def plan_room_tone(
    found: RoomTone | NoRoomTone,
    left: Floor | None,
    limits: RoomToneLimits,
    speech_level_db: float | None = None,
    own_floor_db: float | None = None,
    raised_db: float = 0.0,
) -> RoomTonePlan:
    """What is missing to the target.

    `left` is the floor of the mix at the chosen intensity, before this step (`FloorMeter`), None
    where there is none; `speech_level_db` the level of the speech in the mix, `own_floor_db` that
    of the floor of this region's original, which a tone shared with others never exceeds; dBFS.
    `raised_db` is by how much compression and level have raised the floor: what is left in a
    neighbour at the least intensity was raised like that too, and the target goes with it.
    """
    if not limits.enabled:
        return RoomTonePlan("the profile needs no room tone")
    if isinstance(found, NoRoomTone):
        return RoomTonePlan(f"no room tone: {found.reason}")
    tone_db = np.asarray(found.band_db)
    target_db = tone_db + _shift_db(found, raised_db, limits, (speech_level_db, own_floor_db))
    target, tone = 10 ** (target_db / 10), 10 ** (tone_db / 10)
    there = np.zeros_like(target)
    if left is not None:
        there = 10 ** (np.asarray(left.band_db) / 10)
    missing = np.maximum(target - there, _least_powers(tone, left, limits))
    gap_gains = _bin_gains(found.rate_hz, target / tone, limits.lowest_hz)
    described = tuple(float(level) for level in target_db)
    silent = left is not None and left.lowest_db <= limits.least_dbfs
    if missing.sum() <= _WORTH_ADDING * target.sum() and not silent:
        reason = "the floor that is left lies at its target already"
        return RoomTonePlan(reason, found, None, described, gap_gains)
    gains = _bin_gains(found.rate_hz, missing / tone, limits.lowest_hz)
    origin = "estimated under speech and music" if found.estimated else "from the gaps"
    reason = f"{found.heard_s:.1f} s of room tone {origin}"
    return RoomTonePlan(reason, found, gains, described, gap_gains)


def _least_powers(
    tone: NDArray[np.float64], left: Floor | None, limits: RoomToneLimits
) -> NDArray[np.float64]:
    """What is added whatever is left: a region that falls silent somewhere gets the least level."""
    if left is None or left.lowest_db > limits.least_dbfs:
        return np.zeros_like(tone)
    return tone * min(1.0, 10 ** (limits.least_dbfs / 10) / float(tone.sum()))


def _shift_db(
    found: RoomTone,
    raised_db: float,
    limits: RoomToneLimits,
    speech_and_own_db: tuple[float | None, float | None],
) -> float:
    """From the original's floor to the target, the same in all bands."""
    speech_level_db, own_floor_db = speech_and_own_db
    target_db = found.level_db - limits.lowered_db + raised_db
    if own_floor_db is not None:
        target_db = min(target_db, own_floor_db)
    if speech_level_db is not None:
        estimated, heard = limits.estimated_below_speech_db, limits.below_speech_db
        target_db = min(target_db, speech_level_db - (estimated if found.estimated else heard))
    target_db = max(target_db, limits.least_dbfs)
    return min(target_db - found.level_db, _MOST_GAIN_DB)


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
    """The mix's block that begins at sample `position` of the region, with the tone under it."""
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
