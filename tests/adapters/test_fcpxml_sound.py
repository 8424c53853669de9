"""Real recordings through the whole path: the cleaned clips sound at the very sample."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from scipy.signal import correlate
from testkit import fcpxml_undo as kit
from testkit.fcpxml import ADAPTER, Writer, is_valid, time
from testkit.footage import ExpectedUse, Footage, write_footage
from testkit.shared import shared
from testkit.standin import StandIn, make

from nlecompanion import pipeline
from nlecompanion.media.extract import read_region
from nlecompanion.media.locate import local_path
from nlecompanion.media.probe import probe
from nlecompanion.model import Delivery, Reason, Samples, Use
from nlecompanion.pipeline import Place
from nlecompanion.settings import Profile, Settings
from nlecompanion.timeline.uses import read_uses

RATE_HZ = 48_000


def bundle(footage: Footage, folder: Path) -> Path:
    """The footage's dialogue as connected clips, in a `.fcpxmld`."""
    write = Writer(footage.rate, start_frame=footage.start_frame)
    gap_start_s = Fraction(3600)
    connected = ""
    for number, use in enumerate(footage.cleaned):
        file = probe(use.media)
        channels = sum(stream.channels for stream in file.streams)
        asset = write.asset(
            f"a{number}",
            use.media_start_s,
            channels,
            file.video_rate is not None,
            f"file://{quote(str(use.media))}",
        )
        write.starts[asset] += use.source_start_s
        connected += write.clip(
            asset,
            time(gap_start_s + write.at(use.record_frame)),
            0,
            use.record_frames,
            components(use, channels),
            lane="-1" if number % 2 else "1",
            audioRole="dialogue",
        )
    write.items = [
        write.element(
            "gap", connected, name="Gap", offset=write.offset(0), start="3600s", duration="60s"
        )
    ]
    path = folder / "Reel 1.fcpxmld"
    path.mkdir()
    (path / "Info.fcpxml").write_bytes(write.document("Reel 1"))
    return path


def components(use: ExpectedUse, channels: int) -> str:
    """Final Cut's channel settings where a clip plays a part of its file."""
    if len(use.channels) == channels:
        return ""
    return "".join(
        f'<audio-channel-source srcCh="{n + 1}" role="dialogue"'
        f"{'' if n in use.channels else ' active=' + chr(34) + '0' + chr(34)}/>"
        for n in range(channels)
    )


@pytest.fixture(scope="module", params=[Fraction(25), Fraction(24_000, 1001)], ids=["25", "23.976"])
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Footage, Path, Delivery]:
    folder = tmp_path_factory.mktemp("footage")
    footage = write_footage(folder, rate=request.param)
    document = bundle(footage, folder)
    out = tmp_path_factory.mktemp("out")
    return footage, document, deliver(document, out)


def deliver(document: Path, out: Path, **settings: Any) -> Delivery:
    """One run that works on everything, however good it sounds."""
    chosen = Settings(engine="passthrough", profile=Profile(keep_sbr_db=1000), **settings)
    return pipeline.run(document, chosen, Place(out))


def sound(path: Path, channels: tuple[int, ...], start_s: Fraction, length_s: Fraction) -> Samples:
    file = probe(path)
    start, end = round(start_s * RATE_HZ), round((start_s + length_s) * RATE_HZ)
    end = min(end, int(file.duration_s * RATE_HZ))
    return np.concatenate(list(read_region(file, channels, RATE_HZ, start, end)))


def test_every_clip_is_delivered_and_the_document_is_whole(
    made: tuple[Footage, Path, Delivery],
) -> None:
    footage, document, delivery = made
    reasons = {report.left_alone.reason for report in delivery.uses if report.left_alone}
    assert reasons <= {Reason.DISABLED}
    assert delivery.document is not None
    assert delivery.document.suffix == ".fcpxmld"
    original = (document / "Info.fcpxml").read_bytes()
    delivered = (delivery.document / "Info.fcpxml").read_bytes()
    assert is_valid(delivered)
    # Room tone and best efforts come switched off.
    added = kit.added_clips(original, delivered)
    playing = [clip for clip in added if clip.get("enabled", "1") != "0"]
    assert len(playing) == len(footage.cleaned)


