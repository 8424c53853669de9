"""Real recordings in a Final Cut bundle: the cleaned clips sound at the very sample."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from scipy.signal import correlate
from testkit import fcpxml_undo as kit
from testkit.fcpxml import Writer, is_valid, time
from testkit.footage import ExpectedUse, Footage, write_footage

from nlecompanion.media.extract import read_region
from nlecompanion.media.locate import local_path
from nlecompanion.media.probe import probe
from nlecompanion.model import Delivery, Reason, Samples, Use
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Settings
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
    return footage, document, run(document, Settings(engine="dsp"), Place(out))


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
    assert len(kit.added_clips(original, delivered)) == len(footage.cleaned)


def test_cleaned_clips_sound_at_the_very_sample(made: tuple[Footage, Path, Delivery]) -> None:
    footage, _, delivery = made
    assert delivery.document is not None
    uses = read_uses(adapter_for(delivery.document).read(delivery.document))
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
        count = min(len(cleaned), len(original))
        assert count > 0.9 * length_s * RATE_HZ
        a, b = cleaned[:count, 0], original[:count, 0]
        lag = int(np.argmax(np.abs(correlate(a, b, method="fft")))) - (count - 1)
        assert lag == 0, f"{expected.name} is {lag} samples off"


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
