"""Links that somebody has planted: nothing is written, or deleted, through them."""

from __future__ import annotations

from pathlib import Path

import pytest
from testkit.watching import Bench

from nlecompanion.errors import WatchError


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder that is somebody else's."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "theirs").write_bytes(b"theirs")
    return folder


def is_untouched(outside: Path) -> bool:
    return [(p.name, p.read_bytes()) for p in outside.iterdir()] == [("theirs", b"theirs")]


@pytest.mark.parametrize("name", ["working", "done", "failed", ".nlecompanion"])
def test_a_folder_of_ours_that_is_a_link_is_refused(bench: Bench, outside: Path, name: str) -> None:
    bench.root.mkdir()
    (bench.root / name).symlink_to(outside)
    with pytest.raises(WatchError, match="is a link"), bench.daemon():
        raise AssertionError("it was taken")
    assert is_untouched(outside)


@pytest.mark.parametrize("name", ["working", "done"])
def test_a_folder_that_becomes_a_link_is_waited_out(bench: Bench, outside: Path, name: str) -> None:
    with bench.daemon() as daemon:
        bench.drop("scene.xml")
        bench.turn(daemon)
        (bench.root / name).rename(bench.root / "aside")
        (bench.root / name).symlink_to(outside)
        bench.turn(daemon, 5)
        assert bench.states() == {"scene.xml": ["parked"]}
        assert is_untouched(outside)
        (bench.root / name).unlink()
        (bench.root / "aside").rename(bench.root / name)
        bench.turn(daemon, 60)
    assert bench.lying("done") == ["scene"]


def test_a_link_under_the_name_of_a_staging_folder_goes_alone(bench: Bench, outside: Path) -> None:
    with bench.daemon() as daemon:
        (bench.root / "working" / "scene").symlink_to(outside)
        bench.drop("scene.xml")
        bench.settle(daemon)
    assert bench.lying("done") == ["scene"]
    assert not (bench.root / "done" / "scene").is_symlink()
    assert is_untouched(outside)


@pytest.mark.parametrize("target", ["outside", "nowhere"])
def test_a_link_under_the_name_of_a_delivery_is_no_delivery(
    bench: Bench, outside: Path, target: str
) -> None:
    with bench.daemon() as daemon:
        (bench.root / "done" / "scene").symlink_to(outside.with_name(target))
        bench.drop("scene.xml")
        bench.settle(daemon)
    assert bench.lying("done") == ["scene", "scene 2"]
    assert bench.states() == {"scene.xml": ["done"]}
    assert is_untouched(outside)


def test_a_link_under_the_name_of_a_delivery_to_be_is_no_delivery(
    bench: Bench, outside: Path
) -> None:
    """Planted while the work was under way, and the daemon killed then."""
    bench.behaviour = lambda order: (_ for _ in ()).throw(KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt), bench.daemon() as daemon:
        bench.drop("scene.xml")
        bench.settle(daemon)
    (bench.root / "done" / "scene").symlink_to(outside)
    bench = Bench(bench.root)
    with bench.daemon() as daemon:
        bench.settle(daemon)
    assert bench.lying("done") == ["scene", "scene 2"]
    assert is_untouched(outside)


@pytest.mark.parametrize("name", [".scene.xml.partial", ".scene.xml.txt.partial"])
def test_a_line_in_failed_is_not_written_through_a_link(
    bench: Bench, outside: Path, name: str
) -> None:
    with bench.daemon() as daemon:
        (bench.root / "failed" / name).symlink_to(outside / "theirs")
        bench.drop("scene.xml", b"no end")
        bench.settle(daemon)
        bench.turn(daemon, 60)
    assert bench.lying("failed") == ["scene.xml", "scene.xml.txt"]
    assert is_untouched(outside)


def test_a_document_that_is_a_link_is_no_job(bench: Bench, outside: Path) -> None:
    with bench.daemon() as daemon:
        (bench.root / "inbox" / "scene.xml").symlink_to(outside / "theirs")
        bench.settle(daemon)
    assert bench.states() == {}
    assert bench.lying("failed") == []