def test_cleaned_clips_sound_at_the_very_sample(made: tuple[Footage, Path, Delivery]) -> None:
    footage, _, delivery = made
    assert delivery.document is not None
    uses = read_uses(ADAPTER.read(delivery.document))
    clean = [use for use in uses if use.track.startswith("DX clean")]
    assert len(clean) == len(footage.cleaned)
    for expected in footage.cleaned:
        use = counterpart(expected, footage, clean)
        path = local_path(use.media_url, delivery.document)
        assert probe(path).start_timecode_s is not None
        length_s = expected.record_frames / footage.rate
        channels = tuple(range(len(expected.channels)))
        cleaned = sound(path, channels, use.source.start_s, length_s)
        original = sound(expected.media, expected.channels, expected.source_start_s, length_s)
        assert lag_samples(cleaned, original, length_s) == 0, expected.name


def lag_samples(cleaned: Samples, original: Samples, length_s: Fraction) -> int:
    """Where the correlation of the first channels peaks."""
    count = min(len(cleaned), len(original))
    assert count > 0.9 * length_s * RATE_HZ
    a, b = cleaned[:count, 0], original[:count, 0]
    return int(np.argmax(np.abs(correlate(a, b, method="fft")))) - (count - 1)


def counterpart(expected: ExpectedUse, footage: Footage, clean: list[Use]) -> Use:
    found = [
        use
        for use in clean
        if use.record.start_s == expected.record_frame / footage.rate
        and use.record.duration_s == expected.record_frames / footage.rate
    ]
    assert found, f"{expected.name} has no cleaned clip at its record range"
    matching = [use for use in found if expected.media.stem in use.media_url]
    return (matching or found)[0]


def real_case(
    name: str, stand_in: StandIn, folder: Path, url: str, **settings: Any
) -> tuple[Delivery, list[tuple[Use, Use]]]:
    """A real document with one of its files; each use that was cleaned, before and after."""
    make(stand_in)
    document = folder / name
    document.write_bytes(shared(f"timelines/corpus/fcpxml/{name}").read_bytes())
    path_map = ((url, str(stand_in.path)),)
    delivery = deliver(document, folder / "out", path_map=path_map, **settings)
    assert delivery.document is not None
    assert is_valid(delivery.document.read_bytes())
    after = read_uses(ADAPTER.read(delivery.document))
    pairs = []
    for report in delivery.uses:
        if report.cleaned_file is not None:
            stem = Path(report.cleaned_file).stem
            (new,) = [
                u
                for u in after
                if u.name == stem and u.record == report.use.record and u.left_alone is None
            ]
            pairs.append((report.use, new))
    for before, new in pairs:
        length_s = min(before.record.duration_s, Fraction(4))
        cleaned_path = local_path(new.media_url, delivery.document)
        channels = tuple(range(len(before.channels or ())))
        cleaned = sound(cleaned_path, channels, new.source.start_s, length_s)
        original = sound(stand_in.path, channels, before.source.start_s, length_s)
        assert lag_samples(cleaned, original, length_s) == 0
    return delivery, pairs


def test_d5_the_new_file_is_mono_and_in_sync(tmp_path: Path) -> None:
    shared("audio/speech")
    wav = StandIn(tmp_path / "TestAudio.wav", Fraction(114_688, 22_050), None, None, 1, 22_050)
    url = "/Users/user/Movies/MyLibrary.fcpbundle/Test Event/Original Media/TestAudio.wav"
    _, pairs = real_case("ofk_SyncClip.fcpxml", wav, tmp_path, url, tracks=("effects",))
    ((before, new),) = pairs
    assert (before.channels, new.channels) == ((0,), (0,))
    assert before.record.start_s == new.record.start_s == 0


def test_d6_the_recorders_timecode_is_honoured(tmp_path: Path) -> None:
    shared("audio/speech")
    clock_s = Fraction(41_029)
    wav = StandIn(tmp_path / "4CH001I.wav", Fraction(13_273_408, 48_000), None, clock_s, 2)
    url = "/Users/user/Movies/Media/Multicam Clips/Take 2/4CH001I.wav"
    delivery, pairs = real_case("ofk_MulticamSampleWithCuts.fcpxml", wav, tmp_path, url)
    assert len(pairs) == 2
    reasons = [r.left_alone.reason for r in delivery.uses if r.left_alone is not None]
    assert sorted(reasons) == [Reason.DISABLED] * 2 + [Reason.OFFLINE] * 5
    for before, new in pairs:
        assert before.media_start_s == clock_s
        assert new.media_start_s is not None
        assert new.media_start_s + new.source.start_s == clock_s + before.source.start_s
