"""What is to be done about rumble, hum and plosives, and what it changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nlecompanion.model import Span

Real = NDArray[np.floating]

#: Plosive bursts lie between these (the voice from 150 Hz on is left alone).
PLOSIVE_BAND_HZ = (20.0, 150.0)
VOICE_BAND_HZ = (150.0, 300.0)
#: The high-pass lies this far under the voice's lowest pitch, which it lowers by 0.2 dB at most.
_UNDER_PITCH = 0.7
#: With no pitch measured: under the lowest men's voices.
_UNKNOWN_PITCH_CUTOFF_HZ = 60.0


@dataclass(frozen=True, slots=True)
class RumbleLimits:
    """How far this step may go. Each part is off at 0.

    `high_pass_hz` is the highest cut-off, `hum_db` the deepest notch, `plosive_db` the most that a
    burst is turned down by, `keep_rumble_db` the level (dBFS, 20 Hz to the cut-off) under which
    there is nothing worth cutting.
    """

    high_pass_hz: float = 100.0
    lowest_high_pass_hz: float = 40.0
    keep_rumble_db: float = -75.0
    hum_db: float = 30.0
    hum_from_db: float = 6.0
    plosive_db: float = 12.0
    least_plosive_db: float = 6.0


@dataclass(frozen=True, slots=True)
class Notch:
    """One line of hum: its frequency, and how far it is turned down."""

    frequency_hz: float
    depth_db: float


@dataclass(frozen=True, slots=True)
class RumblePlan:
    """What is done under the voice; `cutoff_hz` None and no entries: nothing, for the `reasons`."""

    cutoff_hz: float | None = None
    notches: tuple[Notch, ...] = ()
    plosives: tuple[tuple[Span, float], ...] = ()
    reasons: tuple[str, ...] = ()

    @property
    def off(self) -> bool:
        """Whether the sound passes bit for bit."""
        return self.cutoff_hz is None and not self.notches and not self.plosives


def plan_rumble(
    lowest_pitch_hz: float | None,
    rumble_db: float | None,
    hum_hz: float | None,
    hum_harmonics: Sequence[tuple[int, float]],
    plosives: Sequence[tuple[Span, float]],
    limits: RumbleLimits | None = None,
) -> RumblePlan:
    """What to do about what was measured; None means not measured.

    `rumble_db` is a level in dBFS under the voice; `hum_harmonics` are (order, dB over the
    neighbouring frequencies) of `hum_hz`, as `HumLineMeter` gives them; `plosives` are (span, dB of
    the burst's low end over the speech level): from 6 dB under it on they are turned down, by the
    most from 6 dB over it on.
    """
    limits = limits or RumbleLimits()
    cutoff_hz, reason = _cutoff(lowest_pitch_hz, rumble_db, limits)
    notches = tuple(
        Notch(order * hum_hz, min(over_db, limits.hum_db))
        for order, over_db in hum_harmonics
        if hum_hz is not None and limits.hum_db > 0 and over_db >= limits.hum_from_db
        # What lies well under the cut-off is gone already.
        if cutoff_hz is None or order * hum_hz > cutoff_hz / 2
    )
    least_db = min(limits.least_plosive_db, limits.plosive_db)
    bursts = tuple(
        (span, float(np.interp(over_db, (-6, 6), (least_db, limits.plosive_db))))
        for span, over_db in sorted(plosives, key=lambda burst: burst[0].start_s)
        if limits.plosive_db > 0
    )
    reasons = [reason]
    if notches:
        reasons.append(f"hum of {hum_hz:.2f} Hz: {len(notches)} lines notched")
    if bursts:
        reasons.append(f"{len(bursts)} plosives turned down by at most {limits.plosive_db:g} dB")
    return RumblePlan(cutoff_hz, notches, bursts, tuple(reasons))


def _cutoff(
    lowest_pitch_hz: float | None, rumble_db: float | None, limits: RumbleLimits
) -> tuple[float | None, str]:
    if limits.high_pass_hz <= 0:
        return None, "high-pass switched off"
    if rumble_db is not None and rumble_db < limits.keep_rumble_db:
        return None, (
            f"no high-pass: {rumble_db:.0f} dBFS of rumble is under {limits.keep_rumble_db:g} dBFS"
        )
    if lowest_pitch_hz is None:
        cutoff_hz = min(_UNKNOWN_PITCH_CUTOFF_HZ, limits.high_pass_hz)
        return cutoff_hz, f"high-pass at {cutoff_hz:.0f} Hz: no pitch measured"
    wanted_hz = max(_UNDER_PITCH * lowest_pitch_hz, limits.lowest_high_pass_hz)
    cutoff_hz = min(wanted_hz, limits.high_pass_hz)
    return cutoff_hz, (
        f"high-pass at {cutoff_hz:.0f} Hz under a voice from {lowest_pitch_hz:.0f} Hz on"
    )


@dataclass(frozen=True, slots=True)
class RumbleReport:
    """What changed, in dB; None where there was nothing to measure."""

    cutoff_hz: float | None
    low_change_db: float | None
    voice_band_change_db: float | None
    hum_lines: int
    hum_change_db: float | None
    plosives: int
    plosive_change_db: float | None
    reasons: tuple[str, ...]

    def receipt_values(self) -> dict[str, object]:
        """The receipt's entry."""
        return {
            "high_pass_hz": _rounded(self.cutoff_hz),
            "low_band_change_db": _rounded(self.low_change_db),
            "voice_150_300_hz_change_db": _rounded(self.voice_band_change_db),
            "hum_lines_notched": self.hum_lines,
            "hum_change_db": _rounded(self.hum_change_db),
            "plosives_tamed": self.plosives,
            "plosive_change_db": _rounded(self.plosive_change_db),
            "reasons": list(self.reasons),
        }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


class RumbleMeter:
    """Powers before and after, of voice and background together; constant memory."""

    def __init__(self, plan: RumblePlan) -> None:
        self._plan = plan
        # Rows: under the cut-off, the voice's band, hum lines, bursts; columns: before, after.
        self._powers = np.zeros((4, 2))

    def spectrum(self, frequency_hz: Real, before: Real, after: Real) -> None:
        """Takes one window's power spectra."""
        low = frequency_hz < (self._plan.cutoff_hz or PLOSIVE_BAND_HZ[0])
        voice = (frequency_hz >= VOICE_BAND_HZ[0]) & (frequency_hz < VOICE_BAND_HZ[1])
        hum = np.zeros(len(frequency_hz), bool)
        for notch in self._plan.notches:
            hum |= np.abs(frequency_hz - notch.frequency_hz) < 0.75
        for row, chosen in enumerate((low, voice, hum)):
            self._powers[row] += before[chosen].sum(), after[chosen].sum()

    def burst(self, before: float, after: float) -> None:
        """Takes the low band's energy during bursts."""
        self._powers[3] += before, after

    def finish(self) -> RumbleReport:
        """What changed over all that was taken."""
        low, voice, hum, burst = (
            10 * math.log10(after / before) if before > 0 and after > 0 else None
            for before, after in self._powers.tolist()
        )
        plan = self._plan
        return RumbleReport(
            cutoff_hz=plan.cutoff_hz,
            low_change_db=low if plan.cutoff_hz is not None else None,
            voice_band_change_db=voice,
            hum_lines=len(plan.notches),
            hum_change_db=hum,
            plosives=len(plan.plosives),
            plosive_change_db=burst,
            reasons=plan.reasons,
        )
