"""The watched folder with the real work: what is dropped comes out as a delivery, once."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
import soundfile
from lxml import etree
from testkit import otio_json
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.speech import RATE_HZ, speech
from testkit.watching import Bench

from nlecompanion import pipeline
from nlecompanion.job_work import work_with
from nlecompanion.settings import Settings
from nlecompanion.watch.contract import JobResult, WorkOrder
from nlecompanion.watch.daemon import Daemon
from nlecompanion.watching import Reader, watch_settings

SETTINGS = Settings(engine="dsp")


class PatientBench(Bench):
    """Waits for the media as well."""

    def settle(self, daemon: Daemon, seconds: float = 5.0) -> None:
        super().settle(daemon, seconds)
        self.turn(daemon, 5.0)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A folder whose daemon does the real work and checks documents by reading them."""
    bench = PatientBench(tmp_path / "Dialogue")
    bench.root.mkdir()
    bench.behaviour = work_with(SETTINGS)
    with Reader(SETTINGS) as bench.check:
        yield bench


def settings_of(bench: Bench) -> dict[str, object]:
    chosen = watch_settings(SETTINGS)
    return {"profiles": chosen.profiles, "default_profile": chosen.default_profile}


def scene(folder: Path, name: str = "Scene 3") -> bytes:
    """A timeline's bytes; its one clip lies in `folder`."""
    wav = folder / f"{name}.wav"
    if not wav.exists():
        soundfile.write(wav, speech(5, 2), RATE_HZ, "PCM_16")
    clip = Clip(Media(wav, Fraction(25), 125, picture=False), 0, 100, 10)
    return premiere_xml((Track((clip,), "Dialogue"),), Fraction(25), name)


def sequence_name(document: Path) -> str | None:
    return etree.parse(document).findtext("sequence/name")


def test_dropped_timelines_come_out_as_deliveries(bench: Bench, tmp_path: Path) -> None:
    dropped = bench.drop("Scene 3.xml", scene(tmp_path))
    before = dropped.read_bytes()
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
        bench.drop("under-music/Scene 3.xml", scene(tmp_path))
        bench.drop("same again.xml", scene(tmp_path))
        bench.settle(daemon)
    assert bench.lying("done") == ["Scene 3", "Scene 3 2"]
    assert bench.lying("failed") == []
    assert bench.lying("working") == []
    assert dropped.read_bytes() == before
    done = bench.root / "done"
    assert sequence_name(done / "Scene 3" / "Scene 3 clean.xml") == "Scene 3 clean"
    assert sequence_name(done / "Scene 3 2" / "Scene 3 clean 2.xml") == "Scene 3 clean 2"
    receipts = [json.loads((done / n / "receipt.json").read_text()) for n in bench.lying("done")]
    assert [r["settings"]["profile"] for r in receipts] == ["exposed", "under-music"]
    assert bench.states()["same again.xml"] == ["duplicate"]


def test_what_cannot_be_worked_on_gets_its_line(bench: Bench, tmp_path: Path) -> None:
    bench.drop("notes.xml", b"just notes")
    bench.drop("half.xml", scene(tmp_path)[:2000])
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
        bench.settle(daemon, 60)
    lines = {
        path.name: path.read_text()
        for path in (bench.root / "failed").iterdir()
        if ".txt" in path.name
    }
    assert set(lines) == {"notes.xml.txt", "half.xml.txt"}
    assert all(len(line.strip().splitlines()) == 1 for line in lines.values())
    assert bench.lying("done") == []


def test_a_timeline_with_nothing_to_clean_says_so(bench: Bench, tmp_path: Path) -> None:
    content = scene(tmp_path).replace(b"Dialogue", b"Music")
    bench.drop("Music only.xml", content)
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
    (note,) = (bench.root / "done").iterdir()
    assert "music role" in note.read_text()


def test_a_stop_during_the_work_puts_it_back_and_the_next_start_does_it(
    bench: Bench, tmp_path: Path
) -> None:
    bench.drop("Scene 3.xml", scene(tmp_path))
    real = work_with(SETTINGS)
    asked = []

    with bench.daemon(**settings_of(bench)) as daemon:

        def stopped(order: WorkOrder) -> JobResult:
            daemon._stop.set()
            asked.append(order.should_stop())
            return real(order)

        bench.behaviour = stopped
        bench.settle(daemon)
    assert asked == [True]
    assert bench.lying("done") == []
    bench.behaviour = real
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
    assert bench.lying("done") == ["Scene 3"]


