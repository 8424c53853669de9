"""Every region is the same, sample by sample, as that stretch of a whole decode."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testkit.media_files import decode_whole, encode, mux, varied_sound
from testkit.shared import shared

from nlecompanion.errors import MediaOffline, MediaTooShort, MediaUnreadable, NoAudio
from nlecompanion.media.extract import length_samples, read_region, whole_channels
from nlecompanion.media.probe import probe
from nlecompanion.media.programs import media_input
from nlecompanion.media.resample import Resampler
from nlecompanion.model import MediaFile, Samples

LENGTH_S = 9
EXACT = 0.0
CLOSE = 1e-6


@dataclass(frozen=True)
class Case:
    """One way to store sound, and how close a region must come to a whole decode."""

    name: str
    codec: str
    channels: int = 2
    rate_hz: int = 48_000
    tolerance: float = EXACT
    options: dict[str, Any] = field(default_factory=dict)


NTSC = Fraction(30_000, 1001)
#: The noise that AAC may fill bands with differs after a seek; see `decode`.
NO_NOISE: dict[str, Any] = {"aac_pns": 0}
CASES = [
    Case("s16.wav", "pcm_s16le"),
    Case("s24 mono.wav", "pcm_s24le", 1),
    Case("s32.wav", "pcm_s32le"),
    Case("float.wav", "pcm_f32le"),
    Case("u8.wav", "pcm_u8", 1, 22_050),
    Case("8 channels.wav", "pcm_s24le", 8),
    Case("5.1.wav", "pcm_s24le", 6),
    Case("96 kHz.wav", "pcm_s24le", 2, 96_000),
    Case("rf64.wav", "pcm_s24le", 2, options={"rf64": "always"}),
    Case("x.w64", "pcm_s24le"),
    Case("x.aiff", "pcm_s24be"),
    Case("x.caf", "pcm_s24be"),
    Case("pcm.mov", "pcm_s24le", options={"video_rate": Fraction(24_000, 1001)}),
    Case("pcm.mxf", "pcm_s16le", options={"video_rate": Fraction(25)}),
    Case("x.avi", "pcm_s16le", options={"video_rate": Fraction(25)}),
    Case("x.flac", "flac"),
    Case("5.1.flac", "flac", 6, 44_100),
    Case("alac.m4a", "alac"),
    Case("flac.mkv", "flac"),
    Case("aac noise.mp4", "aac", tolerance=CLOSE, options={"video_rate": Fraction(25)}),
    Case("aac.mp4", "aac", tolerance=CLOSE, options=NO_NOISE | {"video_rate": Fraction(25)}),
    Case("aac 44.mp4", "aac", 2, 44_100, CLOSE, NO_NOISE | {"video_rate": NTSC}),
    Case("aac.mov", "aac", 1, tolerance=CLOSE, options=NO_NOISE | {"video_rate": Fraction(25)}),
    Case("aac 5.1.m4a", "aac", 6, tolerance=CLOSE, options=NO_NOISE),
    Case("aac.mkv", "aac", tolerance=CLOSE, options=NO_NOISE | {"video_rate": Fraction(25)}),
    Case("aac.ts", "aac", tolerance=CLOSE, options=NO_NOISE | {"video_rate": Fraction(25)}),
    Case("raw.aac", "aac", 2, 44_100, CLOSE, options=NO_NOISE),
    Case("cbr.mp3", "libmp3lame", tolerance=CLOSE, options={"audio_bitrate": "320k"}),
    Case("low.mp3", "libmp3lame", 1, tolerance=CLOSE, options={"audio_bitrate": "40k"}),
    Case("vbr.mp3", "libmp3lame", 2, 44_100, CLOSE, {"q:a": 4}),
    Case("no header.mp3", "libmp3lame", tolerance=CLOSE, options={"write_xing": 0}),
    Case("x.opus", "libopus", tolerance=CLOSE),
    Case("5.1.opus", "libopus", 6, tolerance=CLOSE),
    Case("x.webm", "libopus", tolerance=CLOSE),
    Case("video.webm", "libopus", 1, tolerance=CLOSE,
         options={"video_rate": Fraction(25), "vcodec": "libvpx", "cpu-used": 8}),
    Case("x.ogg", "libvorbis", 2, 44_100, CLOSE),
    Case("vorbis.mkv", "libvorbis", tolerance=CLOSE),
]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def made(folder: Path) -> Callable[[Case], tuple[MediaFile, Samples]]:
    """Makes the case's file, and its sound on the media's clock from a whole decode."""

    kept: dict[str, tuple[MediaFile, Samples]] = {}

    def make(case: Case) -> tuple[MediaFile, Samples]:
        if case.name in kept:
            return kept[case.name]
        sound = varied_sound(LENGTH_S * case.rate_hz + 777, case.channels, case.rate_hz)
        path = encode(sound, case.rate_hz, folder / case.name, case.codec, **case.options)
        media = probe(path)
        kept[case.name] = media, on_the_clock(media, decode_whole(path))
        return kept[case.name]

    return make


def on_the_clock(media: MediaFile, decoded: Samples, stream: int = 0) -> Samples:
    """A whole decode, moved to where it lies after the media's first instant."""
    found = media.streams[stream]
    shift = round(found.start_s * found.rate_hz)
    whole = np.zeros((length_samples(media, found.rate_hz) + 5000, decoded.shape[1]), np.float32)
    sound = decoded[max(0, -shift) :]
    at = max(0, shift)
    whole[at : at + len(sound)] = sound[: len(whole) - at]
    return whole


