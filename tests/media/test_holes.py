"""Where packets are missing or damaged, later sound stays in its place."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream as AvAudioStream
from testkit.media_files import decode_whole, encode, varied_sound

from nlecompanion.errors import MediaUnreadable
from nlecompanion.media.extract import length_samples, read_region, whole_channels
from nlecompanion.media.probe import probe
from nlecompanion.model import Samples

RATE_HZ = 48_000
LENGTH_SAMPLES = 9 * RATE_HZ
#: Packets 188 to 191 begin at 4 s, less the encoder's delay.
FIRST, MISSING = 188, 4
CLOSE = 1e-6
#: No noise of the decoder's own, which differs after a seek; see `decode`.
NO_NOISE: dict[str, Any] = {"aac_pns": 0}
#: A decoder that lost its past is in step again after this.
SETTLED_SAMPLES = 4096

Packet: TypeAlias = "av.Packet[AvAudioStream]"


@pytest.fixture(autouse=True)
def _seek_as_in_a_long_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nlecompanion.media.decode._AAC_FROM_THE_START_S", 3)


@contextmanager
def audio_packets(path: Path) -> Iterator[tuple[AvAudioStream, list[Packet]]]:
    """The file's audio packets in order."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        yield stream, [packet for packet in container.demux(stream) if packet.size]


def remuxed(path: Path, change: Callable[[list[Packet]], list[Packet]]) -> Path:
    """A copy that holds only the audio packets that `change` gives."""
    target = path.with_name(f"changed {path.name}")
    with audio_packets(path) as (stream, packets), av.open(str(target), "w") as output:
        copy = output.add_stream_from_template(stream)
        for packet in change(packets):
            packet.stream = copy
            output.mux(packet)
    return target


def without_four(packets: list[Packet]) -> list[Packet]:
    return packets[:FIRST] + packets[FIRST + MISSING :]


def damaged(path: Path, count: int, first: int = FIRST, step: int = 1) -> Path:
    """A copy in which every `step`-th of `count` packets from `first` on is overwritten."""
    target = path.with_name(f"damaged {path.name}")
    content = bytearray(path.read_bytes())
    with audio_packets(path) as (_, packets):
        for packet in packets[first : first + count * step : step]:
            # `pos` may be that of a header before the packet's own bytes.
            begin = content.index(bytes(packet), packet.pos)
            content[begin : begin + packet.size] = b"\xff" * packet.size
    target.write_bytes(content)
    return target


def whole_and_parts(path: Path) -> tuple[Samples, dict[int, Samples]]:
    """All that the file holds, read from its start, and seconds of it that are sought."""
    media = probe(path)
    channels = tuple(range(whole_channels(media)))

    def region(start: int, end: int) -> Samples:
        return np.concatenate(list(read_region(media, channels, RATE_HZ, start, end)))

    starts = [n * RATE_HZ + 7 for n in (5, 6, 7)]
    return region(0, length_samples(media, RATE_HZ)), {n: region(n, n + RATE_HZ) for n in starts}


def assert_in_place(got: Samples, parts: dict[int, Samples], intact: Samples, hole: range) -> None:
    """Before and after the hole all is as in the intact file, and in it is silence."""
    length = min(len(got), len(intact))
    apart = np.abs(got[:length] - intact[:length]).max(axis=1)
    assert np.abs(apart[: hole.start]).max() <= CLOSE
    assert not got[hole.start : hole.stop].any()
    assert np.abs(apart[hole.stop + SETTLED_SAMPLES :]).max() <= CLOSE
    for start, part in parts.items():
        assert np.abs(part - got[start : start + len(part)]).max() <= CLOSE, start


@pytest.mark.parametrize("name", ["lost.mp4", "lost.mov", "lost.m4a", "lost.ts"])
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_after_missing_packets_stays_in_place(
    tmp_path: Path, name: str, channels: int, caplog: pytest.LogCaptureFixture
) -> None:
    sound = varied_sound(LENGTH_SAMPLES, channels, RATE_HZ)
    path = encode(sound, RATE_HZ, tmp_path / name, "aac", **NO_NOISE)
    got, parts = whole_and_parts(remuxed(path, without_four))
    intact, _ = whole_and_parts(path)
    # In MP4 an edit list takes off the encoder's delay of one packet.
    begin = (FIRST if name.endswith("ts") else FIRST - 1) * 1024
    assert_in_place(got, parts, intact, range(begin, begin + MISSING * 1024))
    assert "no sound for 0.085 s" in caplog.text


