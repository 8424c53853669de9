"""The hardest moment: which windows there are, and in which order they are ranked."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from nlecompanion.diagnosis.moments import (
    Track,
    hardness,
    hardness_unsplit,
    moments,
    windows_in,
)
from nlecompanion.model import Span

HOPS_A_SECOND = 50


def span(start_s: float, duration_s: float) -> Span:
    return Span(Fraction(start_s), Fraction(duration_s))


def track(
    seconds: int, speech: list[Span], voice_db: dict[int, float], background_db: float = -30
) -> Track:
    """A split track; `voice_db` from a second on, the detector hears all speech alike."""
    hops = seconds * HOPS_A_SECOND
    voice = np.full(hops, 1e-12)
    for second, level_db in voice_db.items():
        voice[second * HOPS_A_SECOND :] = 10 ** (level_db / 10)
    background = np.full(hops, 10 ** (background_db / 10))
    probabilities = np.ones(seconds * 32, np.float32)
    return Track(tuple(speech), probabilities, voice + background, voice, background)


@pytest.mark.parametrize("seconds", [8, 9, 12, 13, 30, 61])
def test_windows_cover_a_span_and_end_with_it(seconds: int) -> None:
    windows = windows_in([span(3, seconds)])
    assert windows[0].start_s == 3
    assert windows[-1].end_s == 3 + seconds
    assert {w.duration_s for w in windows} == {Fraction(8)}
    assert all(b.start_s - a.start_s <= 4 for a, b in pairwise(windows))


def test_a_short_span_is_one_window_and_equal_spans_count_once() -> None:
    assert windows_in([span(1, 0.1), span(1, 0.1)]) == (span(1, 0.1),)
    assert windows_in([]) == ()


def test_the_window_with_the_weakest_voice_comes_first() -> None:
    heard = track(24, [span(0, 24)], {0: -20, 8: -35, 16: -25})
    ranked = moments(heard, [span(0, 8), span(8, 8), span(16, 8)])
    assert [m.span.start_s for m in ranked] == [8, 16, 0]
    assert ranked[0].sbr_db == pytest.approx(-5, abs=0.1)


def test_windows_without_speech_come_last_however_loud_they_are() -> None:
    heard = track(24, [span(0, 8), span(16, 0.5)], {0: -20})
    ranked = moments(heard, [span(0, 8), span(8, 8), span(16, 8)])
    assert ranked[0].span == span(0, 8)
    assert [m.speech_s for m in ranked] == [8, 0, 0.5]
    assert ranked[1].sbr_db is None


def test_of_equals_the_earlier_comes_first() -> None:
    heard = track(16, [span(0, 16)], {0: -20})
    ranked = moments(heard, [span(8, 8), span(0, 8)])
    assert [m.span.start_s for m in ranked] == [0, 8]


def test_before_a_split_speech_is_held_against_gaps() -> None:
    powers = np.where(np.arange(800) % 100 < 50, 1e-2, 1e-4)
    speech = tuple(span(second, 1) for second in range(0, 16, 2))
    (found,) = moments(Track(speech, np.ones(512, np.float32), powers), [span(0, 8)])
    assert found.sbr_db == pytest.approx(20, abs=0.1)
    assert found.hardness == hardness_unsplit(found.sbr_db, 1.0)


def test_an_empty_track_is_ranked_too() -> None:
    (found,) = moments(Track((), np.zeros(0, np.float32), np.zeros(0)), [span(0, 0.1)])
    assert (found.sbr_db, found.speech_s, found.heard) == (None, 0, 0)


def test_hardness_falls_with_the_ratio_and_with_what_is_heard() -> None:
    ratios_db = np.arange(-40.0, 60.0, 5)
    hard = [hardness(r) for r in ratios_db]
    assert hard == sorted(hard, reverse=True)
    assert all(0 <= value <= 1 for value in hard)
    assert hardness(None) == hardness(-60) > hardness(0) > hardness(20)
    assert hardness_unsplit(6, 0.1) > hardness_unsplit(6, 0.9) > hardness_unsplit(20, 0.9)


def test_what_may_be_the_background_s_comes_after_what_is_surely_a_voice() -> None:
    """In the second window nobody is heard, and the split holds a voice for 2 s of 8."""
    heard = track(16, [span(0, 8), span(8, 2)], {0: -25, 8: -45})
    probabilities = np.where(np.arange(512) < 250, 1.0, 0.02).astype(np.float32)
    unsure = replace(heard, probabilities=probabilities)
    windows = [span(0, 8), span(8, 8)]
    assert [m.span.start_s for m in moments(heard, windows)] == [8, 0]
    ranked = moments(unsure, windows)
    assert [m.span.start_s for m in ranked] == [0, 8]
    assert [m.doubtful for m in ranked] == [False, True]
    hidden = replace(unsure, speech=(span(0, 8), span(8, 5)))
    assert [m.span.start_s for m in moments(hidden, windows)] == [8, 0]
