"""What a media file holds: streams, exact times, start timecode. Works without ffprobe."""

from __future__ import annotations

import logging
import stat
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from nlecompanion.errors import MediaOffline, MediaUnreadable, NoAudio
from nlecompanion.media.broadcast_wav import ORIGINATOR, Bext, read_bext
from nlecompanion.media.containers import (
    Origin,
    discard_all_but,
    landed_where_it_says,
    open_media,
    origin,
    seconds,
)
from nlecompanion.media.riff import missing_sound_bytes
from nlecompanion.model import AudioStream, MediaFile
from nlecompanion.units import exact_rate, frames_from_timecode

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from av.audio.stream import AudioStream as AvAudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream as AvStream
    from av.video.stream import VideoStream as AvVideoStream

logger = logging.getLogger(__name__)

#: Reordered pictures come at most this many packets late (H.264 allows 16; open GOPs add some).
_VIDEO_PACKETS = 32
#: How much of the end is looked at to find the last packet.
_TAIL_S = Fraction(2)
#: What a container may promise beyond its last packet before we call the file cut off.
_PROMISE_SLACK_S = Fraction(1, 2)
#: Raw streams state a length that is guessed from the bit rate; their packets are counted instead.
_RAW = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "amr"})
#: These state where the last block begins, or nothing; their last packets are looked at instead.
_VAGUE = frozenset({"mpegts", "mpeg", "mpegvideo", "avi", "flv", "asf"})


@dataclass(frozen=True, slots=True)
class _Outline:
    """What one look at the container shows, before any sound is decoded."""

    container: str
    video_rate: Fraction | None
    video_start_s: Fraction | None
    video_end_s: Fraction
    audio: tuple[int, ...]
    timecode: str | None
    time_reference_samples: int | None


def probe(path: Path) -> MediaFile:
    """Reads what the file holds; decodes only the first samples of each audio stream.

    The first instant is that of the first picture, or of the first sample where there is none.

    Raises:
        MediaOffline: there is no such file.
        MediaUnreadable: empty, damaged, cut off, still being written, or of no known format.
        NoAudio: there is no sound in it.
    """
    before = _status(path)
    outline = _outline(path)
    if not outline.audio:
        raise NoAudio(f"{path.name} has no audio stream. Relink the clip to a file with sound.")
    bext = read_bext(path)
    missing_bytes = missing_sound_bytes(path)
    if missing_bytes:
        raise MediaUnreadable(
            f"{path.name} is cut off: {missing_bytes} bytes of the sound that its header states "
            "are missing. It was copied in part or is still being written; copy it again."
        )
    clocks = [_stream_clock(path, index) for index in outline.audio]
    zero_s = outline.video_start_s
    if zero_s is None:
        zero_s = min(start_s for _, start_s, _ in clocks)
    streams = tuple(_moved(stream, start_s - zero_s, end_s) for stream, start_s, end_s in clocks)
    ends_s = [end_s - zero_s for _, _, end_s in clocks]
    if outline.video_rate is not None:
        ends_s.append(outline.video_end_s - zero_s)
    _check_still(path, before)
    return MediaFile(
        path=path,
        container=outline.container,
        size_bytes=before.st_size,
        modified_ns=before.st_mtime_ns,
        duration_s=max(ends_s),
        streams=streams,
        video_rate=outline.video_rate,
        start_timecode_s=_start_timecode_s(outline, bext, streams),
        cleaned_by_us=bext is not None and bext.originator == ORIGINATOR,
    )


def _moved(stream: AudioStream, start_s: Fraction, end_s: Fraction) -> AudioStream:
    return replace(stream, start_s=start_s, duration_s=max(end_s - stream.start_s, Fraction(0)))


def _status(path: Path) -> os.stat_result:
    try:
        status = path.stat()
    except OSError as error:
        raise MediaOffline(f"{path.name} is not at {path.parent}: {error.strerror}.") from error
    if not stat.S_ISREG(status.st_mode):
        raise MediaUnreadable(
            f"{path.name} is not a regular file. Relink the clip to a media file."
        )
    if status.st_size == 0:
        raise MediaUnreadable(
            f"{path.name} is empty (0 bytes). It is still being written, or its copy failed."
        )
    return status


