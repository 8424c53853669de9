"""Opens media files for reading, guarded: one local file, known containers, nothing else.

The same library gives the facts (`probe`) and the sound (`extract`), so that they cannot
disagree on where a stream begins.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.errors import MediaOffline, MediaUnreadable
from nlecompanion.media.programs import file_address

if TYPE_CHECKING:
    import av
    import av.container
    from av import AudioFrame
    from av.audio.stream import AudioStream as AvAudioStream
    from av.stream import Stream as AvStream

logger = logging.getLogger(__name__)

#: Demuxers of real media. Playlists (hls, concat, dash, imf) are not among them: a file that
#: names other files would read past the folders that the user allowed.
DEMUXERS = (
    "wav,w64,aiff,caf,au,flac,ogg,mp3,aac,ac3,eac3,dts,amr,ape,wv,tta,mov,mp4,m4a,3gp,matroska,"
    "webm,avi,mxf,mpegts,mpeg,mpegvideo,asf,flv,gxf,dv,nut,rm,swf"
)
#: Seconds to wait for a read; a file on a sleeping network drive must not hold a job for ever.
READ_TIMEOUT_S = 120.0
#: Enough to see whether a codec's frames all have one length.
_FRAMES_LOOKED_AT = 8


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
        for stream in container.streams.audio:
            if stream.codec_context is not None:
                _own_layout(stream)
        yield container


def _own_layout(stream: AvAudioStream) -> None:
    """Gives the decoder a channel layout of its own, before it is opened.

    Layouts that name channels one by one (`FL+FR+DL+DR`, as editors write into MOV) hold a pointer.
    PyAV 17.1 to 18.1 frees it with every look at a frame's or decoder's layout, and the process
    dies. Here it is looked at once and replaced by one without a pointer.
    """
    from av.audio.layout import AudioLayout

    context = stream.codec_context
    layout = context.layout
    name, channels = layout.name, layout.nb_channels
    if not channels:
        return
    plain = "+" not in name and " (" not in name
    context.layout = AudioLayout(name if plain else f"{channels} channels")


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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stream's sound begins, and how its frames lie.

    `first_s` is the container's time of the first decoded sample (encoder delay and edit lists
    applied as ffmpeg applies them); `head_samples` the length of the first frame after that;
    `frame_samples` the length of those that follow, None where they differ. `first_position` is
    the first packet's place in the file.
    """

    first_s: Fraction
    head_samples: int
    frame_samples: int | None
    first_position: int | None
    time_base: Fraction

    def is_coarse(self, rate_hz: int) -> bool:
        """Whether a tick of the container's clock is longer than a sample (WebM: 1 ms)."""
        return self.time_base * rate_hz > 1


class Clock:
    """The container's clock in samples from the stream's first; whole numbers stay integers."""

    def __init__(self, start: Origin, rate_hz: int) -> None:
        self._start_samples, self._rate_hz = start.first_s * rate_hz, rate_hz
        #: Of all frames of a stream; to make fractions of each anew takes as long as to decode it.
        self._tick_samples: Fraction | None = None

    def place(self, frame: AudioFrame) -> Fraction | int | None:
        """Where the clock puts the frame; None where the frame carries no time."""
        if frame.pts is None:
            return None
        if self._tick_samples is None:
            self._tick_samples = Fraction(frame.time_base or 1) * self._rate_hz
        tick, start = self._tick_samples, self._start_samples
        part = tick.denominator * start.denominator
        parts = frame.pts * tick.numerator * start.denominator - start.numerator * tick.denominator
        whole, rest = divmod(parts, part)
        return Fraction(parts, part) if rest else whole


def origin(container: av.container.InputContainer, stream: AvAudioStream) -> Origin:
    """Decodes the stream's first frames; the container must stand at its beginning.

    Raises:
        MediaUnreadable: no sample could be decoded.
    """
    import av

    first_position: int | None = None
    frames: list[av.AudioFrame] = []
    for packet in container.demux(stream):
        if first_position is None and packet.size:
            first_position = packet.pos
        try:
            frames += [frame for frame in packet.decode() if frame.samples]
        except av.FFmpegError as error:
            # Junk before the first whole frame is common in MP3 and broadcast recordings.
            logger.info("%s: a packet before the sound is no sound: %s", container.name, error)
        if len(frames) > _FRAMES_LOOKED_AT:
            break
    if not frames:
        raise MediaUnreadable(
            f"No sound could be decoded from stream {stream.index} of "
            f"{Path(container.name).name}: the file is damaged or ends before its sound begins."
        )
    head = frames[0]
    lengths = {frame.samples for frame in frames[1:_FRAMES_LOOKED_AT]}
    return Origin(
        first_s=_clock_s(head),
        head_samples=head.samples,
        frame_samples=lengths.pop() if len(lengths) == 1 else None,
        first_position=first_position,
        time_base=Fraction(head.time_base or 1),
    )


def _clock_s(frame: av.AudioFrame) -> Fraction:
    """A frame's time in seconds; one tick of a coarse clock is taken for zero."""
    time_s = seconds(frame.pts or 0, frame.time_base)
    tick_s = Fraction(frame.time_base or 1)
    return Fraction(0) if tick_s * frame.sample_rate > 1 and abs(time_s) <= tick_s else time_s


def landed_where_it_says(packet: av.Packet[AvAudioStream], start: Origin) -> bool:
    """Whether the first packet after a seek is the one that its time stamp claims.

    A demuxer without an index (a damaged MXF) may go back to the first packet and give it the
    time that was asked for.
    """
    if packet.pts is None:
        return False
    if start.first_position is None or packet.pos is None or packet.pos < 0:
        return True
    later = packet.pts * Fraction(packet.time_base or 1) > start.first_s + 1
    return not later or packet.pos > start.first_position
