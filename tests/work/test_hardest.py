"""The hardest moment over all regions: what is split, and what is chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from testkit.engines import TestedEngine
from testkit.mixtures import RATE_HZ, Mixture, build, recipes
from testkit.regions import region_of
from testkit.shared import shared
from testkit.sound import as_samples, noise

from nlecompanion.diagnosis.moments import Moment, Track
from nlecompanion.engines.contract import Geometry
from nlecompanion.engines.passthrough import Passthrough
from nlecompanion.model import Region, Samples, Span, Take
from nlecompanion.work.hardest import candidates, find_hardest, joined
from nlecompanion.work.survey import Survey, survey


def span(start_s: float, duration_s: float = 8) -> Span:
    return Span(Fraction(start_s), Fraction(duration_s))


def moment(start_s: float, hardness: float, speech_s: float = 5) -> Moment:
    return Moment(span(start_s), speech_s, None, 0.5, hardness)


def surveyed(region: Region, ranked: list[Moment], loud_from_s: float = 1e9) -> Survey:
    powers = np.where(np.arange(100 * 50) < loud_from_s * 50, 1e-6, 1e-2)
    return Survey(region, Track((), np.zeros(0, np.float32), powers), tuple(ranked))


@pytest.fixture
def region(tmp_path: Path) -> Region:
    silence = np.zeros((RATE_HZ, 1), np.float32)
    return region_of(silence, RATE_HZ, tmp_path / "short.wav")


def test_all_windows_are_split_where_the_budget_allows(region: Region) -> None:
    every = [moment(start_s, 0.5) for start_s in range(0, 40, 4)]
    ((_, windows),) = candidates([surveyed(region, every)], Fraction(48))
    assert windows == tuple(m.span for m in every)


def test_the_hardest_come_first_and_overlaps_cost_nothing(region: Region) -> None:
    ranked = [moment(20, 0.9), moment(24, 0.8), moment(0, 0.1)]
    ((_, windows),) = candidates([surveyed(region, ranked)], Fraction(12))
    assert windows == (span(20), span(24))


def test_loud_windows_without_speech_are_split_too(region: Region) -> None:
    ranked = [moment(8 * n, 0.5) for n in range(6)]
    ranked += [moment(48, 0.9, speech_s=0), moment(80, 0.9, speech_s=0)]
    found = candidates([surveyed(region, ranked, loud_from_s=80)], Fraction(24))
    assert [w.start_s for w in found[0][1]] == [0, 8, 80]


def test_regions_share_one_budget(region: Region) -> None:
    other = replace(region, id="region-2")
    surveys = [surveyed(region, [moment(0, 0.2)]), surveyed(other, [moment(0, 0.7)])]
    ((chosen, _),) = candidates(surveys, Fraction(8))
    assert chosen.region.id == "region-2"


def test_joined_stretches_cover_what_the_spans_cover() -> None:
    spans = [span(10, 4), span(0, 8), span(4, 8), span(14, 1), span(20, 0)]
    assert joined(spans) == (span(0, 15), span(20, 0))
    assert joined([]) == ()


def hard_and_easy(folder: Path) -> tuple[Mixture, Mixture]:
    hard, easy = (
        build(
            folder,
            recipes(folder, 1, "test", 3, sbr_db=(r, r), length_s=16, kinds=("noise",))[0],
        )
        for r in (-6.0, 18.0)
    )
    return hard, easy


def test_the_hard_scene_is_found_behind_the_easy_one(tmp_path: Path) -> None:
    hard, easy = hard_and_easy(shared("audio"))
    mix = np.concatenate([easy.mix, hard.mix])
    voice = np.concatenate([easy.voice, hard.voice])
    stereo = region_of(np.repeat(mix, 2, axis=1), RATE_HZ, tmp_path / "two scenes.wav")
    engine = TestedEngine("truth", _knows(mix, voice))
    found = find_hardest([stereo], engine, lambda _: None)
    assert found[0].moment.span.start_s >= 16
    assert found[0].moment.sbr_db == pytest.approx(-6, abs=3)
    assert all(take.samples.shape[1] == 1 for take in engine.takes)
    again = find_hardest([stereo], engine, lambda _: None)
    assert [h.moment for h in found] == [h.moment for h in again]


def _knows(mix: Samples, voice: Samples) -> Callable[[Take], Samples]:
    """The voice of any stretch of a mixture, found by its samples."""

    def voice_of(take: Take) -> Samples:
        given = take.samples
        places = np.flatnonzero(mix[: len(mix) - len(given) + 1, 0] == given[0, 0])
        for place in places.tolist():
            if np.allclose(mix[place : place + len(given)], given, atol=1e-6):
                return voice[place : place + len(given)]
        raise AssertionError("not a stretch of the mixture")

    return voice_of


def test_nobody_anywhere_is_no_hardest_moment(tmp_path: Path, region: Region) -> None:
    loud = region_of(as_samples(noise(20)), RATE_HZ, tmp_path / "hiss.wav")
    whole = Geometry(block_samples=RATE_HZ * 60, context_samples=0, fade_samples=0)
    deaf = TestedEngine("deaf", lambda take: np.zeros_like(take.samples), whole)
    assert find_hardest([region, loud], deaf, lambda _: None) == ()
    assert find_hardest([], Passthrough(), lambda _: None) == ()


def test_a_tick_can_stop_the_search(region: Region) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        find_hardest([region], Passthrough(), stop)


def test_a_survey_ranks_every_window_of_every_use(tmp_path: Path) -> None:
    sound = np.zeros((20 * RATE_HZ, 1), np.float32)
    silent = region_of(sound, RATE_HZ, tmp_path / "silent.wav")
    found = survey(silent)
    assert {m.span.start_s for m in found.ranked} == {0, 4, 8, 12}
    assert all(m.speech_s == 0 for m in found.ranked)
