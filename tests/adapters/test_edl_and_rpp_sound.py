"""EDL and REAPER cuts of real speech through the whole path: the same sample, nothing shifted."""

from __future__ import annotations

import importlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
from testkit import edl, rpp
from testkit.profiles import BARE
from testkit.shared import shared
from testkit.standin import StandIn, make

from nlecompanion import pipeline
from nlecompanion.model import Delivery
from nlecompanion.pipeline import Place
from nlecompanion.settings import Settings
from nlecompanion.timeline.contract import Adapter
from nlecompanion.timeline.uses import read_uses
from nlecompanion.units import frames_from_timecode

EDL: Adapter = importlib.import_module("nlecompanion.adapters.edl").ADAPTER
RATE_HZ = 48_000
START_S = 36_000
LIST = """TITLE: Scene 1
* FPS: 25
FCM: NON-DROP FRAME
001  TAKE     AA    C        10:00:05:03 10:00:09:03 01:00:00:00 01:00:04:00
* FROM CLIP NAME: take 1.wav
002  TAKE     AA    C        10:00:09:03 10:00:09:03 01:00:04:00 01:00:04:00
002  TAKE     AA    D    010 10:00:20:11 10:00:24:11 01:00:04:00 01:00:08:00
* FROM CLIP NAME: take 1.wav
* TO CLIP NAME: take 1.wav
"""


def media(folder: Path) -> Path:
    shared("audio/speech")
    return make(StandIn(folder / "take 1.wav", Fraction(40), None, Fraction(START_S), channels=2))


def deliver(document: Path) -> Delivery:
    # Clean studio speech: everything is worked on, however good it is.
    settings = Settings(profile=BARE, engine="passthrough")
    done = pipeline.run(document, settings, Place(document.parent / "deliveries"))
    assert done.failed == 0
    return done


def assert_same_sample(
    original: Path, at_s: Fraction, cleaned: Path, cleaned_at_s: Fraction
) -> None:
    """Two seconds from each place are one sound: the correlation peaks at 0 samples."""
    count = 2 * RATE_HZ
    a, b = (
        soundfile.read(path, start=round(s * RATE_HZ), frames=count, dtype="float64")[0]
        for path, s in ((original, at_s), (cleaned, cleaned_at_s))
    )
    assert a.shape == b.shape == (count, 2)
    for channel in range(2):
        spectrum = np.fft.rfft(a[:, channel]) * np.conj(np.fft.rfft(b[:, channel]))
        assert int(np.argmax(np.fft.irfft(spectrum))) == 0
    assert np.max(np.abs(a - b)) < 1e-3


def test_an_edl_points_at_the_same_samples(tmp_path: Path) -> None:
    original = media(tmp_path)
    document = tmp_path / "cut.edl"
    document.write_text(LIST, encoding="utf-8")
    done = deliver(document)
    assert (done.cleaned, len(done.uses)) == (2, 2)
    assert done.folder is not None
    assert sorted(p.name for p in done.folder.glob("*.edl")) == [
        "cut clean DX clean 1.edl",
        "cut clean.edl",
    ]
    text = (done.folder / "cut clean DX clean 1.edl").read_text(encoding="utf-8")
    wanted, events = (
        [line for line in edl.events(t) if line.record_in != line.record_out] for t in (LIST, text)
    )
    assert [line.record_out for line in events] == ["01:00:04:00", "01:00:08:00"]
    uses = read_uses(EDL.read(done.folder / "cut clean DX clean 1.edl"))
    for use, line, old in zip(uses, events, wanted, strict=True):
        cleaned = Path(use.media_url)
        assert cleaned.parent == done.folder / "clips"
        assert line.source_in == old.source_in
        tc_s = Fraction(frames_from_timecode(line.source_in, Fraction(25)), 25)
        assert_same_sample(original, tc_s - START_S, cleaned, tc_s - timecode_s(cleaned))


def timecode_s(wav: Path) -> Fraction:
    """The Broadcast WAV's own start, read from its `bext` chunk (EBU Tech 3285, 2.3)."""
    data = wav.read_bytes()
    at = data.index(b"bext") + 8 + 256 + 32 + 32 + 10 + 8
    return Fraction(int.from_bytes(data[at : at + 8], "little"), RATE_HZ)


def test_a_reaper_project_points_at_the_same_samples(tmp_path: Path) -> None:
    original = media(tmp_path)
    body = rpp.source("WAVE", "take 1.wav")
    items = (
        rpp.item(1, "0.30000000000001", "4", rpp.take("a", body, "5.12")),
        rpp.item(2, "4.3", "3.5", rpp.take("b", rpp.section(body, "20", "9"), "0.44")),
    )
    document = tmp_path / "cut.rpp"
    document.write_bytes(rpp.project(rpp.track(1, "DX", *items)))
    done = deliver(document)
    assert (done.cleaned, len(done.uses)) == (2, 2)
    assert done.document is not None
    added = rpp.added_items(done.document.read_bytes())
    for item, start_s in zip(added, (Fraction("5.12"), Fraction("20.44")), strict=True):
        offset = next(line.split()[1] for line in item if line.split()[0] == "SOFFS")
        assert_same_sample(original, start_s, rpp.file_of(item), Fraction(offset))
        # The timecode of its first sample is that of the same instant of the original.
        assert Fraction(rpp.about(item)[0]) == START_S + start_s - Fraction(offset)
    assert any("relative to the project" in loss.what for loss in done.losses)


def test_a_second_run_on_the_delivery_changes_nothing(tmp_path: Path) -> None:
    media(tmp_path)
    document = tmp_path / "cut.edl"
    document.write_text(LIST, encoding="utf-8")
    done = deliver(document)
    assert done.document is not None
    for path in sorted(done.document.parent.glob("*.edl")):
        assert deliver(path).folder is None
