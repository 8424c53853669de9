"""Reads one audio stream from any sample on, at its own rate, exactly.

Positions count from the stream's first decoded sample. The decoder is started early enough to be
in step where the sound begins (`PREROLL_S`), and every frame's place is checked against the
container's clock: where packets are missing, silence keeps later sound in its place. Where a
container cannot seek exactly, the stream is decoded from its start.
"""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from nlecompanion.errors import MediaUnreadable
from nlecompanion.media.containers import (
    Clock,
    Origin,
    discard_all_but,
    landed_where_it_says,
    open_media,
    origin,
)
from nlecompanion.model import AudioStream, MediaFile, Samples

if TYPE_CHECKING:
    from av import AudioFrame
    from av.audio.stream import AudioStream as AvAudioStream
    from av.container import InputContainer

logger = logging.getLogger(__name__)

#: Opus needs the longest: it forgets its past to below 1e-6 after 0.4 s (measured). MP3's bit
#: reservoir and AAC's overlap are shorter than 0.3 s.
PREROLL_S = Fraction(3, 2)
#: Codecs whose packets stand alone.
_STAND_ALONE = ("pcm_", "flac", "alac", "wavpack", "tta")
#: Below this, decoding from the start is as cheap as a seek. AAC may fill bands with noise from a
#: generator that runs from the file's start (ISO/IEC 14496-3, perceptual noise substitution), so a
#: seek gives other noise than a whole decode does; that is put off as long as it costs little.
_FROM_THE_START_S = 3
_AAC_FROM_THE_START_S = 60
#: Recorders' clocks wander; frames are laid end to end while they stay within this of the clock.
_WANDER_S = Fraction(1, 10)
#: Demuxers whose time stamps may skip on purpose: a pause in a recording, an empty edit.
_WITH_PAUSES = ("mov,", "matroska", "flv", "asf")
#: Demuxers whose clock tells each frame's place, so that a jump of a frame is a lost frame: it is
#: written in the file (the sample table, the PES header, the frame's own number), not counted
#: while reading as in MP3 and ADTS, nor spread over pages as in Ogg.
_WITH_EXACT_TIMES = ("mov,", "mpeg", "flac")
#: How many ticks two time stamps and their difference may be rounded by.
_CLOCK_SLACK_TICKS = 3
#: Demuxers round: a seek may land a picture or two late.
_AIM_EARLIER_S = Fraction(1, 4)
_PIECE_SAMPLES = 48_000

_Placed = tuple[int, Samples]


class _SeekFailed(Exception):
    """The container did not land on a frame that can be placed exactly."""


class StreamReader:
    """Reads a stream's samples in order from `start_sample` on (negative: silence first)."""

    def __init__(self, media: MediaFile, stream: AudioStream, start_sample: int) -> None:
        self.stream = stream
        #: Where the stream's sound ended, once a read has passed it.
        self.end_sample: int | None = None
        self._position = start_sample
        self._left_over: Samples | None = None
        self._pieces = _pieces(media, stream, max(0, start_sample))

    def read(self, count: int) -> Samples:
        """The next `count` samples, shape (count, channels); silence after the stream's end.

        Raises:
            MediaUnreadable: the file is damaged here.
        """
        block = np.zeros((count, self.stream.channels), dtype=np.float32)
        filled = min(count, max(0, -self._position))
        while filled < count and self.end_sample is None:
            piece = self._next_piece()
            if piece is None:
                break
            taken = min(len(piece), count - filled)
            block[filled : filled + taken] = piece[:taken]
            self._left_over = piece[taken:] if taken < len(piece) else None
            filled += taken
        self._position += count
        return block

    def _next_piece(self) -> Samples | None:
        if self._left_over is not None:
            return self._left_over
        try:
            return next(self._pieces)
        except StopIteration as stop:
            self.end_sample = stop.value
            return None

    def close(self) -> None:
        """Closes the file."""
        self._pieces.close()


def _pieces(
    media: MediaFile, stream: AudioStream, start_sample: int
) -> Generator[Samples, None, int]:
    """The sound from `start_sample` on, without gaps; returns where it ended."""
    preroll_s = Fraction(0) if stream.codec.startswith(_STAND_ALONE) else PREROLL_S
    target = start_sample - int(preroll_s * stream.rate_hz)
    near_s = _AAC_FROM_THE_START_S if stream.codec == "aac" else _FROM_THE_START_S
    if target > near_s * stream.rate_hz:
        try:
            end_sample = yield from _trimmed(_placed(media, stream, target), start_sample)
            # Nothing at all: the place lies behind the end, and where that is must be found out.
            if end_sample is not None:
                return end_sample
        except _SeekFailed as error:
            # Raised before the first piece only, so nothing is given twice.
            logger.info("%s is decoded from its start: %s", media.path.name, error)
    end_sample = yield from _trimmed(_placed(media, stream, None), start_sample)
    return end_sample or 0


