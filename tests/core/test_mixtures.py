"""The mixtures that judgements are measured on: their truth must be true."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from testkit.damage import clipped, coded, limited
from testkit.mixtures import Recipe, build, part_of, pieces, recipes, speaker_of, speakers
from testkit.shared import shared
from testkit.sound import as_samples, level_db, noise, tone


def audio() -> Path:
    return shared("audio")


def test_a_recipe_gives_the_same_sound_at_the_ratio_it_names() -> None:
    folder = audio()
    for recipe in recipes(folder, 6, "calibration", rooms=0.5, channels=2, length_s=5):
        made, again = build(folder, recipe), build(folder, recipe)
        assert np.array_equal(made.mix, again.mix)
        assert made.mix.dtype == np.float32
        assert made.mix.shape == (5 * 48_000, 2)
        np.testing.assert_allclose(made.mix, made.voice + made.background, atol=1e-6)
        assert made.sbr_db == pytest.approx(recipe.sbr_db, abs=0.01)
        assert np.abs(made.mix).max() <= 1


def test_no_speaker_and_no_piece_is_in_both_parts() -> None:
    folder = audio()
    calibration, test = speakers(folder, "calibration"), speakers(folder, "test")
    assert len(calibration) >= 4
    assert len(test) >= 4
    assert not set(calibration) & set(test)
    for kind in ("music", "noise", "rir"):
        first, second = pieces(folder, kind, "calibration"), pieces(folder, kind, "test")
        assert first
        assert second
        assert not set(first) & set(second)


@pytest.mark.parametrize(
    ("name", "speaker"),
    [
        ("speech/ravdess_F02_0101.flac", "ravdess_F02"),
        ("speech/richard_vm-too-small.flac", "richard"),
        ("speech/mmi_MalePart-NoNoise-es.flac", "mmi_MalePart"),
        ("speech/somebody_else.wav", "somebody"),
    ],
)
def test_speakers_are_told_by_the_file_name(name: str, speaker: str) -> None:
    assert speaker_of(name) == speaker
    assert part_of(speaker) == part_of(speaker_of(name))


def test_without_a_background_there_is_no_ratio() -> None:
    folder = audio()
    files = next(iter(speakers(folder, "test").values()))
    made = build(folder, Recipe(seed=1, voices=files, length_s=4))
    assert made.sbr_db is None
    assert np.array_equal(made.mix, made.voice)


def test_clipping_flattens_peaks_and_keeps_what_lies_below() -> None:
    sound = as_samples(tone(440, 1, level_db=-20))
    cut = clipped(sound, 6)
    edge = np.abs(cut).max()
    assert edge == pytest.approx(np.abs(sound).max() / 2, rel=0.01)
    np.testing.assert_allclose(cut, np.clip(sound, -edge, edge), atol=1e-6)


def test_a_limiter_raises_the_level_and_not_the_peak() -> None:
    sound = as_samples(noise(2, level_db=-20))
    sound[48_000:] *= 0.1
    driven = limited(sound, 48_000, 10)
    assert np.abs(driven).max() <= np.abs(sound).max() * 1.0001
    # Past the release the quiet half has come up by the whole drive.
    assert level_db(driven[72_000:]) - level_db(sound[72_000:]) == pytest.approx(10, abs=0.5)
    assert 2 < level_db(driven[:48_000]) - level_db(sound[:48_000]) < 10


@pytest.mark.parametrize("codec", ["mp3", "aac"])
@pytest.mark.parametrize("channels", [1, 2])
def test_a_codec_comes_back_aligned_and_not_the_same(codec: str, channels: int) -> None:
    wave = noise(1.5, level_db=-20)
    sound = as_samples(*[np.convolve(wave, np.ones(16) / 16, "same")] * channels)
    back = coded(sound, 48_000, codec, 64)
    assert back.shape == sound.shape
    inner = slice(4800, -4800)
    error_db = level_db(back[inner] - sound[inner]) - level_db(sound[inner])
    assert -60 < error_db < -8
