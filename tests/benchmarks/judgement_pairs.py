"""Planted pairs: a natural, noisier output against a robotic, very quiet one of the same take.

The gates judge both by the split that the engine made, as they do in the ladder; the truth makes
the harm only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from testkit.mixtures import RATE_HZ, Part, mixtures, recipes
from testkit.planted import HARMS

from nlecompanion.engines.blocks import split_blocks
from nlecompanion.engines.contract import Engine
from nlecompanion.model import Samples
from nlecompanion.treatment.harm import HarmLimits, inspect, more_natural
from nlecompanion.treatment.harm_measures import reference
from nlecompanion.treatment.spectra import analyse, analyse_output

NATURAL_DB = 6.0


@dataclass(frozen=True, slots=True)
class Pair:
    """One comparison; both floors in dB under the voice, None where there is no gap."""

    harm: str
    natural_wins: bool
    natural_floor_db: float | None
    robotic_floor_db: float | None


def judge_pairs(audio: Path, part: Part, count: int, seed: int, engine: Engine) -> Iterator[Pair]:
    """Every planted harm on `count` mixtures between -2 and 12 dB."""
    wanted = recipes(audio, count, part, seed, sbr_db=(-2, 12), length_s=8)
    for made in mixtures(audio, wanted):
        voice = estimate(engine, made.mix)
        ref = reference(analyse(voice, made.mix - voice, made.speech, RATE_HZ))
        natural = inspect(ref, ref.spectra.output(NATURAL_DB), HarmLimits())
        for name, harm in HARMS.items():
            out = harm(made.mix, made.voice, made.speech, RATE_HZ)
            robotic = inspect(ref, analyse_output(out, RATE_HZ), HarmLimits())
            wins = more_natural(natural, robotic) is natural
            wins = wins and more_natural(robotic, natural) is natural
            yield Pair(name, wins, natural.floor_db, robotic.floor_db)


def estimate(engine: Engine, mix: Samples) -> Samples:
    """The engine's voice of a sound at the mixtures' rate."""
    parts = split_blocks(engine, lambda start, end: mix[start:end], len(mix), RATE_HZ, mix.shape[1])
    return np.concatenate([part.voice.samples for part in parts])
