"""The sums around the graphs, checked by what they must do; needs no weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from testkit.sound import as_samples, level_db, noise, tone

from nlecompanion.engines.deepfilternet.features import (
    BANDS,
    BINS,
    FILTERED_BINS,
    HOP_SAMPLES,
    Real,
    Spectra,
    band_feature,
    band_widths,
    bin_feature,
    frame_count,
    sound_of,
    spectra_of,
)
from nlecompanion.engines.deepfilternet.graphs import TAPS, Filters, Graphs
from nlecompanion.engines.deepfilternet.segments import SEGMENT_FRAMES, filters_of

CENTRE_TAP = 2


def hiss(length_samples: int, seed: int = 1) -> Real:
    return as_samples(noise(length_samples / 48_000 + 1, level_db=-10, seed=seed))[
        :length_samples, 0
    ]


def filters(frames: int, gain: float = 1.0, tap: int = CENTRE_TAP) -> Filters:
    taps = np.zeros((frames, FILTERED_BINS, TAPS), np.complex64)
    taps[:, :, tap] = gain
    return Filters(np.full((frames, BANDS), gain, np.float32), taps)


@pytest.mark.parametrize("length_samples", [0, 1, 479, 480, 481, 100_001])
def test_unit_filters_give_the_sound_back(length_samples: int) -> None:
    sound = hiss(length_samples)
    spectra = spectra_of(sound)
    assert spectra.shape == (frame_count(length_samples), BINS)
    again = sound_of(filters(len(spectra)).applied(spectra), length_samples)
    np.testing.assert_allclose(again, sound, atol=2e-6)


def test_bands_cover_all_bins_and_widen() -> None:
    widths = band_widths()
    assert len(widths) == BANDS
    assert sum(widths) == BINS
    assert widths[0] == 2
    # Edges are rounded to whole bins, so a band may be one bin narrower than the one below.
    assert all(wider >= narrower - 1 for narrower, wider in pairwise(widths))
    # Moore and Glasberg (1983): 24.7 + f / 9.265 Hz is one ERB; a band spans 1.3 of them.
    middle_hz = 50 * (sum(widths[:20]) + widths[20] / 2)
    assert 50 * widths[20] / (24.7 + middle_hz / 9.265) == pytest.approx(1.34, abs=0.1)


@pytest.mark.parametrize("tap", range(TAPS))
def test_taps_reach_two_frames_back_and_two_ahead(tap: int) -> None:
    spectra = np.zeros((21, BINS), np.complex64)
    spectra[10] = 1
    out = filters(21, tap=tap).applied(spectra)
    assert np.flatnonzero(out[:, 0]).tolist() == [10 + CENTRE_TAP - tap]
    assert np.flatnonzero(out[:, FILTERED_BINS]).tolist() == [10]


def test_filters_shift_the_phase_below_and_scale_above() -> None:
    low = spectra_of(as_samples(tone(1_000, 1))[:, 0])
    high = spectra_of(as_samples(tone(12_000, 1))[:, 0])
    turned = filters(len(low), 0.5)
    turned.taps[:] *= 1j
    np.testing.assert_allclose(turned.applied(low)[:, :90], 0.5j * low[:, :90], atol=1e-7)
    np.testing.assert_allclose(turned.applied(high)[:, 200:], 0.5 * high[:, 200:], atol=1e-7)


def test_a_steady_sound_becomes_nothing_new() -> None:
    spectra = spectra_of(as_samples(tone(1_000, 12) + noise(12))[:, 0])
    bands, bins = band_feature(spectra), bin_feature(spectra)
    assert bands.shape == (1, 1, len(spectra), BANDS)
    assert bins.shape == (1, 2, len(spectra), FILTERED_BINS)
    late = slice(900, -10)
    assert np.abs(bands[0, 0, late].mean(axis=0)).max() < 0.02
    # Magnitude over the root of its own mean is that root: 1 kHz is bin 20, of amplitude 0.07.
    size = np.hypot(bins[0, 0, late, 20], bins[0, 1, late, 20])
    np.testing.assert_allclose(size, np.sqrt(np.abs(spectra[late, 20]).mean()), rtol=0.15)


def test_features_hear_two_frames_ahead_and_forget_in_seconds() -> None:
    spectra = np.full((1_000, BINS), 1e-4, np.complex64)
    spectra[100:] *= 10
    rise = np.diff(band_feature(spectra)[0, 0, :, 5])
    assert int(np.argmax(rise)) + 1 == 98
    # 20 dB over a spread of 40 dB, falling by 1 % a frame: one second to 1/e.
    late = band_feature(spectra)[0, 0, [98, 198], 5]
    assert late[1] / late[0] == pytest.approx(np.exp(-1), rel=0.05)


class Told(Graphs):
    """Gains as they are told, one a call; notes what it was given."""

    def __init__(self, gains: list[float]) -> None:
        self.gains = list(gains)
        self.heard: list[Spectra] = []

    def filters(self, spectra: Spectra) -> Filters:
        self.heard.append(spectra)
        return filters(len(spectra), self.gains.pop(0))


def test_stretches_fade_into_each_other_before_their_border() -> None:
    count = SEGMENT_FRAMES + 400
    graphs = Told([0.0, 1.0])
    found = filters_of(graphs, [np.ones((count, BINS), np.complex64)])
    for line in (found.gains[:, 7], found.taps[:, 50, CENTRE_TAP].real):
        assert not line[: SEGMENT_FRAMES - 24].any()
        assert (line[SEGMENT_FRAMES - 4 :] == 1).all()
        rising = np.diff(line)[SEGMENT_FRAMES - 24 : SEGMENT_FRAMES - 5]
        np.testing.assert_allclose(rising, 0.05, rtol=1e-5)
    # Three seconds of run-up, and the two frames that it looks ahead.
    assert [len(one) for one in graphs.heard] == [SEGMENT_FRAMES + 2, 300 + 400]


def test_what_is_in_opposite_polarity_is_heard() -> None:
    voice, other = spectra_of(hiss(48_000)), spectra_of(hiss(48_000, seed=2))
    graphs = Told([1.0] * 3)
    filters_of(graphs, [voice, voice])
    filters_of(graphs, [voice, -voice])
    filters_of(graphs, [voice, other])
    np.testing.assert_array_equal(graphs.heard[0], voice)
    np.testing.assert_array_equal(graphs.heard[1], voice)
    np.testing.assert_array_equal(graphs.heard[2], (voice + other) / 2)


def test_sound_keeps_its_level_through_the_spectrum() -> None:
    sound = hiss(48_000)
    power = np.square(np.abs(spectra_of(sound)[5:-5])).mean()
    # White noise: sum of the squared window (480) by 1/960 squared.
    assert 10 * np.log10(power * 960**2 / HOP_SAMPLES) == pytest.approx(level_db(sound), abs=0.2)
