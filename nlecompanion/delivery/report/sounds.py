"""Before and after of one excerpt: read, made equally loud, drawn and compressed."""

from __future__ import annotations

import base64
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nlecompanion.delivery.report.moments import Excerpt
from nlecompanion.delivery.report.pictures import (
    spectrogram_db,
    spectrogram_png,
    waveform_path,
)
from nlecompanion.delivery.report.snippets import MIME, mp3
from nlecompanion.diagnosis.loudness import LoudnessMeter, loudness_hops, loudness_lufs
from nlecompanion.media.extract import read_region
from nlecompanion.model import Samples
from nlecompanion.units import gain_from_db


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Both sounds of an excerpt, shape (samples, channels), equally loud while somebody speaks.

    `matched_db` is what the louder one was turned down by, None where loudness cannot be told.
    """

    before: Samples
    after: Samples
    rate_hz: int
    matched_db: float | None


@dataclass(frozen=True, slots=True)
class Side:
    """One side drawn: an SVG path, and a PNG as a data URI."""

    wave: str
    spectrogram: str


@dataclass(frozen=True, slots=True)
class Pictures:
    """Both sides, drawn to one scale."""

    before: Side
    after: Side


def read_pair(excerpt: Excerpt, cleaned: Path) -> Pair:
    """The original's sound, and the cleaned file's at the same place.

    Raises:
        MediaError: the original cannot be read.
        ValueError: the cleaned file is shorter than it should be, or has other channels.
        OSError, RuntimeError: the cleaned file cannot be read.
    """
    region = excerpt.region
    blocks = read_region(
        region.media, region.channels, region.rate_hz, excerpt.first_sample, excerpt.end_sample
    )
    before = np.concatenate(list(blocks))
    after = _read_cleaned(cleaned, excerpt.offset_samples, len(before))
    if after.shape != before.shape:
        raise ValueError(f"{cleaned.name} has {after.shape} samples here, not {before.shape}")
    return matched(before, after, excerpt)


def _read_cleaned(path: Path, start: int, count: int) -> Samples:
    import soundfile

    with soundfile.SoundFile(path) as file:
        file.seek(start)
        return np.asarray(file.read(count, dtype="float32", always_2d=True), np.float32)


def matched(before: Samples, after: Samples, excerpt: Excerpt) -> Pair:
    """The louder one turned down to the quieter, so that neither is driven into clipping.

    Loudness as BS.1770 has it, while somebody speaks; over everything where nobody does.
    """
    rate_hz = excerpt.region.rate_hz
    before_lufs = _loudness_lufs(before, rate_hz, excerpt)
    after_lufs = _loudness_lufs(after, rate_hz, excerpt)
    if before_lufs is None or after_lufs is None:
        return Pair(before, after, rate_hz, None)
    gap_lu = before_lufs - after_lufs
    down = np.float32(gain_from_db(-abs(gap_lu)))
    if gap_lu > 0:
        before = before * down
    else:
        after = after * down
    return Pair(before, after, rate_hz, abs(gap_lu))


def _loudness_lufs(sound: Samples, rate_hz: int, excerpt: Excerpt) -> float | None:
    meter = LoudnessMeter(rate_hz, sound.shape[1])
    meter.push(sound)
    powers = meter.finish()
    speaking = loudness_hops(excerpt.speech, powers.size)
    return loudness_lufs(powers, speaking if speaking.any() else None)


def draw(pair: Pair) -> Pictures:
    """Both sides to one scale, so that what is quieter looks quieter."""
    full = max(float(np.abs(pair.before).max()), float(np.abs(pair.after).max()))
    levels = [spectrogram_db(sound, pair.rate_hz) for sound in (pair.before, pair.after)]
    loudest_db = max(float(level.max()) for level in levels)
    before, after = (
        Side(waveform_path(sound, full), data_uri("image/png", spectrogram_png(level, loudest_db)))
        for sound, level in zip((pair.before, pair.after), levels, strict=True)
    )
    return Pictures(before, after)


def compress(pair: Pair) -> tuple[str, str]:
    """Both sounds as data URIs; the encoder lets both run at once."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        before, after = pool.map(
            lambda sound: data_uri(MIME, mp3(sound, pair.rate_hz)), (pair.before, pair.after)
        )
    return before, after


def data_uri(mime: str, content: bytes) -> str:
    """RFC 2397, in base64."""
    return f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
