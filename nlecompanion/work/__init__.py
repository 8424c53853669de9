"""The unit of work: one region, from its media to its cleaned file."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from nlecompanion.delivery.staging import disk_errors
from nlecompanion.diagnosis.diagnose import diagnose, hinted_s
from nlecompanion.engines.contract import Engine
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import (
    Diagnosis,
    LeftAlone,
    Plan,
    Reason,
    Region,
    Use,
    UseReport,
)
from nlecompanion.settings import Profile
from nlecompanion.treatment.method import Method, Route, choose_method
from nlecompanion.treatment.tone_finding import NoRoomTone, RoomTone
from nlecompanion.verdict.evidence import Evidence
from nlecompanion.verdict.flags import hints
from nlecompanion.verdict.judge import Case, judge, keeps
from nlecompanion.work.decide import Decision, decide, evidence_for
from nlecompanion.work.listen import hears_speech
from nlecompanion.work.measure import Measured, extract_and_split, split_again
from nlecompanion.work.places import place_of, place_tones
from nlecompanion.work.survey import survey
from nlecompanion.work.target import RegionOutcome, Target, Tick, cleaned_media
from nlecompanion.work.treat import Treated, treat

__all__ = ["RegionOutcome", "Target", "Tools", "hears_speech", "work_region"]


@dataclass(frozen=True, slots=True)
class Tools:
    """What all regions of a job are worked with.

    `main` splits what competes with its background, `light` cleans what stands above it.
    """

    main: Engine
    light: Engine


def work_region(
    region: Region,
    tools: Tools,
    profile: Profile,
    target: Target,
    tick: Tick,
    tone: RoomTone | NoRoomTone | None = None,
) -> RegionOutcome:
    """Extracts, measures, splits, decides, treats, judges and writes one region.

    `tick` is told the seconds of sound that were just split. `tone` is that of the region's place;
    None for a region that stands alone, which is surveyed for one first.

    Raises:
        MediaError, EngineError, ProgramFailed: this region failed; the others go on.
        NoSpace: nothing can be delivered.
    """
    channels = len(region.channels)
    scratch = target.scratch_folder
    with (
        disk_errors(scratch),
        ScratchAudio.create(scratch / "take.f32", region.rate_hz, channels) as take,
        ScratchAudio.create(scratch / "voice.f32", region.rate_hz, channels) as voice,
    ):
        measured = extract_and_split(region, tools.main, take, voice, tick)
        reports = [_looked_at(use, region, measured, profile) for use in region.uses]
        wanted = [report for report in reports if report.left_alone is None]
        if not wanted:
            return RegionOutcome(tuple(reports), None)
        route = _route(wanted, profile)
        evidence = {
            report.use.id: evidence_for(report.use, region, measured, take, voice, tools.main)
            for report in wanted
        }
        engine = tools.light if route.method is Method.LIGHT else tools.main
        if engine is not tools.main:
            measured = split_again(region, engine, measured, take, voice)
        decision = decide(
            region, measured, take.read, voice.read, profile, target.neighbour_floor_db
        )
        if tone is None:
            tone = place_tones([survey(region)], lambda _: None)[place_of(region)]
        treated = treat(region, measured, decision, engine, profile, take, voice, target, tone)
        done = _Done(region, measured, route, decision, treated, engine, profile)
        return RegionOutcome(
            reports=tuple(
                report if report.left_alone is not None else done.report(report, evidence)
                for report in reports
            ),
            cleaned=cleaned_media(region, target.final),
            clipped_samples=treated.clipped_samples,
            tone=(place_of(region), treated.tone),
            account=treated.values(decision, measured),
        )


def _looked_at(use: Use, region: Region, measured: Measured, profile: Profile) -> UseReport:
    """What speaks against touching a use: nobody speaks in it, or it is good already."""
    diagnosis = diagnose(use, region, measured.measures)
    if diagnosis.speech_s < Fraction(profile.min_speech_s):
        found_s = float(diagnosis.speech_s)
        left_alone = LeftAlone(
            Reason.NO_SPEECH, f"{found_s:.2f} s of speech found, {profile.min_speech_s:g} s needed"
        )
        found = hints(hinted_s(use, region, measured.measures), measured.findings)
        return UseReport(use, left_alone, diagnosis, evidence=found)
    kept = keeps(diagnosis, profile)
    if kept is not None:
        left_alone = LeftAlone(Reason.ALREADY_GOOD, kept.reasons[0])
        return UseReport(use, left_alone, diagnosis, verdict=kept)
    return UseReport(use, None, diagnosis)


def _route(reports: list[UseReport], profile: Profile) -> Route:
    """By the use that has it hardest: one region is treated in one way."""
    diagnoses: list[Diagnosis] = [r.diagnosis for r in reports if r.diagnosis is not None]
    ratios = [d.sbr_db for d in diagnoses if d.sbr_db is not None]
    return choose_method(
        min(ratios, default=None),
        light_sbr_db=profile.light_sbr_db,
        hostile_sbr_db=profile.hostile_sbr_db,
    )


@dataclass(frozen=True, slots=True)
class _Done:
    """What is common to the reports of one treated region."""

    region: Region
    measured: Measured
    route: Route
    decision: Decision
    treated: Treated
    engine: Engine
    profile: Profile

    def report(self, looked_at: UseReport, evidence: dict[str, Evidence]) -> UseReport:
        """The report on one use, with its verdict."""
        assert looked_at.diagnosis is not None
        climb = self.decision.climb
        case = Case(
            diagnosis=looked_at.diagnosis,
            findings=self.measured.findings,
            evidence=evidence[looked_at.use.id],
            method=self.route.method,
            readability=climb.chosen.readability.mean,
        )
        plan = Plan(
            engine=self.engine.info.name,
            intensity_db=climb.intensity_db,
            reasons=(*self.route.reasons, climb.reason),
            method=self.route.method.value,
        )
        return UseReport(
            looked_at.use,
            None,
            looked_at.diagnosis,
            plan,
            judge(case, self.profile),
            region=self.region.id,
            evidence=evidence[looked_at.use.id].receipt_values(),
        )
