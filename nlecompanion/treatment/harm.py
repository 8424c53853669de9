"""The harm gates: symptoms of over-processing with their limits, and who is the more natural.

Order of the naturalness rule: harm first, noise second. An output that harms loses against one
that does not, however quiet it is; among harmless ones the quieter wins.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from nlecompanion.treatment.harm_measures import (
    Reference,
    decay_loss_db,
    floor_drop_db,
    gains_db,
    kurtosis_ratio,
    lost_consonants_db,
    pumping_db,
    seconds_of,
    unsteady_db,
    voice_gain,
    warble_db,
)
from nlecompanion.treatment.readability import band_powers
from nlecompanion.treatment.spectra import Powers

#: DNSMOS SIG of the mix at (intensity_db, presence_db); (0, 0) is the original.
SigOf = Callable[[float, float], float]
SIG_LOST = "DNSMOS SIG lost"


class Symptom(StrEnum):
    """What over-processing sounds like."""

    ROBOTIC = "robotic or watery"
    CONSONANTS = "missing consonants"
    PUMPING = "pumping"
    DRY = "too dry"


class Remedy(StrEnum):
    """What is changed against a symptom, one at a time."""

    LOWER_INTENSITY = "lower intensity"
    PRESENCE = "presence"
    ROOM_TONE = "room tone"


#: In the order in which they are tried.
REMEDIES: dict[Symptom, tuple[Remedy, ...]] = {
    Symptom.ROBOTIC: (Remedy.LOWER_INTENSITY,),
    Symptom.CONSONANTS: (Remedy.LOWER_INTENSITY, Remedy.PRESENCE),
    Symptom.PUMPING: (Remedy.LOWER_INTENSITY,),
    Symptom.DRY: (Remedy.LOWER_INTENSITY, Remedy.ROOM_TONE),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HarmLimits:
    """The most that each measure may reach; defaults are those of the gentlest profile."""

    warble_db: float = 2.2
    kurtosis_log2: float = 1.2
    sig_drop: float = 0.3
    lost_consonants_db: float = 3.0
    pumping_db: float = 6.0
    unsteady_db: float = 2.5
    floor_drop_db: float = 18.5
    decay_loss_db: float = 12.0


#: Only the floor differs: a bed of music will cover it, or nobody minds while reading along.
LIMITS: dict[str, HarmLimits] = {
    "exposed": HarmLimits(),
    "under-music": replace(HarmLimits(), floor_drop_db=24.5, pumping_db=9.0),
    "subtitled": replace(HarmLimits(), floor_drop_db=24.5, pumping_db=9.0),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One measure of one symptom. `value` is None where it could not be measured: see `reason`.

    `at_s` is the worst moment, from the window's first sample, where the measure has one.
    """

    symptom: Symptom
    measure: str
    value: float | None
    limit: float
    unit: str
    at_s: float | None = None
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Within the limit, or nothing there to be harmed."""
        return self.value is None or self.value <= self.limit

    @property
    def excess(self) -> float:
        """How far beyond the limit, as a share of it."""
        return 0.0 if self.value is None else max(0.0, self.value / self.limit - 1)


@dataclass(frozen=True, slots=True)
class HarmReport:
    """All findings on one output; `floor_db` is its level in gaps under its voice (None: no gap).

    `take_floor_db` is the take's.
    """

    findings: tuple[Finding, ...]
    floor_db: float | None
    take_floor_db: float | None = None

    @property
    def passed(self) -> bool:
        """No symptom beyond its limit."""
        return all(finding.passed for finding in self.findings)

    @property
    def failed(self) -> tuple[Symptom, ...]:
        """Symptoms beyond their limits, each once."""
        return tuple(dict.fromkeys(f.symptom for f in self.findings if not f.passed))

    @property
    def harm(self) -> float:
        """Sum of what lies beyond the limits; 0 for a natural output."""
        return sum(finding.excess for finding in self.findings)


def inspect(
    ref: Reference,
    out_bins: Powers,
    limits: HarmLimits,
    *,
    neighbour_floor_db: float | None = None,
    sig_drop: float | None = None,
) -> HarmReport:
    """Every gate on one output, given as powers on the take's grid (`spectra.analyse_output`).

    `neighbour_floor_db`: the floor of the clips beside this one, under their voice; the take's own
    where it is None. `sig_drop`: the original's DNSMOS SIG less the output's, where it is known.
    """
    out = band_powers(ref.spectra, out_bins)
    gain = voice_gain(ref, out_bins)
    warble, worst = warble_db(ref, gains_db(ref, out))
    pumping = pumping_db(ref, out, gain)
    drop, floor = floor_drop_db(ref, out_bins, gain, neighbour_floor_db)
    findings = [
        _finding(Symptom.ROBOTIC, "warble", warble, limits.warble_db, "dB", seconds_of(worst)),
        _finding(Symptom.ROBOTIC, "kurtosis ratio", kurtosis_ratio(ref, out_bins),
                 limits.kurtosis_log2, "log2"),
        _finding(Symptom.CONSONANTS, "loss at 4 to 10 kHz",
                 lost_consonants_db(ref, out_bins, gain), limits.lost_consonants_db, "dB"),
        _finding(Symptom.PUMPING, "background under speech against gaps",
                 None if pumping is None else abs(pumping), limits.pumping_db, "dB"),
        _finding(Symptom.PUMPING, "unsteady floor", unsteady_db(ref, out), limits.unsteady_db,
                 "dB"),
        _finding(Symptom.DRY, "drop of the floor", drop, limits.floor_drop_db, "dB"),
        _finding(Symptom.DRY, "loss of the room's ring", decay_loss_db(ref, out_bins, gain),
                 limits.decay_loss_db, "dB"),
    ]  # fmt: skip
    take_floor = None if floor is None or drop is None else floor + drop
    report = HarmReport(tuple(findings), floor, take_floor)
    return report if sig_drop is None else with_sig(report, sig_drop, limits)


def with_sig(report: HarmReport, sig_drop: float, limits: HarmLimits) -> HarmReport:
    """The report with a network's opinion: the original's DNSMOS SIG less the output's."""
    lost = _finding(Symptom.ROBOTIC, SIG_LOST, sig_drop, limits.sig_drop, "MOS")
    return replace(report, findings=(*report.findings, lost))


