"""Encodes test media with the ffmpeg that the package uses, and decodes it whole for comparison."""

from __future__ import annotations

import tempfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import ffmpeg
import numpy as np

from nlecompanion.media.programs import (
    ffmpeg_arguments,
    file_address,
    find_ffmpeg,
    media_input,
    run,
)
from nlecompanion.model import Samples

PICTURE_SIZE = "64x36"
#: Muxers of suffixes that ffmpeg would take for something else.
_FORMATS = {".m4v": "mp4", ".m4a": "mp4"}


def varied_sound(length_samples: int, channels: int, rate_hz: int, seed: int = 1) -> Samples:
    """Sound that differs everywhere and in every channel: tones, noise, a slow swell."""
    generator = np.random.default_rng(seed)
    time_s = np.arange(length_samples)[:, None] / rate_hz
    tones_hz = 180.0 * 1.31 ** np.arange(channels)[None, :]
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * 0.7 * time_s)
    sound = 0.25 * swell * np.sin(2 * np.pi * tones_hz * time_s)
    sound += 0.05 * generator.standard_normal((length_samples, channels))
    return np.asarray(np.clip(sound, -0.99, 0.99), dtype=np.float32)


def encode(
    samples: Samples,
    rate_hz: int,
    path: Path,
    codec: str | None = None,
    *,
    video_rate: Fraction | None = None,
    timecode: str | None = None,
    split_streams: bool = False,
    audio_delay_s: Fraction = Fraction(0),
    **options: Any,
) -> Path:
    """Writes `samples` to `path` in the container that its suffix names.

    With `video_rate` a small moving picture of the same length is added, with `split_streams`
    every channel becomes its own mono stream (as in MXF); the sound begins `audio_delay_s` after
    the picture (before it where negative). `options` are ffmpeg's output options.
    """
    length_samples, channels = samples.shape
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "sound.f32"
        raw.write_bytes(np.ascontiguousarray(samples, dtype="<f4").tobytes())
        sound = media_input(raw, f="f32le", ar=rate_hz, ac=channels).audio
        if audio_delay_s > 0:
            sound = sound.filter("asetpts", f"PTS+{float(audio_delay_s):.9f}/TB")
        streams = _split(sound, channels) if split_streams else [sound]
        if video_rate is not None:
            picture = moving_picture(video_rate, Fraction(length_samples, rate_hz))
            if audio_delay_s < 0:
                picture = picture.filter("setpts", f"PTS+{float(-audio_delay_s):.9f}/TB")
            streams.insert(0, picture)
            options.setdefault("vcodec", "mpeg2video" if path.suffix == ".mxf" else "mpeg4")
        if codec is not None:
            options["acodec"] = codec
        mux(streams, path, timecode, **options)
    return path


def mux(streams: list[Any], path: Path, timecode: str | None = None, **options: Any) -> None:
    """Writes ffmpeg-python streams to `path`."""
    if path.suffix in _FORMATS:
        options.setdefault("f", _FORMATS[path.suffix])
    if timecode is not None:
        options["timecode"] = timecode
    output = ffmpeg.output(*streams, file_address(path), **options)
    run(find_ffmpeg(), ffmpeg_arguments(output.overwrite_output()))


def moving_picture(rate: Fraction, duration_s: Fraction) -> Any:
    """An ffmpeg-python node: a small moving picture of whole frames that covers the duration."""
    frames = -(-duration_s * rate // 1)
    # Half a frame less, or rounding may add one.
    seconds = float((frames - Fraction(1, 2)) / rate)
    source = f"testsrc=size={PICTURE_SIZE}:rate={rate}:duration={seconds:.9f}"
    return ffmpeg.input(source, f="lavfi").video


def _split(sound: Any, channels: int) -> list[Any]:
    parts = sound.filter_multi_output("asplit", channels)
    return [
        parts[c].filter("channelmap", map=str(c), channel_layout="mono") for c in range(channels)
    ]


def decode_whole(path: Path, stream: int = 0) -> Samples:
    """The whole stream as ffmpeg's command line decodes it: shape (samples, channels)."""
    with av.open(file_address(path)) as container:
        channels = container.streams.audio[stream].codec_context.channels
    output = media_input(path)[f"a:{stream}"].output("pipe:1", f="f32le", acodec="pcm_f32le")
    raw = run(find_ffmpeg(), ffmpeg_arguments(output))
    return np.frombuffer(raw, dtype="<f4").reshape(-1, channels)


def cut_short(path: Path, share: float) -> Path:
    """A copy of `path` beside it that ends early, as after a broken copy."""
    cut = path.with_name(f"cut short {path.name}")
    content = path.read_bytes()
    cut.write_bytes(content[: int(len(content) * share)])
    return cut
