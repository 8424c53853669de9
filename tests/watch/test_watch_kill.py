"""Kills a real daemon at random moments; whoever comes after it must set everything right."""

import random
import subprocess
import sys
from pathlib import Path

from testkit.clock import FakeClock

from nlecompanion.watch.journal import Journal
from nlecompanion.watch.states import State

SCRIPT = Path(__file__).with_name("killable_daemon.py")
DOCUMENTS = 6
PIECES = 4
KILLS = 5
PATIENCE_S = 30


def run_until(root: Path, lines: int | None) -> list[str]:
    """Runs the daemon for so many lines of its output and kills it, or lets it end."""
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), str(root)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line.strip())
            if len(said) == lines:
                process.kill()
                break
        code = process.wait(PATIENCE_S)
    assert code == 0 if lines is None else code != 0 or len(said) < lines, said
    return said


def delivered(root: Path) -> dict[str, int]:
    """The deliveries, each proven to be whole; a delivery made again would be another inode."""
    found: dict[str, int] = {}
    for folder in sorted((root / "done").iterdir()):
        content = (root / "inbox" / f"{folder.name}.xml").read_bytes()
        pieces = sorted(folder.iterdir())
        assert [piece.name for piece in pieces] == [f"piece {n}" for n in range(PIECES)]
        assert all(piece.read_bytes() == content for piece in pieces)
        found[folder.name] = folder.stat().st_ino
    return found


def test_killed_five_times_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    chance = random.Random(20250615)
    (tmp_path / "inbox").mkdir()
    for number in range(DOCUMENTS):
        (tmp_path / "inbox" / f"scene {number}.xml").write_bytes(b"%d" % number * 5000)
    kept: dict[str, int] = {}
    for _ in range(KILLS):
        run_until(tmp_path, chance.randint(1, 20))
        now = delivered(tmp_path) if (tmp_path / "done").is_dir() else {}
        assert kept.items() <= now.items()
        kept = now
    assert 0 < len(kept) < DOCUMENTS, "the kills must fall into the work"
    run_until(tmp_path, None)
    final = delivered(tmp_path)
    assert kept.items() <= final.items()
    assert set(final) == {f"scene {number}" for number in range(DOCUMENTS)}
    assert list((tmp_path / "working").iterdir()) == []
    assert list((tmp_path / "failed").iterdir()) == []
    with Journal(tmp_path / ".nlecompanion" / "journal.sqlite3", FakeClock()) as journal:
        jobs = journal.in_state(*State)
    assert [job.state for job in jobs] == [State.DONE] * DOCUMENTS
    assert run_until(tmp_path, None) == []
