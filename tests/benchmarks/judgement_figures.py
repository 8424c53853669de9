"""From judged mixtures to figures: each beside its limit, and whether it is held."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from benchmarks.judgement_cases import FIXED_DB, Judged, NobodySpeaks
from benchmarks.judgement_statistics import area_range, area_under, roc

from nlecompanion.model import Ruling
from nlecompanion.settings import Profile
from nlecompanion.treatment.method import Method, choose_method
from nlecompanion.verdict.risk import LIMIT_STOI

#: A ratio this near a boundary may go either way.
NEAR_DB = 2.0
#: Clearly fixable: well above the limit, so that a flag there is a mistake beyond dispute.
CLEAR_STOI = 0.75
MIN_ROUTES, MIN_AREA, MIN_FOUND, MAX_FALSE = 90.0, 0.9, 95.0, 5.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. `limit` is None where the figure is told for comparison only."""

    name: str
    value: float | None
    unit: str = ""
    limit: float | None = None
    at_most: bool = False
    note: str = ""
    digits: int = 1

    @property
    def held(self) -> bool | None:
        """Whether the limit is kept; None without one, False where nothing was measured."""
        if self.limit is None:
            return None
        if self.value is None:
            return False
        return self.value <= self.limit if self.at_most else self.value >= self.limit

    def plain(self) -> dict[str, object]:
        """For JSON."""
        return {**asdict(self), "held": self.held}


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| figure | value | limit | held | |", "|---|---:|---:|---|---|"]
    for figure in figures:
        value = "–" if figure.value is None else f"{figure.value:.{figure.digits}f}"
        limit = ""
        if figure.limit is not None:
            limit = f"{'at most' if figure.at_most else 'at least'} {figure.limit:g}"
        held = {None: "", True: "yes", False: "NO"}[figure.held]
        unit = f" {figure.unit}" if figure.unit else ""
        rows.append(f"| {figure.name} | {value}{unit} | {limit} | {held} | {figure.note} |")
    return "\n".join(rows)


def percent(chosen: Sequence[bool] | np.ndarray) -> float | None:
    """Share of true ones in percent; None of nothing."""
    return 100 * float(np.mean(chosen)) if len(chosen) else None


def route_figures(rows: Sequence[Judged], profile: Profile) -> tuple[list[Figure], str]:
    """How often the method is that of the known ratio, and who is taken for whom."""
    counts = {(true, said): 0 for true in Method for said in Method}
    silent = 0
    for row in rows:
        if row.true_sbr_db is None or _near(row.true_sbr_db, profile):
            continue
        counts[_method(row.true_sbr_db, profile), row.method] += 1
        silent += row.left_alone == "no speech"
    total = sum(counts.values())
    right = 100 * sum(counts[m, m] for m in Method) / total if total else None
    figure = Figure("routes right", right, "%", MIN_ROUTES, note=f"of {total}")
    lines = [
        "| true ratio says | " + " | ".join(m.value for m in Method) + " |",
        "|---|" + "---:|" * len(Method),
    ]
    for true in Method:
        cells = " | ".join(str(counts[true, said]) for said in Method)
        lines.append(f"| {true.value} | {cells} |")
    lines.append(f"\nOf the best efforts {silent} are left alone, because nobody is heard in them.")
    return [figure], "\n".join(lines)


def _method(sbr_db: float, profile: Profile) -> Method:
    return choose_method(
        sbr_db, light_sbr_db=profile.light_sbr_db, hostile_sbr_db=profile.hostile_sbr_db
    ).method


def _near(sbr_db: float, profile: Profile) -> bool:
    bounds_db = (profile.light_sbr_db, profile.hostile_sbr_db)
    return any(abs(sbr_db - bound_db) < NEAR_DB for bound_db in bounds_db)


def intensity_figures(rows: Sequence[Judged]) -> list[Figure]:
    """What the chosen intensity gives away against the best in hindsight of the split that the
    tool took, beside intensities that are the same for all; and how many of those harm."""
    usable = [r for r in rows if r.best_stoi >= LIMIT_STOI and r.own_pesq and not r.left_alone]
    if not usable:
        return []
    mean_db = float(np.mean([r.intensity_db for r in usable]))
    note = f"of {len(usable)} that can be saved and are worked on"
    figures = [Figure("intensity chosen, mean", mean_db, "dB", note=note)]
    policies: list[tuple[str, list[float]]] = [("chosen", [r.intensity_db for r in usable])]
    policies += [(f"fixed {db:g} dB", [db] * len(usable)) for db in FIXED_DB]
    policies.append(("fixed at the chosen mean", [mean_db] * len(usable)))
    for name, wanted in policies:
        pairs = list(zip(usable, wanted, strict=True))
        lost = [max(r.own_stoi.values()) - _at(r.own_stoi, db) for r, db in pairs]
        dull = [max(r.own_pesq.values()) - _at(r.own_pesq, db) for r, db in pairs]
        harmed = [r.harmed[db] for r, db in pairs if db in r.harmed and name != "chosen"]
        worst = f"worst tenth {np.percentile(lost, 90):.3f}"
        if harmed:
            worst += f"; a harm gate fails on {100 * np.mean(harmed):.0f} %"
        figures.append(Figure(f"regret in STOI, {name}", _mean(lost), digits=4, note=worst))
        figures.append(Figure(f"regret in PESQ, {name}", _mean(dull), digits=3))
    light = [r for r in usable if r.method is Method.LIGHT]
    given = [max(r.stoi.values()) - max(r.own_stoi.values()) for r in light]
    figures.append(
        Figure("given away in STOI by light clean-up without a model", _mean(given), digits=4,
               note=f"of {len(light)}, at the best intensity of both")
    )  # fmt: skip
    return figures


