"""Broadcast WAV as others read it: libsndfile, ffmpeg, and the chunks themselves."""

from __future__ import annotations

import errno
import struct
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from testkit.media_files import decode_whole, varied_sound

from nlecompanion.errors import NoSpace, NotWritable
from nlecompanion.media.broadcast_wav import (
    BroadcastWavWriter,
    ascii_text,
    channel_mask,
    read_bext,
)
from nlecompanion.media.riff import chunks
from nlecompanion.model import Samples

RATE_HZ = 48_000
RF64_FROM_BYTES = 2000


def written(path: Path, samples: Samples, layout: str, **fields: Any) -> BroadcastWavWriter:
    reference = fields.pop("time_reference_samples", 0)
    description = fields.pop("description", "")
    with BroadcastWavWriter(
        path, RATE_HZ, samples.shape[1], layout, reference, description, **fields
    ) as writer:
        for start in range(0, len(samples), 1000):
            writer.write(samples[start : start + 1000])
    return writer


def on_24_bits(samples: Samples) -> Samples:
    return np.asarray(np.rint(samples * 2.0**23) / 2.0**23, dtype=np.float32)


@pytest.mark.parametrize("riff_limit_bytes", [0xFFFFFFFF, RF64_FROM_BYTES])
@pytest.mark.parametrize(
    ("channels", "layout"), [(1, "mono"), (2, "stereo"), (3, "3.0"), (6, "5.1"), (8, "8 channels")]
)
def test_others_read_back_every_sample(
    tmp_path: Path, channels: int, layout: str, riff_limit_bytes: int
) -> None:
    sound = varied_sound(4801, channels, RATE_HZ)
    path = tmp_path / "a.wav"
    written(path, sound, layout, riff_limit_bytes=riff_limit_bytes)
    content = path.read_bytes()
    assert content[:4] == (b"RF64" if riff_limit_bytes == RF64_FROM_BYTES else b"RIFF")
    info = soundfile.info(path)
    assert (info.frames, info.channels, info.samplerate) == (4801, channels, RATE_HZ)
    assert info.subtype == "PCM_24"
    read, _ = soundfile.read(path, dtype="float32", always_2d=True)
    assert np.array_equal(read, on_24_bits(sound))
    assert np.array_equal(decode_whole(path), on_24_bits(sound))


def test_the_sizes_add_up(tmp_path: Path) -> None:
    path = tmp_path / "odd.wav"
    written(path, varied_sound(4801, 1, RATE_HZ), "mono", coding_history="A=PCM")
    size_bytes = path.stat().st_size
    assert size_bytes % 2 == 0
    assert struct.unpack_from("<I", path.read_bytes(), 4)[0] == size_bytes - 8
    with path.open("rb") as file:
        found = {chunk.name: chunk for chunk in chunks(file)}
    assert list(found) == [b"JUNK", b"bext", b"fmt ", b"data"]
    assert found[b"data"].size_bytes == 4801 * 3
    assert found[b"data"].start + 4801 * 3 + 1 == size_bytes


