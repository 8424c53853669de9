"""The limits that a treated region is held to, each measured on the sound or its floor."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from benchmarks.room_chain import Worked, joined_stems
from numpy.typing import NDArray
from testkit.stems import band_db

from nlecompanion.diagnosis.loudness import LoudnessMeter, loudness_hops, loudness_lufs
from nlecompanion.diagnosis.true_peak import TruePeakMeter
from nlecompanion.model import Samples
from nlecompanion.treatment.compression import CompressionPlan
from nlecompanion.treatment.finishing import FinishingPlan, apply_finishing
from nlecompanion.treatment.gains import GainCurve
from nlecompanion.treatment.rumble_plan import VOICE_BAND_HZ
from nlecompanion.treatment.stems import Stems
from nlecompanion.treatment.tone_measures import (
    Floor,
    FloorMeter,
    colour_difference_db,
    edge_step_db,
)
from nlecompanion.work.target import layout_of

_BLOCK_SAMPLES = 480_000
_NO_COMPRESSION = CompressionPlan(None, None, 1.0, "left out")
#: A fricative's neighbours within this many 10 ms hops may be touched by its ramp.
_RAMP_HOPS = 2
#: Where the de-esser's band is quieter, nothing is heard of a change.
_HEARD_DBFS = -70.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most (or, with `least`, at least) this."""

    key: str
    words: str
    value: float
    least: bool = False

    def holds(self, found: float) -> bool:
        """Whether it is kept."""
        return found >= self.value if self.least else found <= self.value


LIMITS = (
    Limit("voice_band_db", "voice at 150-300 Hz changed by rumble, dB", 1.0),
    Limit("de_echo_on_dry", "de-echo on where there is no room", 0.0),
    Limit("de_echo_low_band_db", "150-500 Hz changed by de-echo, dB", 2.0),
    Limit("reduction_95_db", "gain reduction, 95 % of the speech, dB", 4.0),
    Limit("deess_most_db", "de-esser's most at 5-9 kHz, dB", 6.1),
    Limit("deess_others_db", "de-esser on other frames, dB", 0.5),
    Limit("presence_db", "presence, dB", 3.0),
    Limit("loudness_lu", "speech loudness against what was asked for, by its meter, LU", 0.5),
    Limit("true_voice_db", "level of the true voice against the recording's, dB", 0.5),
    Limit("true_peak_over_db", "true peak over the ceiling, dB", 0.05),
    Limit("tone_bands_db", "floor against its target, third octaves, dB", 2.0),
    Limit("tone_level_db", "floor against its target, broadband, dB", 1.0),
    Limit("gap_deviation_db", "gap floor's deviation, dB", 2.0),
    Limit("gap_deviation_gaps_db", "the same, where the tone is from gaps, dB", 2.0),
    Limit("lowest_dbfs", "quietest 0.1 s, dBFS", -80.0, least=True),
    Limit("first_sample_dbfs", "first sample of the file, dBFS", -60.0),
    Limit("last_sample_dbfs", "last sample of the file, dBFS", -60.0),
    Limit("neighbours_bands_db", "floors of two cleaned neighbours, third octaves, dB", 2.0),
    Limit("neighbours_level_db", "floors of two cleaned neighbours, broadband, dB", 1.0),
    Limit("edge_step_db", "floor's step from one to the other, dB", 1.5),
    Limit("neighbours_more_db", "neighbours' broadband step over the recording's own, dB", 1.0),
    Limit("edge_step_more_db", "edge step over the recording's own, dB", 1.5),
    Limit("lengths_differ", "samples too many or too few", 0.0),
)


@dataclass(frozen=True, slots=True)
class Found:
    """One limit on one clip."""

    clip: str
    key: str
    value: float


def limits_of(worked: Worked, *, dry: bool) -> list[Found]:
    """All that can be measured on one region; `dry`: it is known to be without a room."""
    treated = worked.treated
    values = {
        "reduction_95_db": treated.steps.finishing.reduction_95_db,
        "presence_db": treated.steps.finishing.presence_db,
        "voice_band_db": _voice_band_db(worked),
        "loudness_lu": _loudness_lu(worked),
        "first_sample_dbfs": _sample_dbfs(worked.sounds["file"][0]),
        "last_sample_dbfs": _sample_dbfs(worked.sounds["file"][-1]),
        "lengths_differ": float(abs(len(worked.sounds["file"]) - len(worked.sounds["recorded"]))),
        "true_peak_over_db": _peak_over_db(worked),
        **_deess(worked),
        **_echo(worked, dry),
        **_floor(worked),
    }
    return [Found(worked.name, key, value) for key, value in values.items() if value is not None]


def neighbours(earlier: Worked, later: Worked) -> list[Found]:
    """Two regions next to each other, of one place; where the recording's own floor steps, only
    what is more than that is ours.
    """
    pairs = [(floor_of(earlier, step), floor_of(later, step)) for step in ("recorded", "file")]
    (own, own_later), (one, other) = pairs
    if own is None or own_later is None or one is None or other is None:
        return []
    if not (one.from_gaps and other.from_gaps):
        return []
    level_db, edge_db = abs(one.level_db - other.level_db), edge_step_db(one, other)
    own_edge_db = edge_step_db(own, own_later)
    values = {
        "neighbours_bands_db": colour_difference_db(one.band_db, other.band_db),
        "neighbours_level_db": level_db,
        "neighbours_more_db": level_db - abs(own.level_db - own_later.level_db),
        "edge_step_db": edge_db,
        "edge_step_more_db": None
        if edge_db is None or own_edge_db is None
        else edge_db - own_edge_db,
    }
    return [Found(later.name, key, value) for key, value in values.items() if value is not None]