def test_one_packet_is_enough(tmp_path: Path) -> None:
    sound = varied_sound(LENGTH_SAMPLES, 2, RATE_HZ)
    path = encode(sound, RATE_HZ, tmp_path / "one.mp4", "aac", **NO_NOISE)
    got, parts = whole_and_parts(remuxed(path, lambda p: p[:FIRST] + p[FIRST + 1 :]))
    begin = (FIRST - 1) * 1024
    assert_in_place(got, parts, decode_whole(path), range(begin, begin + 1024))


@pytest.mark.parametrize(
    ("name", "codec", "count", "frame_samples"),
    [
        ("torn.mov", "aac", 4, 1024),
        ("torn.mkv", "aac", 4, 1024),
        ("torn.m4a", "alac", 1, 4096),
        ("torn.flac", "flac", 1, 4096),
    ],
)
def test_sound_after_damaged_packets_stays_in_place(
    tmp_path: Path,
    name: str,
    codec: str,
    count: int,
    frame_samples: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    options = NO_NOISE if codec == "aac" else {}
    sound = varied_sound(LENGTH_SAMPLES, 2, RATE_HZ)
    path = encode(sound, RATE_HZ, tmp_path / name, codec, **options)
    first = 4 * RATE_HZ // frame_samples
    got, parts = whole_and_parts(damaged(path, count, first))
    begin = (first - (codec == "aac")) * frame_samples
    hole = range(begin, begin + count * frame_samples)
    assert_in_place(got, parts, decode_whole(path), hole)
    assert "no sound for 0.085 s" in caplog.text


def test_many_small_damages_are_one_large_one(tmp_path: Path) -> None:
    sound = varied_sound(LENGTH_SAMPLES, 2, RATE_HZ)
    path = encode(sound, RATE_HZ, tmp_path / "worn.mov", "aac", **NO_NOISE)
    with pytest.raises(
        MediaUnreadable, match=r"damaged: 0\.11 s of sound are missing up to 4\.86 s"
    ):
        whole_and_parts(damaged(path, 5, FIRST, step=10))


@pytest.mark.parametrize("name", ["wander.mp4", "wander.mkv"])
def test_a_clock_that_wanders_is_no_hole(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Time stamps up to 0.4 of a frame late, as some recorders write them."""
    sound = varied_sound(LENGTH_SAMPLES, 2, RATE_HZ)
    path = encode(sound, RATE_HZ, tmp_path / name, "aac", **NO_NOISE)

    def wandering(packets: list[Packet]) -> list[Packet]:
        shifts_s = np.random.default_rng(3).uniform(0, 0.009, len(packets))
        for packet, shift_s in zip(packets[5:], shifts_s, strict=False):
            assert packet.pts is not None
            assert packet.time_base is not None
            packet.pts = packet.dts = packet.pts + int(shift_s / packet.time_base)
        return packets

    media = probe(remuxed(path, wandering))
    got = np.concatenate(list(read_region(media, (0, 1), RATE_HZ, 0, 8 * RATE_HZ)))
    assert np.abs(got - decode_whole(path)[: len(got)]).max() <= CLOSE
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_a_coarse_clock_proves_no_short_hole(tmp_path: Path) -> None:
    """Matroska's milliseconds are laid end to end up to 0.1 s, unless packets are damaged."""
    sound = varied_sound(LENGTH_SAMPLES, 2, RATE_HZ)
    path = encode(sound, RATE_HZ, tmp_path / "coarse.mkv", "aac", **NO_NOISE)
    media = probe(remuxed(path, without_four))
    got = np.concatenate(list(read_region(media, (0, 1), RATE_HZ, 0, 7 * RATE_HZ)))
    at, later = 5 * RATE_HZ, 5 * RATE_HZ + MISSING * 1024
    assert np.abs(got[at : -MISSING * 1024] - decode_whole(path)[later : len(got)]).max() <= CLOSE
