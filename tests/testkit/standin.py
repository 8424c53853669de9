"""Stand-ins for the media of real timelines: real speech, a small picture, the right timecode.

`read_cases` reads `CASES_MEDIA.tsv`; `CaseMedia.stand_in` describes a file at a path of your own;
`make` writes it. What sounds at a sample is known: `speech_at`.
"""

from __future__ import annotations

import re
import tempfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray
from testkit.media_files import moving_picture, mux
from testkit.shared import shared

from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.programs import media_input
from nlecompanion.media.resample import Resampler
from nlecompanion.model import Samples
from nlecompanion.units import exact_rate, frames_from_timecode, timecode_from_frames

#: Real speech at 48 kHz with few pauses; together about a minute.
SPEECH = ("kerstin_de_rhasspy-*.flac", "vctk_*.flac")
LOOP_S = 40
_SPEECH_RATE_HZ = 48_000
_CHANNEL_STEP_S = Fraction(73, 10)
_BLOCK_S = 20
#: Above this length the sound is stored as ALAC: silence costs next to nothing then.
_LONG_S = 600
_CODECS = {
    ".mov": "pcm_s16le",
    ".mp4": "aac",
    ".m4v": "aac",
    ".m4a": "aac",
    ".mxf": "pcm_s16le",
    ".caf": "pcm_s16le",
    ".aiff": "pcm_s16be",
    ".aif": "pcm_s16be",
    ".mp3": "libmp3lame",
    ".aac": "aac",
    ".flac": "flac",
}


@dataclass(frozen=True)
class StandIn:
    """One file to make.

    `start_s` is its timecode; `used_ranges` (from, to) in seconds of the media are where it must
    sound, None means everywhere.
    """

    path: Path
    duration_s: Fraction
    video_rate: Fraction | None
    start_s: Fraction | None
    channels: int
    rate_hz: int = 48_000
    used_ranges: Sequence[tuple[Fraction, Fraction]] | None = None
    drop_frame: bool = False

    @property
    def length_samples(self) -> int:
        """Samples a channel."""
        return round(self.duration_s * self.rate_hz)


@dataclass(frozen=True)
class CaseMedia:
    """A row of CASES_MEDIA.tsv.

    A path may be there twice with different timecodes, so `starts_s` may hold several. `channels`
    is None where the document's tracks decide.
    """

    case: str
    timeline: str
    url: str
    duration_s: Fraction
    rate: Fraction | None
    starts_s: tuple[Fraction, ...]
    drop_frame: bool
    has_video: bool
    channels: int | None
    rate_hz: int

    @property
    def start_s(self) -> Fraction | None:
        """The start timecode in seconds, None where there is none."""
        return self.starts_s[0] if self.starts_s else None

    def stand_in(
        self,
        path: Path,
        used_ranges: Sequence[tuple[Fraction, Fraction]] | None = None,
        channels: int = 2,
    ) -> StandIn:
        """The file to make at `path`; `channels` counts only where the row leaves them open."""
        return StandIn(
            path=path,
            duration_s=self.duration_s,
            video_rate=self.rate if self.has_video else None,
            start_s=self.start_s,
            channels=channels if self.channels is None else self.channels,
            rate_hz=self.rate_hz,
            used_ranges=used_ranges,
            drop_frame=self.drop_frame,
        )


def read_cases(table: Path) -> dict[str, list[CaseMedia]]:
    """All rows by the timeline's path below `corpus/`."""
    cases: dict[str, list[CaseMedia]] = {}
    lines = table.read_text(encoding="utf-8").splitlines()
    names = lines[0].split("\t")
    for line in lines[1:]:
        row = dict(zip(names, line.split("\t"), strict=True))
        cases.setdefault(row["timeline"], []).append(_case(row))
    return cases


def _case(row: dict[str, str]) -> CaseMedia:
    rate = _rate(row["rate"])
    duration_s, avail_start_s = _duration(row["duration"], rate)
    start = row["start timecode"]
    starts_s = (avail_start_s,) if start == "in avail.start" else _starts(start, rate)
    channels = row["audio_channels"]
    return CaseMedia(
        case=row["no"],
        timeline=row["timeline"],
        url=row["media (decoded url)"],
        duration_s=duration_s,
        rate=rate,
        starts_s=starts_s,
        drop_frame=";" in start or start.endswith(" DF"),
        has_video=row["video"].startswith("yes"),
        channels=int(channels) if channels.isdigit() else None,
        rate_hz=int(row["sample_rate"].rstrip("?")),
    )