def floor_of(worked: Worked, step: str) -> Floor | None:
    """The floor after a step."""
    sound = worked.sounds[step]
    meter = FloorMeter(worked.region.rate_hz, sound.shape[1])
    for position in range(0, len(sound), _BLOCK_SAMPLES):
        meter.push(sound[position : position + _BLOCK_SAMPLES])
    return meter.finish(worked.speech, worked.quiet)


def speech_lufs(worked: Worked, step: str) -> float | None:
    """Loudness over speech after a step."""
    sound = worked.sounds[step]
    meter = LoudnessMeter(worked.region.rate_hz, sound.shape[1], layout_of(worked.region))
    meter.push(sound)
    powers = meter.finish()
    return loudness_lufs(powers, loudness_hops(worked.speech, powers.size))


def _voice_band_db(worked: Worked) -> float:
    before, after = (band_db(worked.voices[step], *VOICE_BAND_HZ) for step in ("split", "rumble"))
    return abs(after - before)


def _loudness_lu(worked: Worked) -> float | None:
    """The speech in the file against what was asked for, by the level step's own meter."""
    level = worked.treated.level
    if level.wanted_lufs is None or level.after_lufs is None:
        return None
    return abs(level.after_lufs - level.wanted_lufs)


def true_voice(worked: Worked, truth: NDArray[np.float32]) -> Found:
    """How much louder or softer the true voice is in the file than in the recording."""
    clean = truth.astype(np.float64)
    before, after = (
        abs(float(worked.sounds[step].mean(axis=1, dtype=np.float64) @ clean)) + 1e-12
        for step in ("recorded", "file")
    )
    return Found(worked.name, "true_voice_db", abs(20 * math.log10(after / before)))


def _peak_over_db(worked: Worked) -> float:
    """Over the ceiling asked for, which is the original's own peak where that is higher."""
    sound = worked.sounds["file"]
    meter = TruePeakMeter(worked.region.rate_hz, sound.shape[1])
    meter.push(sound)
    return meter.finish() - worked.treated.limit.ceiling_dbtp


def _sample_dbfs(sample: Samples) -> float:
    return 20 * math.log10(max(float(np.abs(sample).max()), 1e-10))


def _echo(worked: Worked, dry: bool) -> dict[str, float | None]:
    plan, limits = worked.treated.chain.de_echo, worked.treated.steps.de_echo
    values: dict[str, float | None] = {}
    if dry:
        values["de_echo_on_dry"] = float(not plan.off)
    if not plan.off and limits is not None:
        values["de_echo_low_band_db"] = abs(limits.low_band_change_db)
    return values


def _deess(worked: Worked) -> dict[str, float | None]:
    """The de-esser alone, on the voice: how far its band comes down, frame by frame."""
    finishing = worked.treated.chain.finishing
    curve = finishing.sibilance.curve
    if curve is None:
        return {}
    alone = FinishingPlan(_NO_COMPRESSION, finishing.sibilance, 0.0, "left out")
    voice = worked.voices["de-echo"]
    stems = Stems(voice, np.zeros_like(voice))
    treated = joined_stems(apply_finishing([stems], alone, worked.region.rate_hz)).voice
    change_db, at_work = _band_changes_db(voice, treated, curve)
    others = change_db[~at_work]
    return {
        "deess_most_db": float(-change_db.min(initial=0.0)),
        "deess_others_db": float(np.abs(others).max(initial=0.0)),
    }


def _band_changes_db(
    before: Samples, after: Samples, curve: GainCurve
) -> tuple[np.ndarray, np.ndarray]:
    """The change of 5.5 to 8.5 kHz in every audible hop, and whether the curve is at work there."""
    from scipy.signal import butter, sosfiltfilt

    hop, hops = curve.hop_samples, min(len(before) // curve.hop_samples, curve.gains_db.size)
    sections = butter(4, (5500, 8500), "bandpass", fs=curve.rate_hz, output="sos")
    powers = []
    for sound in (before, after):
        band = sosfiltfilt(sections, sound.mean(axis=1, dtype=np.float64))[: hops * hop]
        powers.append(np.square(band).reshape(hops, hop).mean(axis=1) + 1e-14)
    heard = 10 * np.log10(powers[0]) > _HEARD_DBFS
    near = np.convolve(curve.gains_db[:hops] < 0, np.ones(2 * _RAMP_HOPS + 1), mode="same") > 0.5
    return 10 * np.log10(powers[1] / powers[0])[heard], near[heard]


def _floor(worked: Worked) -> dict[str, float | None]:
    """With a tone under it: the floor of the file against its target; and how steady it is."""
    tone, before = worked.treated.tone, worked.treated.floors[0]
    floor = floor_of(worked, "file")
    if tone.off or floor is None:
        return {}
    values: dict[str, float | None] = {"lowest_dbfs": floor.lowest_db}
    if floor.from_gaps and before is not None:
        # What was left over the target stays: a tone can only add.
        wanted_db = np.maximum(tone.target_db, before.band_db)
        values["tone_bands_db"] = colour_difference_db(floor.band_db, wanted_db.tolist())
        wanted_level_db = 10 * math.log10(float(np.sum(10 ** (wanted_db / 10))))
        values["tone_level_db"] = abs(floor.level_db - wanted_level_db)
        values["gap_deviation_db"] = floor.deviation_db
        if tone.tone is not None and not tone.tone.estimated:
            values["gap_deviation_gaps_db"] = floor.deviation_db
    return values
