"""What a region's work is known by: all that its sound depends on, nothing of its document."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from testkit.regions import region_of
from testkit.speech import RATE_HZ, speech

from nlecompanion.errors import EngineError, SettingsError
from nlecompanion.media.probe import probe
from nlecompanion.model import (
    Diagnosis,
    LeftAlone,
    Plan,
    Reason,
    Region,
    Ruling,
    Span,
    Use,
    UseReport,
    Verdict,
)
from nlecompanion.settings import Profile
from nlecompanion.treatment.room_tone import RoomTonePlan
from nlecompanion.treatment.tone_finding import RoomTone
from nlecompanion.treatment.tone_travel import tone_to_bytes
from nlecompanion.wire import from_json, to_json
from nlecompanion.work import RegionOutcome
from nlecompanion.work.places import place_of
from nlecompanion.work.target import cleaned_media
from nlecompanion.work.task import (
    RegionTask,
    TaskOutcome,
    anonymous,
    bound,
    outcome_of,
    task_from_json,
    task_to_json,
    windows_of,
)
from nlecompanion.work.task_digest import EngineId, engine_id, program_digest
from nlecompanion.work.worker_jobs import Shelf, read_tone

ENGINE = EngineId("dsp", "1", "none")


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Region:
    folder = tmp_path_factory.mktemp("media")
    made = region_of(speech(4), RATE_HZ, folder / "A003.wav")
    first = replace(made.uses[0], source=Span(Fraction(1), Fraction(1)))
    second = replace(first, id="A1-002", source=Span(Fraction(2), Fraction(3, 2)))
    return replace(made, uses=(second, first, replace(first, id="A2-001", track="Lav")))


def task(region: Region, **changed: Any) -> RegionTask:
    made = RegionTask(
        region=anonymous(region),
        profile=Profile(),
        main=ENGINE,
        light=ENGINE,
        tone="0" * 64,
        joined=(True, False),
        program=program_digest(),
    )
    return replace(made, **changed)


def test_equal_windows_are_one_and_come_in_order_of_time(region: Region) -> None:
    shown = anonymous(region)
    assert [use.source.start_s for use in shown.uses] == [1, 2]
    assert [[use.id for use in uses] for uses in windows_of(region).values()] == [
        ["A1-001", "A2-001"],
        ["A1-002"],
    ]


RENAMED: list[Callable[[Use], Use]] = [
    lambda use: replace(use, id=f"{use.id}-new"),
    lambda use: replace(use, name="Anna", track="DX", track_number=7, role="dialogue"),
    lambda use: replace(use, record=Span(Fraction(99), use.record.duration_s)),
    lambda use: replace(use, addresses=("clip-9",), media_url="file:///elsewhere.wav"),
    lambda use: replace(use, frame_rate=Fraction(24), media_start_s=Fraction(3600)),
]


@pytest.mark.parametrize("change", RENAMED)
def test_the_document_does_not_count(region: Region, change: Callable[[Use], Use]) -> None:
    other = replace(region, id="another", uses=tuple(change(use) for use in reversed(region.uses)))
    assert task(other).digest() == task(region).digest()
    assert anonymous(other) == anonymous(region)


def test_neither_does_the_folder_of_the_media(region: Region, tmp_path: Path) -> None:
    path = tmp_path / region.media.path.name
    shutil.copy2(region.media.path, path)
    assert task(replace(region, media=probe(path))).digest() == task(region).digest()


def with_sample(region: Region, folder: Path, at: int) -> Region:
    path = folder / region.media.path.name
    content = bytearray(region.media.path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    stat = region.media.path.stat()
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return replace(region, media=probe(path))


@pytest.mark.parametrize("at", [100, -100])
def test_other_media_count(region: Region, tmp_path: Path, at: int) -> None:
    assert task(with_sample(region, tmp_path, at)).digest() != task(region).digest()


def test_changed_media_count(region: Region) -> None:
    media = replace(region.media, modified_ns=region.media.modified_ns + 1)
    assert task(replace(region, media=media)).digest() != task(region).digest()


@pytest.mark.parametrize(
    "changed",
    [
        {"profile": replace(Profile(), intensity_db=6.0)},
        {"profile": replace(Profile(), de_echo=False)},
        {"main": replace(ENGINE, version="2")},
        {"light": replace(ENGINE, weights="others")},
        {"tone": "1" * 64},
        {"joined": (True, True)},
    ],
)
def test_what_the_sound_depends_on_counts(region: Region, changed: dict[str, Any]) -> None:
    assert task(region, **changed).digest() != task(region).digest()


def test_windows_ends_and_channels_count(region: Region) -> None:
    digests = {
        task(other).digest()
        for other in (
            region,
            replace(region, uses=region.uses[1:]),
            replace(region, uses=(replace(region.uses[0], tail_s=Fraction(1)), *region.uses[1:])),
            replace(region, start_sample=1),
            replace(region, end_sample=region.end_sample - 1),
            replace(region, channels=(1,)),
            replace(region, rate_hz=44_100),
            replace(region, media_start_s=Fraction(1)),
        )
    }
    assert len(digests) == 8


def test_a_profile_in_whole_numbers_is_the_same(region: Region) -> None:
    whole, exact = (replace(Profile(), intensity_db=db) for db in (6, 6.0))
    assert task(region, profile=whole).digest() == task(region, profile=exact).digest()


def test_a_changed_program_is_another(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "inside" / "one.py").write_text("A = 1\n")
    before = program_digest(tmp_path)
    program_digest.cache_clear()
    assert program_digest(tmp_path) == before
    (tmp_path / "inside" / "one.py").write_text("A = 2\n")
    assert program_digest(tmp_path) == before, "what runs is what was there at the start"
    program_digest.cache_clear()
    assert program_digest(tmp_path) != before


def test_a_task_travels_as_json(region: Region) -> None:
    made = task(region)
    values = json.loads(json.dumps(task_to_json(made)))
    assert task_from_json(values) == made
    assert "A1-001" not in json.dumps(values)


@pytest.mark.parametrize(
    ("values", "hint"),
    [
        (None, "no task"),
        ([], "no task"),
        ({"format": 99}, "no task"),
        ({"format": 1, "program": "0" * 64}, "another version"),
        ({"format": 1, "program": None, "task": []}, "damaged"),
        ({"format": 1, "program": None, "task": [1] * 8}, "damaged"),
        ({"format": 1, "program": None, "task": {"region": "x"}}, "damaged"),
    ],
)
def test_what_is_no_task_says_so(values: Any, hint: str) -> None:
    if isinstance(values, dict) and values.get("program", "") is None:
        values = values | {"program": program_digest()}
    with pytest.raises(SettingsError, match=hint):
        task_from_json(values)


def test_an_outcome_comes_back_to_its_uses(region: Region) -> None:
    shown = anonymous(region)
    heard = Diagnosis((), Fraction(0), "mixture", None, -40.0, None)
    plan, verdict = Plan("dsp", 6.0, ("why",), "light"), Verdict(Ruling.DELIVER, ("good",))
    tone = RoomTonePlan("some", None, np.ones(3, np.float32), (-60.0, -61.5), -3.5)
    outcome = RegionOutcome(
        reports=(
            UseReport(shown.uses[0], None, heard, plan, verdict, evidence={"a": [1, 2.5, None]}),
            UseReport(shown.uses[1], LeftAlone(Reason.NO_SPEECH, "nobody"), heard),
        ),
        cleaned=cleaned_media(shown, Path("x.wav")),
        clipped_samples=3,
        tone=(place_of(shown), tone),
        account={"level": {"reason": "as before"}},
    )
    told = json.loads(json.dumps(to_json(outcome_of(outcome, "ab"), TaskOutcome)))
    back = bound(from_json(told, TaskOutcome), region, Path("final.wav"), None)
    assert [report.use for report in back.reports] == list(region.uses)
    second, first, lav = back.reports
    assert second.left_alone == LeftAlone(Reason.NO_SPEECH, "nobody")
    assert first.verdict == lav.verdict == verdict
    assert first.evidence == {"a": [1, 2.5, None]}
    assert {first.region, lav.region} == {region.id}
    assert back.cleaned == cleaned_media(region, Path("final.wav"))
    assert back.account == outcome.account
    assert back.tone is not None
    assert back.tone[0] == place_of(region)
    assert back.tone[1].target_db == tone.target_db
    assert np.array_equal(np.asarray(back.tone[1].gains), np.asarray(tone.gains))


def test_an_outcome_for_other_windows_is_refused(region: Region) -> None:
    with pytest.raises(ValueError, match="zip"):
        bound(TaskOutcome(()), region, Path("final.wav"), None)


def test_an_engine_of_another_version_is_refused() -> None:
    wanted = replace(engine_id("dsp"), version="0.0")
    with pytest.raises(EngineError, match=r"the task wants 0\.0"):
        Shelf().get(wanted)


def test_a_damaged_tone_is_refused(tmp_path: Path) -> None:
    tone = RoomTone(RATE_HZ, np.ones((1, 4, 1), np.complex64), (-60.0,), -60.0, False, 1.0, 1.0)
    path = tmp_path / "place.tone"
    path.write_bytes(tone_to_bytes(tone))
    with pytest.raises(EngineError, match="is damaged"):
        read_tone(path, "0" * 64)
