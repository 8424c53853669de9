"""Media of any length that take no room on disk, and timelines over them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from benchmarks.cost import speech_loop
from testkit.fcp7xml import Clip, Media, Track, premiere_xml

RATE_HZ = 48_000
#: 29.97 drop-frame: 107,892 frames are one hour of timecode.
NTSC = Fraction(30_000, 1001)
FRAMES_AN_HOUR = 107_892
_HANDLES_S = 4


@dataclass(frozen=True, slots=True)
class Source:
    """A timeline, its media, and where each use begins: (record, source) in frames of `rate`."""

    document: Path
    media: Path
    rate: Fraction
    uses: tuple[tuple[int, int], ...]
    use_frames: int


def sparse_wav(path: Path, seconds: int, channels: int, places_s: Sequence[Fraction]) -> None:
    """An RF64 file (EBU Tech 3306) of 16 bit with 16 s of speech around each place.

    Everywhere else it is a hole, which reads as silence.
    """
    frame_bytes = 2 * channels
    data_bytes = seconds * RATE_HZ * frame_bytes
    fmt = struct.pack("<HHIIHH", 1, channels, RATE_HZ, RATE_HZ * frame_bytes, frame_bytes, 16)
    sizes = struct.pack("<QQQI", 72 + data_bytes, data_bytes, seconds * RATE_HZ, 0)
    header = b"RF64\xff\xff\xff\xffWAVE" + b"ds64" + struct.pack("<I", len(sizes)) + sizes
    header += b"fmt " + struct.pack("<I", len(fmt)) + fmt + b"data\xff\xff\xff\xff"
    speech = speech_loop(16)[:, :channels]
    pcm = np.rint(np.clip(speech, -1, 1) * 32_767).astype("<i2")
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + data_bytes)
        for place_s in places_s:
            start = max(0, round((place_s - _HANDLES_S) * RATE_HZ))
            part = pcm[: max(0, seconds * RATE_HZ - start)]
            file.seek(len(header) + start * frame_bytes)
            file.write(part.tobytes())


def spread(folder: Path, seconds: int, uses: int, use_s: int = 8) -> Source:
    """Stereo media of that length with `uses` clips of `use_s` spread over all of it."""
    rate, step = Fraction(25), max(use_s, seconds // uses) * 25
    starts = tuple((n * use_s * 25, n * step) for n in range(uses))
    return _written(folder, seconds, rate, starts, use_s * 25, channels=2)


def dense(folder: Path, seconds: int) -> Source:
    """Stereo media full of speech, all of it one use."""
    rate = Fraction(25)
    places = range(_HANDLES_S, seconds, 16)
    folder.mkdir(parents=True, exist_ok=True)
    sparse_wav(folder / "dense.wav", seconds, 2, [Fraction(place) for place in places])
    media = Media(folder / "dense.wav", rate, seconds * 25, picture=False)
    document = folder / "dense.xml"
    clip = Clip(media, 0, seconds * 25, 0)
    document.write_bytes(premiere_xml((Track((clip,), "Dialogue"),), rate, "dense"))
    return Source(document, media.path, rate, ((0, 0),), seconds * 25)


def whole_day(folder: Path, use_frames: int = 120) -> Source:
    """24 hours of 29.97 drop-frame: a use every hour, the last one up to the very end."""
    starts = [hour * FRAMES_AN_HOUR + 37 * hour for hour in range(24)]
    starts.append(24 * FRAMES_AN_HOUR - use_frames)
    frames = tuple((start, start) for start in starts)
    # A day of timecode is 86.4 ms shorter than a day.
    return _written(folder, 86_410, NTSC, frames, use_frames, channels=1)


def _written(
    folder: Path,
    seconds: int,
    rate: Fraction,
    starts: Sequence[tuple[int, int]],
    use_frames: int,
    channels: int,
) -> Source:
    folder.mkdir(parents=True, exist_ok=True)
    wav = folder / "source.wav"
    sparse_wav(wav, seconds, channels, [source / rate for source in {s for _, s in starts}])
    drop = rate == NTSC
    media = Media(wav, rate, int(seconds * rate), channels, drop_frame=drop, picture=False)
    clips = tuple(Clip(media, record, record + use_frames, source) for record, source in starts)
    document = folder / "cut.xml"
    document.write_bytes(
        premiere_xml((Track(clips, "Dialogue", channels),), rate, "cut", drop_frame=drop)
    )
    return Source(document, wav, rate, tuple(starts), use_frames)
