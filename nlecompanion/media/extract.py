"""Reads exactly the sound of a region: the right samples of the right channels, at one rate.

Positions count from the media's first instant; streams that begin later are silent until then.
A file at another rate is resampled as if the whole of it were, from its first instant on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from nlecompanion.errors import MediaOffline, MediaTooShort, MediaUnreadable, NoAudio
from nlecompanion.media.decode import StreamReader
from nlecompanion.media.resample import Resampler
from nlecompanion.model import AudioStream, MediaFile, Samples

#: About how long the blocks are that `read_region` gives.
BLOCK_S = 2
#: Containers round their ends; a region may reach this far past the last sample.
END_SLACK_S = Fraction(1, 10)


def whole_channels(media: MediaFile) -> int:
    """Channels of all audio streams, side by side."""
    return sum(stream.channels for stream in media.streams)


def length_samples(media: MediaFile, rate_hz: int) -> int:
    """From the media's first instant to the end of its longest audio stream, at `rate_hz`."""
    ends_s = [s.start_s + (s.duration_s or Fraction(0)) for s in media.streams if s.duration_s]
    return max(0, math.floor(max(ends_s, default=media.duration_s) * rate_hz))


def read_region(
    media: MediaFile,
    channels: tuple[int, ...],
    rate_hz: int,
    start_sample: int,
    end_sample: int,
) -> Iterator[Samples]:
    """The region in blocks of shape (n, len(channels)), float32, full scale = 1.

    The blocks together have exactly `end_sample - start_sample` rows.

    Raises:
        NoAudio: the file has no such channel.
        MediaTooShort: it ends before the region by more than a picture or 0.1 s.
        MediaUnreadable: it is damaged, or was changed since it was probed.
        MediaOffline: it is gone.
    """
    if start_sample < 0 or end_sample < start_sample:
        raise ValueError(f"a region cannot reach from {start_sample} to {end_sample}")
    picks = _picks(media, channels)
    _check_unchanged(media)
    with ExitStack() as stack:
        sources = []
        for pick in picks:
            source = _Source(media, pick.stream, rate_hz, start_sample)
            sources.append(stack.enter_context(closing(source)))
        step = BLOCK_S * rate_hz
        for start in range(start_sample, end_sample, step):
            count = min(step, end_sample - start)
            block = np.empty((count, len(channels)), dtype=np.float32)
            for pick, source in zip(picks, sources, strict=True):
                block[:, pick.columns] = source.read(count)[:, pick.stream_channels]
                _check_length(media, source, end_sample, rate_hz)
            if start + count == end_sample:
                _check_unchanged(media)
            yield block


@dataclass(frozen=True, slots=True)
class _Pick:
    """Which channels of one stream go to which columns of the result."""

    stream: AudioStream
    stream_channels: list[int]
    columns: list[int]


def _picks(media: MediaFile, channels: Sequence[int]) -> list[_Pick]:
    total = whole_channels(media)
    for channel in channels:
        if not 0 <= channel < total:
            raise NoAudio(
                f"{media.path.name} has {total} audio channels, but the timeline uses channel "
                f"{channel + 1}. Relink the clip to a file with at least {channel + 1}."
            )
    picks: list[_Pick] = []
    first = 0
    for stream in media.streams:
        inside = range(first, first + stream.channels)
        columns = [column for column, channel in enumerate(channels) if channel in inside]
        if columns:
            picks.append(_Pick(stream, [channels[c] - first for c in columns], columns))
        first += stream.channels
    return picks


class _Source:
    """One stream as it lies on the media's clock at `rate_hz`, read in order from `start`."""

    def __init__(self, media: MediaFile, stream: AudioStream, rate_hz: int, start: int) -> None:
        self.stream = stream
        self._shift = round(stream.start_s * stream.rate_hz)
        self._next = start
        self._resampler: Resampler | None = None
        first = start
        if stream.rate_hz != rate_hz:
            self._resampler = Resampler(stream.rate_hz, rate_hz)
            self._next = start // self._resampler.period_outputs * self._resampler.period_outputs
            first = self._resampler.inputs_for(self._next, self._next + 1)[0]
        #: Outputs made, but not yet asked for; at first those that fill up the first period.
        self._ready = np.zeros((0, stream.channels), dtype=np.float32)
        self._skip = start - self._next
        self._inputs = np.zeros((0, stream.channels), dtype=np.float32)
        self._inputs_start = first
        self._reader = StreamReader(media, stream, first - self._shift)

    @property
    def end_s(self) -> Fraction | None:
        """Where on the media's clock the stream's sound ended, once that is known."""
        if self._reader.end_sample is None:
            return None
        return Fraction(self._reader.end_sample + self._shift, self.stream.rate_hz)

    def read(self, count: int) -> Samples:
        """The next `count` samples of all the stream's channels."""
        if self._resampler is None:
            return self._reader.read(count)
        if len(self._ready) < count + self._skip:
            made = self._resampled(self._resampler, count + self._skip - len(self._ready))
            self._ready = np.concatenate((self._ready, made))
        block = self._ready[self._skip : self._skip + count]
        self._ready = self._ready[self._skip + count :]
        self._skip = 0
        return block

    def _resampled(self, resampler: Resampler, count: int) -> Samples:
        """At least `count` more outputs: whole periods, which make each region like the whole."""
        periods = -(-count // resampler.period_outputs)
        end = self._next + periods * resampler.period_outputs
        first, last = resampler.inputs_for(self._next, end)
        have = self._inputs[first - self._inputs_start :]
        more = self._reader.read(last - first - len(have))
        self._inputs, self._inputs_start = np.concatenate((have, more)), first
        made = resampler.outputs(self._inputs, self._next, end)
        self._next = end
        return made

    def close(self) -> None:
        """Closes the file."""
        self._reader.close()


def _check_length(media: MediaFile, source: _Source, end_sample: int, rate_hz: int) -> None:
    end_s = source.end_s
    if end_s is None:
        return
    frame_s = 0 if media.video_rate is None else 1 / media.video_rate
    slack_s = max(END_SLACK_S, frame_s)
    stream = source.stream
    if stream.duration_s and end_s < stream.start_s + stream.duration_s - slack_s:
        raise MediaUnreadable(
            f"{media.path.name} is damaged: its sound breaks off at {float(end_s):.2f} s of "
            f"{float(stream.start_s + stream.duration_s):.2f} s. Copy it again."
        )
    short_s = Fraction(end_sample, rate_hz) - end_s
    if short_s > slack_s:
        raise MediaTooShort(
            f"{media.path.name} ends at {float(end_s):.3f} s, but the timeline uses it to "
            f"{float(end_sample / Fraction(rate_hz)):.3f} s: {float(short_s):.3f} s are missing. "
            "Relink the clip to the whole file, or trim it."
        )


def _check_unchanged(media: MediaFile) -> None:
    try:
        now = media.path.stat()
    except OSError as error:
        raise MediaOffline(
            f"{media.path.name} is no longer at {media.path.parent}: {error.strerror}."
        ) from error
    if (now.st_size, now.st_mtime_ns) != (media.size_bytes, media.modified_ns):
        raise MediaUnreadable(
            f"{media.path.name} was changed while it was worked on: {media.size_bytes} bytes "
            f"became {now.st_size}. Wait until it is whole, then run again."
        )
