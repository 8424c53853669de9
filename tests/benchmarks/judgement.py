"""Are the decisions right? Mixtures with a known truth through the tool's own code.

    python tests/benchmarks/judgement.py [--audio DIR] [--json] [--count N] [--picture FILE]

The folder is laid out like `../shared/audio`: `speech/`, `music/`, `noise/`, `rir/`. Only the test
part of its speakers and pieces is judged; `--fit` prints the weights that the calibration part
gives. Figures stand beside the limits that the project set itself. Two idle cores need about
15 minutes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import cache, partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.judgement_cases import (
    Judged,
    NobodySpeaks,
    Wanted,
    drawn,
    judge_one,
    judge_quiet,
    planted,
    quiet_pieces,
)
from benchmarks.judgement_cost import Cost, diagnose_all, memory_mib, preview_time
from benchmarks.judgement_figures import (
    Curve,
    Figure,
    intensity_figures,
    percent,
    quiet_figures,
    risk_figures,
    route_figures,
    table,
)
from benchmarks.judgement_fit import fitted
from benchmarks.judgement_pairs import Pair, judge_pairs
from benchmarks.judgement_picture import Mark, roc_svg
from benchmarks.judgement_timelines import Found, find, make_timeline
from benchmarks.judgement_truth import missing_packages

from nlecompanion.settings import Profile, Settings, load_profile
from nlecompanion.work import Tools

DEFAULT_AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"
#: Other draws than those that the weights come from.
TEST_SEED, FIT_SEED = 11, 5
TEST_COUNT, FIT_COUNT = 180, 232
WORST_TENTH, MAX_PREVIEW_S, MAX_COST = 90.0, 15.0, 0.05
#: Memory may grow by the few values an instant that are kept, 1 MiB a minute at most.
MAX_MIB_A_MINUTE = 1.0
_MEMORY_S = (60, 600)


@cache
def tools(engine: str) -> Tools:
    """As the pipeline makes them; once a process."""
    from nlecompanion.engines.threads import settle_threads
    from nlecompanion.plugins import engine_factory
    from nlecompanion.work.tasks_opened import engines_for

    names = [found.name for found in engines_for(Settings(engine=engine))]
    main, light = (engine_factory(name).create() for name in names)
    # One thread: the processes already fill the cores.
    settle_threads()
    return Tools(main, light)


def _judge(wanted: Wanted, audio: Path, engine: str, profile: Profile) -> Judged:
    with tempfile.TemporaryDirectory() as folder:
        return judge_one(audio, wanted, tools(engine), profile, Path(folder))


def _quiet(names: tuple[str, ...], audio: Path, engine: str, profile: Profile) -> NobodySpeaks:
    with tempfile.TemporaryDirectory() as folder:
        return judge_quiet(audio, names, tools(engine), profile, Path(folder))


def _timeline(seed: int, audio: Path, engine: str) -> Found:
    with tempfile.TemporaryDirectory() as folder:
        return find(make_timeline(audio, "test", seed, Path(folder)), tools(engine).main)


def hardest_figures(found: Sequence[Found]) -> list[Figure]:
    """How often the chosen window is among the truly worst tenth."""
    spoken = [f for f in found if f.harder_by_sbr is not None and f.harder_by_stoi is not None]
    figures = []
    for name, values in (
        ("by true SBR", [f.harder_by_sbr for f in found]),
        ("by STOI of the untouched mixture", [f.harder_by_stoi for f in found]),
    ):
        inside = [value is not None and value < 0.1 for value in values]
        note = f"of {len(found)} timelines, {len(found) - len(spoken)} chosen without speech"
        figures.append(Figure(f"hardest window in the worst tenth {name}", percent(inside), "%",
                              WORST_TENTH, note=note))  # fmt: skip
    return figures


def pair_figures(pairs: Sequence[Pair]) -> list[Figure]:
    """Every planted pair must go to the natural one."""
    quieter = [
        p.robotic_floor_db is not None
        and p.natural_floor_db is not None
        and p.robotic_floor_db < p.natural_floor_db
        for p in pairs
    ]
    note = f"of {len(pairs)}; the robotic one is quieter in {sum(quieter)}"
    return [Figure("planted pairs to the natural one", percent([p.natural_wins for p in pairs]),
                   "%", 100.0, note=note)]  # fmt: skip


def cost_figures(audio: Path, engine: str) -> list[Figure]:
    """Diagnosis beside the split, its memory, and the preview of ten minutes."""
    diagnose_all(4, 1)  # the first run pays for imports and models
    costs: list[Cost] = [diagnose_all(120, channels) for channels in (1, 2)]
    low, high = (memory_mib(seconds, 2) for seconds in _MEMORY_S)
    minutes = (_MEMORY_S[1] - _MEMORY_S[0]) / 60
    figures = [
        Figure(f"diagnosis, {cost.channels} channel(s)", cost.times_real_time, "x real time",
               MAX_COST, at_most=True, digits=3, note="processor time")
        for cost in costs
    ]  # fmt: skip
    figures.append(
        Figure("memory of diagnosis", (high - low) / minutes, "MiB a minute of sound",
               MAX_MIB_A_MINUTE, at_most=True, digits=2,
               note=f"peak {low:.0f} MiB at {_MEMORY_S[0]} s, {high:.0f} MiB at {_MEMORY_S[1]} s")
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        made = make_timeline(audio, "test", TEST_SEED, Path(folder))
        took = preview_time(made.document, engine, Path(folder))
    note = f"processor {took.processor_s:.1f} s; load {took.load:.1f} on {took.cores} cores"
    figures.append(
        Figure("preview of a 10-minute timeline", took.wall_s, "s", MAX_PREVIEW_S, at_most=True,
               note=note)
    )  # fmt: skip
    return figures


def write_picture(curve: Curve, path: Path, profile: Profile) -> None:
    """The ROC curve as SVG."""
    area = "unknown" if curve.area is None else f"{curve.area:.3f}"
    mark = Mark(*curve.working, f"risk {profile.unfixable_risk:g}")
    svg = roc_svg(curve.false, curve.found, f"Beyond saving? Area {area}", [mark])
    path.write_text(svg, encoding="utf-8")


def measure(options: argparse.Namespace, pool: ProcessPoolExecutor) -> dict[str, Any]:
    """Everything, in order; the workers share the mixtures out, their order is kept."""
    audio, engine = options.audio, options.engine
    profile = load_profile(options.profile)
    judge = partial(_judge, audio=audio, engine=engine, profile=profile)
    wanted = drawn(audio, "test", options.count, TEST_SEED)
    hopeless = planted(audio, "test", max(2, options.count // 10), TEST_SEED + 20)
    every = list(pool.map(judge, [*wanted, *hopeless]))
    rows, planted_rows = every[: len(wanted)], every[len(wanted) :]
    silent = quiet_pieces(audio, "test", options.count // 6)
    quiet = list(pool.map(partial(_quiet, audio=audio, engine=engine, profile=profile), silent))
    seeds = range(TEST_SEED, TEST_SEED + options.timelines)
    found = list(pool.map(partial(_timeline, audio=audio, engine=engine), seeds))
    pairs = list(judge_pairs(audio, "test", 12, TEST_SEED, tools(engine).main))
    routes, confusion = route_figures(rows, profile)
    flags, curve = risk_figures(rows, planted_rows, profile)
    figures = [
        *routes,
        *hardest_figures(found),
        *intensity_figures(rows),
        *flags,
        *quiet_figures(quiet),
        *pair_figures(pairs),
        *cost_figures(audio, engine),
    ]
    if options.picture:
        write_picture(curve, options.picture, profile)
    return {
        "engine": tools(engine).main.info.name,
        "profile": profile.name,
        "figures": [figure.plain() for figure in figures],
        "table": table(figures),
        "routes": confusion,
        "curve": asdict(curve),
        "mixtures": [_plain(row) for row in every],
        "quiet": [asdict(one) for one in quiet],
        "timelines": [asdict(one) for one in found],
        "pairs": [asdict(pair) for pair in pairs],
    }


def _plain(row: Judged) -> dict[str, Any]:
    return {
        "name": row.name,
        "planted": row.planted,
        "true_sbr_db": row.true_sbr_db,
        "measured_sbr_db": row.diagnosis.sbr_db,
        "evidence": row.evidence.receipt_values(),
        "risk": round(row.risk, 3),
        "method": row.method.value,
        "ruling": row.left_alone or (row.verdict.ruling.value if row.verdict else ""),
        "marked": row.marked,
        "intensity_db": row.intensity_db,
        "own_stoi": {f"{db:g}": round(value, 4) for db, value in row.own_stoi.items()},
        "own_pesq": {f"{db:g}": round(value, 3) for db, value in row.own_pesq.items()},
        "harmed": {f"{db:g}": value for db, value in row.harmed.items()},
        "stoi": {f"{db:g}": round(value, 4) for db, value in row.stoi.items()},
        "pesq": {f"{db:g}": round(value, 3) for db, value in row.pesq.items()},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--audio", type=Path, default=DEFAULT_AUDIO)
    parser.add_argument("--json", action="store_true", help="every figure of every mixture")
    parser.add_argument("--count", type=int, help="mixtures to judge or to fit")
    parser.add_argument("--timelines", type=int, default=20, help="timelines of ten minutes")
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--profile", default="exposed")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="the ROC curve as SVG")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    parser.add_argument(
        "--fit", action="store_true", help="print the weights that the calibration part gives"
    )
    options = parser.parse_args()
    if options.count is None:
        options.count = FIT_COUNT if options.fit else TEST_COUNT
    return options


def main() -> None:
    """Measures and prints."""
    options = _options()
    if not (options.audio / "speech").is_dir():
        print(f"Skipped: {options.audio} is missing; --audio DIR names a folder like it.")
        return
    if missing_packages():
        print(f"Skipped for want of packages: pip install {' '.join(missing_packages())}")
        return
    # Fresh processes: a fork would take over locks of models that are in use.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.workers, mp_context=context) as pool:
        if options.fit:
            wanted = drawn(options.audio, "calibration", options.count, FIT_SEED, pesq=False)
            judge = partial(
                _judge,
                audio=options.audio,
                engine=options.engine,
                profile=load_profile(options.profile),
            )
            print(json.dumps(fitted(list(pool.map(judge, wanted))), indent=1))
            return
        result = measure(options, pool)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"Engine {result['engine']}, profile {result['profile']}\n\n{result['table']}\n")
    print(result["routes"])


if __name__ == "__main__":
    main()
