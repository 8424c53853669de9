"""One mixture of known truth through the tool's own decisions, and what the truth says of them.

The mixture is written to a file and goes the way of every region: extraction, split and all
meters, diagnosis, route, evidence, ladder, ruling. Only the finishing and the delivery are left
out: they decide nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.judgement_truth import Truth
from testkit.mixtures import (
    RATE_HZ,
    SPEECH_LEVEL_DB,
    Mixture,
    Part,
    Recipe,
    build,
    load,
    pieces,
    recipes,
)
from testkit.regions import region_of

from nlecompanion.diagnosis.diagnose import diagnose, hinted_s
from nlecompanion.media.scratch import ScratchAudio
from nlecompanion.model import (
    Diagnosis,
    LeftAlone,
    Reason,
    Region,
    Ruling,
    Samples,
    Use,
    UseReport,
    Verdict,
)
from nlecompanion.settings import Profile
from nlecompanion.treatment.harm import inspect
from nlecompanion.treatment.harm_measures import reference
from nlecompanion.treatment.ladder import RUNGS_DB
from nlecompanion.treatment.method import Method, choose_method
from nlecompanion.treatment.spectra import analyse
from nlecompanion.verdict.evidence import Evidence
from nlecompanion.verdict.flags import hints, mark_dialogue
from nlecompanion.verdict.judge import Case, judge, keeps
from nlecompanion.verdict.risk import risk
from nlecompanion.work import Tools
from nlecompanion.work.decide import Decision, decide, evidence_for
from nlecompanion.work.measure import Measured, extract_and_split, split_again

LENGTH_S = 8.0
FIXED_DB = (6.0, 9.0, 12.0, 18.0)
#: PESQ costs ten times as much as STOI: fewer rungs tell its best as well.
_PESQ_DB = (0.0, 6.0, 9.0, 12.0, 18.0, 24.0, 30.0)
#: Denoised recordings of `../shared/audio`: a processed voice is no truth.
_PROCESSED = "mmi_"
#: Planted kinds; the ratio is beyond what any intensity saves, the damage makes it plain.
MASKED, DAMAGED, LOST = "masked", "damaged", "lost"
#: Music and ambience as they lie in a cut, dBFS: from far under its speech to 6 dB over it.
_QUIET_DB = (-45.0, -20.0)
#: Pieces whose names say that people are heard in them are no material without speech.
_PEOPLE = ("crowd", "bar", "restaurant", "people", "talk", "babble", "cafe")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A mixture to judge: `planted` names what was made unfixable on purpose, "" for drawn ones."""

    recipe: Recipe
    planted: str = ""
    pesq: bool = True


@dataclass(frozen=True, slots=True)
class Judged:
    """What the tool said of one mixture, and the truth.

    `left_alone` says why it was not worked on, `marked` whether an editor is told of it all the
    same, on a track that says dialogue. `stoi` and `pesq` are of the main engine's split, by
    intensity in dB; `own_stoi`, `own_pesq` of the split that the tool took; `harmed` says where its
    harm gates fail on that (empty where PESQ was not asked for).
    """

    name: str
    planted: str
    true_sbr_db: float | None
    diagnosis: Diagnosis
    evidence: Evidence
    risk: float
    moment_sbr_db: float | None
    moment_heard: float
    method: Method
    verdict: Verdict | None
    left_alone: str
    marked: bool
    intensity_db: float
    readable: bool
    stoi: Mapping[float, float]
    pesq: Mapping[float, float]
    own_stoi: Mapping[float, float]
    own_pesq: Mapping[float, float]
    harmed: Mapping[float, bool]

    @property
    def best_stoi(self) -> float:
        """The best that any intensity reaches."""
        return max(self.stoi.values())


def drawn(audio: Path, part: Part, count: int, seed: int, *, pesq: bool = True) -> list[Wanted]:
    """Mixtures of every kind from -20 to 25 dB, some in rooms, some damaged; about `count`."""
    made = recipes(
        audio, count, part, seed, sbr_db=(-20, 25), length_s=LENGTH_S, rooms=0.15, damage=0.3
    )
    natural = [r for r in made if not Path(r.voices[0]).stem.startswith(_PROCESSED)]
    return [Wanted(recipe, pesq=pesq) for recipe in natural]


