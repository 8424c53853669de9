"""A region as it was recorded, before anything is split: where somebody speaks, and how loud it is.

One pass over the sound. It tells where the hardest moment may lie, and which of a place's regions
has the best room tone.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from nlecompanion.diagnosis.diagnose import window_within
from nlecompanion.diagnosis.levels import LevelMeter
from nlecompanion.diagnosis.moments import Moment, Track, moments, windows_in
from nlecompanion.diagnosis.speech import SpeechMeter, speech_spans
from nlecompanion.media.extract import read_region
from nlecompanion.model import Region


@dataclass(frozen=True, slots=True, eq=False)
class Listened:
    """What one pass over a region's sound as recorded gives, whatever its uses.

    `probabilities`: the speech detector's, one every 32 ms; `powers`: one every 20 ms.
    """

    probabilities: NDArray[np.float32]
    powers: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """One region as its mixture is heard, and its windows, the hardest first."""

    region: Region
    track: Track
    ranked: tuple[Moment, ...]


def listen(region: Region) -> Listened:
    """One pass over the region's sound as recorded; memory holds what was measured, not the sound.

    Raises:
        MediaError, ProgramFailed: its sound cannot be read.
    """
    speech, levels = SpeechMeter(region.rate_hz), LevelMeter(region.rate_hz)
    for block in read_region(
        region.media, region.channels, region.rate_hz, region.start_sample, region.end_sample
    ):
        speech.push(block)
        levels.push(block)
    return Listened(speech.finish(), levels.finish())


def survey_of(region: Region, heard: Listened) -> Survey:
    """What was heard, seen from the region's uses."""
    length_s = Fraction(region.length_samples, region.rate_hz)
    spans = speech_spans(heard.probabilities, length_s)
    track = Track(spans, heard.probabilities, heard.powers)
    windows = windows_in(window_within(use, region) for use in region.uses)
    return Survey(region, track, moments(track, windows))


def survey(region: Region) -> Survey:
    """Both in one.

    Raises:
        MediaError, ProgramFailed: its sound cannot be read.
    """
    return survey_of(region, listen(region))