def _rate(text: str) -> Fraction | None:
    """`25`, `24.0`, `1/(1001/24000s)` or `-`."""
    period = re.fullmatch(r"1/\((\d+)/(\d+)s\)", text)
    if period:
        return Fraction(int(period[2]), int(period[1]))
    return None if text == "-" else exact_rate(float(text))


def _duration(text: str, rate: Fraction | None) -> tuple[Fraction, Fraction]:
    """Duration, and the start where the text holds one: `81 frames`, `64.6 s`, a TimeRange."""
    times = re.findall(r"RationalTime\(([\d.]+), ([\d.]+)\)", text)
    if times:
        start_s, duration_s = (Fraction(v) / exact_rate(float(r)) for v, r in times)
        return duration_s, start_s
    number, unit = text.removeprefix(">= ").split(" ")
    if unit == "frames":
        assert rate is not None, f"{text} without a rate"
        return Fraction(number) / rate, Fraction(0)
    return Fraction(number), Fraction(0)


def _starts(text: str, rate: Fraction | None) -> tuple[Fraction, ...]:
    """`00:00:14:03 / 00:00:17:09 NDF`, `00;04;43;15 DF`, `start 41029s` (or a fraction), or `-`."""
    seconds = re.fullmatch(r"start (\d+(?:/\d+)?)s", text)
    if seconds:
        return (Fraction(seconds[1]),)
    found = re.findall(r"\d\d[:;]\d\d[:;]\d\d[:;]\d\d", text)
    assert rate is not None or not found, f"{text} without a rate"
    # Final Cut counts drop-frame numbers at exactly 30 frames a second too.
    nominal = Fraction(30_000, 1001) if ";" in text and rate == 30 else rate
    return tuple(
        Fraction(frames_from_timecode(tc, nominal)) / rate for tc in found if rate and nominal
    )


@lru_cache(maxsize=4)
def _loop(rate_hz: int) -> NDArray[np.int16]:
    """Real speech end to end at `rate_hz`, int16."""
    folder = shared("audio/speech")
    parts, length = [], 0
    for path in sorted(path for pattern in SPEECH for path in folder.glob(pattern)):
        sound, file_rate_hz = soundfile.read(path, dtype="float32", always_2d=True)
        if file_rate_hz == _SPEECH_RATE_HZ and length < LOOP_S * _SPEECH_RATE_HZ:
            parts.append(sound[:, :1])
            length += len(sound)
    speech: Samples = np.concatenate(parts)
    if rate_hz != _SPEECH_RATE_HZ:
        resampler = Resampler(_SPEECH_RATE_HZ, rate_hz)
        wanted = len(speech) * rate_hz // _SPEECH_RATE_HZ
        first, last = resampler.inputs_for(0, wanted)
        padded = np.zeros((last - first, 1), dtype=np.float32)
        kept = speech[:last]
        padded[-first : -first + len(kept)] = kept
        speech = resampler.outputs(padded, 0, wanted)
    return np.asarray(np.rint(np.clip(speech[:, 0], -0.99, 0.99) * 32768), dtype=np.int16)


def speech_at(stand_in: StandIn, start: int, count: int) -> NDArray[np.int16]:
    """What the stand-in says from sample `start` on, were it used there: (count, channels)."""
    loop = _loop(stand_in.rate_hz)
    file_offset = zlib.crc32(stand_in.path.name.encode("utf-8", "surrogateescape"))
    step = int(_CHANNEL_STEP_S * stand_in.rate_hz)
    at = np.arange(start, start + count)[:, None] + file_offset
    sound: NDArray[np.int16] = loop[(at + step * np.arange(stand_in.channels)) % len(loop)]
    return sound


