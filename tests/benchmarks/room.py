"""The treatment chain on real sound, before and after each step, and held to its limits.

    python tests/benchmarks/room.py [--bench DIR] [--film DIR] [--all] [--json] [--pictures DIR]

Runs the pipeline's own functions: extraction, split, decision and treatment. On mixtures whose
voice is known (`--per-condition` of each condition, or `--all`) and on film and interview clips,
each cut in two regions of one place. `pip install pesq pystoi speechmos` brings the scores,
`matplotlib` the pictures; what is missing is left out and said.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from benchmarks.room_chain import Tools, Worked
from benchmarks.room_cost import Cost, costs
from benchmarks.room_echo import dry, in_rooms, summary
from benchmarks.room_limits import LIMITS, Found
from benchmarks.room_pictures import can_draw, draw
from benchmarks.room_scores import means, sig_changes, table
from benchmarks.room_sources import (
    Measured,
    film_clips,
    measure_film,
    measure_mixture,
    mixtures,
    processor_share,
)
from benchmarks.separation_metrics import missing_packages

from nlecompanion.engines.contract import Engine
from nlecompanion.plugins import engine_factory
from nlecompanion.settings import load_profile
from nlecompanion.work.limits import chain_limits

_SHARED = Path(__file__).resolve().parents[3] / "shared"
#: DNSMOS SIG of a clip moves by a tenth where nothing audible changes: its mean may sink by this.
SIG_TOLERANCE = 0.05
MOST_TIMES_REAL_TIME = 0.1
#: The largest resident size of the longest sound over that of the next shorter one.
MOST_GROWTH = 1.25


def limit_lines(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Each limit: how many clips hold it, the worst of them, and the mean."""
    lines = []
    for limit in LIMITS:
        every = [one for one in found if one.key == limit.key]
        if not every:
            continue
        worst = (min if limit.least else max)(every, key=lambda one: one.value)
        held = sum(limit.holds(one.value) for one in every)
        lines.append(
            {
                "limit": limit.words,
                "at": limit.value,
                "held": held,
                "of": len(every),
                "mean": float(np.mean([one.value for one in every])),
                "worst": worst.value,
                "clip": worst.clip,
            }
        )
    return lines


def limit_table(lines: Sequence[dict[str, Any]]) -> str:
    """Lines as a Markdown table."""
    rows = ["| limit | at | held | mean | worst | clip |", "|---|---|---|---|---|---|"]
    for line in lines:
        held = f"{line['held']} of {line['of']}"
        cells = (f"{line['at']:g}", held, f"{line['mean']:.2f}", f"{line['worst']:.2f}")
        rows.append(f"| {line['limit']} | {' | '.join(cells)} | {line['clip']} |")
    return "\n".join(rows)


def whole_chain(measured: Sequence[Measured], cost: Sequence[Cost]) -> dict[str, Any]:
    """What is asked of the chain as a whole."""
    changes = sig_changes([score for one in measured for score in one.scores])
    share = processor_share(measured)
    values: dict[str, Any] = {
        "sig_change_mean": float(np.mean(changes)) if changes else None,
        "sig_change_worst": min(changes, default=None),
        "sig_held": not changes or float(np.mean(changes)) >= -SIG_TOLERANCE,
        "chain_times_real_time": share,
        "cost": [asdict(one) for one in cost],
        "cost_held": max([one.times_real_time for one in cost] or [share]) <= MOST_TIMES_REAL_TIME,
    }
    if len(cost) > 1:
        *_, before, last = sorted(cost, key=lambda one: one.minutes)
        values["memory_growth"] = last.peak_mib / before.peak_mib
        values["memory_held"] = values["memory_growth"] <= MOST_GROWTH
    return values


def _worked_lines(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """What was done to each region."""
    return [_line(worked) for one in measured for worked in one.worked]


def _line(worked: Worked) -> dict[str, Any]:
    treated = worked.treated
    return {
        "clip": worked.name,
        "method": worked.method.value,
        "intensity_db": worked.decision.intensity_db,
        "de_echo": treated.chain.de_echo.reason,
        "level_db": treated.level.gain_db,
        "room_tone": treated.tone.reason,
        "room_tone_on": not treated.tone.off,
        "finishing": list(treated.steps.finishing.reasons),
    }


def _echo(engine: Engine, profile_name: str, everything: bool) -> dict[str, Any] | None:
    speech = _SHARED / "audio" / "speech"
    if not speech.is_dir():
        return None
    limits = chain_limits(load_profile(profile_name)).de_echo
    wet = in_rooms(speech, engine, limits, everything=everything)
    found = [*dry(speech, engine, limits), *wet]
    return {"summary": summary(found), "items": [asdict(one) for one in found]}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", type=Path, default=_SHARED / "bench")
    parser.add_argument("--film", type=Path, default=_SHARED / "audio" / "film")
    parser.add_argument("--all", action="store_true", help="all mixtures, rooms and voices")
    parser.add_argument("--per-condition", type=int, default=3)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--profile", default="exposed")
    parser.add_argument("--minutes", default="1,60", help="lengths of made sound; empty: none")
    parser.add_argument("--pictures", type=Path, help="a folder for spectrograms of the film clips")
    parser.add_argument("--no-rooms", action="store_true", help="without de-echo's rooms")
    parser.add_argument("--json", action="store_true", help="every figure of every clip")
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = _options()
    if options.pictures and not can_draw():
        sys.exit("Pictures need matplotlib, which is no dependency: pip install matplotlib")
    engine = engine_factory(options.engine).create()
    light = engine_factory("dsp").create()
    profile = load_profile(options.profile)
    chosen = mixtures(options.bench, None if options.all else options.per_condition)
    measured = [
        found
        for item in chosen
        if (found := measure_mixture(item, Tools(engine, light, profile))) is not None
    ]
    measured += [
        measure_film(path, Tools(engine, light, profile)) for path in film_clips(options.film)
    ]
    minutes = [float(length) for length in options.minutes.split(",") if length]
    limits = limit_lines([found for one in measured for found in one.found])
    whole = whole_chain(measured, costs(minutes))
    rooms = None if options.no_rooms else _echo(engine, options.profile, options.all)
    scores = [score for one in measured for score in one.scores]
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
        for worked in (w for one in measured if one.group == "film" for w in one.worked):
            draw(worked, options.pictures)
    if options.json:
        fields = {
            "engine": engine.info.name,
            "profile": profile.name,
            "missing_packages": missing_packages(),
            "limits": limits,
            "whole": whole,
            "rooms": rooms,
            "clips": _worked_lines(measured),
            "found": [asdict(one) for each in measured for one in each.found],
            "scores": [asdict(score) for score in scores],
        }
        print(json.dumps(fields, indent=1))
        return
    print(table(means(scores)))
    print("\n" + limit_table(limits))
    print("\nwhole chain: " + json.dumps(whole))
    if rooms:
        print("\nde-echo: " + json.dumps(rooms["summary"], indent=1))
    if missing_packages():
        print(f"\nNot measured for want of packages: pip install {' '.join(missing_packages())}")


if __name__ == "__main__":
    main()
