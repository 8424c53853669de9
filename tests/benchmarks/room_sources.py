"""What is measured on: mixtures whose voice is known, and film and interview sound."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile
from benchmarks.room_chain import RATE_HZ, Tools, Worked, stretch, surroundings, work
from benchmarks.room_limits import Found, limits_of, neighbours, true_voice
from benchmarks.room_scores import StepScore, scores_of
from benchmarks.separation_metrics import Mono

from nlecompanion.media.probe import probe

#: Of a film clip at most this much, from the middle: enough to judge it by.
LONGEST_S = Fraction(20)
_HANDLES_S = Fraction(1, 2)
REVERBERANT = "reverb"


@dataclass(frozen=True, slots=True)
class Mixture:
    """One item of the benchmark's folder."""

    id: str
    condition: str
    path: Path
    clean: Path


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A clip's scores after each step and its limits; `worked` are its regions, in order."""

    group: str
    scores: list[StepScore]
    found: list[Found]
    worked: tuple[Worked, ...]


def mixtures(bench: Path, per_condition: int | None) -> list[Mixture]:
    """The first items of each condition, or all of them."""
    chosen: dict[str, list[Mixture]] = {}
    for entry in json.loads((bench / "meta.json").read_text(encoding="utf-8")):
        name = entry["id"]
        item = Mixture(
            name, entry["cond"], bench / f"{name}_mix.flac", bench / f"{name}_clean.flac"
        )
        chosen.setdefault(item.condition, []).append(item)
    return [item for items in chosen.values() for item in items[:per_condition]]


def film_clips(folder: Path) -> list[Path]:
    """All files with sound."""
    return sorted(path for path in folder.iterdir() if path.suffix != ".txt")


def measure_mixture(item: Mixture, tools: Tools) -> Measured | None:
    """A mixture as one region; None where no speech is found in it."""
    duration_s = probe(item.path).duration_s
    region = stretch(item.path, Fraction(0), duration_s, Fraction(0), f"bench {item.id}")
    (beside,) = surroundings([region], tools.profile)
    worked = work(region, tools, beside)
    if worked is None:
        return None
    truth = _mono(item.clean, region.length_samples)
    dry = REVERBERANT not in item.condition
    return Measured(
        item.condition,
        scores_of(worked, item.condition, truth),
        [*limits_of(worked, dry=dry), *([true_voice(worked, truth)] if dry else [])],
        (worked,),
    )


def measure_film(path: Path, tools: Tools) -> Measured:
    """A clip cut in two, as an editor would: two regions of one place, one tone."""
    duration_s = probe(path).duration_s
    length_s = min(duration_s, LONGEST_S)
    start_s = (duration_s - length_s) / 2
    cuts_s = (start_s, start_s + length_s / 2, start_s + length_s)
    found: list[Found] = []
    scores: list[StepScore] = []
    done: list[Worked] = []
    regions = [
        stretch(path, first_s, last_s, _HANDLES_S, f"{path.stem} {number}")
        for number, (first_s, last_s) in enumerate(pairwise(cuts_s), start=1)
    ]
    for region, beside in zip(regions, surroundings(regions, tools.profile), strict=True):
        worked = work(region, tools, beside)
        if worked is None:
            continue
        found += limits_of(worked, dry=False)
        scores += scores_of(worked, "film", None)
        done.append(worked)
    if len(done) == 2:
        found += neighbours(*done)
    return Measured("film", scores, found, tuple(done))


def _mono(path: Path, length: int) -> Mono:
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    if rate_hz != RATE_HZ:
        raise ValueError(f"{path.name} has {rate_hz} Hz; the benchmark needs {RATE_HZ} Hz")
    mono = samples.mean(axis=1)
    return np.pad(mono, (0, max(0, length - len(mono))))[:length]


def processor_share(measured: Sequence[Measured]) -> float:
    """Processor seconds of the chain for a second of sound, over all clips."""
    every = [worked for one in measured for worked in one.worked]
    return sum(w.treat_s for w in every) / max(sum(w.length_s for w in every), 1e-9)
