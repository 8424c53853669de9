"""A run treats the hardest moment first: it asks or flags where that fails, and checks the bet."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import soundfile
from testkit.sound import as_samples, noise
from testkit.speech import speech

from nlecompanion.demo.timeline import Cut, CutFile, Edit, SoundTrack, premiere_xml
from nlecompanion.errors import Interrupted
from nlecompanion.model import Delivery
from nlecompanion.pipeline import Place, run
from nlecompanion.settings import Profile, Settings
from nlecompanion.work.preview import Preview

RATE = Fraction(25)
RATE_HZ = 48_000
EASY_S, HARD_S = 48, 16
#: No result reaches this readability: every hardest moment fails.
NEVER = Settings(profile=replace(Profile(), warn_readable=1.0), engine="dsp")


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """64 s on one track: an easy scene, then a noisy one from another file."""
    folder = tmp_path_factory.mktemp("cut")
    edits, frame = [], 0
    for name, seconds, level_db in (("easy", EASY_S, -45.0), ("hard", HARD_S, -25.0)):
        spoken = np.tile(speech(8), (seconds // 8, 1))
        sound = spoken + as_samples(noise(seconds, level_db=level_db))
        soundfile.write(folder / f"{name}.wav", sound, RATE_HZ, subtype="PCM_24")
        file = CutFile(folder / f"{name}.wav", RATE, seconds * 25, channels=1)
        edits.append(Edit(file, frame, seconds * 25, 0, "Dialogue", name=name, channels=(0,)))
        frame += seconds * 25
    document = folder / "cut.xml"
    cut = Cut("cut", RATE, 0, (SoundTrack("Dialogue", 1),), tuple(edits))
    document.write_text(premiere_xml(cut), encoding="utf-8")
    return document


def receipt_of(delivery: Delivery) -> dict[str, object]:
    assert delivery.folder is not None
    found: dict[str, object] = json.loads((delivery.folder / "receipt.json").read_text("utf-8"))
    return found


def test_a_no_after_the_preview_leaves_nothing(timeline: Path, tmp_path: Path) -> None:
    seen: list[Preview] = []

    def no(preview: Preview) -> bool:
        seen.append(preview)
        return False

    with pytest.raises(Interrupted, match="after the preview"):
        run(timeline, NEVER, Place(tmp_path), ask=no)
    assert [p.use.name for p in seen] == ["hard"]
    assert seen[0].failed
    assert any("readability reaches" in reason for reason in seen[0].reasons)
    assert list(tmp_path.iterdir()) == []


def test_with_nobody_to_ask_the_receipt_has_the_flag(timeline: Path, tmp_path: Path) -> None:
    told = receipt_of(run(timeline, NEVER, Place(tmp_path)))
    preview = told["preview"]
    assert isinstance(preview, dict)
    assert preview["failed"] is True
    assert preview["record_in"] >= "00:00:48:00"
    assert any("readability reaches" in reason for reason in preview["reasons"])


def test_a_good_one_asks_nobody_and_the_bet_is_checked(timeline: Path, tmp_path: Path) -> None:
    def never(preview: Preview) -> bool:
        raise AssertionError(f"asked about {preview.use.name}")

    settings = Settings(profile=replace(Profile(), warn_readable=0.0), engine="dsp")
    told = receipt_of(run(timeline, settings, Place(tmp_path), ask=never))
    preview, regions = told["preview"], told["regions"]
    assert isinstance(preview, dict)
    assert isinstance(regions, dict)
    assert preview["failed"] is False
    assert preview["representative"] in {True, False}
    worst = min(r["hardest_moment"]["worst_readability"] for r in regions.values())
    assert preview["worst_readability"] == pytest.approx(worst)
    for region in regions.values():
        ladder = region["ladder"]
        assert ladder["neighbour_floor_db"] < 0
        changed = [attempt["changed"] for attempt in ladder["attempts"]]
        assert changed[0] == ""
        assert set(changed[1:]) <= {"intensity_db", "presence_db"}
        assert all(
            attempts["parent"] is not None and attempts["gates"]
            for attempts in ladder["attempts"][1:]
        )