def planted(audio: Path, part: Part, count: int, seed: int) -> list[Wanted]:
    """`count` of each kind that nothing can save."""
    kinds: dict[str, tuple[str, tuple[float, float], dict[str, Any]]] = {
        MASKED: ("music", (-20.0, -16.0), {"drive_db": 14.0}),
        DAMAGED: ("noise", (-15.0, -11.0), {"clip_db": 30.0}),
        LOST: ("music+noise", (-27.0, -24.0), {}),
    }
    found = []
    for number, (name, (kind, ratio_db, damage)) in enumerate(kinds.items()):
        drawn_here = recipes(
            audio, count, part, seed + number, sbr_db=ratio_db, length_s=LENGTH_S, kinds=(kind,)
        )
        found += [Wanted(replace(r, **damage), name, pesq=False) for r in drawn_here]
    return found


def judge_one(audio: Path, wanted: Wanted, tools: Tools, profile: Profile, folder: Path) -> Judged:
    """Builds the mixture, lets the tool decide, and asks the truth; `folder` is for its files."""
    made = build(audio, wanted.recipe)
    region = region_of(made.mix, RATE_HZ, folder / "mixture.wav")
    with (
        ScratchAudio.create(folder / "take.f32", RATE_HZ, made.mix.shape[1]) as take,
        ScratchAudio.create(folder / "voice.f32", RATE_HZ, made.mix.shape[1]) as voice,
    ):
        said = decide_on(region, tools, profile, take, voice)
        return _against_truth(wanted, made, said)


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """All that the tool decided on a region; `main_voice` and `chosen_voice` are estimates."""

    diagnosis: Diagnosis
    evidence: Evidence
    method: Method
    measured: Measured
    decision: Decision
    verdict: Verdict | None
    left_alone: str
    marked: bool
    main_voice: Samples
    chosen_voice: Samples


def decide_on(
    region: Region, tools: Tools, profile: Profile, take: ScratchAudio, voice: ScratchAudio
) -> Said:
    """In the order of `nlecompanion.work.work_region`, which only a treatment follows."""
    (use,) = region.uses
    measured = extract_and_split(region, tools.main, take, voice, lambda _: None)
    main_voice = voice.read(0, voice.length_samples)
    diagnosis = diagnose(use, region, measured.measures)
    evidence = evidence_for(use, region, measured, take, voice, tools.main)
    method = choose_method(
        diagnosis.sbr_db, light_sbr_db=profile.light_sbr_db, hostile_sbr_db=profile.hostile_sbr_db
    ).method
    same = method is not Method.LIGHT or tools.light is tools.main
    if not same:
        measured = split_again(region, tools.light, measured, take, voice)
    decision = decide(region, measured, take.read, voice.read, profile)
    kept = keeps(diagnosis, profile)
    silent = diagnosis.speech_s < Fraction(profile.min_speech_s)
    case = Case(
        diagnosis, measured.findings, evidence, method, decision.climb.chosen.readability.mean
    )
    return Said(
        diagnosis=diagnosis,
        evidence=evidence,
        method=method,
        measured=measured,
        decision=decision,
        verdict=None if silent else kept or judge(case, profile),
        left_alone="no speech" if silent else "already good" if kept else "",
        marked=silent and _marked(use, region, measured, diagnosis),
        main_voice=main_voice,
        chosen_voice=main_voice if same else voice.read(0, voice.length_samples),
    )


def _marked(use: Use, region: Region, measured: Measured, diagnosis: Diagnosis) -> bool:
    """Whether a use without speech gets a marker in a cut whose other speech is as loud as ours."""
    found = hints(hinted_s(use, region, measured.measures), measured.findings)
    alone = UseReport(use, LeftAlone(Reason.NO_SPEECH, ""), diagnosis, evidence=found)
    spoken = Diagnosis((), Fraction(1), "mixture", SPEECH_LEVEL_DB, None, None)
    return mark_dialogue([alone, UseReport(use, None, spoken)], (), ())[0].marked