def test_rf64_says_its_sizes_in_ds64(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    written(path, varied_sound(4801, 2, RATE_HZ), "stereo", riff_limit_bytes=RF64_FROM_BYTES)
    content = path.read_bytes()
    assert struct.unpack_from("<I", content, 4)[0] == 0xFFFFFFFF
    assert content[12:16] == b"ds64"
    riff_bytes, data_bytes, frames, table = struct.unpack_from("<QQQI", content, 20)
    assert (riff_bytes, data_bytes) == (len(content) - 8, 4801 * 6)
    assert (frames, table) == (4801, 0)
    with path.open("rb") as file:
        assert next(c for c in chunks(file) if c.name == b"data").size_bytes == 4801 * 6


def test_the_bext_chunk_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    reference = 23 * 3600 * 192_000 + 5
    written(
        path,
        varied_sound(10, 1, RATE_HZ),
        "mono",
        time_reference_samples=reference,
        description="Dialogue of Führung – Größe; 采访; 9 dB down",
        origination=datetime(2024, 2, 29, 23, 59, 58),
        coding_history="A=PCM,F=48000,W=24,M=mono,T=nlecompanion\n",
    )
    bext = read_bext(path)
    assert bext is not None
    assert reference > 2**32
    assert bext.time_reference_samples == reference
    assert bext.originator == "nlecompanion"
    assert bext.description == "Dialogue of Fuhrung - Grosse; ??; 9 dB down"
    assert bext.origination == "2024-02-29 23:59:58"
    assert bext.coding_history == "A=PCM,F=48000,W=24,M=mono,T=nlecompanion"
    content = path.read_bytes()
    at = content.index(b"bext") + 8
    # EBU Tech 3285 v1: the version stands at byte 346.
    assert struct.unpack_from("<H", content, at + 346)[0] == 1
    assert content[at + 602 :].startswith(b"A=PCM,F=48000,W=24,M=mono,T=nlecompanion\r\n")


def test_text_that_is_too_long_or_strange(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    written(
        path, varied_sound(10, 1, RATE_HZ), "mono", description="ü\0" * 400, originator="o" * 99
    )
    bext = read_bext(path)
    assert bext is not None
    assert bext.description == ("u " * 128).strip()
    assert bext.originator == "o" * 32
    assert ascii_text("مقابلة") == b"??????"


def test_files_without_bext(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "plain.wav", np.zeros((10, 1)), RATE_HZ)
    assert read_bext(tmp_path / "plain.wav") is None
    (tmp_path / "words.wav").write_bytes(b"no wave")
    assert read_bext(tmp_path / "words.wav") is None
    (tmp_path / "torn.wav").write_bytes(b"RIFF\0\0\0\0WAVEbext\xff\xff\0\0abc")
    assert read_bext(tmp_path / "torn.wav") is None


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    sound = varied_sound(5000, 2, RATE_HZ)
    written(tmp_path / "a.wav", sound, "stereo", description="x")
    written(tmp_path / "b.wav", sound, "stereo", description="x")
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()


def test_samples_over_full_scale_are_clipped_and_counted(tmp_path: Path) -> None:
    loud = np.array([[1.5], [1.0], [-1.0], [-1.001], [0.25]], dtype=np.float32)
    writer = written(tmp_path / "loud.wav", loud, "mono")
    assert writer.clipped_samples == 2
    top = 1 - 2.0**-23
    read, _ = soundfile.read(tmp_path / "loud.wav", dtype="float64")
    assert read.tolist() == [top, top, -1.0, -1.0, 0.25]


def test_speaker_masks() -> None:
    assert channel_mask("5.1", 6) == 0x3F
    assert channel_mask("5.1(side)", 6) == 0x60F
    assert channel_mask("8 channels", 8) == 0
    assert channel_mask("5.1", 8) == 0


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((5, 3), np.float32),
        np.zeros(5, np.float32),
        np.full((5, 2), np.nan, np.float32),
        np.full((5, 2), np.inf, np.float32),
    ],
)
def test_samples_that_cannot_be_written(tmp_path: Path, samples: Samples) -> None:
    with (
        pytest.raises(ValueError, match=r"expected|finite"),
        BroadcastWavWriter(tmp_path / "a.wav", RATE_HZ, 2, "stereo", 0, "") as writer,
    ):
        writer.write(samples)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(errno.ENOSPC, NoSpace), (errno.EFBIG, NoSpace), (errno.EIO, NotWritable)],
)
def test_a_disk_that_gives_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    def fail(_: int) -> None:
        raise OSError(number, "told so by the test")

    monkeypatch.setattr("nlecompanion.media.broadcast_wav.os.fsync", fail)
    with pytest.raises(expected, match=r"a\.wav"):
        written(tmp_path / "a.wav", np.zeros((5, 2), np.float32), "stereo")
    with pytest.raises(NotWritable):
        BroadcastWavWriter(tmp_path / "missing" / "a.wav", RATE_HZ, 1, "mono", 0, "")
