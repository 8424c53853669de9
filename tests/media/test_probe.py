"""What a probe says of times, timecode, layout and damage."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg
import pytest
from testkit.media_files import cut_short, encode, moving_picture, mux, varied_sound
from testkit.shared import shared

from nlecompanion.errors import MediaOffline, MediaUnreadable, NoAudio
from nlecompanion.media import containers
from nlecompanion.media import probe as probe_module
from nlecompanion.media.broadcast_wav import BroadcastWavWriter
from nlecompanion.media.extract import length_samples
from nlecompanion.media.probe import probe
from nlecompanion.media.programs import media_input

RATE_HZ = 48_000
SECONDS = 4
NTSC_24, NTSC_30 = Fraction(24_000, 1001), Fraction(30_000, 1001)
SOUND = varied_sound(SECONDS * RATE_HZ, 2, RATE_HZ)


@pytest.mark.parametrize(
    ("name", "codec", "rate", "timecode", "start_s"),
    [
        ("a.mov", "pcm_s16le", NTSC_24, "01:00:00:00", Fraction(86_400 * 1001, 24_000)),
        ("b.mov", "pcm_s16le", NTSC_30, "01:00:00;00", Fraction(107_892 * 1001, 30_000)),
        ("c.mp4", "aac", Fraction(25), "00:00:14:03", Fraction(353, 25)),
        ("d.mxf", "pcm_s16le", Fraction(25), "10:00:00:00", Fraction(36_000)),
        ("e.mp4", "aac", Fraction(60_000, 1001), None, None),
    ],
)
def test_exact_rate_and_start_timecode(
    tmp_path: Path,
    name: str,
    codec: str,
    rate: Fraction,
    timecode: str | None,
    start_s: Fraction | None,
) -> None:
    path = encode(SOUND, RATE_HZ, tmp_path / name, codec, video_rate=rate, timecode=timecode)
    media = probe(path)
    assert media.video_rate == rate
    assert media.start_timecode_s == start_s
    assert media.streams[0].start_s == 0
    assert not media.cleaned_by_us
    assert 0 <= media.duration_s - SECONDS <= 1 / rate


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.wav", "pcm_s24le"), ("a.flac", "flac"), ("a.m4a", "aac"), ("a.mp3", "libmp3lame"),
     ("a.opus", "libopus"), ("a.caf", "pcm_s24be"), ("a.aiff", "pcm_s24be")],
)  # fmt: skip
def test_sound_alone_begins_at_zero_and_has_its_exact_length(
    tmp_path: Path, name: str, codec: str
) -> None:
    media = probe(encode(SOUND, RATE_HZ, tmp_path / name, codec))
    assert media.video_rate is None
    assert [s.start_s for s in media.streams] == [0]
    assert length_samples(media, RATE_HZ) == len(SOUND)
    assert media.streams[0].layout == "stereo"
    assert media.duration_s == SECONDS


def test_layouts_as_people_name_them(tmp_path: Path) -> None:
    for channels, layout in [(1, "mono"), (2, "stereo"), (6, "5.1")]:
        sound = varied_sound(RATE_HZ, channels, RATE_HZ)
        media = probe(encode(sound, RATE_HZ, tmp_path / f"{channels}.flac", "flac"))
        assert (media.streams[0].channels, media.streams[0].layout) == (channels, layout)
    path = tmp_path / "4.wav"
    with BroadcastWavWriter(path, RATE_HZ, 4, "", 0, "", originator="recorder") as writer:
        writer.write(varied_sound(RATE_HZ, 4, RATE_HZ))
    assert probe(path).streams[0].layout == "4 channels"


@pytest.mark.parametrize("riff_limit_bytes", [0xFFFFFFFF, 1000])
def test_a_broadcast_wav_says_its_time_and_maker(tmp_path: Path, riff_limit_bytes: int) -> None:
    for originator, ours in [("nlecompanion", True), ("Sound Devices", False)]:
        path = tmp_path / f"{originator}.wav"
        with BroadcastWavWriter(
            path, RATE_HZ, 2, "stereo", 41_029 * RATE_HZ + 7, "", originator=originator,
            riff_limit_bytes=riff_limit_bytes,
        ) as writer:  # fmt: skip
            writer.write(SOUND)
        media = probe(path)
        assert media.cleaned_by_us is ours
        assert media.start_timecode_s == 41_029 + Fraction(7, RATE_HZ)


def test_the_first_instant_is_the_first_pictures(tmp_path: Path) -> None:
    late = encode(
        SOUND, RATE_HZ, tmp_path / "late.mov", "pcm_s16le", video_rate=Fraction(25),
        audio_delay_s=Fraction(1, 4),
    )  # fmt: skip
    assert probe(late).streams[0].start_s == Fraction(1, 4)
    # B-pictures come out of order: the first packet is not the first picture.
    reordered = encode(
        SOUND, RATE_HZ, tmp_path / "b.mp4", "aac", video_rate=Fraction(25), vcodec="libx264", bf=3
    )
    assert probe(reordered).streams[0].start_s == 0


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    picture = moving_picture(Fraction(1), Fraction(1))
    mux([picture], tmp_path / "cover.png", update=1)
    encode(SOUND, RATE_HZ, tmp_path / "song.mp3", "libmp3lame")
    song, cover = media_input(tmp_path / "song.mp3"), ffmpeg.input(str(tmp_path / "cover.png"))
    path = tmp_path / "with cover.mp3"
    mux([song.audio, cover.video], path, acodec="copy", vcodec="copy")
    media = probe(path)
    assert media.video_rate is None
    assert length_samples(media, RATE_HZ) == len(SOUND)


def test_picture_without_sound(tmp_path: Path) -> None:
    path = tmp_path / "mute.mp4"
    mux([moving_picture(Fraction(25), Fraction(1))], path)
    with pytest.raises(NoAudio, match=r"mute\.mp4 has no audio stream"):
        probe(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"not media at all, only some words in a row\n" * 50, "cannot be opened as media"),
        (bytes(100_000), "cannot be opened as media"),
        (b"RIFF\x24\x00\x00\x00WAVE", "cannot be opened as media"),
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n", "cannot be opened"),
        (b"ffconcat version 1.0\nfile other.wav\n", "cannot be opened"),
    ],
)
def test_what_is_no_media(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(content)
    with pytest.raises(MediaUnreadable, match=words) as caught:
        probe(path)
    assert "\n" not in str(caught.value)


def test_missing_folders_and_pipes(tmp_path: Path) -> None:
    with pytest.raises(MediaOffline, match=r"gone\.wav is not at"):
        probe(tmp_path / "gone.wav")
    with pytest.raises(MediaUnreadable, match="not a regular file"):
        probe(tmp_path)
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(MediaUnreadable, match="not a regular file"):
        probe(tmp_path / "pipe.wav")


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.wav", "pcm_s24le", {}),
        ("a.caf", "pcm_s24be", {}),
        ("a.aiff", "pcm_s24be", {}),
        ("a.flac", "flac", {}),
        ("a.mp3", "libmp3lame", {}),
        ("a.mkv", "flac", {}),
        ("a.mov", "pcm_s16le", {"video_rate": Fraction(25), "movflags": "faststart"}),
        ("a.mp4", "aac", {"video_rate": Fraction(25), "movflags": "faststart"}),
        ("b.mov", "pcm_s16le", {"video_rate": Fraction(25)}),
        ("a.mxf", "pcm_s16le", {"video_rate": Fraction(25)}),
    ],
)
def test_a_file_that_was_copied_in_part(
    tmp_path: Path, name: str, codec: str, options: dict[str, Any]
) -> None:
    path = encode(SOUND, RATE_HZ, tmp_path / name, codec, **options)
    probe(path)
    with pytest.raises(MediaUnreadable, match=r"still being written|cut off"):
        probe(cut_short(path, 0.5))


def test_a_recorder_that_was_switched_off(tmp_path: Path) -> None:
    """Its sizes are still 0; the sound is good to the file's end."""
    path = encode(SOUND, RATE_HZ, tmp_path / "field.wav", "pcm_s24le")
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 0)
    path.write_bytes(content)
    assert length_samples(probe(path), RATE_HZ) == len(SOUND)


def test_a_file_that_grows_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = encode(SOUND, RATE_HZ, tmp_path / "grows.wav", "pcm_s16le")
    real = containers.open_media

    @contextmanager
    def while_someone_writes(path: Path) -> Iterator[Any]:
        with real(path) as container:
            yield container
        with path.open("ab") as file:
            file.write(bytes(4))

    monkeypatch.setattr(probe_module, "open_media", while_someone_writes)
    with pytest.raises(MediaUnreadable, match="still being written"):
        probe(path)


def test_real_films() -> None:
    """Facts of real files, checked by hand with an editor's eye."""
    media = probe(shared("audio/film/mdn_pig.mp4"))
    assert media.video_rate is not None
    assert media.streams[0].codec == "aac"
    assert abs(media.streams[0].start_s) < Fraction(1, 10)
    assert abs(media.duration_s - (media.streams[0].duration_s or 0)) < 1
