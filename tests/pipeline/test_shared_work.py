"""Whoever works on the regions, and whatever was done before: the delivery is the same, to the bit.

All with the `dsp` engine, which loads quickly, on a timeline of four short clips.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import soundfile
from click.testing import CliRunner
from testkit.fcp7xml import Clip, Media, Track, premiere_xml
from testkit.speech import RATE_HZ, speech

from nlecompanion import farming
from nlecompanion.cli import main
from nlecompanion.decisions import Decision, Decisions
from nlecompanion.errors import SettingsError
from nlecompanion.job_record import read_record, record_path
from nlecompanion.model import Delivery, Reason, Ruling
from nlecompanion.pipeline import Place, read_job, run
from nlecompanion.settings import Settings
from nlecompanion.work import pool, regions, task, task_digest, worker_jobs
from nlecompanion.work.pool_process import WorkerProcess
from nlecompanion.work.regions import Progress

SETTINGS = Settings(engine="dsp", handles_s=Fraction(1, 2), report_sound_mb=0, cache_gb=0)
KEEPING = replace(SETTINGS, cache_gb=1)
RATE = Fraction(25)


@dataclass(frozen=True)
class Scene:
    """Three files; the first one plays twice, far apart."""

    folder: Path
    clips: tuple[Clip, ...]

    def document(self, clips: tuple[Clip, ...] | None = None) -> Path:
        path = self.folder / "Cut.xml"
        track = Track(clips or self.clips, "Dialogue")
        path.write_bytes(premiere_xml((track,), RATE, "Cut"))
        return path


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Scene:
    folder = tmp_path_factory.mktemp("scene")
    medias = []
    for number, seconds in enumerate((12, 4, 4)):
        path = folder / f"A00{number}.wav"
        soundfile.write(path, speech(seconds, 2, 0.01, seed=number), RATE_HZ, "PCM_24")
        medias.append(Media(path, RATE, seconds * 25, 2, picture=False))
    first, second, third = medias
    clips = (Clip(first, 0, 75, 12), Clip(second, 75, 150, 12), Clip(third, 200, 275, 12))
    return Scene(folder, (*clips, Clip(first, 300, 375, 212)))


def delivered(scene: Scene, settings: Settings, **more: Any) -> tuple[Delivery, dict[str, bytes]]:
    """The delivery and its files; the folder is taken away, so that the next has the same name."""
    delivery = run(scene.document(), settings, Place(scene.folder / "out"), **more)
    assert delivery.folder is not None
    return delivery, taken(delivery.folder)


def taken(folder: Path) -> dict[str, bytes]:
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    shutil.rmtree(folder)
    return files


@pytest.fixture(scope="module")
def warm_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the reference was worked on with, for tests that need it done before."""
    return tmp_path_factory.mktemp("warm")


@pytest.fixture(scope="module")
def reference(scene: Scene, warm_cache: Path) -> dict[str, bytes]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NLECOMPANION_CACHE", str(warm_cache))
        delivery, files = delivered(scene, KEEPING)
    assert delivery.cleaned == 4
    assert sum(name.startswith("clips/") and "DX" in name for name in files) == 4
    return files


@pytest.fixture
def done(
    scene: Scene, reference: dict[str, bytes], warm_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, ...]:
    """All regions were worked on before; the uses' ids."""
    monkeypatch.setenv("NLECOMPANION_CACHE", str(warm_cache))
    return tuple(use.id for use in read_job(scene.document(), KEEPING).uses)


