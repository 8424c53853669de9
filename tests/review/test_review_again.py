"""From listening to a new delivery, with real sound, a real pipeline and real child processes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.review import Page, serving
from testkit.speech import RATE_HZ, speech

from nlecompanion.model import Samples
from nlecompanion.pipeline import Place, run
from nlecompanion.region_cache import RegionCache, cache_folder
from nlecompanion.review import places
from nlecompanion.review.stems import MANIFEST
from nlecompanion.settings import Settings

SETTINGS = Settings(engine="dsp", handles_s=Fraction(1, 2), report_sound_mb=0, cache_gb=1)
RATE = Fraction(25)


def delivered(tmp_path: Path) -> Path:
    """Two files, a clip of each, cleaned."""
    clips = []
    for number in range(2):
        path = tmp_path / f"A00{number}.wav"
        soundfile.write(path, speech(5, 2, 0.03, seed=number), RATE_HZ, "PCM_24")
        media = Media(path, RATE, 125, 2, picture=False)
        clips.append(Clip(media, 100 * number, 100 * number + 75, 25))
    document = tmp_path / "Cut.xml"
    document.write_bytes(premiere_xml((Track(tuple(clips), "Dialogue"),), RATE, "Cut"))
    folder = run(document, SETTINGS, Place(tmp_path / "out")).folder
    assert folder is not None
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "review" not in path.parts
    }


def prepared(page: Page, delivery: str, use: str) -> dict[str, Any]:
    """The stems of a use, once they are there."""
    path = f"/api/d/{delivery}/uses/{use}"
    with page.listen(delivery) as window:
        answer = page.post(f"{path}/prepare", {})
        assert answer.status == 202
        state = answer.json["state"]
        while state == "preparing":
            told = window.next("stems")
            state = told["state"]
        assert state == "ready", told["why"]
    found: dict[str, Any] = page.get(f"{path}/stems").json
    return found


def heard(page: Page, stems: dict[str, Any]) -> Samples:
    """The current rung, mixed as the page mixes it."""
    current = stems["current"]
    rung = next(
        rung
        for rung in stems["rungs"][current["key"]]
        if rung["intensity_db"] == current["intensity_db"]
    )

    def sound(media: str) -> Samples:
        content = page.get(f"/m/{media}").content
        samples, rate_hz = soundfile.read(io.BytesIO(content), dtype="float64", always_2d=True)
        assert rate_hz == stems["rate_hz"]
        assert samples.shape == (stems["length_samples"], stems["channels"])
        return np.asarray(samples)

    assert rung["level"]["ride"] is None
    assert not rung["limited"]
    mix = sound(rung["voice"]) + rung["background_gain"] * sound(rung["background"])
    tone = 0 if rung["tone"] is None else rung["tone_gain"] * sound(rung["tone"])
    return np.asarray(rung["level"]["gain"] * mix + tone)


def apart_db(page: Page, stems: dict[str, Any], cleaned: Path) -> float:
    mix = heard(page, stems)
    whole, _ = soundfile.read(cleaned, dtype="float64", always_2d=True)
    first = round(stems["offset_s"] * stems["rate_hz"])
    part = whole[first : first + len(mix)]
    return float(10 * np.log10(np.square(mix - part).mean() / np.square(part).mean() + 1e-30))


def stems_folders() -> list[Path]:
    return [path.parent for path in places.cache_folder().glob(f"*/{MANIFEST}")]


def finished(page: Page, delivery: str) -> dict[str, Any]:
    with page.listen(delivery) as window:
        told = page.post(f"/api/d/{delivery}/deliver", {}).json
        while told["state"] == "working":
            told = window.next("deliver")
    return dict(told)


def test_listen_decide_deliver_again(tmp_path: Path) -> None:
    folder = delivered(tmp_path)
    before = files(folder)
    cache = RegionCache(cache_folder(), 1 << 30)
    rendered = cache.describe().entries
    with serving(tmp_path / "out") as page:
        (listed,) = page.get("/api/deliveries").json
        delivery = listed["id"]
        first, second = page.get(f"/api/d/{delivery}/uses").json["uses"]
        stems = prepared(page, delivery, first["id"])
        assert stems["current"]["intensity_db"] == first["intensity_db"]
        assert apart_db(page, stems, folder / "clips" / first["file"]) < -60
        assert stems["use"]["end_s"] - stems["use"]["start_s"] == pytest.approx(3.0)
        points = -(-stems["length_samples"] // (stems["rate_hz"] // 100))
        assert len(page.get(f"/m/{stems['peaks']}").content) == 4 * points
        for picture in stems["spectrograms"].values():
            assert page.get(f"/m/{picture}").content[:4] == b"\x89PNG"

    # Another start: what was prepared is there at once.
    with serving(tmp_path / "out") as page:
        path = f"/api/d/{delivery}/uses/{first['id']}"
        assert page.get(path).json["stems"]["state"] == "ready"
        assert page.get(f"{path}/stems").json["rungs"].keys() == stems["rungs"].keys()

        other_db = 3.0 if first["intensity_db"] != 3.0 else 9.0
        wanted = {"set": {"intensity_db": other_db, "room_tone": False}}
        assert page.post(f"{path}/decision", wanted).status == 200
        told = finished(page, delivery)
        assert told["state"] == "done", told["why"]

        new = tmp_path / "out" / told["name"]
        assert new != folder
        assert files(folder) == before
        # Only the region that was decided about was rendered; the other one came from the cache.
        assert cache.describe().entries == rendered + 1
        again_first, again_second = page.get(f"/api/d/{told['result']}/uses").json["uses"]
        assert again_first["intensity_db"] == other_db
        assert again_first["decision"]["room_tone"] is False
        assert files(new)[f"clips/{second['file']}"] == before[f"clips/{second['file']}"]
        assert again_second["intensity_db"] == second["intensity_db"]

        # The new delivery's slider stands elsewhere; its stems are those that were there.
        assert len(stems_folders()) == 1
        stems = prepared(page, told["result"], first["id"])
        assert len(stems_folders()) == 1
        assert stems["current"]["intensity_db"] == other_db
        assert stems["current"]["key"].endswith("tone-off")
        assert apart_db(page, stems, new / "clips" / first["file"]) < -60


def test_stems_that_are_half_gone_are_made_anew(tmp_path: Path) -> None:
    delivered(tmp_path)
    with serving(tmp_path / "out") as page:
        (listed,) = page.get("/api/deliveries").json
        use = page.get(f"/api/d/{listed['id']}/uses").json["uses"][0]["id"]
        prepared(page, listed["id"], use)
        (folder,) = stems_folders()
        next(folder.glob("voice-*.wav")).unlink()
        path = f"/api/d/{listed['id']}/uses/{use}"
        assert page.get(path).json["stems"]["state"] == "none"
        assert page.get(f"{path}/stems").status == 404
        assert prepared(page, listed["id"], use)["rungs"]


def test_media_that_went_away_are_told(tmp_path: Path) -> None:
    delivered(tmp_path)
    (tmp_path / "A000.wav").unlink()
    with serving(tmp_path / "out") as page:
        (listed,) = page.get("/api/deliveries").json
        use = page.get(f"/api/d/{listed['id']}/uses").json["uses"][0]["id"]
        path = f"/api/d/{listed['id']}/uses/{use}"
        with page.listen(listed["id"]) as window:
            assert page.post(f"{path}/prepare", {}).status == 202
            told = window.next("stems")
            while told["state"] == "preparing":
                told = window.next("stems")
        assert told["state"] == "failed"
        assert "offline" in told["why"]


def test_keeping_everything_leaves_nothing_to_deliver(tmp_path: Path) -> None:
    delivered(tmp_path)
    with serving(tmp_path / "out") as page:
        (listed,) = page.get("/api/deliveries").json
        for use in page.get(f"/api/d/{listed['id']}/uses").json["uses"]:
            path = f"/api/d/{listed['id']}/uses/{use['id']}/decision"
            assert page.post(path, {"set": {"keep_original": True}}).status == 200
        told = finished(page, listed["id"])
        assert told["state"] == "failed"
        assert "every use keeps its original" in told["why"]
        assert len(page.get("/api/deliveries").json) == 1


def test_delivering_again_can_be_stopped(tmp_path: Path) -> None:
    delivered(tmp_path)
    with serving(tmp_path / "out") as page:
        (listed,) = page.get("/api/deliveries").json
        use = page.get(f"/api/d/{listed['id']}/uses").json["uses"][0]["id"]
        path = f"/api/d/{listed['id']}"
        page.post(f"{path}/uses/{use}/decision", {"set": {"intensity_db": 1.5}})
        with page.listen(listed["id"]) as window:
            assert page.post(f"{path}/deliver", {}).status == 202
            assert page.post(f"{path}/deliver/cancel", {}).status == 202
            told = window.next("deliver")
            while told["state"] == "working":
                told = window.next("deliver")
        assert (told["state"], told["why"]) == ("failed", "Stopped")
        assert [path.name for path in (tmp_path / "out").iterdir()] == [listed["name"]]


def test_the_child_leaves_with_whoever_started_it(tmp_path: Path) -> None:
    folder = delivered(tmp_path)
    use = json.loads((folder / "receipt.json").read_text())["uses"][0]["id"]
    task = {"do": "prepare", "folder": str(folder), "use": use, "document": None}
    command = [sys.executable, "-P", "-m", "nlecompanion.review.child"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(json.dumps(task).encode() + b"\n")
        child.stdin.flush()
        assert json.loads(child.stdout.readline())["what"] == "Reading the timeline"
        child.stdin.close()
        *_, last = child.stdout
        assert json.loads(last) == {"failed": "Stopped"}
    assert stems_folders() == []
    assert list((places.cache_folder() / "aside").iterdir()) == []