def _trimmed(
    placed: Generator[_Placed, None, None], start_sample: int
) -> Generator[Samples, None, int | None]:
    """What lies after `start_sample`; returns where the last frame ended, if there was any."""
    end_sample = None
    with closing(placed):
        for position, samples in placed:
            end_sample = position + len(samples)
            if end_sample > start_sample:
                yield samples[max(0, start_sample - position) :]
    return end_sample


def _placed(
    media: MediaFile, stream: AudioStream, target: int | None
) -> Generator[_Placed, None, None]:
    """Frames with their positions, laid end to end, from at or before `target` on.

    Raises:
        MediaUnreadable: damage; a hole that the container's clock does not explain.
        _SeekFailed: before the first frame, where `target` could not be reached exactly.
    """
    start = _origin(media, stream)
    coarse = start.is_coarse(stream.rate_hz)
    if target is not None and coarse and start.frame_samples is None:
        raise _SeekFailed("its clock is coarse and its frames differ in length")
    exact_times = media.container.startswith(_WITH_EXACT_TIMES)
    holes = _Holes(start, stream.rate_hz)
    lost_samples = 0
    expected: int | None = 0 if target is None else None
    clock = Clock(start, stream.rate_hz)
    for frame, damaged in _frames(media, stream, start, target):
        stated = clock.place(frame)
        if expected is None:
            if coarse and frame.samples != start.frame_samples:
                # Cut by the demuxer to begin where the seek aimed; the next one is whole.
                continue
            expected = _first_position(stated, start, stream.rate_hz)
            if target is None or expected > target:
                raise _SeekFailed(f"it landed on sample {expected}, after {target}")
            holes.due = expected
        hole = holes.before(frame.samples, stated, expected, exact_times or damaged)
        if hole:
            if damaged or not media.container.startswith(_WITH_PAUSES):
                lost_samples += hole
            _report_hole(media, stream, expected, hole, lost_samples)
        for begin in range(0, hole, _PIECE_SAMPLES):
            count = min(_PIECE_SAMPLES, hole - begin)
            yield expected, np.zeros((count, stream.channels), dtype=np.float32)
            expected += count
        samples = _float_samples(frame, stream, media)
        yield expected, samples
        expected += len(samples)


def _report_hole(
    media: MediaFile, stream: AudioStream, position: int, hole_samples: int, lost_samples: int
) -> None:
    """Warns of the silence that takes the hole's place.

    `lost_samples` is what the file has lost up to here; pauses on purpose do not count.

    Raises:
        MediaUnreadable: too much is lost to go on.
    """
    at_s, hole_s = position / stream.rate_hz, hole_samples / stream.rate_hz
    if lost_samples > _WANDER_S * stream.rate_hz:
        raise MediaUnreadable(
            f"{media.path.name} is damaged: {lost_samples / stream.rate_hz:.2f} s of sound are "
            f"missing up to {at_s + hole_s:.2f} s. Copy it again."
        )
    logger.warning(
        "%s has no sound for %.3f s at %.3f s; it is silent there", media.path.name, hole_s, at_s
    )


@dataclass(slots=True)
class _Holes:
    """Finds where the container's clock runs ahead of the sound: where sound is missing.

    A jump by a whole frame means that frames were lost; later sound must not move up, and a
    seek past the hole goes by the clock as well. Smaller deviations are the clock's own.
    """

    start: Origin
    rate_hz: int
    #: Where the clock should put the next frame, going by the one before.
    due: Fraction | int = 0

    def before(
        self, frame_samples: int, stated: Fraction | int | None, expected: int, exact_times: bool
    ) -> int:
        """Samples missing between `expected` and the next frame, which the clock puts at `stated`.

        Unless `exact_times`, only what is beyond wandering counts.
        """
        if stated is None:
            self.due += frame_samples
            return 0
        if stated == expected:
            # Nearly every frame; fractions take time.
            self.due = expected + frame_samples
            return 0
        jump_samples = stated - self.due
        self.due = stated + frame_samples
        missing = stated - expected
        if missing > _WANDER_S * self.rate_hz:
            return round(missing)
        whole = self.start.frame_samples or frame_samples
        slack_samples = _CLOCK_SLACK_TICKS * self.start.time_base * self.rate_hz
        if not exact_times or whole < 2 * slack_samples or jump_samples < whole - slack_samples:
            return 0
        if self.start.is_coarse(self.rate_hz):
            # Whole frames, as on the grid that a seek goes by.
            return max(0, round(missing / whole) * whole)
        return max(0, round(missing))


