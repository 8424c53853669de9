"""The lowest intensity that is readable, then stop.

The ladder is walked from the bottom. Each rung is an attempt on the same window, arithmetic on its
powers: readability against the target, then every harm gate. Where a gate fails its remedy is
tried once, one change at a time, and measured again. All attempts go into the ledger.

Where no harmless rung meets the target, each decibel must earn its keep: the rung is taken beyond
which readability rises by less than `WORTH_A_DB` for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from nlecompanion.treatment.harm import (
    REMEDIES,
    SIG_LOST,
    HarmLimits,
    HarmReport,
    Remedy,
    SigOf,
    Symptom,
    inspect,
    with_sig,
)
from nlecompanion.treatment.harm_measures import Reference, reference
from nlecompanion.treatment.readability import Readability, VoiceBands, readability, voice_bands
from nlecompanion.treatment.spectra import WindowSpectra

RUNGS_DB = (0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 24.0, 30.0)
MAX_PRESENCE_DB = 3.0
#: A decibel that raises the index by less is not spent. On the calibration part of
#: `tests/benchmarks/judgement.py` this gives the same mean intensity as a fixed 12 dB, with a
#: quarter less of STOI given away against the best in hindsight.
WORTH_A_DB = 0.0025
INTENSITY, PRESENCE = "intensity_db", "presence_db"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadabilityTarget:
    """Where climbing stops: both values reached. Defaults are those of the gentlest profile.

    `mean` over all speech, `quietest_fifth` over its weakest fifth, both speech intelligibility
    indices (0 to 1).
    """

    mean: float = 0.85
    quietest_fifth: float = 0.4


TARGETS: dict[str, ReadabilityTarget] = {
    "exposed": ReadabilityTarget(),
    "under-music": ReadabilityTarget(mean=0.9, quietest_fifth=0.4),
    "subtitled": ReadabilityTarget(mean=0.9, quietest_fifth=0.5),
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One entry of the ledger; `changed` is the one field in which it differs from its parent.

    `left_because` says why the search went on from here, empty for the attempt that was chosen.
    """

    id: int
    parent: int | None
    changed: str
    intensity_db: float
    presence_db: float
    readability: Readability
    harm: HarmReport
    left_because: str


@dataclass(frozen=True, slots=True)
class Climb:
    """Where the search ended: `readable` says whether the target is met, `reason` why it ended.

    `sig_source` names what DNSMOS SIG was asked of, empty where the gates heard for themselves.
    """

    intensity_db: float
    presence_db: float
    readable: bool
    reason: str
    chosen: Attempt
    attempts: tuple[Attempt, ...]
    target: ReadabilityTarget
    limits: HarmLimits
    sig_source: str = ""
    neighbour_floor_db: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class _Window:
    """Everything an attempt needs; made once a window."""

    spectra: WindowSpectra
    bands: VoiceBands
    ref: Reference
    target: ReadabilityTarget
    limits: HarmLimits
    neighbour_floor_db: float | None
    sig_source: str


def climb(
    spectra: WindowSpectra,
    target: ReadabilityTarget,
    limits: HarmLimits,
    *,
    rungs_db: Sequence[float] = RUNGS_DB,
    neighbour_floor_db: float | None = None,
    sig_of: SigOf | None = None,
    sig_source: str = "",
) -> Climb:
    """The first rung that meets the target with every gate passed; else the best harmless one.

    `spectra` of the window that decides (about 8 s, the hardest). `neighbour_floor_db`: the floor
    of the clips beside it, under their voice. `sig_of` is asked of what would be chosen; without
    it the gates hear for themselves. `sig_source` is its name in the receipt.
    """
    window = _Window(spectra, voice_bands(spectra), reference(spectra), target, limits,
                     neighbour_floor_db, sig_source)  # fmt: skip
    attempts: list[Attempt] = []
    for rung_db in rungs_db:
        attempt = _attempt(window, attempts, INTENSITY, rung_db, 0.0, len(attempts) - 1)
        attempts.append(attempt)
        if attempt.readability.mean is None:
            return _ended(window, attempts, attempt, attempt.readability.reason)
        if not attempt.harm.passed:
            attempts.extend(_remedies(window, attempts))
            break
        if _meets(attempt.readability, target):
            break
    return _best(window, attempts) if sig_of is None else _heard_through(window, attempts, sig_of)


