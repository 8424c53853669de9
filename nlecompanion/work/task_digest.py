"""By what a piece of work is known: the contents that it rests on, never names or paths.

What a region's sound depends on is hashed whole, or by proxy where it is large: of a media file
its size, time of change and three samples of its bytes; of this program its source files and the
versions of the libraries that compute.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from nlecompanion.engines.weights import sha256_of, weights_folder
from nlecompanion.model import MediaFile, Region
from nlecompanion.plugins import engine_factory
from nlecompanion.settings import Profile
from nlecompanion.wire import to_json

_SAMPLE_BYTES = 64 << 10
#: Another version of one of these may compute other bits.
_LIBRARIES = ["av", "demucs", "numpy", "onnxruntime", "scipy", "silero-vad", "soundfile", "torch"]
#: Not needed, but asked where it is installed (`treatment.sig`).
_LIBRARIES += ["speechmos"]
_PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class EngineId:
    """An engine as it stands on this machine; `weights` is a SHA-256 over its own weights files."""

    name: str
    version: str
    weights: str


def sha256_of_json(values: Any) -> str:
    """SHA-256 over values as compact JSON, keys in order.

    Raises:
        ValueError: a number that JSON does not have.
    """
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


@lru_cache(maxsize=4)
def program_digest(package: Path = _PACKAGE) -> str:
    """SHA-256 over this program as it was at its start: its source files, Python, libraries.

    A changed program is served nothing that an earlier one has made.
    """
    held = hashlib.sha256()
    for source in sorted(package.rglob("*.py")):
        held.update(source.relative_to(package).as_posix().encode("utf-8", "surrogateescape"))
        held.update(hashlib.sha256(source.read_bytes()).digest())
    about = [sys.implementation.name, platform.python_version(), platform.machine(), sys.platform]
    held.update(json.dumps([*about, *map(_version_of, _LIBRARIES)]).encode("ascii"))
    return held.hexdigest()


def _version_of(library: str) -> str:
    try:
        return f"{library} {version(library)}"
    except PackageNotFoundError:
        return f"{library} missing"


def engine_id(name: str) -> EngineId:
    """The engine of that name.

    Raises:
        UnknownEngine: there is none.
        OSError: its weights cannot be read.
    """
    info = engine_factory(name).info
    return EngineId(info.name, info.version, _weights_sha256(weights_folder(info.name)))


def _weights_sha256(folder: Path) -> str:
    files = sorted(p for p in folder.rglob("*") if p.is_file()) if folder.is_dir() else []
    return sha256_of_json(
        [[p.relative_to(folder).as_posix(), _file_sha256(p, p.stat().st_mtime_ns)] for p in files]
    )


@lru_cache(maxsize=64)
def _file_sha256(path: Path, _changed_ns: int) -> str:
    """The time of change only keeps apart what is remembered."""
    return sha256_of(path)


def media_identity(media: MediaFile) -> tuple[int, int, str]:
    """Size, time of change in ns, and SHA-256 of 64 KiB each at head, middle and tail.

    Raises:
        OSError: the file cannot be read.
    """
    sampled = _samples_sha256(media.path, media.size_bytes, media.modified_ns)
    return media.size_bytes, media.modified_ns, sampled


@lru_cache(maxsize=4096)
def _samples_sha256(path: Path, size_bytes: int, _modified_ns: int) -> str:
    """The time of change only keeps apart what is remembered."""
    held = hashlib.sha256()
    with path.open("rb") as file:
        for start in _starts(size_bytes):
            file.seek(start)
            held.update(file.read(_SAMPLE_BYTES))
    return held.hexdigest()


def _starts(size_bytes: int) -> Iterable[int]:
    tail = max(0, size_bytes - _SAMPLE_BYTES)
    return sorted({0, tail // 2, tail})


def stretch_digest(region: Region) -> str:
    """Of the sound that a region reads: where in which media, whatever is done with it.

    Raises:
        OSError: the media cannot be read.
    """
    values = [*media_identity(region.media), region.channels, region.rate_hz]
    values += [region.start_sample, region.end_sample, program_digest()]
    return sha256_of_json(["stretch", *values])


def region_digest(
    region: Region,
    profile: Profile,
    engines: Iterable[EngineId],
    tone_sha256: str,
    joined: tuple[bool, bool],
    neighbour_floor_db: float | None = None,
) -> str:
    """Of all that a region's outcome depends on; the region is an anonymous one (`task.anonymous`).

    The media's name counts, which the cleaned file's own description holds; its folder does not.

    Raises:
        OSError: the media cannot be read.
    """
    values = {
        "stretch": stretch_digest(region),
        "name": region.media.path.name,
        "start": to_json(region.media_start_s, type(region.media_start_s)),
        "uses": [
            [
                to_json(t, type(t))
                for t in (u.source.start_s, u.source.duration_s, u.lead_s, u.tail_s)
            ]
            for u in region.uses
        ],
        "profile": to_json(profile, Profile),
        "engines": [to_json(engine, EngineId) for engine in engines],
        "tone": tone_sha256,
        "joined": joined,
        "neighbour_floor_db": neighbour_floor_db,
    }
    return sha256_of_json(["region", values])


# At the start, and not when it is first needed: a program that was replaced while it runs must not
# give its own results out for the new one's.
program_digest()