def test_nothing_gets_its_name_where_the_daemon_objects(bench: Bench, tmp_path: Path) -> None:
    real, asked = work_with(SETTINGS), []

    def object_once(order: WorkOrder) -> JobResult:
        asked.append(order.document.name)
        return real(replace(order, may_hand_back=lambda: len(asked) > 1))

    bench.behaviour = object_once
    with bench.daemon(retry_parked_s=60, **settings_of(bench)) as daemon:
        bench.drop("Scene 3.xml", scene(tmp_path))
        bench.settle(daemon)
        assert bench.lying("done") == []
        assert bench.states() == {"Scene 3.xml": ["parked"]}
        bench.turn(daemon, 60)
    assert bench.lying("done") == ["Scene 3"]
    assert len(asked) == 2


def test_killed_after_the_rename_there_is_no_second_delivery(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.drop("Scene 3.xml", scene(tmp_path))
    real = pipeline.run

    def killed(*args: object) -> object:
        real(*args)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", killed)
    with pytest.raises(KeyboardInterrupt), bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
    monkeypatch.setattr(pipeline, "run", real)
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
    assert bench.lying("done") == ["Scene 3"]
    assert bench.states() == {"Scene 3.xml": ["done"]}


def test_relative_media_count_from_the_inbox(bench: Bench, tmp_path: Path) -> None:
    content = scene(tmp_path)
    media = bench.root / "inbox" / "media"
    media.mkdir(parents=True)
    shutil.move(tmp_path / "Scene 3.wav", media / "Scene 3.wav")
    start, end = content.index(b"<pathurl>") + 9, content.index(b"</pathurl>")
    bench.drop("Scene 3.xml", content[:start] + b"media/Scene%203.wav" + content[end:])
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
    assert bench.lying("done") == ["Scene 3"]


def test_what_was_offline_goes_to_failed_and_is_done_when_dropped_again(
    bench: Bench, tmp_path: Path
) -> None:
    content = scene(tmp_path)
    away = shutil.move(tmp_path / "Scene 3.wav", tmp_path / "away.wav")
    bench.drop("Scene 3.xml", content)
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
        line = (bench.root / "failed" / "Scene 3.xml.txt").read_text()
        assert "offline" in line
        assert "Scene 3.wav" in line
        shutil.move(away, tmp_path / "Scene 3.wav")
        bench.drop("once more.xml", content)
        bench.settle(daemon)
    assert bench.lying("done") == ["once more"]


def test_a_bundle_folder_is_one_job_with_its_own_media(bench: Bench) -> None:
    def dropped(name: str) -> Path:
        bundle = bench.root / "inbox" / name
        (bundle / "media").mkdir(parents=True)
        media = otio_json.media("media/take.wav", start=0.0, duration=125.0, rate=25.0)
        clip = otio_json.clip(10.0, 100, 25.0, reference=media)
        otio_json.write(
            bundle / "content.otio", otio_json.timeline([otio_json.track([clip])], 25.0, "Cut")
        )
        soundfile.write(bundle / "media" / "take.wav", speech(5, 2), RATE_HZ, "PCM_16")
        os.utime(bundle / "media" / "take.wav", ns=(10**9, 10**9))
        return bundle

    first = dropped("Cut.otiod")
    with bench.daemon(**settings_of(bench)) as daemon:
        bench.settle(daemon)
        assert bench.lying("done") == ["Cut"]
        assert (bench.root / "done" / "Cut" / "Cut clean.otiod" / "content.otio").is_file()
        dropped("Cut again.otiod")
        bench.settle(daemon)
        assert bench.states()["Cut again.otiod"] == ["duplicate"]
        os.utime(first / "media" / "take.wav", ns=(2 * 10**9, 2 * 10**9))
        bench.settle(daemon)
    assert bench.states()["Cut.otiod"] == ["done", "done"], "other media are another job"
    assert bench.lying("done") == ["Cut", "Cut 2"]