def _heard_through(window: _Window, attempts: list[Attempt], sig_of: SigOf) -> Climb:
    """The best that the network has nothing against.

    A run of it costs more than all other gates, so it is asked of the choice only, then of what
    comes in its place; at the end half a step back from the last one that failed is tried.
    """
    failed: Attempt | None = None
    found = _best(window, attempts)
    while found.chosen.harm.passed and not _is_heard(found.chosen):
        heard = attempts[found.chosen.id] = _heard(window, attempts[found.chosen.id], sig_of)
        failed = failed if heard.harm.passed else heard
        found = _best(window, attempts)
    if failed is not None and found.chosen.harm.passed and found.intensity_db < failed.intensity_db:
        between_db = (found.intensity_db + failed.intensity_db) / 2
        half = _attempt(window, attempts, INTENSITY, between_db, failed.presence_db, failed.id)
        attempts.append(_heard(window, half, sig_of) if half.harm.passed else half)
        found = _best(window, attempts)
    return found


def _is_heard(attempt: Attempt) -> bool:
    untouched = attempt.intensity_db == 0 and attempt.presence_db == 0
    return untouched or any(finding.measure == SIG_LOST for finding in attempt.harm.findings)


def _heard(window: _Window, attempt: Attempt, sig_of: SigOf) -> Attempt:
    lost = sig_of(0.0, 0.0) - sig_of(attempt.intensity_db, attempt.presence_db)
    harm = with_sig(attempt.harm, lost, window.limits)
    why = _why_not(attempt.readability, harm, window.target)
    return replace(attempt, harm=harm, left_because=why)


def _best(window: _Window, attempts: list[Attempt]) -> Climb:
    harmless = [attempt for attempt in attempts if attempt.harm.passed]
    if not harmless:
        # The lowest rung alone can harm only where a neighbour's floor lies far above the take's.
        return _ended(window, attempts, attempts[0], "every rung harms; the lowest is kept")
    meeting = [a for a in harmless if _meets(a.readability, window.target)]
    if meeting:
        chosen = min(meeting, key=lambda a: (a.intensity_db, a.presence_db))
        return _ended(window, attempts, chosen, "the lowest intensity that meets the target")
    chosen = max(harmless, key=_worth)
    highest = max(a.intensity_db for a in harmless)
    harmed = len(harmless) < len(attempts) and chosen.intensity_db == highest
    limit = "harm begins above" if harmed else "more does not help"
    return _ended(window, attempts, chosen, f"the target is not met; best without harm, {limit}")


def _worth(attempt: Attempt) -> tuple[float, float, float]:
    """To be maximised: the index less what the decibels must earn; of equals the lowest."""
    found = attempt.readability
    values = [v for v in (found.mean, found.quietest_fifth, found.word_endings) if v is not None]
    earned = sum(values) / max(len(values), 1) - WORTH_A_DB * attempt.intensity_db
    return earned, -attempt.intensity_db, -attempt.presence_db


def _remedies(window: _Window, attempts: Sequence[Attempt]) -> list[Attempt]:
    """What is tried once the last attempt has failed a gate: half a step back, then presence."""
    failed = attempts[-1]
    wanted = {remedy for symptom in failed.harm.failed for remedy in REMEDIES[symptom]}
    tried: list[Attempt] = []
    if Remedy.LOWER_INTENSITY in wanted and len(attempts) > 1:
        between_db = (attempts[-2].intensity_db + failed.intensity_db) / 2
        tried.append(_attempt(window, attempts, INTENSITY, between_db, 0.0, failed.id))
        failed = tried[-1] if not tried[-1].harm.passed else failed
    if failed.harm.failed == (Symptom.CONSONANTS,):
        lost = max(f.value or 0.0 for f in failed.harm.findings if not f.passed)
        # Half decibels, and no more than brings the loss back within the limit.
        needed_db = math.ceil(2 * (lost - window.limits.lost_consonants_db)) / 2
        presence_db = min(MAX_PRESENCE_DB, max(0.5, needed_db))
        tried.append(
            _attempt(window, [*attempts, *tried], PRESENCE, failed.intensity_db, presence_db,
                     failed.id)
        )  # fmt: skip
    return tried