def more_natural(first: HarmReport, second: HarmReport) -> HarmReport:
    """The one that an editor should be given: less harm, then less noise, then the first."""
    return min((first, second), key=naturalness)


def naturalness(report: HarmReport) -> tuple[float, float]:
    """A key to sort by, the most natural first: harm (to 0.01), then the level of the floor."""
    floor_db = 0.0 if report.floor_db is None else report.floor_db
    return round(report.harm, 2), floor_db


#: Why a measure may be missing.
_NEEDS = {
    "warble": "the background never stands alone for 0.4 s",
    "kurtosis ratio": "less than 0.4 s without speech",
    "loss at 4 to 10 kHz": "no fricative or burst stands out of the background",
    "background under speech against gaps": "no background can be told from the voice",
    "unsteady floor": "less than 0.4 s without speech",
    "loss of the room's ring": "no ring after words stands out of the gaps",
    "drop of the floor": "less than 0.2 s without speech",
}


def _finding(
    symptom: Symptom,
    measure: str,
    value: float | None,
    limit: float,
    unit: str,
    at_s: float | None = None,
) -> Finding:
    if value is None:
        return Finding(symptom, measure, None, limit, unit, None, _NEEDS.get(measure, ""))
    if not np.isfinite(value):
        raise ValueError(f"{measure} is {value}: the sound holds NaN or infinite samples")
    return Finding(symptom, measure, float(value), limit, unit, at_s)
