"""Folders of recordings, decoded once, from which random excerpts are cut.

Files named `name_00.opus`, `name_01.opus` … form one group (`name`): one voice, piece or library.
Groups are drawn by the square root of their length, so that long readings do not drown the many
short voices, and a few whole groups are held out for validation.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nlecompanion.engines.dialogue.bands import RATE_HZ
from nlecompanion.errors import MediaUnreadable, SettingsError

SUFFIXES = frozenset({".opus", ".ogg", ".flac", ".wav", ".mp3", ".aif", ".aiff"})
_TAIL_NUMBER = re.compile(r"_\d+$")
HELD_OUT = 0.05


@dataclass(frozen=True, slots=True)
class Recording:
    """One decoded file: where its 48 kHz mono int16 samples lie, and the band that it fills."""

    group: str
    cache: Path
    length_samples: int
    bandwidth_hz: float


@dataclass(frozen=True, slots=True)
class Collection:
    """Recordings of one kind and the odds with which each is drawn."""

    recordings: tuple[Recording, ...]
    odds: NDArray[np.float64]

    @property
    def duration_s(self) -> float:
        """Length of all recordings together."""
        return sum(recording.length_samples for recording in self.recordings) / RATE_HZ

    def excerpt(
        self, length_samples: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], Recording]:
        """A random stretch as float32; recordings that are too short are repeated."""
        recording = self._draw(rng)
        stored = np.load(recording.cache, mmap_mode="r")
        start = int(rng.integers(0, max(1, recording.length_samples - length_samples + 1)))
        piece = np.asarray(stored[start : start + length_samples])
        if len(piece) < length_samples:
            offset = int(rng.integers(0, len(piece)))
            piece = np.resize(np.roll(piece, offset), length_samples)
        return piece.astype(np.float32) / 32768.0, recording

    def whole(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """All of one recording, for rooms."""
        return np.asarray(np.load(self._draw(rng).cache)).astype(np.float32) / 32768.0

    def _draw(self, rng: np.random.Generator) -> Recording:
        return self.recordings[int(rng.choice(len(self.recordings), p=self.odds))]


def collect(
    folders: Sequence[Path], cache: Path, *, clean: bool, held_out: float = HELD_OUT
) -> tuple[Collection, Collection | None]:
    """Decodes all recordings under `folders` into `cache`; gives those to train on and the rest.

    `clean` lowers stationary noise in recordings whose floor is high: right for voices, whose
    noise would otherwise be taught as voice. `held_out` is the fraction of
    the groups that is kept back; that part is None where it is 0 or there are under five groups.

    Raises:
        SettingsError: no recording under a folder.
        MediaUnreadable: a file that cannot be decoded.
    """
    paths = [path for folder in folders for path in _audio_files(folder)]
    cache.mkdir(parents=True, exist_ok=True)
    recordings = [_decoded(path, cache, clean=clean) for path in paths]
    groups: dict[str, list[Recording]] = defaultdict(list)
    for recording in recordings:
        groups[recording.group].append(recording)
    held = _held_out(groups, held_out)
    training = [item for name, items in groups.items() if name not in held for item in items]
    validation = [item for name, items in groups.items() if name in held for item in items]
    return _collection(training), _collection(validation) if validation else None


def _audio_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SettingsError(
            f"no recordings under {folder}: give a folder with {', '.join(sorted(SUFFIXES))} files"
        )
    return files


def _held_out(groups: dict[str, list[Recording]], fraction: float) -> set[str]:
    """Whole groups, the first in the order of their names' hashes, one at least."""
    order = sorted(groups, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    if len(order) < 5 or fraction == 0:
        return set()
    return set(order[: max(1, round(fraction * len(order)))])


def _collection(recordings: list[Recording]) -> Collection:
    lengths: dict[str, int] = defaultdict(int)
    for recording in recordings:
        lengths[recording.group] += recording.length_samples
    odds = np.array(
        [item.length_samples / np.sqrt(lengths[item.group]) for item in recordings], dtype=float
    )
    return Collection(tuple(recordings), odds / odds.sum())


def _decoded(path: Path, cache: Path, *, clean: bool) -> Recording:
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}|{clean}|1"
    target = cache / f"{path.stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}.npy"
    if not target.exists():
        samples = _read(path)
        if clean:
            from nlecompanion.training.floor import lower_floor

            samples = lower_floor(samples)
        stored = np.round(np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16)
        partial = target.with_suffix(".part")
        with partial.open("wb") as handle:
            np.save(handle, stored)
        partial.replace(target)
    stored = np.load(target, mmap_mode="r")
    group = _TAIL_NUMBER.sub("", path.stem)
    return Recording(group, target, len(stored), _bandwidth_hz(stored))


def _read(path: Path) -> NDArray[np.float32]:
    import soundfile
    from scipy.signal import resample_poly

    try:
        samples, rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise MediaUnreadable(f"{path} cannot be decoded ({error}): remove it") from error
    mono = samples.mean(axis=1)
    if rate_hz != RATE_HZ:
        divisor = int(np.gcd(rate_hz, RATE_HZ))
        mono = resample_poly(mono, RATE_HZ // divisor, rate_hz // divisor)
    if len(mono) < RATE_HZ // 10 or not np.all(np.isfinite(mono)):
        raise MediaUnreadable(f"{path} holds {len(mono)} usable samples: remove it")
    peak = float(np.abs(mono).max())
    return np.asarray(mono / max(peak, 1e-4) * 0.9, dtype=np.float32)


def _bandwidth_hz(stored: NDArray[np.int16]) -> float:
    """Where the mean spectrum falls 62 dB below its peak for good, or 24 kHz."""
    window = 2048
    count = min(len(stored) // window, 400)
    if count == 0:
        return RATE_HZ / 2
    starts = np.linspace(0, len(stored) - window, count).astype(int)
    frames = np.stack([stored[start : start + window] for start in starts]).astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(window)))).mean(axis=0)
    loud = np.flatnonzero(power > power.max() * 10**-6.2)
    return min(RATE_HZ / 2, float(loud[-1] + 1) * RATE_HZ / window) if len(loud) else RATE_HZ / 2
