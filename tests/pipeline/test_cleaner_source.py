"""A cleaner source from end to end: receipt, marker, ADR sheet tell of it; nothing is swapped."""

from __future__ import annotations

import csv
import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from lxml import etree
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.media_files import encode
from testkit.takes import RATE_HZ, noisy, take

from nlecompanion.model import Delivery, UseReport
from nlecompanion.pipeline import Place, run
from nlecompanion.settings import Settings
from nlecompanion.work.cleaner import FLAGGED

RATE = Fraction(25)
SECONDS = 16
LATE = round(1.37 * RATE_HZ)
DELAY = RATE_HZ // 10
IN_S, LENGTH_S = 3, 8
#: A background that covers all of the voice's band.
HARD = 3


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Delivery:
    """A web video, a four-channel roll and a clip whose only relative is another take of it."""
    folder = tmp_path_factory.mktemp("job")
    first, second, third = take(0, SECONDS), take(6, SECONDS), take(12, SECONDS)
    delayed = np.concatenate([np.zeros(DELAY, np.float32), noisy(first, -9, HARD)])
    social = encode(
        np.stack([delayed, delayed], axis=1), RATE_HZ, folder / "Best of 2024.mp4", "aac",
        video_rate=RATE, audio_bitrate="64k",
    )  # fmt: skip
    before = np.zeros(LATE, np.float32)
    soundfile.write(folder / "ZOOM0007.WAV", np.concatenate([before, first]), RATE_HZ, "PCM_24")
    channels = [noisy(second, -9, HARD - n) for n in range(4)]
    channels[2] = second
    soundfile.write(folder / "Roll 12.wav", np.stack(channels, axis=1), RATE_HZ, "PCM_24")
    soundfile.write(folder / "Pickup.wav", noisy(third, -9, HARD), RATE_HZ, "PCM_24")
    soundfile.write(folder / "Pickup take 2.wav", take(18, SECONDS), RATE_HZ, "PCM_24")
    media = [
        Media(social, RATE, SECONDS * 25),
        Media(folder / "Roll 12.wav", RATE, SECONDS * 25, 4, picture=False),
        Media(folder / "Pickup.wav", RATE, SECONDS * 25, 1, picture=False),
    ]
    frames = LENGTH_S * 25
    played = [(1, 2), (1,), (1,)]
    tracks = tuple(
        Track(
            (Clip(m, n * frames, (n + 1) * frames, IN_S * 25, channels=played[n]),),
            f"Dialogue {n + 1}",
            len(played[n]),
        )
        for n, m in enumerate(media)
    )
    (folder / "Cut.xml").write_bytes(premiere_xml(tracks, RATE))
    return run(folder / "Cut.xml", Settings(engine="dsp"), Place(folder / "out"))


def report(delivery: Delivery, name: str) -> UseReport:
    return next(r for r in delivery.uses if name in r.use.media_url.replace("%20", " "))


def test_the_camera_original_of_a_web_video_is_found_to_the_sample(delivery: Delivery) -> None:
    (proposal,) = report(delivery, "Best of 2024").proposals
    assert proposal.path.name == "ZOOM0007.WAV"
    assert proposal.offset_s == Fraction(LATE - DELAY, RATE_HZ)
    assert proposal.start_s == IN_S + proposal.offset_s
    now, there = proposal.now, proposal.there
    assert now.sbr_db is not None
    assert there.sbr_db is not None
    assert there.sbr_db > now.sbr_db + 15


def test_the_clean_channel_of_the_roll_is_found(delivery: Delivery) -> None:
    (proposal,) = report(delivery, "Roll 12").proposals
    assert (proposal.path.name, proposal.channels) == ("Roll 12.wav", (2,))
    assert proposal.offset_s == 0


def test_another_take_is_not_proposed(delivery: Delivery) -> None:
    found = report(delivery, "Pickup")
    assert found.verdict is not None
    assert found.verdict.ruling in FLAGGED
    assert found.proposals == ()


def test_the_receipt_holds_the_numbers(delivery: Delivery) -> None:
    assert delivery.folder is not None
    receipt = json.loads((delivery.folder / "receipt.json").read_text(encoding="utf-8"))
    by_name = {Path(use["source"]["media"]).name: use for use in receipt["uses"]}
    (source,) = by_name["Roll%2012.wav"]["cleaner_sources"]
    assert source["media"].endswith("Roll 12.wav")
    assert source["channels"] == [3]
    assert source["start_s"] == IN_S
    assert source["there"]["sbr_db"] > source["now"]["sbr_db"] + 15
    assert set(source["there"]) == {"sbr_db", "highest_hz", "codec_damaged", "clipped"}
    assert by_name["Pickup.wav"]["cleaner_sources"] == []


def test_the_marker_and_the_adr_sheet_say_so(delivery: Delivery) -> None:
    assert delivery.document is not None
    assert delivery.folder is not None
    root = etree.parse(delivery.document).getroot()
    comments = [m.findtext("comment") or "" for m in root.iter("marker")]
    told = [comment for comment in comments if "A cleaner source: " in comment]
    assert len(comments) == 3
    assert len(told) == 2
    assert any("channel 1 of ZOOM0007.WAV from 4.270 s" in comment for comment in told)
    (table,) = (delivery.folder / "flags").glob("* ADR.csv")
    with table.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert any("try first: channel 3 of the same file" in row["Reason"] for row in rows)


def test_nothing_was_swapped(delivery: Delivery) -> None:
    assert delivery.plan is not None
    names = {clip.media.path.name for track in delivery.plan.tracks for clip in track.clips}
    assert all("ZOOM0007" not in name for name in names)
    used = {r.use.media_url for r in delivery.uses}
    assert all("ZOOM0007" not in url for url in used)