def _frames(
    media: MediaFile, stream: AudioStream, start: Origin, target: int | None
) -> Iterator[tuple[AudioFrame, bool]]:
    """Decoded frames that hold sound, each with whether packets up to it were damaged."""
    import av

    with open_media(media.path) as container:
        wanted = _wanted(container, stream)
        if target is not None:
            _seek(container, wanted, start, target, stream.rate_hz)
        checked = target is None
        damaged = False
        try:
            for packet in container.demux(wanted):
                if not checked and packet.size:
                    if not landed_where_it_says(packet, start):
                        raise _SeekFailed("it has no index that can be trusted")
                    checked = True
                try:
                    frames = packet.decode()
                except av.FFmpegError as error:
                    # The first is enough: a damaged stretch may hold thousands.
                    level = logging.DEBUG if damaged else logging.WARNING
                    logger.log(level, "%s: a packet is damaged: %s", media.path.name, error)
                    damaged = True
                    continue
                for frame in frames:
                    if frame.samples:
                        yield frame, damaged
                damaged = damaged or packet.is_corrupt
        except (av.FFmpegError, OSError) as error:
            raise MediaUnreadable(
                f"{media.path.name} cannot be read to its end: {error}. Copy it again."
            ) from error


def _wanted(container: InputContainer, stream: AudioStream) -> AvAudioStream:
    wanted = next(s for s in container.streams.audio if s.index == stream.index)
    discard_all_but(container, wanted)
    return wanted


def _seek(
    container: InputContainer, wanted: AvAudioStream, start: Origin, target: int, rate_hz: int
) -> None:
    import av

    target_s = start.first_s + Fraction(target, rate_hz) - _AIM_EARLIER_S
    try:
        container.seek(int(target_s / start.time_base), stream=wanted, backward=True)
    except av.FFmpegError as error:
        raise _SeekFailed(str(error)) from error


@lru_cache(maxsize=64)
def _origin(media: MediaFile, stream: AudioStream) -> Origin:
    """The stream's origin, remembered for the file as it was probed."""
    with open_media(media.path) as container:
        return origin(container, _wanted(container, stream))


def _first_position(place: Fraction | int | None, start: Origin, rate_hz: int) -> int:
    """The exact position of the first frame after a seek, which the clock puts at `place`."""
    if place is None:
        raise _SeekFailed("its frames carry no times")
    stated = Fraction(place)
    if not start.is_coarse(rate_hz):
        return round(stated)
    # The clock is too coarse, but frames of one length can only lie on a grid.
    slack_samples = _CLOCK_SLACK_TICKS * start.time_base * rate_hz
    if start.frame_samples is None or start.frame_samples < 2 * slack_samples:
        raise _SeekFailed("its frames are too short for so coarse a clock")
    steps = round((stated - start.head_samples) / start.frame_samples)
    position = start.head_samples + steps * start.frame_samples
    if abs(position - stated) > slack_samples:
        raise _SeekFailed(f"its clock is {float(position - stated):.0f} samples off its frames")
    return position


def _float_samples(frame: AudioFrame, stream: AudioStream, media: MediaFile) -> Samples:
    """A frame as float32 of shape (samples, channels), full scale = 1, as ffmpeg scales it."""
    if frame.layout.nb_channels != stream.channels or frame.sample_rate != stream.rate_hz:
        raise MediaUnreadable(
            f"{media.path.name} changes from {stream.channels} channels at {stream.rate_hz} Hz to "
            f"{frame.layout.nb_channels} at {frame.sample_rate} Hz midway. Transcode it to WAV."
        )
    raw = frame.to_ndarray()
    sound = raw.T if frame.format.is_planar else raw.reshape(-1, stream.channels)
    if sound.dtype.kind == "f":
        return sound.astype(np.float32)
    bits = 8 * sound.dtype.itemsize
    if sound.dtype == np.uint8:
        return (sound.astype(np.float32) - np.float32(128)) * np.float32(1 / 128)
    return sound.astype(np.float32) * np.float32(2.0 ** (1 - bits))
