"""The stand-in maker: right length, rate, timecode and words, and the table of cases."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from testkit.shared import shared
from testkit.standin import StandIn, make, read_cases, speech_at

from nlecompanion.media.extract import read_region
from nlecompanion.media.probe import probe

NTSC = Fraction(24_000, 1001)


@pytest.mark.parametrize(
    ("name", "rate", "start_s", "channels", "rate_hz"),
    [
        ("a.mov", Fraction(25), Fraction(3600), 2, 48_000),
        ("a.mp4", NTSC, 86_400 / NTSC, 2, 44_100),
        ("a.m4v", Fraction(25), None, 1, 48_000),
        ("a.mxf", Fraction(25), Fraction(36_000), 2, 48_000),
        ("a.wav", None, Fraction(41_029), 1, 22_050),
        ("a.caf", None, None, 2, 48_000),
        ("a.mp3", None, None, 2, 48_000),
        ("a.aac", None, None, 2, 48_000),
    ],
)
def test_a_stand_in_is_what_was_described(
    tmp_path: Path,
    name: str,
    rate: Fraction | None,
    start_s: Fraction | None,
    channels: int,
    rate_hz: int,
) -> None:
    stand_in = StandIn(tmp_path / "new" / name, Fraction(5), rate, start_s, channels, rate_hz)
    media = probe(make(stand_in))
    assert media.video_rate == rate
    assert media.start_timecode_s == (start_s if rate or name == "a.wav" else None)
    assert media.streams[0].rate_hz == rate_hz
    assert sum(stream.channels for stream in media.streams) == channels
    assert abs(media.duration_s - 5) < Fraction(1, 10)
    got = np.concatenate(
        list(read_region(media, tuple(range(channels)), rate_hz, rate_hz, 4 * rate_hz))
    )
    # Raw AAC cannot say that its first 1024 samples are the encoder's.
    shift = 1024 if name == "a.aac" else 0
    expected = speech_at(stand_in, rate_hz - shift, 3 * rate_hz) / 32_768
    lossy = name[1:] in (".mp4", ".m4v", ".mp3", ".aac")
    assert np.abs(expected).max() > 0.05
    for channel in range(channels):
        if lossy:
            assert np.corrcoef(got[:, channel], expected[:, channel])[0, 1] > 0.97
        else:
            assert np.array_equal(got[:, channel], expected[:, channel].astype(np.float32))


def test_only_used_ranges_need_sound(tmp_path: Path) -> None:
    used = [(Fraction(700), Fraction(702)), (Fraction(701), Fraction(703))]
    stand_in = StandIn(
        tmp_path / "long.mp4", Fraction(1000), Fraction(25), None, 1, 8000, used_ranges=used
    )
    media = probe(make(stand_in))
    assert media.duration_s == 1000
    assert media.path.stat().st_size < 8_000_000
    got = np.concatenate(list(read_region(media, (0,), 8000, 699 * 8000, 704 * 8000)))
    expected = speech_at(stand_in, 700 * 8000, 3 * 8000) / 32_768
    assert np.array_equal(got[8000:32_000], expected.astype(np.float32))
    assert not got[:8000].any()
    assert not got[32_000:].any()


def test_the_table_of_cases() -> None:
    cases = read_cases(shared("timelines/CASES_MEDIA.tsv"))
    assert len(cases) == 12
    source, *_ = cases["fcp7/otio_premiere_enable_property.xml"]
    assert source.duration_s == Fraction(81, 25)
    assert source.starts_s == (Fraction(353, 25), Fraction(434, 25))
    placeholder = cases["fcp7/otio_premiere_example.xml"][4]
    # The document itself says so: frame 8497 for 00;04;43;15.
    assert placeholder.start_s == Fraction(8497, 30)
    assert not placeholder.has_video
    long, *_ = cases["fcp7/llc_xmeml2.xml"]
    assert long.duration_s == Fraction(714_415, 60)
    multicam = cases["fcpxml/ofk_MulticamSampleWithCuts.fcpxml"]
    assert multicam[0].start_s == 41_029
    assert multicam[1].rate == NTSC
    otio, *_ = cases["otio/jminor_time_warp_test_suite.otio"]
    assert otio.duration_s == 5
    assert otio.start_s == 3600
    assert otio.channels is None
    picture, *_ = cases["edl/otio_25fps.edl"]
    assert picture.channels == 0
    assert cases["fcpxml/ofk_SyncClip.fcpxml"][1].rate_hz == 22_050
    assert source.stand_in(Path("x.mp4")).video_rate == 25