def _check_still(path: Path, before: os.stat_result) -> None:
    after = _status(path)
    if (after.st_size, after.st_mtime_ns) != (before.st_size, before.st_mtime_ns):
        raise MediaUnreadable(
            f"{path.name} is still being written: it went from {before.st_size} to "
            f"{after.st_size} bytes while it was read. Wait until it is whole, then try again."
        )


def _outline(path: Path) -> _Outline:
    with open_media(path) as container:
        video = next((v for v in container.streams.video if _is_picture(v)), None)
        total_s = Fraction(container.duration or 0, 1_000_000)
        start_s = None if video is None else _video_start_s(container, video)
        end_s = (start_s or Fraction(0)) + total_s
        if video is not None and video.duration is not None:
            end_s = (start_s or Fraction(0)) + seconds(video.duration, video.time_base)
        reference = str(container.metadata.get("time_reference", ""))
        return _Outline(
            container=container.format.name,
            video_rate=None if video is None else _video_rate(video),
            video_start_s=start_s,
            video_end_s=end_s,
            audio=_decodable(container, path),
            timecode=_timecode(container),
            time_reference_samples=int(reference) if reference.isdigit() else None,
        )


def _is_picture(stream: AvVideoStream) -> bool:
    """Cover art in a music file is not what an editor means by video."""
    from av.stream import Disposition

    return not stream.disposition & Disposition.attached_pic


def _decodable(container: InputContainer, path: Path) -> tuple[int, ...]:
    found = [s.index for s in container.streams.audio if s.codec_context is not None]
    unknown = len(container.streams.audio) - len(found)
    if unknown:
        logger.warning("%s: %d audio streams have no decoder here", path.name, unknown)
    if unknown and not found:
        raise MediaUnreadable(
            f"{path.name}: its sound is in a codec that cannot be decoded here. "
            "Transcode it to WAV and relink the clip."
        )
    return tuple(found)


def _video_rate(stream: AvVideoStream) -> Fraction | None:
    """The exact rate; the container's own grid where the average is within 0.1 % of it."""
    average, base = stream.average_rate, stream.base_rate
    rate = average or base
    if rate is None:
        return None
    if base is not None and abs(base / rate - 1) < Fraction(1, 1000):
        rate = base
    return exact_rate(float(rate))


def _video_start_s(container: InputContainer, stream: AvVideoStream) -> Fraction:
    """The first picture's presentation time, found without decoding any."""
    if container.format.name == "mxf":
        # Tracks of an MXF package begin together; without an index its pictures look late.
        return seconds(stream.start_time or 0, stream.time_base)
    discard_all_but(container, stream)
    shown = [
        packet.pts
        for packet in islice(container.demux(stream), _VIDEO_PACKETS)
        if packet.pts is not None and not packet.is_discard
    ]
    return seconds(min(shown, default=stream.start_time or 0), stream.time_base)


def _timecode(container: InputContainer) -> str | None:
    """The timecode track's start, or what the container states of it."""
    stated = [container.metadata.get("timecode")]
    stated += [s.metadata.get("timecode") for s in (*container.streams.data, *container.streams)]
    return next((str(text) for text in stated if text), None)


def _stream_clock(path: Path, index: int) -> tuple[AudioStream, Fraction, Fraction]:
    """A stream with its first and last instants on the container's clock."""
    with open_media(path) as container:
        stream = next(s for s in container.streams.audio if s.index == index)
        discard_all_but(container, stream)
        start = _origin(container, stream, path)
        end_s = _stream_end_s(container, stream, start, path)
        context = stream.codec_context
        found = AudioStream(
            index=index,
            codec=context.codec.canonical_name,
            rate_hz=context.sample_rate,
            channels=context.channels,
            layout=_layout(context.layout.name, context.channels),
            start_s=start.first_s,
            duration_s=None,
        )
        return found, start.first_s, max(start.first_s, end_s)


def _origin(container: InputContainer, stream: AvAudioStream, path: Path) -> Origin:
    import av

    try:
        return origin(container, stream)
    except av.FFmpegError as error:
        raise MediaUnreadable(
            f"{path.name} cannot be read from its beginning ({error.strerror}). "
            "It is damaged; copy or export it again."
        ) from error


def _layout(name: str, channels: int) -> str:
    if channels in (1, 2) and name.endswith("channels"):
        return "mono" if channels == 1 else "stereo"
    return f"{channels} channels" if name in ("", "0 channels") else name


