"""Speech that the mixture hides: where it counts, and what is only a hint of it."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from testkit.model import media, use

from nlecompanion.diagnosis.diagnose import (
    RegionMeasures,
    diagnose,
    hinted_s,
    speech_in,
    speech_of,
)
from nlecompanion.model import Region, Span

RATE_HZ = 48_000
HOPS_A_SECOND = 50


def span(start_s: float, duration_s: float) -> Span:
    return Span(Fraction(start_s), Fraction(duration_s))


def region() -> Region:
    """20 s with a use in its first half and one in its second."""
    uses = tuple(
        replace(use(n + 1), source=span(10 * n, 10), record=span(10 * n, 10)) for n in range(2)
    )
    return Region("r", media(), (0,), RATE_HZ, 0, 20 * RATE_HZ, uses, None, Fraction(0))


def measures(
    speech: tuple[Span, ...],
    voice_speech: tuple[Span, ...] | None,
    voice_db: float = -10.0,
    hints: tuple[Span, ...] = (),
) -> RegionMeasures:
    powers = np.full(20 * HOPS_A_SECOND, 1e-3)
    voice = powers * 10 ** (voice_db / 10)
    return RegionMeasures(speech, powers, voice_speech, voice, powers - voice, hints)


def test_a_hidden_voice_counts_beside_speech_that_is_heard_elsewhere() -> None:
    found = measures((span(1, 4),), (span(2, 2), span(12, 3)))
    first, second = region().uses
    assert speech_of(first, region(), found) == ((span(1, 4),), "mixture")
    assert speech_of(second, region(), found) == ((span(2, 3),), "voice")
    assert speech_in(region(), found) == (span(1, 4), span(12, 3))
    assert diagnose(second, region(), found).speech_s == 3


def test_overlapping_stretches_are_one() -> None:
    both = replace(region(), uses=(replace(use(), source=span(0, 20), record=span(0, 20)),) * 2)
    found = measures((), (span(2, 4), span(5, 3)))
    assert speech_in(both, found) == (span(2, 6),)


@pytest.mark.parametrize(("voice_db", "heard"), [(-29.0, True), (-31.0, False)])
def test_residue_of_a_split_is_no_voice(voice_db: float, *, heard: bool) -> None:
    found = measures((), (span(2, 4),), voice_db)
    assert bool(speech_in(region(), found)) is heard


@pytest.mark.parametrize(
    ("duration_s", "voice_db", "heard"),
    [(0.9, -36.0, False), (0.9, -34.0, True), (1.1, -36.0, True)],
)
def test_a_moment_that_only_the_detector_hears_is_none(
    duration_s: float, voice_db: float, *, heard: bool
) -> None:
    found = measures((span(2, duration_s),), None, voice_db)
    assert bool(speech_in(region(), found)) is heard
    assert speech_in(region(), RegionMeasures((span(2, duration_s),), found.powers)) != ()


def test_syllables_in_the_split_of_music_are_hints() -> None:
    found = measures((), (span(2, 0.9),), hints=(span(5, 0.5), span(15, 0.25)))
    first, second = region().uses
    assert speech_in(region(), found) == ()
    assert float(hinted_s(first, region(), found)) == pytest.approx(1.4)
    assert float(hinted_s(second, region(), found)) == pytest.approx(0.25)


def test_in_a_short_use_half_of_it_is_enough() -> None:
    short = replace(use(), source=span(2, 1), record=span(2, 1))
    found = measures((), (span(2, 0.6),))
    assert speech_of(short, replace(region(), uses=(short,)), found)[0] == (span(0, 0.6),)
