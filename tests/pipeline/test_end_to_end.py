"""A timeline goes in, a delivery comes out: real film and interview sound, really cut."""

from __future__ import annotations

import hashlib
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import correlate
from testkit.footage import ExpectedUse, Footage, Form, write_footage

from nlecompanion.media.extract import read_region
from nlecompanion.media.locate import local_path
from nlecompanion.media.probe import probe
from nlecompanion.model import Delivery, Reason, Samples, Use
from nlecompanion.pipeline import Place, run
from nlecompanion.plugins import adapter_for
from nlecompanion.settings import Settings
from nlecompanion.timeline.uses import read_uses

RATE_HZ = 48_000
VARIANTS = {
    "premiere 25": (Form.PREMIERE, Fraction(25), False),
    "otio 25": (Form.OTIO, Fraction(25), False),
    "premiere 23.976": (Form.PREMIERE, Fraction(24000, 1001), False),
    "otio 23.976": (Form.OTIO, Fraction(24000, 1001), False),
    "premiere 29.97 DF": (Form.PREMIERE, Fraction(30000, 1001), True),
    "otio 29.97": (Form.OTIO, Fraction(30000, 1001), False),
}


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module", params=VARIANTS, ids=lambda name: name.replace(" ", "-"))
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Footage, Delivery, dict[str, str]]:
    """One run with `dsp` over read-only media."""
    form, rate, drop = VARIANTS[request.param]
    folder = tmp_path_factory.mktemp("footage")
    footage = write_footage(folder, form, rate, drop)
    before = digests(folder)
    for path in footage.media_folder.rglob("*"):
        path.chmod(0o444)
    footage.media_folder.chmod(0o555)
    out = tmp_path_factory.mktemp("out")
    delivery = run(footage.document, Settings(engine="dsp"), Place(out))
    footage.media_folder.chmod(0o755)
    return footage, delivery, before


def delivered_uses(delivery: Delivery) -> dict[str, Use]:
    """The cleaned clips in the delivered document, by id."""
    assert delivery.document is not None
    timeline = adapter_for(delivery.document).read(delivery.document)
    return {u.id: u for u in read_uses(timeline) if u.track.startswith("DX clean")}


def cleaned_counterpart(expected: ExpectedUse, footage: Footage, delivery: Delivery) -> Use:
    start_s = expected.record_frame / footage.rate
    found = [
        use
        for use in delivered_uses(delivery).values()
        if use.record.start_s == start_s
        and use.record.duration_s == expected.record_frames / footage.rate
    ]
    assert found, f"{expected.name} has no cleaned clip at its record range"
    # Two tracks may have a cut at the same place: the file's name says whose it is.
    matching = [u for u in found if expected.media.stem in u.media_url or len(found) == 1]
    return (matching or found)[0]


def sound(path: Path, channels: tuple[int, ...], start_s: Fraction, length_s: Fraction) -> Samples:
    file = probe(path)
    start, end = round(start_s * RATE_HZ), round((start_s + length_s) * RATE_HZ)
    end = min(end, int(file.duration_s * RATE_HZ))
    return np.concatenate(list(read_region(file, channels, RATE_HZ, start, end)))


def test_every_use_is_cleaned_or_left_alone_as_expected(
    made: tuple[Footage, Delivery, dict[str, str]],
) -> None:
    footage, delivery, _ = made
    reasons = {
        (r.use.record.start_s * footage.rate, r.use.track): r.left_alone for r in delivery.uses
    }
    for expected in footage.uses:
        left_alone = reasons[Fraction(expected.record_frame), expected.track]
        got = None if left_alone is None else left_alone.reason
        assert got == expected.reason, f"{expected.name}: {left_alone}"
    assert len(delivery.uses) == len(footage.uses)