def _stream_end_s(
    container: InputContainer, stream: AvAudioStream, start: Origin, path: Path
) -> Fraction:
    """The end of the stream's last packet, or the earlier end that an edit list sets."""
    stated_s = _stated_end_s(container, stream)
    look_s = stated_s
    if look_s is None and container.duration is not None:
        look_s = start.first_s + Fraction(container.duration, 1_000_000)
    found_s = None
    if look_s is not None and container.format.name not in _RAW:
        found_s = _tail_end_s(container, stream, start, look_s - _TAIL_S)
    if found_s is None:
        # No index, or the picture is longer than the sound: only a walk finds the sound's end.
        found_s = _walked_end_s(path, stream.index)
    if stated_s is not None and found_s < stated_s - _PROMISE_SLACK_S:
        raise MediaUnreadable(
            f"{path.name} states {float(stated_s):.2f} s of sound, but it ends at "
            f"{float(found_s):.2f} s. It was copied in part, is damaged or still being written; "
            "copy it again."
        )
    return found_s if stated_s is None else min(found_s, stated_s)


def _tail_end_s(
    container: InputContainer, stream: AvAudioStream, start: Origin, look_s: Fraction
) -> Fraction | None:
    """The last packet's end as found by a seek to `look_s`; None where that cannot be trusted."""
    import av

    try:
        container.seek(int(look_s / start.time_base), stream=stream)
        packets = container.demux(stream)
        first = next(packets, None)
        if first is None or not first.size or not landed_where_it_says(first, start):
            return None
        return _last_end_s(chain((first,), packets), stream)
    except (av.FFmpegError, OSError) as error:
        logger.info("%s: no seek to the end: %s", container.name, error)
        return None


def _walked_end_s(path: Path, index: int) -> Fraction:
    """The last packet's end, found by reading the whole stream without decoding it."""
    import av

    end_s = Fraction(0)
    with open_media(path) as container:
        stream = next(s for s in container.streams.audio if s.index == index)
        discard_all_but(container, stream)
        try:
            for packet in container.demux(stream):
                end_s = max(end_s, _packet_end_s(packet, stream))
        except (av.FFmpegError, OSError) as error:
            # How far the packets go is the question here; the caller compares.
            logger.info("%s: reading stopped: %s", path.name, error)
    return end_s


def _stated_end_s(container: InputContainer, stream: AvAudioStream) -> Fraction | None:
    """Where the container says that the stream ends; None for guesses from the bit rate."""
    name = container.format.name
    # An MP3 with a LAME header has an encoder delay, hence a start, and an exact length.
    if name in _VAGUE or (name in _RAW and not stream.start_time):
        return None
    if stream.duration is not None:
        return seconds(stream.duration + (stream.start_time or 0), stream.time_base)
    return _clock_tag_s(stream)


def _clock_tag_s(stream: AvStream) -> Fraction | None:
    """Matroska's DURATION tag, `00:00:12.024000000`, which is the stream's end time."""
    hours, _, rest = str(stream.metadata.get("DURATION", "")).partition(":")
    minutes, _, rest_s = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(rest_s)
    except ValueError:
        return None


def _last_end_s(packets: Iterable[Packet[AvAudioStream]], stream: AvAudioStream) -> Fraction:
    return max((_packet_end_s(packet, stream) for packet in packets), default=Fraction(0))


def _packet_end_s(packet: Packet[AvAudioStream], stream: AvAudioStream) -> Fraction:
    if not packet.size or packet.pts is None:
        return Fraction(0)
    return seconds(packet.pts + (packet.duration or 0), stream.time_base)


def _start_timecode_s(
    outline: _Outline, bext: Bext | None, streams: tuple[AudioStream, ...]
) -> Fraction | None:
    """Timecode of the first instant in seconds: of the timecode track, or the bext chunk."""
    if outline.timecode is not None and outline.video_rate is not None:
        try:
            frames = frames_from_timecode(outline.timecode, outline.video_rate)
            return frames / outline.video_rate
        except ValueError as error:
            logger.warning("The start timecode is not used: %s", error)
    reference_samples = outline.time_reference_samples
    if bext is not None:
        reference_samples = bext.time_reference_samples
    if reference_samples is None:
        return None
    return Fraction(reference_samples, streams[0].rate_hz)
