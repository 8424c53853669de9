"""Speech is found where it is; levels are what they are, however the blocks are cut."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from testkit.model import media, use
from testkit.shared import shared

from nlecompanion.diagnosis.diagnose import RegionMeasures, diagnose
from nlecompanion.diagnosis.levels import LevelMeter, hops_of, level_db
from nlecompanion.diagnosis.ratio import steadied_sbr_db
from nlecompanion.diagnosis.speech import SpeechMeter, clip_spans, speech_spans
from nlecompanion.model import Samples, Span
from nlecompanion.timeline.regions import plan_regions


def probabilities(samples: Samples, rate_hz: int, block_samples: int) -> np.ndarray:
    meter = SpeechMeter(rate_hz)
    for start in range(0, len(samples), block_samples):
        meter.push(samples[start : start + block_samples])
    return meter.finish()


def real_speech() -> tuple[Samples, int]:
    path = shared("audio/speech/vctk_p234_005.flac")
    samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    return samples, rate_hz


def test_speech_is_found_between_silences() -> None:
    speech, rate_hz = real_speech()
    silence = np.zeros((3 * rate_hz, speech.shape[1]), np.float32)
    samples = np.concatenate([silence, speech, silence])
    length_s = Fraction(len(samples), rate_hz)
    spans = speech_spans(probabilities(samples, rate_hz, 48_000), length_s)
    assert spans
    assert float(spans[0].start_s) > 2.7
    assert float(spans[-1].end_s) < float(length_s) - 2.5
    assert sum(s.duration_s for s in spans) > Fraction(len(speech), rate_hz) / 2


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
@pytest.mark.parametrize("block_samples", [997, 16_384])
def test_blocks_do_not_matter(rate_hz: int, block_samples: int) -> None:
    generator = np.random.default_rng(1)
    samples = generator.normal(0, 0.1, (rate_hz * 3, 2)).astype(np.float32)
    whole = probabilities(samples, rate_hz, len(samples))
    cut = probabilities(samples, rate_hz, block_samples)
    if rate_hz == 44_100:  # the resampler sees other edges
        assert abs(len(whole) - len(cut)) <= 1
    else:
        np.testing.assert_allclose(cut, whole, atol=1e-5)


@pytest.mark.parametrize("signal", ["silence", "noise", "tone"])
def test_no_speech_in_what_is_none(signal: str) -> None:
    time_s = np.arange(48_000 * 4) / 48_000
    samples = {
        "silence": np.zeros(time_s.size),
        "noise": np.random.default_rng(2).normal(0, 0.1, time_s.size),
        "tone": 0.3 * np.sin(2 * np.pi * 440 * time_s),
    }[signal].astype(np.float32)[:, None]
    assert speech_spans(probabilities(samples, 48_000, 48_000), Fraction(4)) == ()


@settings(max_examples=200)
@given(st.lists(st.floats(0, 1), max_size=200))
def test_spans_are_in_order_and_inside(values: list[float]) -> None:
    length_s = len(values) * Fraction(32, 1000)
    spans = speech_spans(np.array(values, np.float32), length_s)
    previous_s = Fraction(0)
    for span in spans:
        assert span.start_s >= previous_s
        assert span.duration_s > 0
        previous_s = span.end_s
    assert previous_s <= length_s


def test_clipping_spans_to_a_window() -> None:
    spans = [Span(Fraction(1), Fraction(2)), Span(Fraction(5), Fraction(1))]
    window = Span(Fraction(2), Fraction(3))
    assert clip_spans(spans, window) == (Span(Fraction(0), Fraction(1)),)


def test_levels_of_a_full_scale_sine() -> None:
    time_s = np.arange(48_000) / 48_000
    sine = np.sin(2 * np.pi * 100 * time_s).astype(np.float32)[:, None]
    meter = LevelMeter(48_000)
    for start in range(0, 48_000, 777):
        meter.push(sine[start : start + 777])
    powers = meter.finish()
    assert powers.size == 50
    assert level_db(powers, np.ones(50, bool)) == pytest.approx(-3.01, abs=0.01)
    assert level_db(powers, np.zeros(50, bool)) is None


def test_the_ratio_of_a_known_split_is_measured() -> None:
    one = use(start_s=10, duration_s=4)
    (region,) = plan_regions([one], {one.media_url: media()}, Fraction(2), 48_000)
    hops = 8 * 50
    voice = np.full(hops, 0.01)
    background = np.full(hops, 0.001)
    speech = (Span(Fraction(3), Fraction(2)),)
    measures = RegionMeasures(speech, voice + background, None, voice, background)
    diagnosis = diagnose(one, region, measures)
    assert diagnosis.sbr_split_db == pytest.approx(10)
    assert diagnosis.sbr_gaps_db == pytest.approx(0)
    assert diagnosis.sbr_db == steadied_sbr_db(diagnosis.sbr_split_db, diagnosis.sbr_gaps_db)
    assert diagnosis.speech == (Span(Fraction(1), Fraction(2)),)
    assert diagnosis.speech_level_db == pytest.approx(-20)


@pytest.mark.parametrize(("residue", "found"), [(0.5, True), (1e-4, False)])
def test_speech_that_only_the_split_shows_counts_unless_it_is_residue(
    residue: float, found: bool
) -> None:
    one = use(start_s=10, duration_s=4)
    (region,) = plan_regions([one], {one.media_url: media()}, Fraction(2), 48_000)
    mixture = np.full(8 * 50, 0.01)
    heard = (Span(Fraction(3), Fraction(2)),)
    measures = RegionMeasures((), mixture, heard, mixture * residue, mixture * (1 - residue))
    diagnosis = diagnose(one, region, measures)
    assert bool(diagnosis.speech) is found
    assert diagnosis.found_in == "voice"


def test_hops_lie_wholly_inside() -> None:
    inside = hops_of([Span(Fraction(1, 100), Fraction(5, 100))], 10)
    assert inside.tolist() == [False, True, True] + [False] * 7