def test_cleaned_clips_sound_at_the_very_sample(
    made: tuple[Footage, Delivery, dict[str, str]],
) -> None:
    footage, delivery, _ = made
    assert delivery.document is not None
    for expected in footage.cleaned:
        use = cleaned_counterpart(expected, footage, delivery)
        path = local_path(use.media_url, delivery.document)
        length_s = expected.record_frames / footage.rate
        channels = tuple(range(len(expected.channels)))
        cleaned = sound(path, channels, use.source.start_s, length_s)
        original = sound(expected.media, expected.channels, expected.source_start_s, length_s)
        count = min(len(cleaned), len(original))
        assert count > 0.9 * length_s * RATE_HZ
        for channel in channels:
            a, b = cleaned[:count, channel], original[:count, channel]
            lag = int(np.argmax(np.abs(correlate(a, b, method="fft")))) - (count - 1)
            assert lag == 0, f"{expected.name} channel {channel} is {lag} samples off"


def test_nothing_of_the_users_was_touched(made: tuple[Footage, Delivery, dict[str, str]]) -> None:
    footage, _, before = made
    assert digests(footage.document.parent) == before


def test_the_delivery_is_whole(made: tuple[Footage, Delivery, dict[str, str]]) -> None:
    footage, delivery, _ = made
    assert delivery.folder is not None
    assert delivery.document is not None
    assert delivery.document.suffix == footage.document.suffix
    receipt = json.loads((delivery.folder / "receipt.json").read_text(encoding="utf-8"))
    assert receipt["summary"]["cleaned"] == len(footage.cleaned)
    named = {use["cleaned_file"] for use in receipt["uses"]} - {None}
    clips = {f"clips/{p.name}" for p in (delivery.folder / "clips").iterdir()}
    assert {name for name in clips if "room tone" not in name} == named
    assert (delivery.folder / f"{footage.document.stem} clean.otio").is_file()
    hidden = [p for p in delivery.folder.parent.rglob("*") if p.name.startswith(".")]
    assert hidden == []


def test_the_same_cut_stands_beside_it_as_otio(
    made: tuple[Footage, Delivery, dict[str, str]],
) -> None:
    footage, delivery, _ = made
    assert delivery.folder is not None
    neutral = delivery.folder / f"{footage.document.stem} clean.otio"
    uses = read_uses(adapter_for(neutral).read(neutral))
    cleaned = [use for use in uses if use.track.startswith("DX clean")]
    expected = sorted((e.record_frame, e.record_frames) for e in footage.cleaned)
    rate = footage.rate
    assert expected == sorted(
        (int(u.record.start_s * rate), int(u.record.duration_s * rate)) for u in cleaned
    )
    for use in cleaned:
        assert local_path(use.media_url, neutral).is_file()


def test_a_cleaned_clip_tells_its_timecode(
    made: tuple[Footage, Delivery, dict[str, str]],
) -> None:
    footage, delivery, _ = made
    assert delivery.document is not None
    for expected in footage.cleaned:
        use = cleaned_counterpart(expected, footage, delivery)
        file = probe(local_path(use.media_url, delivery.document))
        assert file.cleaned_by_us
        assert file.streams[0].rate_hz == RATE_HZ
        assert file.streams[0].channels == len(expected.channels)
        assert file.start_timecode_s is not None
        instant_s = file.start_timecode_s + use.source.start_s
        assert abs(instant_s - expected.media_start_s - expected.source_start_s) < Fraction(
            1, RATE_HZ
        )


def test_a_second_run_finds_nothing_to_do(
    made: tuple[Footage, Delivery, dict[str, str]], tmp_path: Path
) -> None:
    _, delivery, _ = made
    assert delivery.document is not None
    again = run(delivery.document, Settings(engine="dsp"), Place(tmp_path))
    assert again.folder is None
    assert list(tmp_path.iterdir()) == []
    cleaned = [r for r in again.uses if r.use.track.startswith("DX clean")]
    assert cleaned
    assert all(
        r.left_alone is not None and r.left_alone.reason is Reason.ALREADY_CLEANED for r in cleaned
    )


def test_dialogue_that_was_left_alone_is_marked(
    made: tuple[Footage, Delivery, dict[str, str]],
) -> None:
    _, delivery, _ = made
    for report in delivery.uses:
        if report.left_alone is not None and report.left_alone.reason in {
            Reason.OFFLINE,
            Reason.RETIMED,
        }:
            assert report.marked, str(report.left_alone)
        if report.left_alone is not None and report.left_alone.reason in {
            Reason.MUSIC_ROLE,
            Reason.DISABLED,
            Reason.NO_SPEECH,
        }:
            assert not report.marked
