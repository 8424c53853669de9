"""What the sound scores after each step: against the truth where it is known, and blind.

DNSMOS hears level as quality, so that every step is judged at the same loudness of speech.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np
from benchmarks.room_chain import STEPS, Worked
from benchmarks.room_limits import floor_of, speech_lufs
from benchmarks.separation_metrics import Mono, score

from nlecompanion.units import gain_from_db

_JUDGED_LUFS = -23.0
#: Everything a step is scored by, in the order of the table.
MEASURES = ("pesq", "stoi", "sig", "bak", "ovrl", "loudness_lufs", "floor_dbfs")


@dataclass(frozen=True, slots=True)
class StepScore:
    """One clip after one step; None where it cannot be measured."""

    clip: str
    group: str
    step: str
    pesq: float | None
    stoi: float | None
    sig: float | None
    bak: float | None
    ovrl: float | None
    loudness_lufs: float | None
    floor_dbfs: float | None


def scores_of(worked: Worked, group: str, truth: Mono | None) -> list[StepScore]:
    """All steps of a region; `truth` is the clean voice, of the region's length."""
    found = []
    for step in STEPS:
        loudness_lufs = speech_lufs(worked, step)
        gain_db = 0.0 if loudness_lufs is None else _JUDGED_LUFS - loudness_lufs
        sound = worked.sounds[step].mean(axis=1) * np.float32(gain_from_db(gain_db))
        # Without a truth only the blind scores mean anything.
        measured = score(sound, sound if truth is None else truth, worked.region.rate_hz)
        floor = floor_of(worked, step)
        found.append(
            StepScore(
                worked.name,
                group,
                step,
                None if truth is None else measured.pesq,
                None if truth is None else measured.stoi,
                measured.sig,
                measured.bak,
                measured.ovrl,
                loudness_lufs,
                None if floor is None else floor.level_db,
            )
        )
    return found


def means(scores: Sequence[StepScore]) -> list[StepScore]:
    """A line a group and step."""
    lines = []
    for group in dict.fromkeys(found.group for found in scores):
        for step in STEPS:
            chosen = [s for s in scores if s.group == group and s.step == step]
            columns = [_mean(getattr(s, key) for s in chosen) for key in MEASURES]
            lines.append(StepScore(f"{len(chosen)} clips", group, step, *columns))
    return lines


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def sig_changes(scores: Sequence[StepScore]) -> list[float]:
    """SIG of the file over that of the split alone, for each clip."""
    by_clip: dict[str, dict[str, float]] = {}
    for found in scores:
        if found.sig is not None:
            by_clip.setdefault(found.clip, {})[found.step] = found.sig
    return [steps["file"] - steps["split"] for steps in by_clip.values()]


def table(lines: Sequence[StepScore]) -> str:
    """Lines as a Markdown table."""
    names = [f.name for f in fields(StepScore)]
    rows = ["| " + " | ".join(names) + " |", "|---" * len(names) + "|"]
    for line in lines:
        cells = [_cell(getattr(line, name), name) for name in names]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _cell(value: str | float | None, name: str) -> str:
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    digits = {"stoi": 3, "loudness_lufs": 1, "floor_dbfs": 1}.get(name, 2)
    return f"{value:.{digits}f}"