@pytest.fixture
def worked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The media of the regions that are worked on in this process, in order."""
    names: list[str] = []
    real = worker_jobs.JOBS["region"]

    def counted(values: dict[str, Any], told: worker_jobs.Told) -> worker_jobs.Done:
        names.append(task.task_from_json(values["task"]).region.media.path.name)
        return real(values, told)

    monkeypatch.setitem(worker_jobs.JOBS, "region", counted)
    return names


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers(scene: Scene, reference: dict[str, bytes], workers: int) -> None:
    seen: list[Progress] = []
    delivery, files = delivered(scene, replace(SETTINGS, workers=workers), watcher=seen.append)
    assert files == reference
    assert delivery.failed == 0
    done_s = [progress.done_s for progress in seen if progress.total_s > 1]
    assert done_s == sorted(done_s)
    assert done_s[-1] == pytest.approx(seen[-2].total_s)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_after_a_worker_was_killed_in_the_middle(
    scene: Scene, reference: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Watched(WorkerProcess):
        def ask(self, request: dict[str, Any]) -> None:
            super().ask(request)
            if request["do"] == "region" and not started:
                started.append(self.pid)
                os.kill(self.pid, signal.SIGKILL)

    monkeypatch.setattr(pool, "WorkerProcess", Watched)
    delivery, files = delivered(scene, replace(SETTINGS, workers=2))
    assert started
    assert delivery.failed == 0
    assert files == reference


def test_what_was_finished_before_a_stop_is_not_done_again(
    scene: Scene, reference: dict[str, bytes], worked: list[str]
) -> None:
    def stop(progress: Progress) -> None:
        if len(worked) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delivered(scene, KEEPING, watcher=stop)
    assert not list((scene.folder / "out").iterdir())
    assert delivered(scene, KEEPING)[1] == reference
    # The third was in work when it was stopped.
    assert len(worked) == 5
    assert delivered(scene, KEEPING)[1] == reference
    assert len(worked) == 5


def test_a_new_export_works_only_on_what_changed(
    scene: Scene, done: tuple[str, ...], worked: list[str]
) -> None:
    moved = replace(scene.clips[2], source_in=15)
    renamed = scene.folder / "Cut 2.xml"
    clips = (scene.clips[0], scene.clips[1], moved, scene.clips[3])
    renamed.write_bytes(premiere_xml((Track(clips, "DX"),), RATE, "Cut 2"))
    delivery = run(renamed, KEEPING, Place(scene.folder / "out"))
    assert delivery.cleaned == 4
    assert worked == ["A002.wav"]
    assert delivery.folder is not None
    shutil.rmtree(delivery.folder)


def test_a_changed_program_is_served_nothing(
    scene: Scene, worked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = replace(scene, clips=scene.clips[1:2])
    delivered(one, KEEPING)
    worked.clear()
    delivered(one, KEEPING)
    assert worked == []
    for module in (task_digest, task, regions):
        monkeypatch.setattr(module, "program_digest", lambda: "f" * 64)
    delivered(one, KEEPING)
    assert worked == ["A001.wav"]


def test_what_an_editor_decides_about_one_use_changes_that_one(
    scene: Scene, reference: dict[str, bytes], done: tuple[str, ...], worked: list[str]
) -> None:
    wishes = Decisions({done[1]: Decision(intensity_db=3.0)})
    louder, files = delivered(scene, KEEPING, decisions=wishes)
    assert worked == ["A001.wav"]
    intensities = [report.plan.intensity_db for report in louder.uses if report.plan is not None]
    assert intensities[1] == 3.0
    changed = {n for n in files if n.startswith("clips/") and files[n] != reference[n]}
    assert "clips/A001 DX.wav" in changed
    assert changed <= {"clips/A001 DX.wav", "clips/A001 room tone.wav"}


def test_what_an_editor_keeps_is_left_alone(
    scene: Scene, done: tuple[str, ...], worked: list[str]
) -> None:
    wishes = Decisions({done[1]: Decision(keep_original=True)})
    kept, files = delivered(scene, KEEPING, decisions=wishes)
    assert "A000.wav" not in worked
    left_alone = kept.uses[1].left_alone
    assert left_alone is not None
    assert left_alone.reason is Reason.EDITOR
    assert (kept.cleaned, kept.failed) == (3, 0)
    assert "clips/A001 DX.wav" not in files


def test_what_shall_be_recorded_again_is_on_the_sheet(
    scene: Scene, reference: dict[str, bytes], done: tuple[str, ...]
) -> None:
    assert not any(name.startswith("flags/") for name in reference)
    wishes = Decisions({done[1]: Decision(adr=True, subtitle="We never met.")})
    _, files = delivered(scene, KEEPING, decisions=wishes)
    sheet = files["flags/Cut clean ADR.csv"].decode("utf-8-sig")
    assert "the editor wants it recorded again" in sheet
    assert "We never met." in sheet
    assert b"We never met." in files["flags/Cut clean.srt"]


def test_an_accepted_use_plays_whatever_was_judged(scene: Scene) -> None:
    beyond = replace(KEEPING, profile=replace(KEEPING.profile, unfixable_risk=0.0))
    one = replace(scene, clips=scene.clips[:1])
    first, _ = delivered(one, beyond)
    assert first.cleaned == 0
    judged = first.uses[0].verdict
    assert judged is not None
    assert judged.ruling is Ruling.UNFIXABLE
    wishes = Decisions({first.uses[0].use.id: Decision(accept=True)})
    played, _ = delivered(one, beyond, decisions=wishes)
    assert (played.cleaned, played.offered) == (1, 0)
    verdict = played.uses[0].verdict
    assert verdict is not None
    assert verdict.reasons == ("accepted by the editor", *judged.reasons)


def test_uses_that_share_a_region_are_treated_alike_and_told_so(scene: Scene) -> None:
    first = scene.clips[0]
    close = (first, replace(first, start=75, end=125, source_in=87))
    document = scene.folder / "Close.xml"
    document.write_bytes(premiere_xml((Track(close, "Dialogue"),), RATE, "Close"))
    ids = [use.id for use in read_job(document, SETTINGS).uses]
    wishes = Decisions({ids[1]: Decision(room_tone=False)})
    delivery = run(document, SETTINGS, Place(scene.folder / "out"), decisions=wishes)
    told = [loss.what for loss in delivery.losses if "shares its sound" in loss.what]
    assert len(told) == 1
    assert delivery.regions
    assert all(not account["room_tone"]["on"] for account in delivery.regions.values())
    shutil.rmtree(scene.folder / "out")


def test_a_record_of_the_job_is_kept_outside_of_the_delivery(
    scene: Scene, done: tuple[str, ...]
) -> None:
    wishes = Decisions({"nobody": Decision(adr=True)})
    delivery = run(scene.document(), KEEPING, Place(scene.folder / "out"), decisions=wishes)
    assert delivery.folder is not None
    record = read_record(delivery.folder)
    assert record is not None
    assert record.document == scene.folder / "Cut.xml"
    assert record.settings == KEEPING
    assert record.decisions == wishes
    assert record.engine == "dsp"
    path = record_path(delivery.folder)
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_text("{")
    with pytest.raises(SettingsError, match="damaged"):
        read_record(delivery.folder)
    path.unlink()
    assert read_record(delivery.folder) is None
    shutil.rmtree(delivery.folder)


def test_a_record_that_cannot_be_written_costs_nothing(
    scene: Scene,
    reference: dict[str, bytes],
    done: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NLECOMPANION_STATE", str(tmp_path / "file"))
    assert delivered(scene, KEEPING)[1] == reference


def called(*words: str) -> str:
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.output
    return result.output


def test_a_farm_makes_the_same_delivery(
    scene: Scene, reference: dict[str, bytes], tmp_path: Path, worked: list[str]
) -> None:
    job = tmp_path / "job"
    assert farming.cut(scene.document(), SETTINGS, job, lambda _: None).tasks == 4
    *tasks, assembly = map(shlex.split, (job / "commands.txt").read_text().splitlines())
    assert len(tasks) == 4
    for _, *words in tasks[:3]:
        called(*words)
    assert "was there already" in called(*tasks[0][1:])
    assert len(worked) == 3
    (damaged,) = [p for p in (job / "done").glob("*.wav") if p.stem in tasks[0][2]]
    damaged.write_bytes(b"RIFF")
    called(*assembly[1:], "--out", str(scene.folder / "out"))
    # The one that was not run, and the one that was damaged.
    assert len(worked) == 5
    assert taken(scene.folder / "out" / "Cut clean") == reference


@pytest.mark.parametrize(
    ("content", "hint"),
    [
        (b"", "no task"),
        (b"[", "no task"),
        (b"[" * 100_000, "no task"),
        (b"{}", "no task"),
        (b'{"format": 1, "program": "x", "task": []}', "another version"),
    ],
)
def test_a_bad_task_file_is_one_line(tmp_path: Path, content: bytes, hint: str) -> None:
    path = tmp_path / "task.json"
    path.write_bytes(content)
    result = CliRunner().invoke(main, ("work", str(path), "--out", str(tmp_path / "out")))
    assert result.exit_code == 2
    assert hint in result.output
    assert len(result.output.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_task_without_its_media_or_tone_says_so(scene: Scene, tmp_path: Path) -> None:
    one = tmp_path / "one.wav"
    shutil.copy(scene.clips[1].media.path, one)
    clip = replace(scene.clips[1], media=replace(scene.clips[1].media, path=one))
    document = tmp_path / "One.xml"
    document.write_bytes(premiere_xml((Track((clip,), "Dialogue"),), RATE, "One"))
    called("farm", str(document), "--out", str(tmp_path / "job"), "--engine", "dsp")
    (made,) = (tmp_path / "job").glob("tasks/*.json")
    one.unlink()
    words = ("work", str(made), "--out", str(tmp_path / "done"))
    assert "is no longer at" in CliRunner().invoke(main, words).output
    shutil.rmtree(made.parent / "tones")
    assert "room tone of" in CliRunner().invoke(main, words).output
