"""Waveforms, spectrograms, PNG and MP3, each against a second way to the same thing."""

from __future__ import annotations

import io
import re

import av
import numpy as np
import pytest
from testkit.sound import as_samples, delay_samples, noise, tone, voice

from nlecompanion.delivery.report.pictures import (
    COLUMNS,
    HIGH_HZ,
    LOW_HZ,
    ROWS,
    WAVE_HALF,
    spectrogram_db,
    spectrogram_png,
    waveform_path,
)
from nlecompanion.delivery.report.png import png
from nlecompanion.delivery.report.private import file_name
from nlecompanion.delivery.report.snippets import mp3


def decoded(picture: bytes) -> np.ndarray:
    """RGB, as ffmpeg's decoder sees it."""
    with av.open(io.BytesIO(picture), "r", format="png_pipe") as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def test_a_picture_reads_back_color_by_color() -> None:
    generator = np.random.default_rng(1)
    palette = generator.integers(0, 256, (24, 3)).astype(np.uint8)
    indices = generator.integers(0, 24, (17, 33)).astype(np.uint8)
    assert np.array_equal(decoded(png(indices, palette)), palette[indices])


def test_a_picture_without_rows_or_colors_is_refused() -> None:
    with pytest.raises(ValueError, match="no picture"):
        png(np.zeros((0, 4), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="colour 5 of 2"):
        png(np.full((2, 2), 5, np.uint8), np.zeros((2, 3), np.uint8))


@pytest.mark.parametrize("frequency_hz", [120.0, 1000.0, 7000.0])
def test_a_tone_is_brightest_in_its_own_row(frequency_hz: float) -> None:
    levels = spectrogram_db(as_samples(tone(frequency_hz, 2)), 48_000)
    mel = np.log1p(np.array([LOW_HZ, HIGH_HZ, frequency_hz]) / 700)
    row = ROWS - 1 - int(ROWS * (mel[2] - mel[0]) / (mel[1] - mel[0]))
    assert levels.shape == (ROWS, COLUMNS)
    assert abs(int(levels.mean(axis=1).argmax()) - row) <= 1


def test_rows_beyond_half_the_rate_are_black() -> None:
    levels = spectrogram_db(as_samples(noise(1, 8000)), 8000)
    assert levels[0].max() < -100
    assert levels[-1].min() > -100


@pytest.mark.parametrize("count", [0, 1, 2, 50, 5000])
def test_a_handful_of_samples_is_drawn(count: int) -> None:
    sound = np.full((count, 2), 0.5, np.float32)
    levels = spectrogram_db(sound, 48_000)
    assert decoded(spectrogram_png(levels, float(levels.max()))).shape == (ROWS, COLUMNS, 3)
    assert (waveform_path(sound, 1.0) == "") == (count == 0)


def test_a_waveform_shows_the_peaks_of_every_column() -> None:
    sound = np.zeros((2400, 1), np.float32)
    sound[100], sound[105] = 1.0, -0.5
    spots = re.findall(r"M(\d+) (\d+)v(\d+)", waveform_path(sound, 1.0))
    assert len(spots) == 240
    assert spots[10] == ("10", "0", str(WAVE_HALF * 3 // 2))
    assert spots[11] == ("11", str(WAVE_HALF), "1")


@pytest.mark.parametrize(
    ("rate_hz", "channels"), [(48_000, 1), (44_100, 2), (96_000, 6), (8000, 1)]
)
def test_a_snippet_sounds_like_its_source_and_is_the_same_every_time(
    rate_hz: int, channels: int
) -> None:
    spoken = voice(1.5, rate_hz)
    sound = as_samples(*[spoken * (1 - 0.1 * channel) for channel in range(channels)])
    snippet = mp3(sound, rate_hz)
    assert snippet == mp3(sound, rate_hz)
    with av.open(io.BytesIO(snippet), "r") as container:
        resampler = av.AudioResampler("fltp", "mono", rate_hz)
        parts = [p for frame in container.decode(audio=0) for p in resampler.resample(frame)]
    heard = np.concatenate([part.to_ndarray()[0] for part in parts])
    mono = sound.mean(axis=1)
    length = len(mono) - 4096 * rate_hz // 48_000
    shift = delay_samples(heard[: len(mono)], mono)
    assert np.corrcoef(mono[:length], heard[shift : shift + length])[0, 1] > 0.9
    assert len(snippet) < 30_000


def test_two_channels_that_are_the_same_cost_no_more_than_one() -> None:
    spoken = voice(1)
    assert mp3(as_samples(spoken, spoken), 48_000) == mp3(as_samples(spoken), 48_000)


def test_no_sound_is_refused() -> None:
    with pytest.raises(ValueError, match="no sound"):
        mp3(np.zeros((0, 1), np.float32), 48_000)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("file://localhost/C%3a/Rushes/take%201.wav", "take 1.wav"),
        (r"C:\Rushes\take 1.wav", "take 1.wav"),
        (r"\\nas\rushes\take 1.wav", "take 1.wav"),
        ("/rushes/take 1.wav", "take 1.wav"),
        ("take 1.wav", "take 1.wav"),
        ("", ""),
    ],
)
def test_a_files_name_is_found_in_any_systems_path(url: str, name: str) -> None:
    assert file_name(url) == name