def _attempt(
    window: _Window,
    before: Sequence[Attempt],
    changed: str,
    intensity_db: float,
    presence_db: float,
    parent: int,
) -> Attempt:
    out = window.spectra.output(intensity_db, presence_db)
    harm = inspect(window.ref, out, window.limits, neighbour_floor_db=window.neighbour_floor_db)
    readable = readability(window.bands, intensity_db, presence_db)
    return Attempt(
        id=len(before),
        parent=parent if parent >= 0 else None,
        changed=changed if parent >= 0 else "",
        intensity_db=intensity_db,
        presence_db=presence_db,
        readability=readable,
        harm=harm,
        left_because=_why_not(readable, harm, window.target),
    )


def _ended(window: _Window, attempts: Sequence[Attempt], chosen: Attempt, reason: str) -> Climb:
    chosen_last = replace(chosen, left_because="")
    ledger = tuple(
        chosen_last
        if a.id == chosen.id
        else replace(a, left_because=a.left_because or "a lower intensity does as well")
        for a in attempts
    )
    return Climb(
        intensity_db=chosen.intensity_db,
        presence_db=chosen.presence_db,
        readable=chosen.harm.passed and _meets(chosen.readability, window.target),
        reason=reason,
        chosen=chosen_last,
        attempts=ledger,
        target=window.target,
        limits=window.limits,
        sig_source=window.sig_source,
        neighbour_floor_db=window.neighbour_floor_db,
    )


def _meets(found: Readability, target: ReadabilityTarget) -> bool:
    if found.mean is None or found.mean < target.mean:
        return False
    return found.quietest_fifth is None or found.quietest_fifth >= target.quietest_fifth


def _why_not(found: Readability, harm: HarmReport, target: ReadabilityTarget) -> str:
    worst = [
        f"{f.symptom.value}: {f.measure} {f.value:.1f} {f.unit}, limit {f.limit:g}"
        for f in harm.findings
        if not f.passed and f.value is not None
    ]
    if worst:
        return "; ".join(worst)
    if found.mean is None:
        return found.reason
    if found.mean < target.mean:
        return f"readability {found.mean:.2f} of {target.mean:g}"
    quiet = found.quietest_fifth
    if quiet is not None and quiet < target.quietest_fifth:
        return f"quietest fifth {quiet:.2f} of {target.quietest_fifth:g}"
    return ""


def receipt_values(found: Climb) -> dict[str, Any]:
    """A climb as plain JSON: every name says its unit, or is an index from 0 to 1.

    `intensity_db`, `presence_db`, `readable`, `reason`, `target`, `limits`, `sig` (what gave the
    DNSMOS SIG, or that nothing did), `neighbour_floor_db`, `chosen` (an id) and `attempts`: `id`,
    `parent`, `changed`, `intensity_db`, `presence_db`, `readability` (`mean`, `quietest_fifth`,
    `word_endings`, `leakage_db`, `reason`), `harm`, `floor_db`, `gates` (a list of `symptom`,
    `measure`, `value`, `limit`, `unit`, `passed`, `at_s`, `reason`) and `left_because`.
    """
    return {
        "intensity_db": found.intensity_db,
        "presence_db": found.presence_db,
        "readable": found.readable,
        "reason": found.reason,
        "target": asdict(found.target),
        "limits": asdict(found.limits),
        "sig": found.sig_source or "not measured: speechmos is not installed",
        "neighbour_floor_db": _short(found.neighbour_floor_db),
        "chosen": found.chosen.id,
        "attempts": [_attempt_values(attempt) for attempt in found.attempts],
    }


def _attempt_values(attempt: Attempt) -> dict[str, Any]:
    read = attempt.readability
    return {
        "id": attempt.id,
        "parent": attempt.parent,
        "changed": attempt.changed,
        "intensity_db": attempt.intensity_db,
        "presence_db": attempt.presence_db,
        "readability": {
            "mean": _short(read.mean),
            "quietest_fifth": _short(read.quietest_fifth),
            "word_endings": _short(read.word_endings),
            "leakage_db": _short(read.leakage_db),
            "reason": read.reason,
        },
        "harm": _short(attempt.harm.harm),
        "floor_db": _short(attempt.harm.floor_db),
        "gates": [
            {
                "symptom": finding.symptom.value,
                "measure": finding.measure,
                "value": _short(finding.value),
                "limit": finding.limit,
                "unit": finding.unit,
                "passed": finding.passed,
                "at_s": _short(finding.at_s),
                "reason": finding.reason,
            }
            for finding in attempt.harm.findings
        ],
        "left_because": attempt.left_because,
    }


def _short(value: float | None) -> float | None:
    """To three digits after the point: a receipt is read by people, too."""
    return None if value is None else round(value, 3)