def _sounding(stand_in: StandIn) -> list[tuple[int, int]]:
    """Where it must sound, in samples: in order, joined, inside the file."""
    if stand_in.used_ranges is None:
        return [(0, stand_in.length_samples)]
    ranges = sorted(
        (
            max(0, int(a * stand_in.rate_hz)),
            min(stand_in.length_samples, -int(-b * stand_in.rate_hz // 1)),
        )
        for a, b in stand_in.used_ranges
    )
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        elif end > start:
            joined.append((start, end))
    return joined


def _blocks(stand_in: StandIn) -> Any:
    """(start, int16 samples) of the ranges that sound."""
    for start, end in _sounding(stand_in):
        edges = [*range(start, end, _BLOCK_S * stand_in.rate_hz), end]
        for a, b in pairwise(edges):
            yield a, speech_at(stand_in, a, b - a)


def make(stand_in: StandIn) -> Path:
    """Writes the file, and its folder where that is missing; the suffix decides the container."""
    stand_in.path.parent.mkdir(parents=True, exist_ok=True)
    if stand_in.path.suffix.lower() == ".wav" and stand_in.video_rate is None:
        _make_wav(stand_in)
    else:
        with tempfile.TemporaryDirectory() as folder:
            _make_encoded(stand_in, Path(folder))
    return stand_in.path


def _make_wav(stand_in: StandIn) -> None:
    start_s = stand_in.start_s or Fraction(0)
    with BroadcastWavWriter(
        stand_in.path,
        stand_in.rate_hz,
        stand_in.channels,
        {1: "mono", 2: "stereo"}.get(stand_in.channels, ""),
        round(start_s * stand_in.rate_hz),
        "stand-in",
        originator="test recorder",
    ) as writer:
        for start, sound in _blocks(stand_in):
            _write_silence(writer, start - writer.length_samples)
            writer.write(sound.astype(np.float32) / np.float32(32768))
        _write_silence(writer, stand_in.length_samples - writer.length_samples)


def _write_silence(writer: BroadcastWavWriter, count: int) -> None:
    step = _BLOCK_S * writer.rate_hz
    for start in range(0, count, step):
        writer.write(np.zeros((min(step, count - start), writer.channels), dtype=np.float32))


def _make_encoded(stand_in: StandIn, folder: Path) -> None:
    suffix = stand_in.path.suffix.lower()
    streams: list[Any] = []
    options: dict[str, Any] = {}
    timecode = None
    if stand_in.video_rate is not None:
        frames = -(-stand_in.duration_s * stand_in.video_rate // 1)
        streams.append(_picture(stand_in, folder, int(frames)))
        options["vcodec"] = "mpeg2video" if suffix == ".mxf" else "copy"
        if suffix in (".mov", ".mp4", ".m4v"):
            options["video_track_timescale"] = stand_in.video_rate.numerator
        options["frames:v"] = int(frames)
        timecode = _timecode(stand_in)
    if stand_in.channels:
        sound = media_input(
            _raw_sound(stand_in, folder), f="s16le", ar=stand_in.rate_hz, ac=stand_in.channels
        )
        streams.append(sound.audio)
        long = stand_in.duration_s > _LONG_S and suffix in (".mov", ".mp4", ".m4v", ".m4a")
        options["acodec"] = "alac" if long else _CODECS[suffix]
    mux(streams, stand_in.path, timecode, **options)


def _picture(stand_in: StandIn, folder: Path, frames: int) -> Any:
    """A few seconds of picture, repeated by copying packets: hours cost no more than seconds."""
    rate = stand_in.video_rate
    assert rate is not None
    if stand_in.path.suffix.lower() == ".mxf":
        return moving_picture(rate, frames / rate)
    small = folder / "picture.mov"
    made = moving_picture(rate, Fraction(-(-2 * rate // 1)) / rate)
    mux([made], small, vcodec="mpeg4", video_track_timescale=rate.numerator, g=12)
    return media_input(small, stream_loop=-1).video


def _raw_sound(stand_in: StandIn, folder: Path) -> Path:
    """The whole sound as int16; what is silent is a hole in the file."""
    raw = folder / "sound.s16"
    frame_bytes = 2 * stand_in.channels
    with raw.open("wb") as file:
        for start, sound in _blocks(stand_in):
            file.seek(start * frame_bytes)
            file.write(np.ascontiguousarray(sound, dtype="<i2").tobytes())
        file.truncate(stand_in.length_samples * frame_bytes)
    return raw


def _timecode(stand_in: StandIn) -> str | None:
    rate = stand_in.video_rate
    if rate is None or stand_in.start_s is None:
        return None
    return timecode_from_frames(round(stand_in.start_s * rate), rate, stand_in.drop_frame)
