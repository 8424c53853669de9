"""Documents are read in a child: what kills it is one refused file, with the numbers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from testkit import hostile_adapter, otio_json
from testkit.hostile_adapter import document
from testkit.passthrough_plan import passthrough_plan

from nlecompanion import pipeline, plugins
from nlecompanion.errors import DocumentError, NotATimeline, UnsafeDocument, UnsupportedDocument
from nlecompanion.isolation import ChildEnded, Isolation, Limits
from nlecompanion.pipeline import Place
from nlecompanion.settings import Settings
from nlecompanion.timeline.contract import timeline_facts
from nlecompanion.timeline.documents import (
    limits_for,
    patch_document,
    patch_neutral,
    read_document,
    recognise,
)
from nlecompanion.timeline.uses import read_uses

posix = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    hostile_adapter.install(folder, monkeypatch)
    return tmp_path


def good(folder: Path) -> Path:
    media = otio_json.media(start=0.0, duration=250.0, rate=25.0)
    cut = [otio_json.clip(float(n * 50), 50, 25.0, reference=media) for n in range(3)]
    path = folder / "cut.otio"
    otio_json.write(path, otio_json.timeline([otio_json.track(list(cut))], 25.0, "cut"))
    return path


def read_hostile(path: Path, limits: Limits | None = None) -> str:
    """The one line that the document is refused with."""
    with Isolation() as isolation, pytest.raises(DocumentError) as caught:
        read_document(path, "hostile", isolation, limits)
    line = str(caught.value)
    assert "\n" not in line
    assert path.name in line
    return line


def test_the_child_says_what_the_adapter_says(tmp_path: Path) -> None:
    path = good(tmp_path)
    timeline = plugins.adapters()["otio"].read(path)
    with Isolation() as isolation:
        assert recognise(path, isolation) == "otio"
        read = read_document(path, "otio", isolation)
    assert read.uses == read_uses(timeline)
    assert read.facts == timeline_facts(timeline)


def test_the_child_patches_as_the_adapter_does(tmp_path: Path) -> None:
    path, here = good(tmp_path), tmp_path / "here.otio"
    adapter = plugins.adapters()["otio"]
    plan = passthrough_plan(adapter.read(path), tmp_path)
    losses = adapter.patch(path, plan, here)
    with Isolation() as isolation:
        assert patch_document(path, "otio", plan, tmp_path / "apart.otio", isolation) == losses
        patch_neutral(path, "otio", plan, tmp_path / "neutral.otio", isolation)
    assert (tmp_path / "apart.otio").read_bytes() == here.read_bytes()
    neutral, patched = (read_uses(adapter.read(tmp_path / n)) for n in ("neutral.otio", here.name))
    assert neutral == patched
    assert not list(tmp_path.glob(".*"))


@posix
def test_a_native_crash_is_one_refused_file(hostile: Path) -> None:
    line = read_hostile(document(hostile, "crash"))
    assert "SIGSEGV (signal 11; at most 1024 MiB of memory)" in line
    assert "SIGABRT" in read_hostile(document(hostile, "abort"))


def test_an_exit_is_told_with_its_code(hostile: Path) -> None:
    assert "exit code 7" in read_hostile(document(hostile, "leave"))


def test_a_hang_ends_at_the_limit(hostile: Path) -> None:
    line = read_hostile(document(hostile, "hang"), Limits(1 << 30, cpu_s=20, wall_s=0.5))
    assert "took longer than 0.5 s" in line


@posix
def test_a_busy_loop_ends_at_its_processor_time(hostile: Path) -> None:
    line = read_hostile(document(hostile, "burn"), Limits(1 << 30, cpu_s=1, wall_s=120))
    assert "took longer than 1 s of processor time" in line


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux holds a limit on memory")
def test_a_memory_bomb_ends_at_its_limit(hostile: Path) -> None:
    line = read_hostile(document(hostile, "bomb"), Limits(300 << 20, cpu_s=60, wall_s=120))
    assert "needed more than 300 MiB of memory" in line


def test_the_child_is_started_again_after_one_that_died(hostile: Path) -> None:
    path = good(hostile)
    with Isolation() as isolation:
        with pytest.raises(UnsafeDocument):
            read_document(document(hostile, "leave"), "hostile", isolation)
        assert len(read_document(path, "otio", isolation).uses) == 3


def test_an_error_of_ours_keeps_its_class_and_its_words(hostile: Path) -> None:
    with Isolation() as isolation:
        with pytest.raises(UnsupportedDocument, match=r"^One sentence\. Export again\.$"):
            read_document(document(hostile, "refuses"), "hostile", isolation)
        (hostile / "empty.xml").touch()
        with pytest.raises(NotATimeline, match="is empty"):
            recognise(hostile / "empty.xml", isolation)


def test_a_fault_of_ours_is_one_line(hostile: Path) -> None:
    line = read_hostile(document(hostile, "raises"))
    assert "(KeyError: 'a bug')" in line


def test_a_full_disk_stays_an_error_of_the_system(hostile: Path) -> None:
    plan = passthrough_plan(plugins.adapters()["otio"].read(good(hostile)), hostile)
    with Isolation() as isolation, pytest.raises(OSError, match="No space left") as caught:
        target = hostile / "x.hostile"
        patch_document(document(hostile, "full"), "hostile", plan, target, isolation)
    assert (caught.value.errno, caught.value.filename) == (28, "/somewhere")


def test_what_is_printed_is_no_answer_and_nothing_can_be_read(hostile: Path) -> None:
    assert "ValueError: ''" in read_hostile(document(hostile, "prints"))


@pytest.mark.skipif(sys.platform != "linux", reason="counts in /proc")
def test_no_file_of_ours_is_open_in_the_child(hostile: Path) -> None:
    ours = os.open(hostile / "site", os.O_RDONLY)
    os.set_inheritable(ours, True)
    try:
        line = read_hostile(document(hostile, "open_files"))
    finally:
        os.close(ours)
    # The two pipes, and the folder of /proc that is being listed.
    assert "ValueError: [3, 4, 5]" in line


@posix
def test_a_dropped_document_that_crashes_its_reader_is_a_document_error(hostile: Path) -> None:
    with pytest.raises(UnsafeDocument, match="SIGSEGV"):
        pipeline.run(
            document(hostile, "crash"), Settings(engine="passthrough"), Place(hostile / "out")
        )
    assert not (hostile / "out").exists()


def test_limits_grow_with_the_document_and_end(tmp_path: Path) -> None:
    small, large = tmp_path / "s.xml", tmp_path / "l.xml"
    small.write_bytes(b"x")
    with large.open("wb") as file:
        file.truncate(200 << 20)
    assert limits_for(small).memory_bytes < 1.1 * 2**30
    assert limits_for(large) == Limits(4 << 30, 600.0, 6060.0)


def test_a_request_that_nobody_answers_is_an_end(tmp_path: Path) -> None:
    with Isolation() as isolation, pytest.raises(ChildEnded, match="KeyError"):
        isolation.ask("os.system", "true")