def region(media: MediaFile, rate_hz: int, start: int, end: int) -> Samples:
    channels = tuple(range(whole_channels(media)))
    return np.concatenate(list(read_region(media, channels, rate_hz, start, end)))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_region_is_that_stretch_of_a_whole_decode(
    case: Case,
    made: Callable[[Case], tuple[MediaFile, Samples]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    media, whole = made(case)
    if "aac_pns" in case.options:
        # As in a long file: seek, though the place is near the start.
        monkeypatch.setattr("nlecompanion.media.decode._AAC_FROM_THE_START_S", 3)
    rate_hz, length = case.rate_hz, length_samples(media, case.rate_hz)
    assert whole_channels(media) == case.channels
    assert abs(length - LENGTH_S * rate_hz - 777) <= rate_hz // 15
    places = [
        (0, 1),
        (0, 2 * rate_hz + 13),
        (2 * rate_hz + 13, 3 * rate_hz + 17),
        (5 * rate_hz + 501, 6 * rate_hz + 3),
        (length - 3001, length),
    ]
    for start, end in places:
        got = region(media, rate_hz, start, end)
        assert got.shape == (end - start, case.channels)
        assert got.dtype == np.float32
        assert np.abs(got - whole[start:end]).max() <= case.tolerance, (start, end)


READ_STRICTLY = """
import gc, pathlib, sys
from nlecompanion.media.extract import read_region
from nlecompanion.media.probe import probe

for _ in range(3):
    media = probe(pathlib.Path(sys.argv[1]))
    blocks = list(read_region(media, (0, 1, 2, 3), 48_000, 0, 150_000))
    gc.collect()
print(media.streams[0].layout, sum(map(len, blocks)))
"""


def test_channels_named_one_by_one_do_not_break_the_process(folder: Path) -> None:
    """As Premiere and Avid write them into MOV; PyAV frees such layouts more than once."""
    sound = varied_sound(4 * 48_000, 4, 48_000)
    raw = folder / "four.f32"
    raw.write_bytes(sound.tobytes())
    node = media_input(raw, f="f32le", ar=48_000, ch_layout="FL+FR+DL+DR")
    path = folder / "named one by one.mov"
    mux([node.audio], path, acodec="pcm_f32le")
    # glibc then ends a process that frees something twice, instead of letting it go on.
    strict = os.environ | {"MALLOC_CHECK_": "3", "MALLOC_PERTURB_": "165"}
    command = [sys.executable, "-c", READ_STRICTLY, str(path)]
    done = subprocess.run(command, env=strict, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "4 channels 150000\n"), done.stderr
    assert np.array_equal(region(probe(path), 48_000, 0, len(sound)), sound)


@pytest.mark.parametrize("name", ["mdn_elf.mp4", "mdn_pig.mp4", "sintel_clip_video.mp4"])
def test_real_films_are_read_exactly(name: str) -> None:
    path = shared("audio/film") / name
    media = probe(path)
    whole, rate_hz = on_the_clock(media, decode_whole(path)), media.streams[0].rate_hz
    length = length_samples(media, rate_hz)
    for start, end in [(0, rate_hz), (4 * rate_hz + 11, 6 * rate_hz), (length - 5000, length)]:
        assert np.abs(region(media, rate_hz, start, end) - whole[start:end]).max() <= CLOSE


def test_what_is_decoded_is_what_was_encoded(folder: Path) -> None:
    """The codecs' own delays are taken off: sound lies where it lay before it was encoded."""
    sound = varied_sound(5 * 48_000, 2, 48_000)
    for name, codec in [("d.m4a", "aac"), ("d.mp3", "libmp3lame"), ("d.opus", "libopus")]:
        media = probe(encode(sound, 48_000, folder / name, codec, audio_bitrate="256k"))
        got = region(media, 48_000, 96_000, 192_000)
        spectrum = np.fft.rfft(got[:, 0]) * np.conj(np.fft.rfft(sound[96_000:192_000, 0]))
        lag = int(np.argmax(np.fft.irfft(spectrum / np.maximum(np.abs(spectrum), 1e-9))))
        assert lag == 0, name


@pytest.mark.parametrize(
    ("name", "codec", "delay_s"),
    [
        ("late.mov", "pcm_s16le", Fraction(1, 2)),
        ("late.mp4", "aac", Fraction(1, 2)),
        ("early.mov", "pcm_s16le", Fraction(-1, 2)),
        ("early.mp4", "aac", Fraction(-1, 2)),
    ],
)
def test_sound_that_begins_elsewhere_than_the_picture(
    folder: Path, name: str, codec: str, delay_s: Fraction
) -> None:
    sound = varied_sound(6 * 48_000, 2, 48_000)
    path = encode(
        sound, 48_000, folder / name, codec, video_rate=Fraction(25), audio_delay_s=delay_s
    )
    media = probe(path)
    got = region(media, 48_000, 0, 5 * 48_000)
    shift = round(delay_s * 48_000) if delay_s > 0 else round(-Fraction(12, 25) * 48_000)
    expected = np.zeros_like(got)
    at, skipped = max(0, shift), max(0, -shift)
    expected[at:] = sound[skipped : skipped + len(got) - at]
    if codec == "aac":
        # Lossy: the same sound at the same place.
        assert np.corrcoef(got[:, 0], expected[:, 0])[0, 1] > 0.9
        assert np.abs(got[: max(0, at - 1024)]).max(initial=0) == 0
    else:
        assert np.abs(got - expected).max() <= 2**-15
    later = region(media, 48_000, 3 * 48_000, 4 * 48_000)
    assert np.abs(later - got[3 * 48_000 : 4 * 48_000]).max() <= CLOSE


def test_channels_count_over_all_streams(folder: Path) -> None:
    sound = varied_sound(5 * 48_000, 4, 48_000)
    path = encode(
        sound,
        48_000,
        folder / "four mono.mxf",
        "pcm_s24le",
        video_rate=NTSC,
        timecode="00:59:58;02",
        split_streams=True,
    )
    media = probe(path)
    assert [stream.channels for stream in media.streams] == [1, 1, 1, 1]
    picked = np.concatenate(list(read_region(media, (3, 0, 3), 48_000, 48_001, 96_002)))
    assert np.abs(picked - sound[48_001:96_002, [3, 0, 3]]).max() <= 2**-23
    with pytest.raises(NoAudio, match=r"has 4 audio channels.*channel 5"):
        list(read_region(media, (0, 4), 48_000, 0, 10))


@pytest.mark.parametrize(
    ("name", "codec", "from_hz", "to_hz"),
    [
        ("r44.wav", "pcm_f32le", 44_100, 48_000),
        ("r48.flac", "flac", 48_000, 44_100),
        ("r96.wav", "pcm_f32le", 96_000, 48_000),
        ("r22.wav", "pcm_f32le", 22_050, 48_000),
        ("r47952.wav", "pcm_f32le", 47_952, 48_000),
        ("r44.mp3", "libmp3lame", 44_100, 48_000),
    ],
)
def test_a_region_at_another_rate_is_a_stretch_of_the_whole_resampled(
    folder: Path, name: str, codec: str, from_hz: int, to_hz: int
) -> None:
    sound = varied_sound(7 * from_hz, 2, from_hz)
    path = encode(sound, from_hz, folder / name, codec)
    media = probe(path)
    decoded = decode_whole(path)
    resampler = Resampler(from_hz, to_hz)
    length = length_samples(media, to_hz)
    first, last = resampler.inputs_for(0, length)
    padded = np.zeros((last - first, 2), dtype=np.float32)
    padded[-first : -first + len(decoded)] = decoded[:last]
    whole = resampler.outputs(padded, 0, length)
    for start, end in [(0, 999), (1, 3 * to_hz), (5 * to_hz + 7, 6 * to_hz), (length - 99, length)]:
        got = region(media, to_hz, start, end)
        assert got.shape == (end - start, 2)
        assert np.abs(got - whole[start:end]).max() <= CLOSE


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.name not in ("vorbis.mkv", "aac noise.mp4")],
    ids=lambda case: case.name,
)
def test_only_the_needed_part_is_decoded(
    case: Case,
    made: Callable[[Case], tuple[MediaFile, Samples]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No fall back to decoding from the start, which would be right but slow."""
    caplog.set_level(logging.INFO, "nlecompanion.media.decode")
    monkeypatch.setattr("nlecompanion.media.decode._AAC_FROM_THE_START_S", 3)
    media, _ = made(case)
    region(media, case.rate_hz, 7 * case.rate_hz, 8 * case.rate_hz)
    assert not [message for message in caplog.messages if "from its start" in message]


def test_containers_round_but_do_not_invent(folder: Path) -> None:
    sound = varied_sound(2 * 48_000, 1, 48_000)
    media = probe(encode(sound, 48_000, folder / "short.wav", "pcm_s16le"))
    padded = region(media, 48_000, 0, 2 * 48_000 + 4800)
    assert not padded[2 * 48_000 :].any()
    with pytest.raises(MediaTooShort, match=r"ends at 2\.000 s.*to 2\.100 s: 0\.100 s"):
        region(media, 48_000, 0, 2 * 48_000 + 4801)
    with pytest.raises(MediaTooShort, match=r"ends at 2\.000 s.*to 6\.000 s: 4\.000 s"):
        region(media, 44_100, 44_100 * 5, 44_100 * 6)


def test_nothing_is_decoded_for_an_empty_region(folder: Path) -> None:
    media = probe(encode(varied_sound(4800, 1, 48_000), 48_000, folder / "e.wav", "pcm_s16le"))
    assert list(read_region(media, (0,), 48_000, 100, 100)) == []
    with pytest.raises(ValueError, match="cannot reach"):
        list(read_region(media, (0,), 48_000, 100, 99))


def test_a_file_that_changes_or_goes_is_noticed(folder: Path) -> None:
    sound = varied_sound(12 * 48_000, 1, 48_000)
    media = probe(encode(sound, 48_000, folder / "growing.wav", "pcm_s16le"))
    blocks = read_region(media, (0,), 48_000, 0, 11 * 48_000)
    next(blocks)
    with media.path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(MediaUnreadable, match="was changed"):
        list(blocks)
    media.path.unlink()
    with pytest.raises(MediaOffline, match="no longer at"):
        list(read_region(media, (0,), 48_000, 0, 10))


def test_a_hole_in_the_sound_is_not_passed_off_as_silence(folder: Path) -> None:
    sound = varied_sound(8 * 48_000, 2, 48_000)
    path = encode(sound, 48_000, folder / "hole.flac", "flac")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 150_000] = bytes(150_000)
    path.write_bytes(content)
    media = probe(path)
    with pytest.raises(MediaUnreadable, match="damaged"):
        region(media, 48_000, 0, 7 * 48_000)


def test_a_promise_that_the_file_breaks_is_damage_not_shortness(folder: Path) -> None:
    media = probe(encode(varied_sound(96_000, 1, 48_000), 48_000, folder / "p.wav", "pcm_s16le"))
    longer = replace(media.streams[0], duration_s=Fraction(9))
    with pytest.raises(MediaUnreadable, match=r"breaks off at 2\.00 s of 9\.00 s"):
        region(replace(media, streams=(longer,)), 48_000, 0, 4 * 48_000)


def test_blocks_are_short_however_long_the_region(folder: Path) -> None:
    media = probe(encode(varied_sound(30 * 8000, 1, 8000), 8000, folder / "l.wav", "pcm_s16le"))
    sizes = [len(block) for block in read_region(media, (0,), 8000, 0, 30 * 8000)]
    assert max(sizes) <= 10 * 8000
    assert sum(sizes) == 30 * 8000
