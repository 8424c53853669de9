"""Opens media files for reading, guarded: one local file, known containers, nothing else.

The same library gives the facts (`probe`) and the sound (`extract`), so that they cannot
disagree on where a stream begins.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.errors import MediaOffline, MediaUnreadable
from nlecompanion.media.programs import file_address

if TYPE_CHECKING:
    import av
    import av.container
    from av.audio.stream import AudioStream as AvAudioStream
    from av.stream import Stream as AvStream

#: Demuxers of real media. Playlists (hls, concat, dash, imf) are not among them: a file that
#: names other files would read past the folders that the user allowed.
DEMUXERS = (
    "wav,w64,aiff,caf,au,flac,ogg,mp3,aac,ac3,eac3,dts,amr,ape,wv,tta,mov,mp4,m4a,3gp,matroska,"
    "webm,avi,mxf,mpegts,mpeg,mpegvideo,asf,flv,gxf,dv,nut,rm,swf"
)
#: Seconds to wait for a read; a file on a sleeping network drive must not hold a job for ever.
READ_TIMEOUT_S = 120.0


@contextmanager
def open_media(path: Path) -> Iterator[av.container.InputContainer]:
    """The open container; other protocols than `file`, and playlists, are refused.

    Raises:
        MediaOffline: the file is gone.
        MediaUnreadable: it cannot be opened, is empty, damaged or in no format known here.
    """
    import av

    try:
        container = av.open(
            file_address(path),
            options={"protocol_whitelist": "file", "format_whitelist": DEMUXERS},
            timeout=READ_TIMEOUT_S,
        )
    except FileNotFoundError as error:
        raise MediaOffline(f"{path.name} is no longer at {path.parent}.") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise MediaUnreadable(_why_unreadable(path, error)) from error
    with container:
        yield container


def _why_unreadable(path: Path, error: Exception) -> str:
    reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
    if isinstance(error, PermissionError):
        return f"{path.name} may not be read ({reason}). Give this user the right to read it."
    size_bytes = path.stat().st_size if path.exists() else 0
    return (
        f"{path.name} ({size_bytes} bytes) cannot be opened as media: {reason}. "
        "It is damaged, still being written, or not a media file; copy or export it again."
    )


def discard_all_but(container: av.container.InputContainer, wanted: AvStream) -> None:
    """Tells the demuxer to step over every other stream instead of reading it."""
    from av.stream import Discard

    for stream in container.streams:
        stream.discard = Discard.default if stream.index == wanted.index else Discard.all


def seconds(ticks: int, time_base: Fraction | None) -> Fraction:
    """Ticks of a time base as exact seconds."""
    return ticks * Fraction(time_base or Fraction(1, 1_000_000))


def first_sample_s(container: av.container.InputContainer, stream: AvAudioStream) -> Fraction:
    """When the stream's first decoded sample sounds, on the container's own clock.

    Encoder delay and edit lists are applied as ffmpeg applies them. Reads from where the
    container stands, which must be its beginning.

    Raises:
        MediaUnreadable: no sample could be decoded.
    """
    import av

    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            # Junk before the first whole frame is common in MP3 and broadcast recordings.
            continue
        for frame in frames:
            if frame.samples:
                return _clock_s(frame.pts, Fraction(frame.time_base), Fraction(1, frame.sample_rate))
    raise MediaUnreadable(
        f"No sound could be decoded from stream {stream.index} of "
        f"{Path(container.name).name}: the file is damaged or ends before its sound begins."
    )


def _clock_s(pts: int | None, time_base: Fraction, sample_s: Fraction) -> Fraction:
    """A time stamp in seconds; one tick of a coarse clock (WebM: 1 ms) is taken for zero."""
    time_s = seconds(pts or 0, time_base)
    return Fraction(0) if sample_s < time_base and abs(time_s) <= time_base else time_s
