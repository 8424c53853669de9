"""The ruling on one use: keep the original, deliver, deliver with a warning, or beyond saving."""

from __future__ import annotations

from dataclasses import dataclass

from nlecompanion.diagnosis.findings import Findings
from nlecompanion.model import Diagnosis, Ruling, Unfixable, Verdict
from nlecompanion.settings import Profile
from nlecompanion.treatment.method import Method
from nlecompanion.verdict.evidence import Evidence
from nlecompanion.verdict.risk import risk

#: A voice this far below its background is not heard at all, whatever is done.
_LOST_SBR_DB = -15.0
_LOST_HEARD = 0.15
#: Peaks cut off as often as this make distortion that lies on the words themselves.
CUT_SHARE = 0.02
#: A finished mix that is limited this hard carries its music as loud as its voice.
_LIMITED_PLR_DB = 10.0


@dataclass(frozen=True, slots=True)
class Case:
    """All that a ruling is made from.

    `readability`: the index that the ladder reached without harm, None where it could not be
    measured.
    """

    diagnosis: Diagnosis
    findings: Findings
    evidence: Evidence | None
    method: Method
    readability: float | None


def keeps(diagnosis: Diagnosis, profile: Profile) -> Verdict | None:
    """The ruling on what is good already: treating it could only harm."""
    ratio_db = diagnosis.sbr_db
    if ratio_db is None or ratio_db < profile.keep_sbr_db:
        return None
    return Verdict(
        Ruling.KEEP,
        (
            f"the voice stands {ratio_db:.1f} dB above its background, "
            f"{profile.keep_sbr_db:g} dB is good enough for {profile.name}",
        ),
    )


def judge(case: Case, profile: Profile) -> Verdict:
    """The ruling on a use that was treated."""
    ratio_db = case.diagnosis.sbr_db
    if ratio_db is None or case.evidence is None:
        return Verdict(Ruling.WARN, ("the ratio of speech to background could not be measured",))
    where = (
        f"the voice stands {ratio_db:.1f} dB above its background"
        if ratio_db >= 0
        else f"the voice lies {-ratio_db:.1f} dB below its background"
    )
    chance = round(risk(case.evidence), 3)
    if chance >= profile.unfixable_risk:
        kind = kind_of(case)
        return Verdict(
            Ruling.UNFIXABLE,
            (
                f"{_WORDS[kind]}: {where}",
                f"the risk that words are lost at any intensity is {100 * chance:.0f} % "
                f"({100 * profile.unfixable_risk:.0f} % is the limit)",
                *_coded(case),
                "subtitle it, record it again, or switch the best effort on",
            ),
            kind,
            chance,
        )
    doubts = _doubts(case, profile, chance)
    ruling = Ruling.WARN if doubts else Ruling.DELIVER
    kind_near = kind_of(case) if chance >= profile.warn_risk else None
    named = _coded(case) if doubts else ()
    return Verdict(ruling, (where, *doubts, *named), kind_near, chance)


def _coded(case: Case) -> tuple[str, ...]:
    """A source that a lossy codec has been at is named: there may be a better one of it."""
    bandwidth = case.findings.bandwidth
    if bandwidth is None or not bandwidth.codec_damaged:
        return ()
    reach_khz = bandwidth.highest_hz / 1000
    return (f"its source is codec-damaged ({reach_khz:.1f} kHz, as an export for the web has)",)


_WORDS = {
    Unfixable.MASKED: "masked by its background",
    Unfixable.DAMAGED: "damaged in the recording",
    Unfixable.LOST: "too faint to be heard",
}


def _doubts(case: Case, profile: Profile, chance: float) -> list[str]:
    doubts = []
    if chance >= profile.warn_risk:
        doubts.append(
            f"the risk that words are lost is {100 * chance:.0f} %; listen to it before use"
        )
    if case.method is Method.HOSTILE:
        doubts.append(f"below {profile.hostile_sbr_db:g} dB it is a best effort")
    if case.readability is not None and case.readability < profile.warn_readable:
        doubts.append(
            f"readability reaches {case.readability:.2f} of {profile.readable:g} without harm"
        )
    return doubts


def kind_of(case: Case) -> Unfixable:
    """What puts it beyond saving: cut-off peaks, a voice too faint, or what lies over it."""
    clipping, limiting = case.findings.clipping, case.findings.limiting
    if clipping is not None and clipping.clipped and clipping.clipped_share >= CUT_SHARE:
        return Unfixable.DAMAGED
    squeezed = limiting is not None and limiting.peak_to_loudness_db < _LIMITED_PLR_DB
    ratio_db = case.diagnosis.sbr_db
    faint = ratio_db is not None and ratio_db < _LOST_SBR_DB
    unheard = case.evidence is not None and case.evidence.heard < _LOST_HEARD
    if not squeezed and (faint or unheard):
        return Unfixable.LOST
    return Unfixable.MASKED