def _against_truth(wanted: Wanted, made: Mixture, said: Said) -> Judged:
    truth = Truth(made.voice, said.main_voice, made.mix - said.main_voice, made.speech, RATE_HZ)
    own = Truth(made.voice, said.chosen_voice, made.mix - said.chosen_voice, made.speech, RATE_HZ)
    intensity_db = 0.0 if said.left_alone else said.decision.intensity_db
    pesq_at = sorted({*_PESQ_DB, intensity_db}) if wanted.pesq else []
    same = said.main_voice is said.chosen_voice
    stoi = {db: truth.stoi(db) for db in sorted({*RUNGS_DB, intensity_db})}
    pesq = {db: truth.pesq(db) for db in pesq_at}
    recipe = wanted.recipe
    hurt = [f"{k} {v:g}" for k, v in (("drive", recipe.drive_db), ("clip", recipe.clip_db)) if v]
    return Judged(
        name=" ".join([recipe.voices[0], recipe.music or "", recipe.noise or "",
                       recipe.rir or "", *hurt, recipe.codec or ""]),
        planted=wanted.planted,
        true_sbr_db=made.sbr_db,
        diagnosis=said.diagnosis,
        evidence=said.evidence,
        risk=risk(said.evidence),
        moment_sbr_db=said.decision.moment.sbr_db,
        moment_heard=said.decision.moment.heard,
        method=said.method,
        verdict=said.verdict,
        left_alone=said.left_alone,
        marked=said.marked,
        intensity_db=intensity_db,
        readable=said.decision.climb.readable,
        stoi=stoi,
        pesq=pesq,
        own_stoi=stoi if same else {db: own.stoi(db) for db in stoi},
        own_pesq=pesq if same else {db: own.pesq(db) for db in pesq_at},
        harmed=_harmed(made.mix, said) if wanted.pesq else {},
    )  # fmt: skip


def _harmed(mix: Samples, said: Said) -> dict[float, bool]:
    """By fixed intensity: whether a harm gate fails on the split that the tool took."""
    voice, limits = said.chosen_voice, said.decision.climb.limits
    ref = reference(analyse(voice, mix - voice, said.measured.speech, RATE_HZ))
    return {db: not inspect(ref, ref.spectra.output(db), limits).passed for db in FIXED_DB}


@dataclass(frozen=True, slots=True)
class NobodySpeaks:
    """What the tool made of sound without a voice: `flagged` on a track that says nothing of its
    kind, `marked` on one that says dialogue."""

    name: str
    speech_s: float
    flagged: bool
    marked: bool


def quiet_pieces(audio: Path, part: Part, count: int) -> list[tuple[str, ...]]:
    """Every piece of music and noise alone, and `count` pairs; none with people in them."""
    music, noise = ([n for n in pieces(audio, kind, part) if not any(w in n for w in _PEOPLE)]
                    for kind in ("music", "noise"))  # fmt: skip
    rng = np.random.default_rng(3)
    pairs = [(music[int(rng.integers(len(music)))], noise[int(rng.integers(len(noise)))])
             for _ in range(count)]  # fmt: skip
    return [*((name,) for name in (*music, *noise)), *pairs]


def judge_quiet(
    audio: Path, names: tuple[str, ...], tools: Tools, profile: Profile, folder: Path
) -> NobodySpeaks:
    """8 s of the pieces together, at a level drawn from their names."""
    rng = np.random.default_rng([ord(letter) for letter in "".join(names)])
    sound = np.zeros((int(LENGTH_S * RATE_HZ), 1), np.float32)
    for name in names:
        piece = load(audio / name, 1)
        start = int(rng.integers(max(1, len(piece) - len(sound))))
        part = np.resize(piece[start : start + len(sound)], sound.shape)
        level_db = 10 * np.log10(np.square(part, dtype=np.float64).mean() + 1e-12)
        sound += part * np.float32(10 ** ((rng.uniform(*_QUIET_DB) - level_db) / 20))
    region = region_of(np.clip(sound, -1, 1), RATE_HZ, folder / "quiet.wav")
    with (
        ScratchAudio.create(folder / "take.f32", RATE_HZ, 1) as take,
        ScratchAudio.create(folder / "voice.f32", RATE_HZ, 1) as voice,
    ):
        said = decide_on(region, tools, profile, take, voice)
    flagged = (
        not said.left_alone
        and said.verdict is not None
        and said.verdict.ruling in {Ruling.UNFIXABLE, Ruling.WARN}
    )
    speech_s = float(said.diagnosis.speech_s)
    return NobodySpeaks(" ".join(names), speech_s, flagged, flagged or said.marked)