def _at(scores: Mapping[float, float], intensity_db: float) -> float:
    known = sorted(scores)
    return float(np.interp(intensity_db, known, [scores[db] for db in known]))


def quiet_figures(found: Sequence[NobodySpeaks]) -> list[Figure]:
    """False flags on sound in which nobody speaks."""
    note = f"of {len(found)}; speech is heard in {sum(f.speech_s > 0 for f in found)}"
    return [
        Figure("false flags on sound without speech", percent([f.flagged for f in found]), "%",
               MAX_FALSE, at_most=True, note=note),
        Figure("the same on a track that says dialogue", percent([f.marked for f in found]), "%",
               MAX_FALSE, at_most=True, note="markers for hidden voices included"),
    ]  # fmt: skip


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if values else None


@dataclass(frozen=True, slots=True)
class Curve:
    """The ROC curve's points and the working point of the profile."""

    false: tuple[float, ...]
    found: tuple[float, ...]
    area: float | None
    working: tuple[float, float]


def risk_figures(
    rows: Sequence[Judged], planted: Sequence[Judged], profile: Profile
) -> tuple[list[Figure], Curve]:
    """The area under the curve, planted ones found, false flags; drawn rows and planted ones."""
    lost = np.array([r.best_stoi < LIMIT_STOI for r in rows])
    chance = np.array([r.risk for r in rows])
    false, found, _ = roc(chance, lost)
    area, within = area_under(false, found), area_range(chance, lost)
    flagged = chance >= profile.unfixable_risk
    clear = np.array([r.best_stoi > CLEAR_STOI for r in rows])
    truly = [r for r in planted if r.best_stoi < LIMIT_STOI]
    interval = f", 95 % interval {within[0]:.3f} to {within[1]:.3f}" if within else ""
    figures = [
        Figure("area under the ROC curve", area, limit=MIN_AREA, digits=3,
               note=f"{lost.sum()} of {len(rows)} are beyond saving{interval}"),
        Figure("planted unfixables found", percent([_handed_over(r, profile) for r in truly]), "%",
               MIN_FOUND, note=_planted_note(truly, planted, profile)),
        Figure("the same by the whole path, on a dialogue track",
               percent([_told(r) for r in truly]), "%", MIN_FOUND, note=_path_note(truly)),
        Figure("false flags on clearly fixable", percent(flagged[clear]), "%", MAX_FALSE,
               at_most=True, note=f"of {clear.sum()} with a best STOI over {CLEAR_STOI:g}"),
        Figure("false flags on all fixable", percent(flagged[~lost]), "%",
               note=f"of {(~lost).sum()}, those just above the limit included"),
        Figure("drawn unfixables found", percent(flagged[lost]), "%",
               note=f"of {lost.sum()}, those just under the limit included"),
    ]  # fmt: skip
    working = (float(flagged[~lost].mean()) if (~lost).any() else 0.0,
               float(flagged[lost].mean()) if lost.any() else 0.0)  # fmt: skip
    return figures, Curve(tuple(false), tuple(found), area, working)


def _handed_over(row: Judged, profile: Profile) -> bool:
    return row.risk >= profile.unfixable_risk


def _planted_note(truly: Sequence[Judged], every: Sequence[Judged], profile: Profile) -> str:
    parts = [f"{len(truly)} of {len(every)} planted are truly beyond saving"]
    for kind in dict.fromkeys(r.planted for r in truly):
        own = [r for r in truly if r.planted == kind]
        parts.append(f"{kind} {sum(_handed_over(r, profile) for r in own)}/{len(own)}")
    return "; ".join(parts)


def _told(row: Judged) -> bool:
    """Whether an editor is told: ruled unfixable, or marked as hiding a voice."""
    ruled = row.verdict is not None and row.verdict.ruling is Ruling.UNFIXABLE
    return row.marked or (ruled and not row.left_alone)


def _path_note(truly: Sequence[Judged]) -> str:
    silent = [r for r in truly if r.left_alone]
    parts = [f"{sum(_told(r) for r in truly) - sum(r.marked for r in silent)} ruled unfixable",
             f"{sum(r.marked for r in silent)} marked as hiding a voice"]  # fmt: skip
    for kind in dict.fromkeys(r.planted for r in truly):
        own = [r for r in truly if r.planted == kind]
        parts.append(f"{kind} {sum(_told(r) for r in own)}/{len(own)}")
    return "; ".join(parts)
