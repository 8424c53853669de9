"""The speech intelligibility index: the standard's own figures, and what must hold of sound."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from testkit.mixtures import build, recipes
from testkit.shared import shared
from testkit.windows import RATE_HZ, SPEECH, background_of, voice_of

from nlecompanion.engines.blocks import split_blocks
from nlecompanion.model import Samples, Span
from nlecompanion.plugins import engine_factory
from nlecompanion.treatment.readability import Readability, readability, voice_bands
from nlecompanion.treatment.sii import CENTRES_HZ, IMPORTANCE, NORMAL_SPEECH_DB, sii
from nlecompanion.treatment.spectra import analyse, analyse_output

RUNGS_DB = (0, 3, 6, 9, 12, 15, 18, 24, 30)
QUIET_DB = np.full(18, -50.0)


def index(
    voice: Samples,
    background: Samples,
    intensity_db: float = 0,
    speech: tuple[Span, ...] = SPEECH,
    rate_hz: int = RATE_HZ,
) -> Readability:
    return readability(voice_bands(analyse(voice, background, speech, rate_hz)), intensity_db)


def mean_of(found: Readability) -> float:
    assert found.mean is not None
    return found.mean


@pytest.mark.parametrize(
    ("distance_m", "expected"),
    [(0.5, 1.0), (1, 0.9969), (2, 0.9920), (10, 0.9583), (20, 0.8627)],
)
def test_normal_speech_in_quiet_at_a_distance(distance_m: float, expected: float) -> None:
    # Figures of Muesch's program (S3.5 working group S3-79), binaural: thresholds 1.7 dB lower.
    speech_db = NORMAL_SPEECH_DB - 20 * np.log10(distance_m)
    assert sii(speech_db, QUIET_DB, -1.7) == pytest.approx(expected, abs=1e-4)


def test_a_loud_band_masks_those_above_it() -> None:
    # The working group's test of the one-third octave procedure: 0.445.
    speech_db = np.array([90, 5] + [40] * 12 + [-10] * 4, dtype=float)
    noise_db = np.array([10, -10, -10, 75] + [-10] * 10 + [10] * 4, dtype=float)
    threshold_db = np.array([90] + [0] * 17, dtype=float)
    assert sii(speech_db, noise_db, threshold_db) == pytest.approx(0.445, abs=1e-3)


def test_the_tables_agree_with_their_feet() -> None:
    powers = 10 ** ((NORMAL_SPEECH_DB + 10 * np.log10(CENTRES_HZ) - 6.353) / 10)
    assert 10 * np.log10(powers.sum()) == pytest.approx(62.35, abs=0.01)
    assert IMPORTANCE.sum() == pytest.approx(1)


@pytest.mark.parametrize(("noise_db", "expected"), [(15, 1.0), (0, 0.5), (-15, 0.0), (-30, 0.0)])
def test_noise_of_the_same_spectrum_counts_over_30_db(noise_db: float, expected: float) -> None:
    loud_db = NORMAL_SPEECH_DB + 10
    # The voice's own spread of masking, 24 dB down, takes a little where nothing else does.
    assert sii(loud_db, loud_db - noise_db) == pytest.approx(expected, abs=0.06)


def test_a_clean_voice_is_readable_and_a_drowned_one_is_not() -> None:
    voice = voice_of()
    assert mean_of(index(voice, np.zeros_like(voice))) > 0.98
    assert mean_of(index(voice, background_of(0.05 * 10**1.5))) < 0.01


def test_equal_levels_are_half_readable() -> None:
    # Short-term swings of the noise and spread of masking move it a little from 0.5.
    assert mean_of(index(voice_of(), background_of(0.05))) == pytest.approx(0.5, abs=0.06)


def test_without_leakage_it_rises_with_the_intensity_to_the_top() -> None:
    voice, background = voice_of(), background_of(0.05 * 10 ** (8 / 20))
    found = [index(voice, background, rung) for rung in RUNGS_DB]
    means = [mean_of(f) for f in found]
    assert all(later > earlier for earlier, later in pairwise(means))
    assert means[0] < 0.35
    assert means[-1] > 0.93
    for name in ("quietest_fifth", "word_endings"):
        values = [getattr(f, name) for f in found if getattr(f, name) is not None]
        assert values == sorted(values)


def test_an_intensity_is_a_gain_of_the_background() -> None:
    voice, background = voice_of(), background_of(0.05)
    turned = index(voice, background * np.float32(10 ** (-9 / 20)))
    assert mean_of(index(voice, background, 9)) == pytest.approx(mean_of(turned), abs=0.01)


def test_leakage_ends_the_rise_where_the_leak_alone_stands() -> None:
    clean, noise = voice_of(), background_of(0.1)
    leak = np.float32(10 ** (-12 / 20))
    leaky, rest = clean + leak * noise, (1 - leak) * noise
    means = [mean_of(index(leaky, rest, rung)) for rung in RUNGS_DB]
    floor = mean_of(index(clean, leak * noise))
    assert means[-1] < mean_of(index(clean, noise, 30)) - 0.1
    assert means[-1] == pytest.approx(floor, abs=0.06)
    # At 0 dB the leak and the rest are the whole background again.
    assert means[0] == pytest.approx(mean_of(index(clean, noise)), abs=0.06)
    measured_db = index(leaky, rest).leakage_db
    assert measured_db == pytest.approx(20 * np.log10(leak / (1 - leak)), abs=0.5)


@pytest.mark.parametrize("gain", [0.01, 5.0])
def test_the_level_of_the_recording_does_not_matter(gain: float) -> None:
    voice, background = voice_of(), background_of(0.05)
    scaled = index(voice * np.float32(gain), background * np.float32(gain), 6)
    assert mean_of(scaled) == pytest.approx(mean_of(index(voice, background, 6)), abs=1e-3)


@pytest.mark.parametrize("rate_hz", [44_100, 96_000])
def test_the_sample_rate_does_not_matter(rate_hz: int) -> None:
    found = index(voice_of(rate_hz=rate_hz), background_of(0.05, rate_hz), 6, rate_hz=rate_hz)
    assert mean_of(found) == pytest.approx(mean_of(index(voice_of(), background_of(0.05), 6)),
                                           abs=0.02)  # fmt: skip


def test_a_dead_channel_changes_nothing() -> None:
    voice, background = voice_of(), background_of(0.05)
    dead = np.zeros_like(voice)
    both = index(np.hstack([voice, dead]), np.hstack([background, dead]), 6)
    assert both == index(voice, background, 6)


def test_silence_has_no_index_and_says_so() -> None:
    silence = np.zeros((8 * RATE_HZ, 1), np.float32)
    assert index(silence, silence).mean is None
    assert "silent" in index(silence, silence).reason


@pytest.mark.parametrize("length", [1, 100, 4800])
def test_a_tenth_of_a_second_has_no_index_and_says_so(length: int) -> None:
    short = voice_of()[40_000 : 40_000 + length]
    found = index(short, short, speech=(Span(Fraction(0), Fraction(1, 10)),))
    assert found.mean is None
    assert "readability needs 0.2 s" in found.reason


def test_without_gaps_leakage_is_assumed_and_said() -> None:
    found = index(voice_of(), background_of(0.01), speech=(Span(Fraction(0), Fraction(8)),))
    assert found.mean is not None
    assert found.leakage_db is None
    assert "leakage is taken as -20 dB" in found.reason


def test_powers_of_a_mix_are_those_of_its_sound() -> None:
    voice, background = voice_of(channels=2), background_of(0.03, channels=2)
    spectra = analyse(voice, background, SPEECH, RATE_HZ)
    mixed = voice + np.float32(10 ** (-12 / 20)) * background
    np.testing.assert_allclose(
        spectra.output(12), analyse_output(mixed, RATE_HZ), rtol=1e-3, atol=1e-10
    )
    power = float(analyse_output(mixed, RATE_HZ).sum(axis=1).mean())
    assert power == pytest.approx(float(np.square(mixed).sum(axis=1).mean()), rel=0.02)


def test_on_real_sound_it_tells_what_the_truth_would() -> None:
    """The index from a real split's estimates against that of the true voice and true error."""
    folder = shared("audio")
    engine = engine_factory("dialogue").create()
    errors = []
    for recipe in recipes(folder, 4, "test", seed=3, sbr_db=(-6, 14), length_s=6):
        made = build(folder, recipe)
        mix = made.mix

        def read(low: int, high: int, mix: Samples = mix) -> Samples:
            return mix[low:high]

        parts = split_blocks(engine, read, len(mix), RATE_HZ, 1)
        voice = np.concatenate([part.voice.samples for part in parts])
        for intensity_db in (0, 12, 24):
            found = index(voice, mix - voice, intensity_db, made.speech)
            out = voice + np.float32(10 ** (-intensity_db / 20)) * (mix - voice)
            truth = index(made.voice, out - made.voice, 0, made.speech)
            errors.append(mean_of(found) - mean_of(truth))
    assert float(np.sqrt(np.mean(np.square(errors)))) < 0.06
